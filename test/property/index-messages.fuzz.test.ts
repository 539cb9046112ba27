/**
 * index-messages.fuzz — every message of a channel: what is written is read again as it was, and of
 * what is damaged nothing is thrown; whatever is read is written again as it came.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { channelKind } from "../../src/wire/channel.ts";
import * as m from "../../src/wire/index-messages.ts";
import { changes, mutate, runs } from "./fuzzing.ts";

const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });
const u32 = fc.nat(0xffff_ffff);
const u64 = fc.maxSafeNat();
const standing = fc.record({ chain: fc.nat(255), sequence: u64 });
const standings = fc.record({ list: standing, definition: standing, epoch: u32 });
const pair = fc.record({ certificate: bytes(1, 512), record: bytes(1, 400) });
const maybePair = fc.option(pair, { nil: null });
const what = fc.nat(1);

interface Case {
  readonly name: string;
  readonly value: fc.Arbitrary<unknown>;
  readonly encode: (value: never) => Uint8Array;
  readonly decode: (message: Uint8Array) => unknown;
}

const piece = fc
  .record({ what, standing, pieces: fc.integer({ min: 1, max: 80 }), last: bytes(1, 1_024) })
  .chain(({ pieces, last, ...rest }) =>
    fc.nat(pieces - 1).map((at) => ({
      ...rest,
      total: (pieces - 1) * 1_024 + last.length,
      offset: at * 1_024,
      bytes: at === pieces - 1 ? last : new Uint8Array(1_024).fill(last[0]!),
    })),
  );
const passed = fc.record({ id: u64, body: bytes(1, 1_000) });
const showOf = (kind: number) => (value: never) => m.encodeShow(kind, value);
const passedOf = (kind: number) => (value: never) => m.encodePassed(kind, value);

// biome-ignore format: a table
const CASES: readonly Case[] = [
  { name: "REPORT", value: fc.record({ others: fc.boolean(), sequence: u64, standings, pair: maybePair }), encode: m.encodeReport as never, decode: m.decodeReport },
  { name: "OBSERVED", value: fc.record({ address: fc.oneof(bytes(4), bytes(16)), port: fc.nat(0xffff), againS: fc.nat(0xffff), members: u32, standings, clockMs: u64 }), encode: m.encodeObserved as never, decode: m.decodeObserved },
  { name: "NOTIFY", value: standings, encode: m.encodeNotify as never, decode: m.decodeNotify },
  { name: "SHOW", value: pair, encode: showOf(m.MESSAGE.show), decode: m.decodeShow },
  { name: "SHOWN", value: pair, encode: showOf(m.MESSAGE.shown), decode: m.decodeShow },
  { name: "ASK", value: fc.record({ question: u32, target: bytes(32) }), encode: m.encodeAsk as never, decode: m.decodeAsk },
  { name: "FOUND", value: fc.record({ question: u32, pair: maybePair }), encode: m.encodeFound as never, decode: m.decodeFound },
  { name: "WANT_PIECE", value: fc.record({ what, offset: u32 }), encode: m.encodeWantPiece as never, decode: m.decodeWantPiece },
  { name: "PIECE", value: piece, encode: m.encodeIndexPiece as never, decode: m.decodeIndexPiece },
  { name: "FORWARD", value: passed, encode: passedOf(m.MESSAGE.forward), decode: m.decodePassed },
  { name: "TOKENS", value: fc.array(bytes(16), { maxLength: 64 }), encode: m.encodeTokens as never, decode: m.decodeTokens },
  { name: "JOIN", value: fc.record({ hash: bytes(16), body: bytes(1, 1_000) }), encode: m.encodeJoin as never, decode: m.decodeJoin },
  { name: "JOIN_WAITS", value: fc.record({ id: u64, hash: bytes(16), body: bytes(1, 1_000) }), encode: m.encodeJoinWaits as never, decode: m.decodeJoinWaits },
];

/** Views, buffers and arrays of bytes as one. */
const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
};

for (const { name, value, encode, decode } of CASES) {
  test(`${name}: read as it was written, and never thrown at`, () => {
    fc.assert(
      fc.property(value, (given) => {
        assert.deepEqual(plain(decode(new Uint8Array(encode(given as never)))), plain(given));
      }),
      runs(200),
    );
    let read = 0;
    const damaged = value.chain((given) => {
      const message = new Uint8Array(encode(given as never));
      return changes(message.length).map((all) => mutate(message, all));
    });
    fc.assert(
      fc.property(fc.oneof({ weight: 4, arbitrary: damaged }, bytes(0, 1_200)), (message) => {
        const before = message.slice();
        const came = decode(message);
        assert.deepEqual(message, before, "what is borrowed stays as it is");
        if (came === null) return;
        read++;
        // What is read has a place in a message, and is read from it again.
        assert.deepEqual(plain(decode(new Uint8Array(encode(came as never)))), plain(came));
      }),
      runs(500),
    );
    assert.ok(read > 20, `${read} were read`);
  });
}

test("whatever a datagram is, its kind is told or it is none; none is out of bounds", () => {
  const heads = fc.record({
    type: fc.constantFrom(9, 10, 14),
    kind: fc.nat(6),
    length: fc.nat(1_400),
  });
  fc.assert(
    fc.property(heads, bytes(0, 32), ({ type, kind, length }, some) => {
      const datagram = new Uint8Array(length);
      datagram.set(Uint8Array.of(type, 0, 0, 0, kind).subarray(0, length));
      datagram.set(some.subarray(0, Math.max(0, length - 40)), Math.min(length, 40));
      const told = channelKind(datagram);
      if (length > 1_232 || length < 24 || type === 9) assert.equal(told, null);
      if (told === "knock" || told === "card") assert.equal(length, 192);
      if (told === "open") assert.equal(length, 1_232);
      if (told === "channel" || told === "directory") assert.ok(length >= 40);
    }),
    runs(2_000),
  );
});
