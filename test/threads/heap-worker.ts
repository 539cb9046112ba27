/**
 * heap-worker — the engine's own worker, which reads its heap when it is asked to; see heap-io.ts.
 *
 * A worker's loop never comes back to node's event loop. But it sleeps in Atomics.wait() when there
 * is nothing to do, and there it is asked.
 */
import { getEnvironmentData } from "node:worker_threads";
import serve, { type WorkerTask } from "../../src/workers/main.ts";
import { Meter, type Reading } from "./heap-meter.ts";

/** Words of the shared memory that orders and answers go through; then f64 values, as READING. */
export const ORDER_WORD = 0;
export const ANSWER_WORD = 1;
export const READING_DOUBLE = 1;
export const SHARED_BYTES = 64;
/** Its name in node's environment data. */
export const SHARED_NAME = "heap-worker";

export const READING = ["allocatedBytes", "keptBytes", "collections", "pauseMs"] as const;

/** Answers orders, which are numbers: odd ones begin a reading, even ones end it. */
const obey = (words: Int32Array, meter: Meter): void => {
  const order = Atomics.load(words, ORDER_WORD);
  if (Atomics.load(words, ANSWER_WORD) === order) return;
  if (order % 2 === 1) meter.begin();
  else {
    const reading: Reading = meter.end();
    new Float64Array(words.buffer).set(
      READING.map((name) => reading[name]),
      READING_DOUBLE,
    );
  }
  Atomics.store(words, ANSWER_WORD, order);
  Atomics.notify(words, ANSWER_WORD);
};

/** piscina's entry. */
export default function main(task: WorkerTask): void {
  const words = new Int32Array(getEnvironmentData(SHARED_NAME) as unknown as SharedArrayBuffer);
  const meter = new Meter();
  const { wait } = Atomics;
  Atomics.wait = ((array: Int32Array, index: number, value: number, timeoutMs: number) => {
    obey(words, meter);
    return wait(array, index, value, timeoutMs);
  }) as typeof Atomics.wait;
  serve(task);
}
