/**
 * flood-tables — tables of floods: latency from one work, throughput from another, in one line.
 */
import { markdownTable, type Row, type SchemeFacts } from "../report.ts";
import { reached } from "./flooded.ts";

/** How a figure of floods is written; no unit. */
// biome-ignore format: a table
const DIGITS = { latencyMs: 3, latencyP99Ms: 2, lossPct: 1, throughputMbps: 0, attackAchievedMbps: 0, cpuSecondsPerGb: 1 } as const;

export type FloodFigure = keyof typeof DIGITS;

/** Median, and the lowest and the highest run where there are several; "N/A": measured, none. */
export const figureOf = (row: Row | undefined, name: FloodFigure): string => {
  if (row === undefined || row.runs === 0) return "–";
  const spread = row.spread[name];
  if (spread === undefined) return "N/A";
  const text = (value: number): string => value.toFixed(DIGITS[name]);
  const ends = `${text(spread.lowest)}–${text(spread.highest)}`;
  return row.runs === 1 ? text(spread.median) : `${text(spread.median)} (${ends})`;
};

/** What came of a flood, over the works of a line; marked where it was less than asked. */
export const cameOf = (...rows: readonly (Row | undefined)[]): string => {
  const some = rows.filter((row) => row !== undefined && row.runs > 0) as readonly Row[];
  const came = some.map(({ attackAchievedMbps }) => attackAchievedMbps ?? 0);
  if (came.length === 0) return "–";
  const least = Math.min(...came);
  return `${least.toFixed(0)}${some.every(reached) ? "" : " ○"}`;
};

/** One line of a table: a scheme under a load. */
export interface FloodLine {
  readonly scheme: SchemeFacts;
  readonly attackMbps: number;
  readonly ping: Row | undefined;
  readonly tcp: Row | undefined;
  readonly both: Row | undefined;
}

/** Lines of a kind of flood, by load and then by scheme; the ones without a flood are the first. */
export const linesOf = (
  rows: readonly Row[],
  schemes: readonly SchemeFacts[],
  kind: string,
): FloodLine[] => {
  const own = rows.filter((row) => row.class === null || row.class === kind);
  const loads = [...new Set(own.map(({ attackMbps }) => attackMbps))].sort((x, y) => x - y);
  return loads.flatMap((attackMbps) =>
    schemes.flatMap((scheme) => {
      const same = own.filter((row) => row.id === scheme.id && row.attackMbps === attackMbps);
      const of = (work: string): Row | undefined => same.find((row) => row.work === work);
      const line = { scheme, attackMbps, ping: of("ping"), tcp: of("tcp"), both: of("both") };
      return same.length === 0 ? [] : [line];
    }),
  );
};

/** Kinds of floods that rows have, in their order. */
export const kindsOf = (rows: readonly Row[]): string[] => [
  ...new Set(rows.flatMap((row) => row.class ?? [])),
];

const LOSSES_HEAD = [
  ...["scheme", "attack, Mbit/s", "mean latency, ms", "mean throughput, Mbit/s"],
  ...["dropped at the switch: ping", "TCP", "at sockets: ping", "TCP"],
];

const meanOf = (row: Row | undefined, name: FloodFigure): string => {
  const spread = row?.spread[name];
  return spread === undefined ? "–" : spread.mean.toFixed(DIGITS[name]);
};

/** Packets of a measurement, of peers and flood together; median of its runs. */
const dropsOf = (row: Row | undefined, name: "switchDrops" | "socketDrops"): string =>
  row?.spread[name]?.median.toFixed(0) ?? "–";

/** Means, and where packets were lost: the switch's queue or link, or a socket without room. */
export const lossesTable = (lines: readonly FloodLine[]): string => {
  const cells = lines.map(({ scheme, attackMbps, ping, tcp }) => [
    ...[scheme.title, String(attackMbps)],
    ...[meanOf(ping, "latencyMs"), meanOf(tcp, "throughputMbps")],
    ...[dropsOf(ping, "switchDrops"), dropsOf(tcp, "switchDrops")],
    ...[dropsOf(ping, "socketDrops"), dropsOf(tcp, "socketDrops")],
  ]);
  return markdownTable(LOSSES_HEAD, cells);
};

export const LOSSES_NOTE =
  "Means, and packets lost before a program saw them, flood and peers together:";

export const MARK_NOTE = "○: less than 95 % of the flood came to the victim.";
