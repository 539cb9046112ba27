/** slot-table — beside a Map: found, added, removed, and what lies between two hashes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SlotTable } from "../../src/control/network/slot-table.ts";
import { runs } from "./fuzzing.ts";

/** Few hashes, many of them the same or side by side, at both ends of their range. */
const hashes = fc.oneof(
  fc.nat(7),
  fc.nat(7).map((near) => 0xffff_ffff - near),
  fc.nat(3).map((near) => 0x8000_0000 + near),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);
const steps = fc.array(
  fc.record({ add: fc.boolean(), slot: fc.nat(60), hash: hashes, to: hashes }),
  { maxLength: 300 },
);

test("a table holds what a Map holds, whatever comes and goes", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const table = new SlotTable<number>((slot, key) => slot === key);
      const twin = new Map<number, number>();
      for (const { add, slot, hash, to } of all) {
        const known = twin.get(slot);
        if (add && known === undefined) {
          table.add(hash, slot);
          twin.set(slot, hash);
        } else if (!add && known !== undefined) {
          table.remove(known, slot);
          twin.delete(slot);
        } else if (!add) table.remove(hash, slot);
        const asked = twin.get(slot);
        const found = table.find(asked ?? hash, slot);
        assert.equal(found, asked === undefined ? -1 : slot);
        const [low, high] = hash < to ? [hash, to] : [to, hash];
        const inside = [...twin].filter(([, one]) => one >= low && one <= high);
        const slots = inside.map(([one]) => one).sort((a, b) => a - b);
        assert.deepEqual(
          table.between(low, high).sort((a, b) => a - b),
          slots,
        );
      }
    }),
    runs(300),
  );
});
