/**
 * chart-rows — made-up rows for tests of charts and pages. NOBODY MEASURED THESE FIGURES.
 */
import type { Row } from "../../bench/report.ts";
import { FLOOD_CLASSES } from "../lab/floods.ts";
import type { Machine } from "../lab/machine.ts";

export const MACHINE: Machine = {
  ...{ cpu: "none", cores: 2, memoryGiB: 1, kernel: "0", system: "none", node: "v20" },
  ...{ iperf3: "3", version: "0.0.0", commit: "abc" },
};

const LOADS = [0, 100, 500, 1_000];
const NODES = ["20.20.2", "24.21.0"];

interface Maker {
  readonly id: string;
  readonly family: string;
  readonly cipher: string | null;
  readonly node: string | null;
  /** By load; null: nothing came through. */
  readonly mbps: readonly (number | null)[];
  readonly ms: readonly (number | null)[];
}

const rival = (id: string, family: string, mbps: Maker["mbps"], ms: Maker["ms"]): Maker => ({
  ...{ id, family, cipher: null, node: null, mbps, ms },
});

const ours = (factor: number, ms: number): Maker[] =>
  (["aes", "chacha"] as const).flatMap((what, i) =>
    NODES.map((node, j) => {
      const mbps = factor * (1 - 0.1 * i + 0.04 * j);
      const lag = ms * (1 + 0.1 * i - 0.1 * j);
      return {
        ...{ id: `p2pvpn-${what}-node${node.slice(0, 2)}`, family: "p2pvpn", node },
        cipher: what === "aes" ? "aes256gcm" : "chacha20poly1305",
        mbps: [mbps, mbps * 0.99, mbps * 0.97, mbps * 0.95],
        ms: [lag, lag * 1.05, lag * 1.1, lag * 1.2],
      };
    }),
  );

// biome-ignore format: a table
const PAPER: readonly Maker[] = [
  rival("openvpn", "openvpn", [310, 270, 140, null], [0.9, 1.4, 6.8, null]),
  rival("strongswan", "strongswan", [700, 610, 330, null], [0.5, 0.6, 2.2, null]),
  rival("n2n-supernode", "n2n", [190, 170, 90, null], [1.1, 1.6, 9.5, null]),
  rival("wireguard-go-hub", "wireguard-go", [520, 470, 280, 4], [0.8, 0.95, 3.2, 41]),
  rival("n2n-direct", "n2n", [240, 236, 230, 231], [0.8, 0.82, 0.83, 0.9]),
  rival("wireguard-go", "wireguard-go", [880, 871, 860, 855], [0.55, 0.56, 0.6, 0.62]),
  ...ours(930, 0.45),
];

const rowOf = (maker: Maker, scenario: string, work: "ping" | "tcp", at: number): Row => {
  const load = LOADS[at]!;
  const value = (work === "tcp" ? maker.mbps : maker.ms)[at] ?? null;
  const figure = work === "tcp" ? "throughputMbps" : "latencyMs";
  const median = work === "tcp" ? (value ?? 0) : value;
  const spread = median === null ? {} : { [figure]: spreadAround(median) };
  return {
    ...{ scenario, scheme: maker.family, version: "1.2.3", class: load === 0 ? null : "junk" },
    ...{ attackMbps: load, attackAchievedMbps: load * 0.985, latencyMs: null, lossPct: null },
    ...{ latencyP99Ms: null, throughputMbps: null, runs: 10, note: "", id: maker.id, work },
    ...{ cipher: maker.cipher, node: maker.node, spread, [figure]: median },
    ...(work === "ping" ? { lossPct: value === null ? 100 : 0 } : {}),
  };
};

const spreadAround = (median: number) => ({
  ...{ mean: median, median, lowest: median * 0.93, lowerQuartile: median * 0.97 },
  ...{ upperQuartile: median * 1.04, highest: median * 1.09 },
});

/** As of scenario `paper`: ten schemes, one kind of flood. */
export const paperRows = (): Row[] =>
  PAPER.flatMap((maker) =>
    (["ping", "tcp"] as const).flatMap((work) =>
      LOADS.map((_, at) => rowOf(maker, "paper", work, at)),
    ),
  );

// biome-ignore format: a table
const DIRECT: readonly Maker[] = [
  ...ours(3_600, 0.3),
  rival("wireguard-go", "wireguard-go", [1_300, 1_050, 600, 260], [0.5, 0.7, 2.5, 14]),
  rival("none", "none", [9_400, 9_000, 8_100, 7_000], [0.05, 0.06, 0.08, 0.12]),
];

/** The higher, the worse a kind is for everybody; the last reaches a third of what is asked. */
const harm = (kind: number, value: number | null, work: string): number | null => {
  if (value === null) return null;
  return work === "tcp" ? value * (1 - 0.1 * kind) : value * (1 + kind);
};

/** As of scenario `direct`: all kinds of floods; mac1 silences wireguard-go at the highest load. */
export const directRows = (): Row[] =>
  DIRECT.flatMap((maker) =>
    (["ping", "tcp"] as const).flatMap((work) => [
      rowOf(maker, "direct", work, 0),
      ...FLOOD_CLASSES.flatMap(({ id }, kind) =>
        [1, 2, 3].map((at): Row => {
          const change = (values: Maker["mbps"]): Maker["mbps"] =>
            values.map((value) =>
              maker.family === "wireguard-go" && id === "mac1" && at === 3
                ? null
                : harm(kind, value, work),
            );
          const made = { ...maker, mbps: change(maker.mbps), ms: change(maker.ms) };
          const row = { ...rowOf(made, "direct", work, at), class: id };
          const came = id === "small" ? Math.min(310, row.attackMbps) : row.attackMbps * 0.985;
          return { ...row, attackAchievedMbps: came };
        }),
      ),
    ]),
  );

// biome-ignore format: a table
const SPEED: readonly (readonly [work: string, figure: string, rival: number, ours: number])[] = [
  ["tcp1", "throughputMbps", 1_240, 3_750],
  ["tcp4", "throughputMbps", 1_300, 4_100],
  ["card", "throughputMbps", 900, 1_700],
  ["udp64", "packetsPerSecond", 41_000, 79_000],
  ["peers", "throughputMbps", 1_150, 3_600],
  ["ping", "latencyMs", 0.56, 0.42],
  ["loaded", "latencyMs", 19, 2.3],
];

const speedRow = (maker: Maker, work: string, figure: string, value: number): Row => {
  const more = figure === "latencyMs" ? { latencyP99Ms: spreadAround(value * 2.6) } : {};
  const cpu = work === "tcp1" ? { cpuSecondsPerGb: spreadAround(11_000 / value) } : {};
  const spread = { [figure]: spreadAround(value), ...more, ...cpu };
  const row = rowOf(maker, "speed", "ping", 0);
  return { ...row, latencyMs: null, lossPct: null, work, spread, [figure]: value };
};

/** As of scenario `speed`: five of ours, wireguard-go, seven works. */
export const speedRows = (): Row[] => {
  const [aes, ...more] = ours(1, 1);
  const bare = { ...aes!, id: "p2pvpn-unsealed-node20", cipher: null };
  const rows = SPEED.flatMap(([work, figure, theirs, value]) => [
    ...[aes!, ...more].map((one, i) => speedRow(one, work, figure, value * (1 - 0.15 * i))),
    ...(work.startsWith("tcp") ? [speedRow(bare, work, figure, value * 1.2)] : []),
    speedRow(rival("wireguard-go", "wireguard-go", [1], [1]), work, figure, theirs),
  ]);
  // Idle peers were too many for one of them.
  return rows.map((row) =>
    row.work === "peers" && row.id === "p2pvpn-chacha-node24"
      ? { ...row, runs: 0, spread: {}, throughputMbps: null, note: "run 1: It ended." }
      : row,
  );
};
