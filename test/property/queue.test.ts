/** queue — messages between an I/O thread and control against an array. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MESSAGE, QUEUE, QUEUE_ENTRIES } from "../../src/memory/layout.ts";
import { Consumer, Producer, type QueueKind } from "../../src/memory/queue.ts";
import { fieldWord, wordOf } from "../../src/memory/region.ts";
import { runs, smallArena } from "./arena.ts";

const arena = smallArena();
/** An outer address and the local one behind it. */
const ADDRESSES_BYTES = MESSAGE.fields.address.bytes + MESSAGE.fields.local.bytes;

interface Message {
  readonly kind: number;
  readonly peer: number;
  readonly session: number;
  readonly generation: number;
  /** Each byte of its addresses; 0: none. */
  readonly address: number;
}

/** Empties a queue, its cursors at `start`. */
const reset = (kind: QueueKind, thread: number, start: number): void => {
  const region = kind === "events" ? "eventQueues" : "commandQueues";
  const word = wordOf(arena, region, QUEUE.size, thread);
  arena.i32[word + fieldWord(QUEUE.fields.tail)] = start;
  arena.i32[word + fieldWord(QUEUE.fields.head)] = start;
};

/** Two sockaddrs somewhere in the arena: the word index of a pair filled with `byte`. */
const addressWord = (byte: number): number => {
  if (byte === 0) return 0;
  const start = arena.layout.base.slots;
  arena.u8.fill(byte, start, start + ADDRESSES_BYTES - 1);
  arena.u8[start + ADDRESSES_BYTES - 1] = byte ^ 0xff;
  return start >>> 2;
};

const u32 = fc.nat(0xffff_ffff);
const message: fc.Arbitrary<Message> = fc.record(
  { kind: u32, peer: u32, session: u32, generation: u32, address: fc.nat(255) },
  { noNullPrototype: true },
);
const starts = fc.oneof(fc.constantFrom(0, -1, -500, 0x7fff_ff00), fc.integer());

const put = (producer: Producer, m: Message): boolean =>
  producer.put(m.kind, m.peer, m.session, m.generation, addressWord(m.address));

const checkTaken = (consumer: Consumer, expected: Message | undefined): void => {
  assert.equal(consumer.next(), expected !== undefined);
  if (expected === undefined) return;
  const { kind, peer, session, generation, address } = consumer;
  assert.deepEqual({ kind, peer, session, generation, address: address[0] }, expected);
  assert(address.every((byte) => byte === expected.address));
  const { local } = consumer;
  const last = expected.address === 0 ? 0 : expected.address ^ 0xff;
  assert(local.subarray(0, -1).every((byte) => byte === expected.address));
  assert.equal(local.at(-1), last);
};

for (const kind of ["events", "commands"] as const) {
  test(`${kind}: first in, first out, and a full queue refuses`, () => {
    const burst = fc.record({
      messages: fc.array(message, { maxLength: 20, size: "max" }),
      /** How often the burst is put: some fill the queue. */
      times: fc.integer({ min: 1, max: 80 }),
      takes: fc.nat(1_500),
    });
    let refused = 0;
    fc.assert(
      fc.property(starts, fc.array(burst, { maxLength: 8 }), (start, bursts) => {
        reset(kind, 1, start);
        const producer = new Producer(arena, kind, 1);
        const consumer = new Consumer(arena, kind, 1);
        const twin: Message[] = [];
        for (const { messages, times, takes } of bursts) {
          for (let i = 0; i < times; i++) {
            for (const one of messages) {
              assert.equal(put(producer, one), twin.length < QUEUE_ENTRIES);
              if (twin.length < QUEUE_ENTRIES) twin.push(one);
              else refused++;
            }
          }
          for (let i = 0; i < takes && twin.length > 0; i++) checkTaken(consumer, twin.shift());
        }
        while (twin.length > 0) checkTaken(consumer, twin.shift());
        checkTaken(consumer, undefined);
      }),
      { numRuns: runs(60) },
    );
    assert(refused > 0, "no run filled the queue");
  });
}

test("queues of two threads and of two directions do not touch each other", () => {
  for (const kind of ["events", "commands"] as const) {
    for (const thread of [0, 1]) reset(kind, thread, 0);
  }
  const one = { kind: 1, peer: 2, session: 3, generation: 4, address: 0 };
  for (let i = 0; i < QUEUE_ENTRIES; i++) assert(put(new Producer(arena, "events", 0), one));
  assert.equal(new Consumer(arena, "events", 1).next(), false);
  assert.equal(new Consumer(arena, "commands", 0).next(), false);
  assert(put(new Producer(arena, "events", 1), { ...one, peer: 9 }));
  checkTaken(new Consumer(arena, "events", 0), one);
  checkTaken(new Consumer(arena, "events", 1), { ...one, peer: 9 });
});
