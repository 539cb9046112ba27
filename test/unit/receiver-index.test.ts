/** index — receiver indices: the random part stays, check bits depend on it and on the key. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import {
  checkBits,
  isPossibleReceiverIndex,
  makeReceiverIndex,
  makeReceiverIndexKey,
  OWNER_MASK,
  RANDOM_MASK,
} from "../../src/wire/receiver-index.ts";

const INDEX_BITS = 20;
const keys = fc.uint8Array({ minLength: 8, maxLength: 8 }).map(makeReceiverIndexKey);
const random = fc.nat(RANDOM_MASK);

test("an index holds its random part, its owner and twelve check bits", () => {
  fc.assert(
    fc.property(keys, random, (key, part) => {
      const index = makeReceiverIndex(key, part);
      assert(Number.isInteger(index) && index >= 0 && index <= 0xffff_ffff);
      assert.equal(index & RANDOM_MASK, part);
      assert.equal(index & OWNER_MASK, part & OWNER_MASK);
      assert.equal(index >>> INDEX_BITS, checkBits(key, part));
      assert(isPossibleReceiverIndex(key, index));
    }),
    { numRuns: 1_000 },
  );
  assert.equal(RANDOM_MASK, 2 ** INDEX_BITS - 1);
});

test("a flipped check bit is noticed", () => {
  fc.assert(
    fc.property(keys, random, fc.integer({ min: INDEX_BITS, max: 31 }), (key, part, bit) => {
      assert(!isPossibleReceiverIndex(key, (makeReceiverIndex(key, part) ^ (1 << bit)) >>> 0));
    }),
  );
});

test("the multiplier is odd, so that no two random parts mix into one", () => {
  fc.assert(fc.property(keys, (key) => assert.equal(key.multiplier & 1, 1)));
  const key = makeReceiverIndexKey(new Uint8Array(8));
  assert.deepEqual(key, { mask: 0, multiplier: 1 });
});

test("about one blind guess in 4,096 passes", (t) => {
  const guesses = 1_000_000;
  const key = makeReceiverIndexKey(randomBytes(8));
  const blind = randomBytes(4 * guesses);
  let passed = 0;
  for (let i = 0; i < guesses; i++)
    if (isPossibleReceiverIndex(key, blind.readUInt32LE(4 * i))) passed++;
  t.diagnostic(`${passed} of ${guesses} passed; 244 are expected`);
  // Twenty standard deviations (15.6) either way; weak keys pass more, and fail here.
  assert(passed < 244 + 20 * 15.6, `${passed} passed`);
  assert(passed > 0);
});
