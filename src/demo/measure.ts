/**
 * measure — round-trip time and throughput between the two hosts of the demo.
 */
import type { ChildProcess } from "node:child_process";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { EngineError } from "../schema/errors.ts";
import { hasTool, inside, mustRun, runTool, startTool } from "./tools.ts";

/** Round trips in milliseconds; `lost` of `sent` had no answer. */
export interface RoundTrips {
  readonly with: "ping" | "UDP echo";
  readonly medianMs: number;
  readonly sent: number;
  readonly lost: number;
}

export interface Throughput {
  readonly bytes: number;
  readonly seconds: number;
  readonly megabitsPerSecond: number;
}

const PINGS = 20;
/** Tuning: the first packet also makes the session, and both engines have just started. */
const FIRST_TRIES = 5;
const LINE_MS = 5_000;

/** One of our scripts, in the form (built or not) that this file has. */
const script = (name: string): string => {
  const ending = extname(fileURLToPath(import.meta.url));
  return fileURLToPath(new URL(`./${name}${ending}`, import.meta.url));
};

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

const summarise = (kind: RoundTrips["with"], times: readonly number[]): RoundTrips => {
  if (times.length === 0) throw new EngineError("DEMO_FAILED", { reason: "nothing came back" });
  return { with: kind, medianMs: median(times), sent: PINGS, lost: PINGS - times.length };
};

/** A script of ours that runs in a namespace and prints lines of JSON. */
interface Helper {
  readonly child: ChildProcess;
  readonly lines: AsyncIterator<string>;
}

const startHelper = (words: readonly string[], signal: AbortSignal): Helper => {
  const child = startTool(words, { signal });
  // An abort ends the child; the reader of its lines sees that as their end.
  child.on("error", () => {});
  return { child, lines: createInterface({ input: child.stdout! })[Symbol.asyncIterator]() };
};

/** The next line, as JSON. Errors: EngineError DEMO_FAILED when none comes in time. */
const nextLine = async <Value>({ child, lines }: Helper, what: string): Promise<Value> => {
  const timer = setTimeout(() => child.kill("SIGKILL"), LINE_MS);
  const line = await lines.next();
  clearTimeout(timer);
  if (!line.done) return JSON.parse(line.value) as Value;
  throw new EngineError("DEMO_FAILED", { reason: `the ${what} ended early` });
};

const ping = async (from: string, address: string, signal: AbortSignal): Promise<RoundTrips> => {
  for (let i = 0; i < FIRST_TRIES; i++) {
    const first = inside(from, ["ping", "-n", "-c", "1", "-W", "1", address]);
    if ((await runTool(first, signal)).code === 0) break;
  }
  const words = ["ping", "-n", "-c", String(PINGS), "-i", "0.05", "-W", "2", address];
  const { output } = await runTool(inside(from, words), signal);
  return summarise(
    "ping",
    Array.from(output.matchAll(/time=([\d.]+) ms/g), (m) => Number(m[1])),
  );
};

/**
 * Does a host answer within a second? By one ping; where `ping` is not installed, by a TCP
 * connection to a port that nobody listens at, which is refused by whoever is there.
 * Errors: EngineError; abort.
 */
export const reaches = async (
  from: string,
  address: string,
  signal: AbortSignal,
): Promise<boolean> => {
  const words = (await hasTool("ping", "-V"))
    ? ["ping", "-n", "-c", "1", "-W", "1", address]
    : [process.execPath, script("echo"), "knock", address];
  return (await runTool(inside(from, words), signal)).code === 0;
};

const echo = async (
  [from, to]: readonly [string, string],
  address: string,
  signal: AbortSignal,
): Promise<RoundTrips> => {
  const node = [process.execPath, script("echo")];
  const answering = startHelper(inside(to, [...node, "answer", address]), signal);
  try {
    const { port } = await nextLine<{ port: number }>(answering, "UDP echo");
    const ask = (count: number): Promise<string> =>
      mustRun(inside(from, [...node, "ask", address, String(port), String(count)]), signal);
    await ask(FIRST_TRIES);
    const { times } = JSON.parse(await ask(PINGS)) as { readonly times: readonly number[] };
    return summarise("UDP echo", times);
  } finally {
    answering.child.kill("SIGKILL");
  }
};

/** Median of 20 pings; over UDP where `ping` is not installed. Errors: EngineError; abort. */
export const measureRoundTrips = async (
  pair: readonly [string, string],
  address: string,
  signal: AbortSignal,
): Promise<RoundTrips> =>
  (await hasTool("ping", "-V")) ? ping(pair[0], address, signal) : echo(pair, address, signal);

/** TCP from the first to the second host. Errors: EngineError DEMO_FAILED; abort. */
export const measureTcp = async (
  [from, to]: readonly [string, string],
  address: string,
  seconds: number,
  signal: AbortSignal,
): Promise<Throughput> => {
  const node = [process.execPath, script("tcp")];
  const receiver = startHelper(inside(to, [...node, "receive", address]), signal);
  try {
    const { port } = await nextLine<{ port: number }>(receiver, "TCP receiver");
    await mustRun(inside(from, [...node, "send", address, String(port), String(seconds)]), signal);
    const got = await nextLine<Pick<Throughput, "bytes" | "seconds">>(receiver, "TCP receiver");
    return { ...got, megabitsPerSecond: (got.bytes * 8) / got.seconds / 1e6 };
  } finally {
    receiver.child.kill("SIGKILL");
  }
};
