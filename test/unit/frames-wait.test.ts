/** frames — where no entry is free, control frames wait; control does not spin, nothing is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameEntries, FramesToSend } from "../../src/memory/frames.ts";
import { ARRIVAL, COMMAND, FRAMES_PER_IO, PEER, QUEUE } from "../../src/memory/layout.ts";
import { peerWord } from "../../src/memory/peers.ts";
import { Consumer } from "../../src/memory/queue.ts";
import { doubleAt, fieldWord, wordOf } from "../../src/memory/region.ts";
import { encodeHello } from "../../src/wire/frames.ts";
import { type End, Pair } from "./control-pair.ts";

const AUTO = { cipher: "auto" } as const;
/** Control looks this often at what waits for I/O threads (control.ts). */
const SETTLE_MS = 20;
const WAIT_MS = 3_000;
/** More than any wait here may take. */
const TICKS_MAX = 1_000;

/** Takes all entries of the I/O thread; frees them when it is called. */
const fill = ({ arena }: End): (() => void) => {
  const control = new FrameEntries(arena);
  const taken = Array.from({ length: FRAMES_PER_IO }, () =>
    control.put(0, 0, new Uint8Array(16), 96),
  );
  assert(taken.every((entry) => entry >= 0));
  const io = new FramesToSend(arena);
  return () => {
    for (const entry of taken) io.give(entry);
  };
};

/** Times that the alarm rings. */
const countTicks = ({ control }: End): (() => number) => {
  const tick = control.tick.bind(control);
  let ticks = 0;
  control.tick = () => {
    assert(++ticks < TICKS_MAX, "control spins");
    tick();
  };
  return () => ticks;
};

/** Frames that the I/O thread is told to send; each entry is freed. */
const framesOf = ({ arena }: End): number => {
  const commands = new Consumer(arena, "commands", 0);
  const io = new FramesToSend(arena);
  let frames = 0;
  while (commands.next()) {
    if (commands.kind !== COMMAND.frame) continue;
    io.give(commands.session);
    frames++;
  }
  return frames;
};

test("a hello waits for a free entry, without spinning, and goes when there is one", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  const { a } = pair;
  const free = fill(a);
  const ticks = countTicks(a);
  pair.call(a);
  assert(a.current !== null);
  pair.run(WAIT_MS);
  assert(ticks() <= (1.2 * WAIT_MS) / SETTLE_MS, `${ticks()} looks in ${WAIT_MS} ms`);
  assert.equal(a.count("frameUnsent"), 0, "what waits is not lost");
  assert.equal(framesOf(a), 0);
  free();
  pair.run(2 * SETTLE_MS);
  assert.equal(framesOf(a), 1);
  const before = ticks();
  pair.run(2_000);
  assert(ticks() - before < 5, "nothing waits any more");
});

/** A control frame of the peer, as an I/O thread hands it on. */
const arrive = ({ arena, control, peer, current }: End, bytes: Uint8Array): void => {
  const { session, generation } = current!;
  const word = wordOf(arena, "arrivals", ARRIVAL.size, 0);
  const fields = { peer: peer.entry, session, generation, length: bytes.length, datagramBytes: 96 };
  for (const [name, value] of Object.entries(fields)) {
    arena.u32[word + fieldWord(ARRIVAL.fields[name as keyof typeof fields])] = value;
  }
  arena.u8.set(bytes, word * 4 + ARRIVAL.fields.content.at);
  const tail = wordOf(arena, "arrivalQueues", QUEUE.size, 0) + fieldWord(QUEUE.fields.tail);
  Atomics.add(arena.i32, tail, 1);
  control.hear();
};

test("a probe waits too, and is not taken for one that was lost", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  const { a } = pair;
  pair.call(a);
  pair.run(1_000);
  assert.equal(framesOf(a), 1, "the hello");
  const free = fill(a);
  arrive(a, encodeHello({ heard: true, answer: false, suites: 1, mtu: 1_420 }));
  // Data goes out, so the path is to be measured.
  const word = peerWord(a.arena, a.peer.entry);
  a.arena.f64[doubleAt(word, PEER.fields.lastDataSentMs)] = pair.nowMs;
  const ticks = countTicks(a);
  pair.run(2 * WAIT_MS);
  assert(ticks() <= (1.2 * 2 * WAIT_MS) / SETTLE_MS, `${ticks()} looks`);
  assert.equal(a.count("frameUnsent"), 0);
  free();
  pair.run(2 * SETTLE_MS);
  assert.equal(framesOf(a), 2, "a hello in answer, and the first probe, of the whole MTU");
});

test("who waits and is gone sends nothing in another's name", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  const { a, b } = pair;
  const free = fill(a);
  countTicks(a);
  pair.call(a);
  pair.run(100);
  await a.control.apply({ peers: [{ publicKey: b.publicKey, remove: true }] });
  free();
  pair.run(1_000);
  assert.equal(framesOf(a), 0);
});
