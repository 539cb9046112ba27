/** standing-queue — when a packet is given up, and when not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StandingQueue } from "../../src/io/standing-queue.ts";

const clock = new Float64Array(1);
const make = (): StandingQueue => new StandingQueue(clock, 0);
const standsAt = (queue: StandingQueue, ms: number): boolean => {
  clock[0] = ms;
  return queue.stands();
};

/** Turns of a millisecond in which the queue is not emptied; the times at which one is given up. */
const givenUp = (queue: StandingQueue, fromMs: number, untilMs: number): number[] => {
  const times: number[] = [];
  for (let ms = fromMs; ms < untilMs; ms++) if (standsAt(queue, ms)) times.push(ms);
  return times;
};

test("a queue that empties every 29 ms costs nobody a packet", () => {
  const queue = make();
  for (let ms = 1; ms < 1_000; ms += 30) {
    assert.deepEqual(givenUp(queue, ms, ms + 29), []);
    queue.emptied();
  }
});

test("one that stands: after 30 ms, then faster and faster, until it empties", () => {
  const queue = make();
  const times = givenUp(queue, 1_000, 1_180);
  assert.equal(times[0], 1_030);
  assert.equal(times[1], 1_060);
  const gaps = times.slice(1).map((ms, i) => ms - times[i]!);
  assert.ok(gaps.at(-1)! < gaps[0]!, `gaps of ${gaps}`);
  queue.emptied();
  assert.deepEqual(givenUp(queue, 1_180, 1_211), [1_210]);
});

test("a long rest is not a long stand", () => {
  const queue = make();
  assert.equal(standsAt(queue, 10), false);
  queue.emptied();
  assert.equal(standsAt(queue, 60_000), false);
  assert.equal(standsAt(queue, 60_029), false);
  assert.equal(standsAt(queue, 60_030), true);
});
