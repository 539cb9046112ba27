/**
 * test — runs the built tests with node:test; its summary closes the output.
 *
 *     npm test                                 everything
 *     npm test -- --only unit --only tidy      some folders of test/
 *     node scripts/test.mjs --from DIST        another build than dist/
 *
 * The exit code is node's: 0 when every test passed or was skipped with a reason.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** In this order: what fails soonest tells most. */
const FOLDERS = ["unit", "property", "tidy", "native", "simulation", "threads", "bench", "netns"];
/** One test may take this long; the longest, in threads, takes half a minute. */
const TEST_MS = 240_000;

const fail = (text) => {
  process.stderr.write(`test: ${text}\n`);
  process.exit(1);
};

const options = () => {
  try {
    const known = { only: { type: "string", multiple: true }, from: { type: "string" } };
    return parseArgs({ options: known }).values;
  } catch (error) {
    return fail(error.message);
  }
};

const { only, from } = options();
const unknown = only?.filter((folder) => !FOLDERS.includes(folder)) ?? [];
if (unknown.length > 0) fail(`no folder ${unknown.join(", ")}; there are ${FOLDERS.join(", ")}.`);

const built = resolve(from ?? join(root, "dist"), "test");
if (!existsSync(built)) fail("nothing is built; run `npm run build`.");

const filesOf = (folder) => {
  const path = join(built, folder);
  if (!existsSync(path)) return [];
  const names = readdirSync(path).filter((name) => name.endsWith(".test.js"));
  return names.sort().map((name) => join(path, name));
};

const files = FOLDERS.filter((folder) => only?.includes(folder) ?? true).flatMap(filesOf);
if (files.length === 0) fail(`no test in ${(only ?? FOLDERS).join(", ")}.`);

const flags = [
  "--enable-source-maps",
  "--test",
  "--test-reporter=spec",
  "--test-concurrency=1",
  `--test-timeout=${TEST_MS}`,
];
const run = spawnSync(process.execPath, [...flags, ...files], { cwd: root, stdio: "inherit" });
if (run.error) fail(run.error.message);
process.exit(run.status ?? 128 + constants.signals[run.signal]);
