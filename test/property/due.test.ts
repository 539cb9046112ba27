/** due — the heap of due times against a list that is searched. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Due } from "../../src/control/due.ts";

const INFINITY = Number.POSITIVE_INFINITY;
const time = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constant(INFINITY));
const who = fc.integer({ min: 0, max: 20 });
const act = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), who, time }),
  fc.record({ kind: fc.constant("setBy" as const), who, time }),
  fc.record({ kind: fc.constant("take" as const), time: fc.integer({ min: 0, max: 50 }) }),
);

test("who is due, and when next, whatever was said before", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 200 }), (acts) => {
      const due = new Due<number>();
      const twin = new Map<number, number>();
      const at = (one: number): number => twin.get(one) ?? INFINITY;
      for (const one of acts) {
        if (one.kind === "take") {
          const taken = due.take(one.time);
          const expected = [...twin.keys()].filter((each) => at(each) <= one.time);
          assert.deepEqual(
            taken.map(at),
            expected.map(at).sort((a, b) => a - b),
            "the earliest first",
          );
          assert.deepEqual(
            [...taken].sort((a, b) => a - b),
            expected.sort((a, b) => a - b),
          );
          for (const each of taken) twin.delete(each);
        } else {
          const dueMs = one.kind === "set" ? one.time : Math.min(one.time, at(one.who));
          due[one.kind](one.who, one.time);
          if (dueMs === INFINITY) twin.delete(one.who);
          else twin.set(one.who, dueMs);
        }
        assert.equal(due.firstMs, Math.min(INFINITY, ...twin.values()));
      }
    }),
  );
});
