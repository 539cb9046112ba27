/**
 * direct — a and b are peers, and b's own tunnel port is flooded, by every kind of flood.
 *
 * The attacker's link is 1 Gbit/s and the peers' are not shaped: else a row would show the shaper.
 * Beside each row stands the limit: the same without any VPN.
 */
import { FLOOD_CLASSES } from "../../test/lab/floods.ts";
import { markdownTable, type Row, type SchemeFacts } from "../report.ts";
import { none } from "../rivals/none.ts";
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
import { glanceByKind } from "./glance.ts";
import { kernelRivals, oursRivals, wireguardGoRivals } from "./rivals.ts";
import type { ScenarioMaker } from "./scenario.ts";

const INTRO = [
  "a and b speak directly and b's tunnel port is flooded. The attacker's link is 1 Gbit/s, those " +
    "of the peers are not shaped; segments have a wire's size. “Of no VPN” is the throughput " +
    "beside that of the bare link under the same flood. The attack is counted as a line does, " +
    "preamble and gap too, where it comes to b.",
];

const HEAD = [
  ...["scheme", "attack, Mbit/s", "of it came", "latency, ms", "p99, ms", "lost, %"],
  ...["throughput, Mbit/s", "of no VPN", "both at once: ms", "Mbit/s", "CPU-s per GB", "runs"],
];

/** Share of what the bare link carried under the same load. */
const shareOf = ({ tcp, attackMbps }: FloodLine, lines: readonly FloodLine[]): string => {
  const bare = lines.find((one) => one.scheme.id === none.id && one.attackMbps === attackMbps);
  const limit = bare?.tcp?.throughputMbps ?? 0;
  const own = tcp?.throughputMbps ?? null;
  return own === null || limit === 0 ? "–" : `${((100 * own) / limit).toFixed(0)} %`;
};

const cellsOf = (line: FloodLine, lines: readonly FloodLine[]): string[] => {
  const { scheme, attackMbps, ping, tcp, both } = line;
  const came = attackMbps === 0 ? "" : cameOf(ping, tcp, both);
  const runs = Math.max(...[ping, tcp, both].map((row) => row?.runs ?? 0));
  return [
    ...[scheme.title, String(attackMbps), came, figureOf(ping, "latencyMs")],
    ...[figureOf(ping, "latencyP99Ms"), figureOf(ping, "lossPct")],
    ...[figureOf(tcp, "throughputMbps"), shareOf(line, lines)],
    ...[figureOf(both, "latencyMs"), figureOf(both, "throughputMbps")],
    ...[figureOf(tcp, "cpuSecondsPerGb"), String(runs)],
  ];
};

const tables = (rows: readonly Row[], schemes: readonly SchemeFacts[]): string[] => {
  const all = kindsOf(rows).flatMap((kind) => {
    const lines = linesOf(rows, schemes, kind);
    const title = FLOOD_CLASSES.find(({ id }) => id === kind)?.title ?? kind;
    const body = lines.map((line) => cellsOf(line, lines));
    const main = lines.filter(({ ping, tcp }) => ping !== undefined || tcp !== undefined);
    const losses = main.length === 0 ? [] : [LOSSES_NOTE, lossesTable(main)];
    return [`## ${title}`, markdownTable(HEAD, body), ...losses];
  });
  const glance = rows.some(({ attackMbps, runs }) => attackMbps > 0 && runs > 0)
    ? ["## All kinds of floods", glanceByKind(rows, schemes)]
    : [];
  return [...glance, ...all, MARK_NOTE];
};

/** Its rows and its page. */
export const directTelling = floodedTelling({ name: "direct", intro: INTRO, tables });

/** Makes scenario `direct`. Errors: LabError, UsageError. */
export const directScenario: ScenarioMaker = async (options, version, root) => {
  const found = await wireguardGoRivals(options, root);
  const kernel = kernelRivals().filter((rival) => rival.direct);
  const rivals = [...oursRivals(options, version), found.direct, ...kernel, none];
  const classes = FLOOD_CLASSES.map(({ id }) => id);
  const plan: Flooded = {
    ...{ name: "direct", rivals, why: found.why },
    ...{ classes, usual: classes },
    scene: {
      links: "attacker",
      target: ({ b }, { port }) => ({ host: b, port }),
      others: () => ["a"],
    },
  };
  return floodedScenario(plan, options);
};
