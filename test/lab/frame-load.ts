/**
 * frame-load — two engines that say frames to each other beside a TCP stream at full speed, and
 * what of them came. See framing-frames.ts.
 */
import { makeKeys, type NodeEngine, runNode, swapIn, writeConfig } from "./engines.ts";
import { type FramePlan, type FrameTally, TALLY } from "./frame-plan.ts";
import type { Lab, Peer } from "./lab.ts";
import { firstPing, flow } from "./measure.ts";
import type { Sample } from "./node.ts";
import { udpTotals } from "./udp-queues.ts";

/** The stream begins before the frames and ends after them. */
const STREAM_MORE_S = 1;
const TOLD_MS = 20_000;

export interface FrameRun {
  readonly megabitsPerSecond: number;
  readonly ends: readonly (FrameTally & Pick<Sample, "counters" | "drops">)[];
  /** Datagrams that the kernel dropped since an engine's socket was full. */
  readonly socketDrops: number;
}

const tallyOf = async ({ program }: NodeEngine): Promise<FrameTally> => {
  await program.says(TALLY, TOLD_MS);
  const line = program.output.split("\n").find((text) => text.startsWith(TALLY));
  return JSON.parse(line!.slice(TALLY.length)) as FrameTally;
};

/** `plan` null: the stream alone, `seconds` of it. Errors: LabError. */
export const runFrames = async (
  lab: Lab,
  ioThreads: number,
  seconds: number,
  plan: Omit<FramePlan, "seconds"> | null,
): Promise<FrameRun> => {
  const engines: NodeEngine[] = [];
  const standIn = ["../../src/control/frames/frames", "./framing-frames"] as const;
  const imports = plan === null ? [] : [swapIn(...standIn, { ...plan, seconds })];
  const keys = { a: makeKeys(lab, lab.a, "identity"), b: makeKeys(lab, lab.b, "identity") };
  const start = async (host: Peer, other: Peer): Promise<void> => {
    const file = writeConfig(lab, host, keys[host.name], keys[other.name].publicKey);
    const options = { flags: { ioThreads, threads: 0 } };
    engines.push(await runNode(lab, host, file, options, process.execPath, imports));
  };
  try {
    await start(lab.b, lab.a);
    await start(lab.a, lab.b);
    await firstPing(lab, lab.a, lab.b.inner4);
    const streamed = { seconds: seconds + STREAM_MORE_S };
    const { megabitsPerSecond } = await flow(lab, lab.a, lab.b.inner4, streamed);
    const tallies = plan === null ? [] : await Promise.all(engines.map(tallyOf));
    const ends = await Promise.all(
      tallies.map(async (tally, i) => ({ ...tally, ...(await engines[i]!.sample()) })),
    );
    const totals = engines.map(({ program }) => udpTotals(program.pid));
    const socketDrops = totals.reduce((sum, { noRoom }) => sum + noRoom, 0);
    return { megabitsPerSecond, ends, socketDrops };
  } finally {
    for (const { program } of engines) await program.stop();
  }
};
