/**
 * paper — the paper's Table 3: the server of the rivals is flooded, and with us the index node.
 *
 * Every link is 1 Gbit/s. What passes through the server shares its link with the flood; what goes
 * direct does not meet it. Our peers are members that found each other through the index node.
 */
import { FLOOD_CLASSES } from "../../test/lab/floods.ts";
import { markdownTable, type Row, type SchemeFacts } from "../report.ts";
import { n2nDirect, n2nSupernode } from "../rivals/n2n.ts";
import { none } from "../rivals/none.ts";
import { openvpn } from "../rivals/openvpn.ts";
import { strongswan } from "../rivals/strongswan.ts";
import {
  cameOf,
  type FloodLine,
  figureOf,
  kindsOf,
  LOSSES_NOTE,
  linesOf,
  lossesTable,
  MARK_NOTE,
} from "./flood-tables.ts";
import { type Flooded, floodedScenario, floodedTelling } from "./flooded.ts";
import { type Elsewhere, glanceByLoad } from "./glance.ts";
import { kernelRivals, oursRivals, wireguardGoRivals } from "./rivals.ts";
import type { ScenarioMaker } from "./scenario.ts";

interface Published {
  readonly latencyMs: number | null;
  readonly throughputMbps: number | null;
}

/** Figures of the paper, by family and load; null is its N/A. Source: paper, Table 3. */
// biome-ignore format: a table
export const PUBLISHED: Readonly<Record<string, Readonly<Record<number, Published>>>> = {
  strongswan: { 100: { latencyMs: 0.503, throughputMbps: 881 }, 500: { latencyMs: 2.424, throughputMbps: 541 }, 1000: { latencyMs: null, throughputMbps: null } },
  openvpn: { 100: { latencyMs: 1.542, throughputMbps: 258 }, 500: { latencyMs: 7.123, throughputMbps: 131 }, 1000: { latencyMs: null, throughputMbps: null } },
  p2pvpn: { 100: { latencyMs: 0.487, throughputMbps: 684 }, 500: { latencyMs: 0.509, throughputMbps: 634 }, 1000: { latencyMs: 0.544, throughputMbps: 628 } },
};

const INTRO = [
  "Every link is 1 Gbit/s, with a queue of 20 ms and segments of a wire's size. The flood goes " +
    "to the host of the rivals' server; with us to the index's host, which no packet of ours " +
    "passes. Latency is measured without TCP, and TCP without pings. The attack is counted as a " +
    "line does, preamble and gap too, where it comes to the victim; through a server, peers and " +
    "flood share that link, and what the switch dropped is taken to be of the flood.",
];

const publishedText = ({ scheme, attackMbps }: FloodLine): [string, string] => {
  const found = PUBLISHED[scheme.family]?.[attackMbps];
  if (found === undefined) return ["", ""];
  const { latencyMs, throughputMbps } = found;
  return [latencyMs?.toFixed(3) ?? "N/A", throughputMbps?.toFixed(0) ?? "N/A"];
};

const HEAD = [
  ...["scheme", "latency, ms", "throughput, Mbit/s", "attack, Mbit/s", "of it came"],
  ...["p99, ms", "lost, %", "CPU-s per GB", "paper: ms", "paper: Mbit/s", "runs"],
];

const cellsOf = (line: FloodLine): string[] => {
  const { scheme, attackMbps, ping, tcp } = line;
  const came = attackMbps === 0 ? "" : cameOf(ping, tcp);
  const runs = Math.max(ping?.runs ?? 0, tcp?.runs ?? 0);
  return [
    ...[scheme.title, figureOf(ping, "latencyMs"), figureOf(tcp, "throughputMbps")],
    ...[String(attackMbps), came, figureOf(ping, "latencyP99Ms"), figureOf(ping, "lossPct")],
    ...[figureOf(tcp, "cpuSecondsPerGb"), ...publishedText(line), String(runs)],
  ];
};

const BOTH_HEAD = ["scheme", "latency, ms", "lost, %", "throughput, Mbit/s", "attack, Mbit/s"];

const bothTable = (lines: readonly FloodLine[]): string[] => {
  const some = lines.filter(({ both }) => both !== undefined);
  if (some.length === 0) return [];
  const cells = some.map(({ scheme, attackMbps, both }) => [
    ...[scheme.title, figureOf(both, "latencyMs"), figureOf(both, "lossPct")],
    ...[figureOf(both, "throughputMbps"), String(attackMbps)],
  ]);
  return ["Both at once, told and not judged:", markdownTable(BOTH_HEAD, cells)];
};

/** What the paper calls the families. Source: paper, Table 3. */
export const PAPER_NAMES = {
  openvpn: "the paper: OpenVPN",
  strongswan: "the paper: IPsec",
  p2pvpn: "the paper: P2PVPN",
} as const;

const THE_PAPERS: readonly Elsewhere[] = Object.entries(PAPER_NAMES).map(([family, title]) => ({
  title,
  at: (attackMbps) => PUBLISHED[family]?.[attackMbps],
}));

const tables = (rows: readonly Row[], schemes: readonly SchemeFacts[]): string[] =>
  kindsOf(rows).flatMap((kind) => {
    const lines = linesOf(rows, schemes, kind);
    const title = FLOOD_CLASSES.find(({ id }) => id === kind)?.title ?? kind;
    const main = lines.filter(({ ping, tcp }) => ping !== undefined || tcp !== undefined);
    const first = main.length === 0 ? [] : [markdownTable(HEAD, main.map(cellsOf)), MARK_NOTE];
    const losses = main.length === 0 ? [] : [LOSSES_NOTE, lossesTable(main)];
    const glance = main.length === 0 ? [] : [glanceByLoad(main, THE_PAPERS)];
    return [
      `## The paper's Table 3: ${title}`,
      ...glance,
      ...first,
      ...bothTable(lines),
      ...losses,
    ];
  });

/** Its rows and its page. */
export const paperTelling = floodedTelling({ name: "paper", intro: INTRO, tables });

/** Makes scenario `paper`. Errors: LabError, UsageError. */
export const paperScenario: ScenarioMaker = async (options, version, root) => {
  const { hub, direct, why } = await wireguardGoRivals(options, root);
  const kernel = kernelRivals();
  const rivals = [
    ...[openvpn, strongswan, n2nSupernode, hub, ...kernel.filter((rival) => !rival.direct)],
    ...[n2nDirect, direct, ...kernel.filter((rival) => rival.direct)],
    ...oursRivals(options, version, true),
    // What the flood takes of this machine's processors shows without any VPN.
    ...(options.quick ? [] : [none]),
  ];
  const plan: Flooded = {
    ...{ name: "paper", rivals, why },
    classes: ["junk", "random", "small"],
    usual: ["junk"],
    scene: {
      links: "all",
      target: ({ s }, { serverPort }) => ({ host: s, port: serverPort }),
      others: (rival) => (rival.direct ? [] : ["a", "b"]),
    },
  };
  return floodedScenario(plan, options);
};
