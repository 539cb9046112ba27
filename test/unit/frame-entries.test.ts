/** frames — entries between control and an I/O thread: none is used again before it is free. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OwedFrames } from "../../src/io/owed-frames.ts";
import { FrameEntries, FramesToSend } from "../../src/memory/frames.ts";
import { FRAME, FRAME_BYTES, FRAMES_PER_IO, SLOT_BYTES } from "../../src/memory/layout.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { makeArena } from "../../src/memory/region.ts";

const arenaOf = () => makeArena({ ioThreads: 2, workers: 0, peers: 1, routes: 1 });

test("each thread has its entries, no more, and gets what was put", () => {
  const arena = arenaOf();
  const control = new FrameEntries(arena);
  const io = new FramesToSend(arena);
  const at = arena.layout.base.slots;
  for (let round = 0; round < 3; round++) {
    for (const thread of [0, 1]) {
      const entries = Array.from({ length: FRAMES_PER_IO }, (_, i) =>
        control.put(thread, 0, Uint8Array.of(0, thread, i), 100 + i),
      );
      assert.equal(new Set(entries).size, FRAMES_PER_IO);
      assert.equal(control.put(thread, 0, Uint8Array.of(0), 100), -1);
      for (const [i, entry] of entries.entries()) {
        assert.equal(Math.floor(entry / FRAMES_PER_IO), thread);
        assert.equal(io.datagramBytes(entry), 100 + i);
        arena.u8.fill(9, at, at + 4);
        io.copy(entry, at);
        assert.deepEqual([...arena.u8.subarray(at, at + 4)], [0, thread, i, 9]);
        io.give(entry);
      }
    }
  }
});

test("one freed entry is found again, and one given back too", () => {
  const arena = arenaOf();
  const control = new FrameEntries(arena);
  const frame = new Uint8Array(FRAME_BYTES);
  const put = (): number => control.put(0, 0, frame, 2_000);
  const entries = Array.from({ length: FRAMES_PER_IO }, put);
  new FramesToSend(arena).give(entries[17]!);
  assert.equal(put(), entries[17]);
  control.giveBack(entries[3]!);
  assert.equal(put(), entries[3]);
  assert.equal(put(), -1);
});

test("what does not fit is refused", () => {
  const control = new FrameEntries(arenaOf());
  assert.equal(FRAME.fields.content.bytes, FRAME_BYTES);
  assert.throws(() => control.put(0, 0, new Uint8Array(FRAME_BYTES + 1), 2_000), RangeError);
  assert.throws(() => control.put(0, 0, new Uint8Array(16), 47), RangeError);
  assert.throws(() => control.put(0, 0, new Uint8Array(16), SLOT_BYTES + 1), RangeError);
});

test("a frame is for the peer that had the entry of `peers` then, and for no other", () => {
  const arena = arenaOf();
  const peers = new PeerEntries(arena);
  const io = new FramesToSend(arena);
  peers.begin(1);
  const entry = new FrameEntries(arena).put(0, 1, Uint8Array.of(0), 100);
  assert.ok(io.isFor(entry, 1));
  peers.end(1);
  assert.equal(io.isFor(entry, 1), false);
  peers.begin(1);
  assert.equal(io.isFor(entry, 1), false);
});

test("what finds no room is owed, oldest first, as many as there are entries", () => {
  const owed = new OwedFrames();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < FRAMES_PER_IO; i++) owed.add(i + round, i);
    assert.equal(owed.count, FRAMES_PER_IO);
    for (let i = 0; i < FRAMES_PER_IO; i++) {
      assert.deepEqual([owed.peer, owed.entry], [i + round, i]);
      owed.remove();
    }
    // The next round begins elsewhere.
    owed.add(0, 0);
    owed.remove();
    assert.equal(owed.count, 0);
  }
});
