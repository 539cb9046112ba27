import assert from "node:assert/strict";
import { test } from "node:test";
import { Commands, WAITING_MAX } from "../../src/control/sessions/commands.ts";
import { Counters, controlBlock } from "../../src/memory/counters.ts";
import { COMMAND, DROP, QUEUE_ENTRIES } from "../../src/memory/layout.ts";
import { Consumer } from "../../src/memory/queue.ts";
import { makeArena } from "../../src/memory/region.ts";

const make = () => {
  const arena = makeArena({ ioThreads: 2, workers: 0, peers: 4, routes: 4 });
  const counters = new Counters(arena, controlBlock(arena));
  const rung: number[] = [];
  const commands = new Commands(arena, counters, (thread) => rung.push(thread));
  const threads = [0, 1].map((thread) => new Consumer(arena, "commands", thread));
  return { commands, counters, rung, threads };
};

const takeAll = (consumer: Consumer): number[] => {
  const peers: number[] = [];
  while (consumer.next()) peers.push(consumer.peer);
  return peers;
};

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

test("what a queue does not hold follows it, in order, and rings again", () => {
  const { commands, counters, rung, threads } = make();
  const many = 3 * QUEUE_ENTRIES + 5;
  for (const peer of upTo(many)) commands.put(0, COMMAND.discard, peer);
  commands.put(1, COMMAND.sockets, 7);
  assert.deepEqual(takeAll(threads[1]!), [7]);
  const got: number[] = [];
  for (let turns = 0; turns < 4; turns++) {
    got.push(...takeAll(threads[0]!));
    rung.length = 0;
    assert.equal(commands.flush(), turns >= 2);
    assert.deepEqual(rung, turns < 3 ? [0] : []);
    // What comes now does not overtake.
    if (turns === 0) commands.put(0, COMMAND.discard, many);
  }
  assert.deepEqual(got, upTo(many + 1));
  assert.equal(counters.get(DROP.queueFull), 0);
});

test("what waits is bounded, and counted beyond", () => {
  const { commands, counters, threads } = make();
  for (const peer of upTo(QUEUE_ENTRIES + WAITING_MAX + 3)) commands.put(0, COMMAND.discard, peer);
  assert.equal(counters.get(DROP.queueFull), 3);
  const got: number[] = [];
  do got.push(...takeAll(threads[0]!));
  while (!commands.flush() || got.length === 0);
  got.push(...takeAll(threads[0]!));
  assert.deepEqual(got, upTo(QUEUE_ENTRIES + WAITING_MAX));
});
