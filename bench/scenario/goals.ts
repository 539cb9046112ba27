/**
 * goals — what scenario `speed` has to show beside wireguard-go, and whether it did.
 *
 * A goal compares two series of runs: of a scheme and of a reference, which is wireguard-go in the
 * same work unless it says otherwise.
 */

import { type Measured, type Ratio, ratioOf, spreadOf } from "../../test/lab/statistics.ts";
import type { Done } from "../cells.ts";

/** A series: what one scheme showed in one work. */
interface Series {
  readonly scheme: string;
  readonly work: string;
}

export interface Goal {
  readonly title: string;
  readonly scheme: string;
  readonly work: string;
  readonly figure: string;
  /** Instead of wireguard-go in the same work. */
  readonly reference?: Series;
  /** Less is better. */
  readonly less?: true;
  /** Ratio to the reference; null: nothing is asked. */
  readonly least: number | null;
  readonly aim: number | null;
  /** The aim is a value and not a ratio; units of the figure. */
  readonly absolute?: true;
  /** Asked is no ratio but the spread of equal runs: not below the reference's lowest. */
  readonly within?: true;
}

/** Id of who ratios are to. */
export const RIVAL = "wireguard-go";
const AES20 = "p2pvpn-aes-node20";
const AES24 = "p2pvpn-aes-node24";
const CHACHA20 = "p2pvpn-chacha-node20";
const CHACHA24 = "p2pvpn-chacha-node24";
const BARE24 = "p2pvpn-unsealed-node24";
const TCP = "throughputMbps";

// biome-ignore format: a table
export const GOALS: readonly Goal[] = [
  { title: "TCP, one stream, AES, Node 20", scheme: AES20, work: "tcp1", figure: TCP, least: 2, aim: 3 },
  { title: "the same on Node 24", scheme: AES24, work: "tcp1", figure: TCP, least: 2.5, aim: 4 },
  { title: "TCP, four streams, AES, Node 24", scheme: AES24, work: "tcp4", figure: TCP, least: 3, aim: 5 },
  { title: "TCP, one stream, veth offloads off, AES, Node 20", scheme: AES20, work: "card", figure: TCP, least: 1.5, aim: 2.5 },
  { title: "TCP, one stream, ChaCha20, Node 20", scheme: CHACHA20, work: "tcp1", figure: TCP, least: 1, aim: 1.5 },
  { title: "TCP, one stream, veth offloads off, ChaCha20, Node 20", scheme: CHACHA20, work: "card", figure: TCP, least: 1, aim: 1.5 },
  { title: "UDP, 64-byte payload, at most 1 % lost, AES, Node 20", scheme: AES20, work: "udp64", figure: "packetsPerSecond", least: 2, aim: 4 },
  { title: "the same on Node 24", scheme: AES24, work: "udp64", figure: "packetsPerSecond", least: 2, aim: 4 },
  { title: "ping, idle, median, AES, Node 20", scheme: AES20, work: "ping", figure: "latencyMs", less: true, least: 0.5, aim: 0.3 },
  { title: "the same on Node 24", scheme: AES24, work: "ping", figure: "latencyMs", less: true, least: 0.5, aim: 0.3 },
  { title: "ping beside one TCP stream, p50, AES, Node 20", scheme: AES20, work: "loaded", figure: "latencyMs", less: true, least: 0.4, aim: 1, absolute: true },
  { title: "the same, p99", scheme: AES20, work: "loaded", figure: "latencyP99Ms", less: true, least: 0.4, aim: 3, absolute: true },
  { title: "ping beside one TCP stream, p50, AES, Node 24", scheme: AES24, work: "loaded", figure: "latencyMs", less: true, least: 0.4, aim: 1, absolute: true },
  { title: "the same, p99", scheme: AES24, work: "loaded", figure: "latencyP99Ms", less: true, least: 0.4, aim: 3, absolute: true },
  { title: "CPU-s per GB, whole machine, AES, Node 24", scheme: AES24, work: "tcp1", figure: "cpuSecondsPerGb", less: true, least: 0.4, aim: 0.3 },
  { title: "the same, programs of the laboratory alone", scheme: AES24, work: "tcp1", figure: "labCpuSecondsPerGb", less: true, least: 0.4, aim: 0.3 },
  { title: "nothing sealed, Node 24", scheme: BARE24, work: "tcp1", figure: TCP, least: null, aim: 3 },
  { title: "AES, Node 24, of nothing sealed", scheme: AES24, work: "tcp1", figure: TCP, reference: { scheme: BARE24, work: "tcp1" }, least: null, aim: 0.85 },
  { title: "AES, Node 20, 10,000 peers, of one peer (within its spread)", scheme: AES20, work: "peers", figure: TCP, reference: { scheme: AES20, work: "tcp1" }, least: null, aim: null, within: true },
  { title: "ChaCha20, Node 24, TCP, one stream", scheme: CHACHA24, work: "tcp1", figure: TCP, least: 1, aim: 1.5 },
];

export type Verdict = "aim reached" | "reached" | "not reached" | "not measured";

export interface Judged {
  readonly goal: Goal;
  readonly value: number | null;
  readonly reference: number | null;
  readonly ratio: Ratio | null;
  readonly verdict: Verdict;
}

/** The figure of each run of a series. */
export const seriesOf = (
  done: readonly Done[],
  scheme: string,
  work: string,
  figure: string,
): Measured[] =>
  done.flatMap((cell) => {
    const value = cell.figures?.[figure];
    const fits = cell.scheme === scheme && cell.work === work && value !== undefined;
    return fits ? [{ run: cell.run, value }] : [];
  });

const verdictOf = (goal: Goal, value: number, ratio: number, lowest: number): Verdict => {
  if (goal.within) return value >= lowest ? "reached" : "not reached";
  const enough = (what: number, asked: number | null): boolean =>
    asked !== null && (goal.less ? what <= asked : what >= asked);
  if (enough(goal.absolute ? value : ratio, goal.aim)) return "aim reached";
  return enough(ratio, goal.least) ? "reached" : "not reached";
};

/** Compares what was measured with a goal. */
export const judge = (goal: Goal, done: readonly Done[]): Judged => {
  const { scheme, work } = goal.reference ?? { scheme: RIVAL, work: goal.work };
  const ours = seriesOf(done, goal.scheme, goal.work, goal.figure);
  const theirs = seriesOf(done, scheme, work, goal.figure);
  const ratio = ratioOf(ours, theirs);
  const value = spreadOf(ours.map((one) => one.value))?.median ?? null;
  const below = spreadOf(theirs.map((one) => one.value));
  const reference = below?.median ?? null;
  if (ratio === null || value === null || below === null) {
    return { goal, value, reference, ratio, verdict: "not measured" };
  }
  const verdict = verdictOf(goal, value, ratio.ratio, below.lowest);
  return { goal, value, reference, ratio, verdict };
};
