/**
 * build — the addon by cc and node-api-headers alone, then TypeScript by tsc.
 *
 * `node scripts/build.mjs --addon` builds the addon only. Every failure is one sentence.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const nativeDir = join(root, "src/io/native");
const addon = join(root, "build/addon.node");
const FLAGS = [
  "-std=c11",
  "-O3",
  "-fPIC",
  "-shared",
  "-fvisibility=hidden",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-Wconversion",
  "-Wshadow",
  "-fstack-protector-strong",
  "-D_FORTIFY_SOURCE=2",
  "-pthread",
  // A thread of names.c may outlive the last of Node's threads that loaded the addon.
  "-Wl,-z,relro,-z,now,-z,nodelete",
];

const fail = (text) => {
  process.stderr.write(`build: ${text}\n`);
  process.exit(1);
};

/** Newest change among the C files. */
const newestSource = () =>
  Math.max(
    ...readdirSync(nativeDir)
      .filter((name) => /\.[ch]$/.test(name))
      .map((name) => statSync(join(nativeDir, name)).mtimeMs),
  );

export const buildAddon = () => {
  const headers = join(root, "node_modules/node-api-headers/include");
  if (!existsSync(headers)) fail("node-api-headers is not there; run `npm run setup`.");
  if (existsSync(addon) && statSync(addon).mtimeMs > newestSource()) return;
  const compiler = process.env.CC ?? "cc";
  if (spawnSync(compiler, ["--version"]).error) {
    fail(`the C compiler ${compiler} was not found; run \`apt-get install gcc libc6-dev\`.`);
  }
  mkdirSync(dirname(addon), { recursive: true });
  const sources = readdirSync(nativeDir).filter((name) => name.endsWith(".c"));
  const temporary = `${addon}.${process.pid}`;
  const arguments_ = [...FLAGS, `-I${headers}`, "-o", temporary, ...sources, "-ldl"];
  const result = spawnSync(compiler, arguments_, { cwd: nativeDir, encoding: "utf8" });
  if (result.status !== 0) {
    rmSync(temporary, { force: true });
    fail(`${compiler} could not compile the addon:\n${result.stderr}`);
  }
  renameSync(temporary, addon);
};

const buildTypeScript = () => {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  if (!existsSync(tsc)) fail("typescript is not there; run `npm run setup`.");
  rmSync(join(root, "dist"), { recursive: true, force: true });
  const result = spawnSync(process.execPath, [tsc, "-p", root], { stdio: "inherit" });
  if (result.status !== 0) fail("TypeScript found errors.");
};

buildAddon();
if (!process.argv.includes("--addon")) buildTypeScript();
