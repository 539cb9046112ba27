/**
 * test — runs the built tests with node:test; one summary closes the output.
 *
 *     npm test                                 everything
 *     npm test -- --only unit --only tidy      some folders of test/
 *     node scripts/test.mjs --from DIST        another build than dist/
 *
 * What needs no machine to itself runs on two processors, what races or measures one file at a
 * time. The exit code is 0 when every test passed or was skipped with a reason, else 1.
 */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import { spec as Spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** In this order: what fails soonest tells most. */
const STAGES = [
  { folders: ["unit", "property", "tidy", "native", "simulation"], concurrency: 2 },
  { folders: ["threads", "bench", "netns"], concurrency: 1 },
];
/** These measure what the processor does, and run beside nobody. */
const ALONE = /\/unit\/(uapi|kernel-routes)\.test\.[jt]s$/;
const FOLDERS = STAGES.flatMap(({ folders }) => folders);
/** One file may take this long; the longest take half a minute. */
const FILE_MS = 240_000;
/** What node:test says when a run is over; sums of all runs are said instead. */
const TOTAL = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;

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

const stages = STAGES.flatMap(({ folders, concurrency }) => {
  const files = folders.filter((folder) => only?.includes(folder) ?? true).flatMap(filesOf);
  return [
    { files: files.filter((file) => ALONE.test(file)), concurrency: 1 },
    { files: files.filter((file) => !ALONE.test(file)), concurrency },
  ];
}).filter(({ files }) => files.length > 0);
if (stages.length === 0) fail(`no test in ${(only ?? FOLDERS).join(", ")}.`);

/** What all runs say, one after the other. */
async function* events() {
  const totals = new Map();
  for (const stage of stages) {
    for await (const event of run({ ...stage, timeout: FILE_MS })) {
      const { data, type } = event;
      if (type === "test:fail" && data.todo === undefined) process.exitCode = 1;
      const total = type === "test:diagnostic" && data.nesting === 0 && TOTAL.exec(data.message);
      if (total) totals.set(total[1], (totals.get(total[1]) ?? 0) + Number(total[2]));
      else yield event;
    }
  }
  for (const [what, sum] of totals) {
    yield { type: "test:diagnostic", data: { nesting: 0, message: `${what} ${sum}` } };
  }
}

process.chdir(root);
// Every file's process has what this one was started with.
process.execArgv.push("--enable-source-maps");
await pipeline(events, new Spec(), process.stdout, { end: false });
