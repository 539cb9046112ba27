/**
 * first-tunnel — ours beside wireguard-go: TCP throughput, idle ping, processor time per gigabyte.
 *
 *   npm run bench:first -- [--runs N] [--seconds N] [--only chacha,aes,wireguard-go,bare]
 *                          [--threads N] [--hand-over RULE] [--node PATH]
 *                          [--wireguard-go PATH] [--no-offloads] [--ping-interval MS] [--json FILE]
 *
 * Two network namespaces and a veth pair; one tunnel at a time, A-B-C-A-B-C. Each run: 200 pings
 * 10 ms apart, one TCP stream by iperf3 whose first second does not count, 200 pings again.
 * `--no-offloads` makes the veth pair segment and merge as a network card does.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { compile } from "../test/lab/compile.ts";
import { type Keys, makeKeys, runNode, runWireguardGo, writeConfig } from "../test/lab/engines.ts";
import {
  type Host,
  Lab,
  LabError,
  missingTools,
  type Program,
  wireguardName,
} from "../test/lab/lab.ts";
import { describeMachine, type Machine } from "../test/lab/machine.ts";
import { runMain } from "../test/lab/main.ts";
import { firstPing, flow, ping } from "../test/lab/measure.ts";
import type { NodeOptions } from "../test/lab/node.ts";
import { median } from "../test/lab/statistics.ts";
import { fetchWireguardGo, WIREGUARD_GO_VERSION } from "./fetch.ts";

const PINGS = 200;
const BARE_UP_MS = 5_000;
const OMIT_SECONDS = 1;
const REFERENCE = "wireguard-go";

/** One run of one scheme. Units as the names say; pings are medians. */
interface Run {
  readonly scheme: string;
  readonly megabitsPerSecond: number;
  readonly pingBeforeMs: number;
  readonly pingAfterMs: number;
  readonly pingsLost: number;
  readonly retransmits: number;
  readonly cpuSecondsPerGb: number;
}

interface Scheme {
  readonly name: string;
  readonly title: string;
  /** Starts both ends; returns what to stop. */
  readonly start: (lab: Lab) => Promise<readonly Program[]>;
}

interface Options {
  readonly runs: number;
  readonly seconds: number;
  readonly node: string;
  readonly offloads: boolean;
  readonly only: readonly string[];
  readonly flags: NonNullable<NodeOptions["flags"]>;
  readonly wireguardGo: string | undefined;
  /** Between two pings; the shorter, the warmer the caches. */
  readonly pingIntervalMs: number;
  readonly json: string | undefined;
}

const whole = (name: string, text: string, min: number, max: number): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new LabError(`--${name} must be a whole number from ${min} to ${max}, not '${text}'.`);
};

const readOptions = (): Options => {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "5" },
      seconds: { type: "string", default: "5" },
      node: { type: "string", default: process.execPath },
      only: { type: "string", default: "chacha,aes,wireguard-go,bare" },
      threads: { type: "string" },
      "hand-over": { type: "string" },
      "wireguard-go": { type: "string" },
      "ping-interval": { type: "string", default: "10" },
      "no-offloads": { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const handOver = values["hand-over"];
  const modes = ["auto", "inline", "always"] as const;
  const mode = modes.find((one) => one === handOver);
  if (handOver !== undefined && mode === undefined) {
    throw new LabError(`--hand-over must be one of ${modes.join(", ")}, not '${handOver}'.`);
  }
  const threads = values.threads;
  return {
    runs: whole("runs", values.runs, 1, 1_000),
    seconds: whole("seconds", values.seconds, 1, 3_600),
    node: values.node,
    offloads: !values["no-offloads"],
    only: values.only.split(","),
    flags: {
      ...(threads === undefined ? {} : { threads: whole("threads", threads, 0, 64) }),
      ...(mode === undefined ? {} : { hand_over: mode }),
    },
    wireguardGo: values["wireguard-go"],
    pingIntervalMs: whole("ping-interval", values["ping-interval"], 1, 10_000),
    json: values.json,
  };
};

const keysOf = (lab: Lab): readonly [Keys, Keys] => [
  makeKeys(lab, lab.a, "wireguard"),
  makeKeys(lab, lab.b, "wireguard"),
];

const ours = (
  title: string,
  name: string,
  suite: NodeOptions["suite"],
  options: Options,
): Scheme => ({
  name,
  title,
  start: async (lab) => {
    const [a, b] = keysOf(lab);
    const node: NodeOptions = { flags: options.flags, ...(suite === undefined ? {} : { suite }) };
    const engines = await Promise.all([
      runNode(lab, lab.a, writeConfig(lab, lab.a, a, b.publicKey), node, options.node),
      runNode(lab, lab.b, writeConfig(lab, lab.b, b, a.publicKey), node, options.node),
    ]);
    return engines.map((engine) => engine.program);
  },
});

const wireguardGo = (title: string, binary: string): Scheme => ({
  name: REFERENCE,
  title,
  start: async (lab) => {
    const [a, b] = keysOf(lab);
    return [
      await runWireguardGo(lab, lab.a, a, b.publicKey, {}, binary),
      await runWireguardGo(lab, lab.b, b, a.publicKey, {}, binary),
    ];
  },
});

/** bare.c on both hosts: what no cipher and no protocol would cost. */
const bare = (): Scheme => ({
  name: "bare",
  title: "no protocol, no cipher (bare.c): the floor",
  start: async (lab) => {
    const binary = compile(lab, "bare");
    const start = async (host: Host): Promise<Program> => {
      const name = wireguardName(host);
      const program = lab.start(host, [binary, name, lab.peerOf(host).under4]);
      await program.says("bare is up", BARE_UP_MS);
      lab.must(host, ["ip", "address", "add", `${host.inner4}/24`, "dev", name]);
      lab.must(host, ["ip", "link", "set", name, "mtu", "1420", "up"]);
      return program;
    };
    return [await start(lab.a), await start(lab.b)];
  },
});

const measure = async (lab: Lab, scheme: Scheme, options: Options): Promise<Run> => {
  const { seconds, pingIntervalMs } = options;
  const programs = await scheme.start(lab);
  try {
    const to = lab.b.inner4;
    await firstPing(lab, lab.a, to);
    const before = await ping(lab, lab.a, to, PINGS, pingIntervalMs);
    const tcp = await flow(lab, lab.a, to, { seconds, omit: OMIT_SECONDS });
    const after = await ping(lab, lab.a, to, PINGS, pingIntervalMs);
    return {
      scheme: scheme.name,
      megabitsPerSecond: tcp.megabitsPerSecond,
      pingBeforeMs: median(before.times),
      pingAfterMs: median(after.times),
      pingsLost: before.lost + after.lost,
      retransmits: tcp.retransmits,
      cpuSecondsPerGb: tcp.cpuSeconds / (tcp.bytes / 1e9),
    };
  } finally {
    await Promise.all(programs.map((program) => program.stop()));
  }
};

const gigabits = (megabits: number): string => (megabits / 1_000).toFixed(2);
const spread = (values: readonly number[], text: (value: number) => string): string =>
  `${text(median(values))} (${text(Math.min(...values))}–${text(Math.max(...values))})`;

type Column = "megabitsPerSecond" | "pingBeforeMs" | "pingAfterMs" | "cpuSecondsPerGb";

// biome-ignore format: a table
const COLUMNS: readonly (readonly [Column, string, (value: number) => string])[] = [
  ["megabitsPerSecond", "TCP, Gbit/s", gigabits],
  ["pingBeforeMs", "ping before, ms", (value) => value.toFixed(3)],
  ["pingAfterMs", "ping after, ms", (value) => value.toFixed(3)],
  ["cpuSecondsPerGb", "CPU-s per GB", (value) => value.toFixed(2)],
];

/** The table: medians, lowest and highest in brackets, and how many times wireguard-go's. */
const table = (schemes: readonly Scheme[], runs: readonly Run[]): string => {
  const valuesOf = (scheme: string, column: Column): number[] =>
    runs.filter((run) => run.scheme === scheme).map((run) => run[column]);
  const rows = schemes.map(({ name, title }) => {
    const cells = COLUMNS.flatMap(([column, , text]) => {
      const values = valuesOf(name, column);
      const ratio = median(values) / median(valuesOf(REFERENCE, column));
      return [spread(values, text), Number.isNaN(ratio) ? "–" : `${ratio.toFixed(2)} ×`];
    });
    return [title, ...cells];
  });
  const head = ["scheme", ...COLUMNS.flatMap(([, title]) => [title, "ratio"])];
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
};

const describe = (machine: Machine, options: Options, cubic: boolean): string => {
  const flags = Object.entries(options.flags).map(([key, value]) => `${key} ${value}`);
  const facts = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB`,
    `${machine.system}, Linux ${machine.kernel}`,
    `Node ${machine.node}`,
    `iperf3 ${machine.iperf3}`,
    cubic ? "TCP cubic" : "TCP: the kernel's default algorithm (cubic was refused)",
    `a ping each ${options.pingIntervalMs} ms`,
    options.offloads ? "veth as it is" : "veth with segmentation off, GRO on",
    ...flags,
  ];
  return `p2pvpn-engine ${machine.version} (${machine.commit}); ${facts.join("; ")}`;
};

const versionOf = (binary: string): string => {
  const { stdout } = spawnSync(binary, ["--version"], { encoding: "utf8" });
  return /v?(\d+\.\d+\.\d+)/.exec(stdout ?? "")?.[1] ?? "unknown";
};

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const main = async (): Promise<number> => {
  const options = readOptions();
  const tools = ["ping", "iperf3", "wg", ...(options.offloads ? [] : ["ethtool"])];
  const missing = missingTools(tools);
  if (missing !== null) throw new LabError(missing);
  const lab = await Lab.make({ offloads: options.offloads });
  const all: Scheme[] = [
    ours("ours, ChaCha20-Poly1305 (sodium-native)", "chacha", "chacha20poly1305", options),
    ours("ours, AES-256-GCM (addon)", "aes", "aes256gcm", options),
    bare(),
  ];
  if (options.only.includes(REFERENCE)) {
    if (options.wireguardGo === undefined) say(`fetching wireguard-go ${WIREGUARD_GO_VERSION}`);
    const binary = options.wireguardGo ?? (await fetchWireguardGo(lab.folder));
    // The program of that release still says 0.0.20230223.
    const fetched = `${WIREGUARD_GO_VERSION} (Debian backports)`;
    const version = options.wireguardGo === undefined ? fetched : `says ${versionOf(binary)}`;
    all.push(wireguardGo(`wireguard-go ${version}`, binary));
  }
  const schemes = all.filter(({ name }) => options.only.includes(name));
  const runs: Run[] = [];
  for (let i = 1; i <= options.runs; i++) {
    for (const scheme of schemes) {
      const run = await measure(lab, scheme, options);
      runs.push(run);
      say(
        `run ${i} of ${options.runs}  ${scheme.name.padEnd(12)}  ` +
          `${gigabits(run.megabitsPerSecond)} Gbit/s  ping ${run.pingBeforeMs.toFixed(3)} ms, ` +
          `then ${run.pingAfterMs.toFixed(3)} ms  ` +
          `${run.cpuSecondsPerGb.toFixed(2)} CPU-s per GB  ` +
          `${run.retransmits} retransmits  ${run.pingsLost} pings lost`,
      );
    }
  }
  const machine = describeMachine(options.node);
  process.stdout.write(`${describe(machine, options, lab.cubic)}\n\n${table(schemes, runs)}\n`);
  if (options.json !== undefined) {
    const titles = Object.fromEntries(schemes.map(({ name, title }) => [name, title]));
    const report = { date: new Date().toISOString(), machine, options, titles, runs };
    writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  lab.remove();
  return 0;
};

void runMain(main);
