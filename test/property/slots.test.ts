/** slots — the free list against a set: no slot twice, none lost, generations count up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Slots } from "../../src/memory/buffers.ts";
import { SLOTS_PER_IO } from "../../src/memory/layout.ts";
import { runs, smallArena } from "./arena.ts";

const arena = smallArena();
const THREAD = 1;
const first = THREAD * SLOTS_PER_IO;

test("the free list is a set of slots", () => {
  const step = fc.record({
    what: fc.constantFrom("take", "take", "give", "putBack"),
    choice: fc.nat(1_000),
  });
  const held = fc.uniqueArray(fc.nat(SLOTS_PER_IO - 1));
  fc.assert(
    fc.property(held, fc.array(step, { maxLength: 800, size: "max" }), (inFlight, steps) => {
      const busy = new Set(inFlight.map((slot) => first + slot));
      const slots = new Slots(arena, THREAD, busy);
      const taken: number[] = [];
      for (const { what, choice } of steps) {
        if (what === "take") {
          const slot = slots.take();
          assert.equal(slot === -1, taken.length + busy.size === SLOTS_PER_IO);
          if (slot === -1) continue;
          assert(slot >= first && slot < first + SLOTS_PER_IO, `slot ${slot} is another thread's`);
          assert(!busy.has(slot) && !taken.includes(slot), `slot ${slot} was given out twice`);
          taken.push(slot);
        } else if (taken.length > 0) {
          const [slot] = taken.splice(choice % taken.length, 1) as [number];
          const before = slots.generation(slot);
          if (what === "give") slots.give(slot);
          else slots.putBack(slot);
          assert.equal(slots.generation(slot), before + (what === "give" ? 1 : 0));
        }
        assert.equal(slots.free, SLOTS_PER_IO - busy.size - taken.length);
      }
    }),
    { numRuns: runs(300) },
  );
});

test("a thread's slots are its own", () => {
  const all = [0, 1].flatMap((thread) => {
    const slots = new Slots(arena, thread);
    return Array.from({ length: SLOTS_PER_IO }, () => slots.take());
  });
  assert.equal(new Set(all).size, 2 * SLOTS_PER_IO);
  assert.equal(Math.max(...all), arena.layout.count.slots - 1);
});

test("a generation wraps as u32", () => {
  const slots = new Slots(arena, THREAD);
  const slot = slots.take();
  const word = (arena.layout.base.slotGenerations >>> 2) + slot;
  arena.u32[word] = 0xffff_ffff;
  slots.give(slot);
  assert.equal(slots.generation(slot), 0);
});
