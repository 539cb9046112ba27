/**
 * test — runs the built tests with node:test; one summary closes the output.
 *
 *     npm test                                 everything
 *     npm test -- --only unit --only tidy      some folders of test/
 *     node scripts/test.mjs --from DIST        another build than dist/
 *
 * What needs no machine to itself runs two files at a time, what races or measures one. The exit
 * code is 0 when every test passed or was skipped with a reason, else 1.
 */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import { spec as Spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** Files at a time: of those that compute, as CI's machine has processors; of those that wait. */
const COMPUTING = 2;
const WAITING = 3;
/**
 * In this order: the longest files first where two run, so that none is left over at the end.
 * `rest`: files at a time that no table names.
 */
const STAGES = [
  { folders: ["native", "simulation", "unit", "property", "tidy"], rest: COMPUTING },
  { folders: ["threads", "bench", "netns"], rest: 1 },
];
/** These run beside nobody, and why. */
const ALONE = {
  "unit/kernel-routes": "measures what the processor does",
  "unit/uapi": "measures what the processor does",
  "netns/connected": "a ping every 2 ms, none lost; how much the kernel's queues hold",
  "netns/failover": "pauses of a stream, one packet in a thousand lost",
  "netns/flood": "handshakes under a flood that takes a processor",
  "netns/frame-load": "a TCP stream at full speed, no frame lost beside it",
  "netns/fuzz": "200,000 datagrams as fast as they go, none of a tunnel's lost; memory",
  "netns/handshakes": "hundreds of handshakes in seconds, none late",
  "netns/howto-network": "what three members show three seconds after they started",
  "netns/index-crowd": "hundreds of channels in seconds, and all of them once more after a restart",
  "netns/index-flood": "a newcomer has seconds under a flood that takes a processor",
  "netns/index-flood-tunnels": "pings that are lost under a flood that takes a processor",
  "netns/index-members": "eight engines find each other within seconds",
  "netns/lan": "members find each other within seconds",
  "netns/members": "eight engines find each other within seconds",
  "netns/members-hostile": "every datagram of a flood is counted, a newcomer has seconds",
  "netns/members-many": "the memory of one engine, and seconds until it knows all",
  "netns/older": "new sessions under pings, none lost",
  "netns/onlink": "a stream's speed under a flood",
  "netns/path-mtu": "how long TCP stands still",
  "netns/soak": "full speed for half a minute, nothing lost; memory",
  "netns/strangers": "every datagram that is sent is counted",
  "netns/tunnel": "UDP at a rate, less than 1 % lost",
};
/**
 * Of the second stage, these wait for most of their time and assert nothing that a neighbour makes
 * worse: they run three at a time, the longest first. A file in neither table runs alone there.
 */
// biome-ignore format: a list
const NETNS_BESIDE = [
  "members-later", "members-clone", "index-clocks", "index-node", "join", "renewal",
  "index-moves", "index-liar", "index-nat", "index-ipv6",
  "wireguard", "package",
  "underlay", "uapi", "killed", "members-beside",
  "members-files", "addresses", "wg-quick", "key-log", "nat", "host", "mtu", "suites",
  "signals", "live", "hostile", "frames", "roam", "local", "zones", "multicast", "dead-names",
  "first-answer", "names", "log", "way", "takeover", "refusals", "middle", "worker",
  "multihome", "offloads", "sources", "neighbours",
];
const BESIDE = [
  ...NETNS_BESIDE.map((name) => `netns/${name}`),
  ...["results", "charts", "page", "field", "bounds", "bench"].map((name) => `bench/${name}`),
];
const FOLDERS = STAGES.flatMap(({ folders }) => folders);
/** One file may take this long; the longest takes two minutes, and more on a busy machine. */
const FILE_MS = 300_000;
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

/** As the tables name it. */
const nameOf = (file) => relative(built, file).replace(/\.test\.js$/, "");
const isAlone = (file) => Object.hasOwn(ALONE, nameOf(file));
const isBeside = (file) => BESIDE.includes(nameOf(file));

const stages = STAGES.flatMap(({ folders, rest }) => {
  const files = folders.filter((folder) => only?.includes(folder) ?? true).flatMap(filesOf);
  const beside = files.filter(isBeside);
  beside.sort((one, two) => BESIDE.indexOf(nameOf(one)) - BESIDE.indexOf(nameOf(two)));
  const others = files.filter((file) => !isAlone(file) && !isBeside(file));
  return [
    { files: files.filter(isAlone), concurrency: 1 },
    { files: others, concurrency: rest },
    { files: beside, concurrency: WAITING },
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
