/**
 * build — the addon (addon.mjs), then TypeScript by tsc.
 *
 * `node scripts/build.mjs --addon` builds the addon only. Every failure is one sentence.
 */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildAddon } from "./addon.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const fail = (text) => {
  process.stderr.write(`build: ${text}\n`);
  process.exit(1);
};

const buildTypeScript = () => {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  if (!existsSync(tsc)) fail("typescript is not there; run `npm run setup`.");
  process.stdout.write("build: compiling TypeScript\n");
  rmSync(join(root, "dist"), { recursive: true, force: true });
  const result = spawnSync(process.execPath, [tsc, "-p", root], { stdio: "inherit" });
  if (result.status !== 0) fail("TypeScript found errors.");
  // What setup.mjs compares the sources with.
  writeFileSync(join(root, "dist/.built"), "");
};

const problem = buildAddon({ say: (clause) => process.stdout.write(`build: ${clause}\n`) });
if (problem !== null) fail(problem);
if (!process.argv.includes("--addon")) buildTypeScript();
