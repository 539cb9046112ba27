/**
 * threads — one addon loaded by several worker threads: what it costs, and that they do not meet.
 *
 * `npm run bench:threads`; under another Node: `PATH_OF_NODE dist/bench/threads.js`. Each thread
 * loads the addon, attaches the same arena and seals its own run for a second. Then one of them is
 * ended in the middle of a batch, and the others must go on.
 */
import assert from "node:assert";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { addon } from "../src/io/native/addon.ts";
import { type ArenaShare, shareOf } from "../src/memory/region.ts";
import {
  FULL_BYTES,
  FULL_RUN,
  makeBenchArena,
  makeRun,
  openBenchArena,
  setSuite,
} from "../test/lab/runs.ts";

const THREADS = [1, 2, 4, 8] as const;
const SEAL_MS = 1_000;
/** Batches between two looks at the clock. */
const BATCHES = 16;

interface Task {
  readonly share: ArenaShare;
  readonly thread: number;
  /** Boot clock when the thread was asked for. */
  readonly askedMs: number;
}

interface Report {
  readonly type: "loaded" | "sealed";
  readonly value: number;
}

/** In a thread: loads, then seals for a second each time it is asked. */
const serve = (port: NonNullable<typeof parentPort>, task: Task): void => {
  const run = makeRun(openBenchArena(task.share), task.thread, FULL_RUN, FULL_BYTES);
  setSuite(run, "aes256gcm");
  assert(addon.seal(run.job) >= 0);
  port.postMessage({ type: "loaded", value: addon.bootMs() - task.askedMs } satisfies Report);
  port.on("message", () => {
    const endMs = addon.bootMs() + SEAL_MS;
    let packets = 0;
    while (addon.bootMs() < endMs) {
      for (let i = 0; i < BATCHES; i++) assert(addon.seal(run.job) >= 0);
      packets += BATCHES * run.count;
    }
    port.postMessage({ type: "sealed", value: packets } satisfies Report);
  });
};

const hear = async (thread: Worker): Promise<number> => {
  const [report] = (await once(thread, "message")) as [Report];
  return report.value;
};

const residentMb = (): number => process.memoryUsage.rss() / 1_048_576;

const tryWith = async (count: number): Promise<string> => {
  const arena = makeBenchArena(count);
  const beforeMb = residentMb();
  const threads = Array.from({ length: count }, (_, thread) => {
    const task: Task = { share: shareOf(arena), thread, askedMs: addon.bootMs() };
    return new Worker(fileURLToPath(import.meta.url), { workerData: task });
  });
  const loaded = await Promise.all(threads.map(hear));
  const eachMb = (residentMb() - beforeMb) / count;
  for (const thread of threads) thread.postMessage("seal");
  const packets = (await Promise.all(threads.map(hear))).reduce((sum, n) => sum + n, 0);
  // One ends in the middle of its work; the rest must come through.
  for (const thread of threads) thread.postMessage("seal");
  const rest = threads.slice(1).map(hear);
  await new Promise((resolve) => setTimeout(resolve, SEAL_MS / 4));
  const code = await threads[0]?.terminate();
  const survivors = (await Promise.all(rest)).filter((n) => n > 0).length;
  await Promise.all(threads.slice(1).map((thread) => thread.terminate()));
  const loadMs = Math.max(...loaded).toFixed(0);
  const rate = (packets / SEAL_MS / 1_000).toFixed(2);
  const ended = `exit ${code}, ${survivors} went on`;
  return `| ${[count, loadMs, eachMb.toFixed(1), rate, ended].join(" | ")} |`;
};

if (isMainThread) {
  const { openssl } = addon.cryptoProbe();
  console.log(`Node ${process.version}, ${openssl}; AES-256-GCM, ${FULL_BYTES}-byte packets\n`);
  const head = ["threads", "slowest start, ms", "MB a thread", "million packets/s", "one ended"];
  console.log(`| ${head.join(" | ")} |\n|${" --- |".repeat(head.length)}`);
  for (const count of THREADS) console.log(await tryWith(count));
} else if (parentPort !== null) {
  serve(parentPort, workerData as Task);
}
