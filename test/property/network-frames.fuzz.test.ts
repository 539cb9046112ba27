/** network-frames — every reader of what members say, beside a slow twin, and damaged bodies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as digests from "../../src/wire/digests.ts";
import { FRAME_BODY_BYTES } from "../../src/wire/frames.ts";
import * as frames from "../../src/wire/network-frames.ts";
import { changes, mutate, runs } from "./fuzzing.ts";

const MAX = Number.MAX_SAFE_INTEGER;
const safe = fc.maxSafeNat();
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
/** Objects as the readers make them. */
const plainly = { noNullPrototype: true } as const;
const standing = fc.record({ chain: fc.nat(255), sequence: safe }, plainly);
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const entriesOf = (most: number) =>
  fc
    .uniqueArray(safe, { maxLength: most })
    .chain((ids) =>
      fc
        .tuple(...ids.map(() => safe))
        .map((sequences) =>
          [...ids]
            .sort((a, b) => a - b)
            .map((id, i) => ({ id, sequence: (sequences as number[])[i]! })),
        ),
    );

const roots = fc.record(
  {
    keep: fc.boolean(),
    answer: fc.boolean(),
    decline: fc.boolean(),
    hash: bytes(16),
    members: u32,
    list: standing,
    definition: standing,
    epoch: u32,
  },
  plainly,
);
const shown = fc.record(
  {
    record: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    certificate: fc.uint8Array({ maxLength: 200 }),
  },
  plainly,
);
const wants = fc.array(fc.record({ id: safe, certificate: fc.boolean() }, plainly), {
  minLength: 1,
  maxLength: frames.WANTS_MAX,
});
const echoes = fc.record(
  {
    answer: fc.boolean(),
    trusted: fc.boolean(),
    unixMs: safe,
    sequence: safe,
  },
  plainly,
);

const listed = (entries: digests.Entries): digests.Entry[] =>
  Array.from({ length: entries.count }, (_, i) => ({
    id: entries.id(i),
    sequence: entries.sequence(i),
  }));

/** Entries as plain objects, so that they compare. */
const plain = (digest: digests.Digest | null): unknown =>
  digest !== null && "entries" in digest ? { ...digest, entries: listed(digest.entries) } : digest;

test("what is written is read again", () => {
  fc.assert(
    fc.property(roots, fc.uint8Array({ maxLength: 40 }), (root, more) => {
      const longer = Uint8Array.from([...digests.encodeRoot(root), ...more]);
      assert.deepEqual(digests.decodeDigest(longer), { kind: "root", ...root });
    }),
    runs(1_000),
  );
  fc.assert(
    fc.property(entriesOf(digests.NEWS_MAX), (entries) => {
      const news = plain(digests.decodeDigest(digests.encodeNews(entries)));
      assert.deepEqual(news, entries.length === 0 ? null : { kind: "news", entries });
      const range = digests.encodeRange(0, MAX, entries);
      assert.ok(range.length <= FRAME_BODY_BYTES);
      const read = plain(digests.decodeDigest(range));
      assert.deepEqual(read, { kind: "range", first: 0, last: MAX, entries });
    }),
    runs(1_000),
  );
  fc.assert(
    fc.property(wants, fc.array(shown, { minLength: 1, maxLength: 3 }), (some, all) => {
      assert.deepEqual(frames.decodeWants(frames.encodeWants(some)), some);
      assert.deepEqual(frames.decodeShown(frames.encodeShown(all)), all);
    }),
    runs(1_000),
  );
  fc.assert(
    fc.property(echoes, standing, u32, bytes(32), (echo, list, epoch, secret) => {
      assert.deepEqual(frames.decodeEcho(frames.encodeEcho(echo)), echo);
      assert.deepEqual(frames.decodeAck(frames.encodeAck({ list, epoch })), { list, epoch });
      const sent = frames.encodeSecret(epoch, secret);
      assert.deepEqual(frames.decodeSecret(sent), { epoch, secret });
    }),
    runs(1_000),
  );
});

test("a list in pieces is whole again; a piece of another length is none", () => {
  fc.assert(
    fc.property(standing, fc.integer({ min: 1, max: 5_000 }), (list, total) => {
      const whole = new Uint8Array(total).map((_, i) => i);
      const again = new Uint8Array(total);
      for (let offset = 0; offset < total; offset += frames.PIECE_BYTES) {
        const piece = whole.subarray(offset, offset + frames.PIECE_BYTES);
        const body = frames.encodePiece({ list, total, offset, bytes: piece });
        assert.ok(body.length <= FRAME_BODY_BYTES);
        const read = frames.decodePiece(body)!;
        assert.deepEqual({ ...read.list, total: read.total }, { ...list, total });
        again.set(read.bytes, read.offset);
        assert.equal(frames.decodePiece(body.subarray(0, -1)), null);
        assert.equal(frames.decodePiece(Uint8Array.from([...body, 0])), null);
      }
      assert.deepEqual(again, whole);
    }),
    runs(200),
  );
});

const little = (all: readonly number[]): number =>
  all.reduce((sum, byte, i) => sum + byte * 256 ** i, 0);

/** Entries as docs/PROTOCOL.md has them; null: not so. */
const twinEntries = (all: readonly number[], most: number): digests.Entry[] | null => {
  if (all.length % 16 !== 0 || all.length / 16 > most) return null;
  const entries: digests.Entry[] = [];
  for (let at = 0; at < all.length; at += 16) {
    const id = little(all.slice(at, at + 8));
    const sequence = little(all.slice(at + 8, at + 16));
    if (id > MAX || sequence > MAX || id <= (entries.at(-1)?.id ?? -1)) return null;
    entries.push({ id, sequence });
  }
  return entries;
};

const twinDigest = (all: readonly number[]): unknown => {
  const [kind, ...rest] = all;
  if (kind === 3) {
    const entries = twinEntries(rest, 64);
    return entries === null || entries.length === 0 ? null : { kind: "news", entries };
  }
  if (kind === 2) {
    if (all.length < 17) return null;
    const [first, last] = [little(all.slice(1, 9)), little(all.slice(9, 17))];
    const entries = twinEntries(all.slice(17), 75);
    if (entries === null || last > MAX || first > last) return null;
    const inside = entries.every(({ id }) => id >= first && id <= last);
    return inside ? { kind: "range", first, last, entries } : null;
  }
  if (kind === 1) {
    return all.length < 513
      ? null
      : { kind: "buckets", digests: Uint8Array.from(all.slice(1, 513)) };
  }
  if (kind !== 0 || all.length < 44) return null;
  const list = { chain: all[22]!, sequence: little(all.slice(23, 31)) };
  const definition = { chain: all[31]!, sequence: little(all.slice(32, 40)) };
  if (list.sequence > MAX || definition.sequence > MAX) return null;
  const flags = all[1]!;
  return {
    kind: "root",
    keep: (flags & 1) !== 0,
    answer: (flags & 2) !== 0,
    decline: (flags & 4) !== 0,
    hash: Uint8Array.from(all.slice(2, 18)),
    members: little(all.slice(18, 22)),
    list,
    definition,
    epoch: little(all.slice(40, 44)),
  };
};

test("damaged and random digests: as the twin reads them, and nothing is thrown", () => {
  const kinds = new Map<string, number>();
  const written = fc.oneof(
    roots.map(digests.encodeRoot),
    entriesOf(8).map(digests.encodeNews),
    fc
      .tuple(entriesOf(8), fc.boolean())
      .map(([entries, cut]) => digests.encodeRange(0, cut ? 1_000 : MAX, entries)),
    bytes(512).map(digests.encodeBuckets),
  );
  const damaged = written.chain((body) =>
    changes(body.length).map((all) => mutate(Uint8Array.from(body), all)),
  );
  const random = fc.uint8Array({ minLength: 1, maxLength: 80 }).map((body) => {
    body[0]! %= 5;
    return body;
  });
  fc.assert(
    fc.property(fc.oneof(written, damaged, random), fc.nat(9), (body, before) => {
      const room = new Uint8Array(before + body.length + 5).fill(255);
      room.set(body, before);
      const read = digests.decodeDigest(room.subarray(before, before + body.length));
      assert.deepEqual(plain(read), twinDigest([...body]));
      const kind = read?.kind ?? "none";
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }),
    runs(3_000),
  );
  for (const kind of ["root", "buckets", "range", "news", "none"]) {
    assert.ok((kinds.get(kind) ?? 0) > 50, `${kinds.get(kind)} ${kind}`);
  }
});

test("any bytes: no reader throws, and none reads beyond", () => {
  const readers = [
    digests.decodeDigest,
    frames.decodeWants,
    frames.decodeShown,
    frames.decodePiece,
    frames.decodeAck,
    frames.decodeSecret,
    frames.decodeEcho,
  ];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (body) => {
      for (const read of readers) read(body);
      const all = frames.decodeShown(body) ?? [];
      const sum = all.reduce((total, one) => total + frames.shownBytes(one), 0);
      assert.ok(sum === 0 || sum === body.length);
    }),
    runs(5_000),
  );
});
