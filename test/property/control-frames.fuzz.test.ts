/** control frames — every reader of one, beside a slow and obvious twin, and damaged ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeFrame,
  decodeHello,
  decodeProbe,
  encodeFrame,
  encodeHello,
  encodeProbe,
  FRAME_BODY_BYTES,
  FRAME_KINDS,
  type FrameKind,
  type Hello,
  type Probe,
} from "../../src/wire/frames.ts";
import { changes, mutate, runs } from "./fuzzing.ts";

const hellos = fc.record({
  heard: fc.boolean(),
  answer: fc.boolean(),
  suites: fc.nat(0xffff),
  mtu: fc.nat(0xffff),
});
const probes = fc.record({
  kind: fc.constantFrom("probe" as const, "answer" as const),
  id: fc.integer({ min: 0, max: 0xffff_ffff }),
  bytes: fc.nat(0xffff),
});
const encoded = fc.oneof(hellos.map(encodeHello), probes.map(encodeProbe));

const little = (bytes: readonly number[]): number =>
  bytes.reduce((sum, byte, i) => sum + byte * 256 ** i, 0);

/** `unknown`: of a type that a later version has. `network`: read by network-frames.ts. */
type Frame = Hello | Probe | { readonly kind: "unknown" | "network" };

/** As control/frames.ts reads one, whoever it comes from and however often. */
const read = (bytes: Uint8Array): Frame | null => {
  const frame = decodeFrame(bytes);
  if (frame === null) return null;
  // What is in those of members: network-frames.fuzz.test.ts.
  const kinds = Object.values<FrameKind>(FRAME_KINDS);
  const kind = kinds.find(({ type }) => type === frame.type);
  if (kind === undefined) return { kind: "unknown" };
  if (frame.body.length < kind.least || frame.body.length > kind.most) return null;
  if (kind.room === "network") return { kind: "network" };
  if (frame.type === FRAME_KINDS.hello.type) return decodeHello(frame.body);
  return decodeProbe(frame.type === FRAME_KINDS.probe.type ? "probe" : "answer", frame.body);
};

/** Bodies of members' frames, least and most bytes, by type. */
// biome-ignore format: a table
const OF_MEMBERS: Readonly<Record<number, readonly [least: number, most: number]>> = {
  7: [17, 1_232], 8: [9, 288], 9: [8, 1_232], 11: [18, 1_232], 12: [13, 1_232], 13: [100, 1_200], 14: [36, 1_232], 16: [16, 1_232], 19: [17, 1_232], 20: [1, 1_232], 21: [2, 1_232],
};

/** As docs/PROTOCOL.md has it, byte for byte. */
const twin = (bytes: readonly number[]): Frame | null => {
  const [zero, type, ...rest] = bytes;
  if (bytes.length < 4 || zero !== 0) return null;
  const length = little(rest.slice(0, 2));
  const body = rest.slice(2, 2 + length);
  if (length > 1_232 || body.length < length) return null;
  const ofMembers = OF_MEMBERS[type!];
  if (ofMembers !== undefined) {
    return length < ofMembers[0] || length > ofMembers[1] ? null : { kind: "network" };
  }
  if (type === 0 || type! > 3) return { kind: "unknown" };
  if (length < 6 || (type !== 1 && length > 236)) return null;
  if (type === 1) {
    const [version, flags] = body;
    if (version === 0) return null;
    const [heard, answer] = [flags! % 2 === 1, Math.floor(flags! / 2) % 2 === 1];
    const [suites, mtu] = [little(body.slice(2, 4)), little(body.slice(4, 6))];
    return { kind: "hello", version: version!, heard, answer, suites, mtu };
  }
  const kind = type === 2 ? "probe" : "answer";
  return { kind, id: little(body.slice(0, 4)), bytes: little(body.slice(4, 6)) };
};

test("what is written is read again, whatever stands behind it", () => {
  fc.assert(
    fc.property(hellos, fc.uint8Array({ maxLength: 300 }), (hello, behind) => {
      const whole = Uint8Array.from([...encodeHello(hello), ...behind]);
      assert.deepEqual(read(whole), { kind: "hello", version: 1, ...hello });
    }),
    runs(1_000),
  );
  fc.assert(
    fc.property(probes, fc.uint8Array({ maxLength: 300 }), (probe, behind) => {
      const whole = Uint8Array.from([...encodeProbe(probe), ...behind]);
      assert.deepEqual(read(whole), { ...probe });
    }),
    runs(1_000),
  );
});

test("a longer body of a later version is read as far as this one knows it", () => {
  fc.assert(
    fc.property(encoded, fc.uint8Array({ maxLength: 60 }), fc.nat(255), (frame, more, padding) => {
      const longer = Uint8Array.from([...frame, ...more, ...new Uint8Array(padding)]);
      longer[2] = frame[2]! + more.length;
      assert.deepEqual(read(longer), read(frame));
    }),
    runs(1_000),
  );
});

test("a hello of a later version, up to the largest body, is the one that it begins with", () => {
  const room = FRAME_BODY_BYTES - FRAME_KINDS.hello.least;
  fc.assert(
    fc.property(hellos, fc.uint8Array({ maxLength: room }), fc.boolean(), (hello, more, whole) => {
      const tail = whole ? new Uint8Array(room).fill(more[0] ?? 7) : more;
      const { body } = decodeFrame(encodeHello(hello))!;
      const longer = encodeFrame(FRAME_KINDS.hello.type, Uint8Array.from([...body, ...tail]));
      assert.deepEqual(read(longer), { kind: "hello", version: 1, ...hello });
    }),
    runs(1_000),
  );
});

test("a body of any length is read again; one byte more than the most is none", () => {
  for (const bytes of [0, 1, 12, FRAME_BODY_BYTES]) {
    const body = new Uint8Array(bytes).fill(9);
    assert.deepEqual(decodeFrame(encodeFrame(77, body)), { type: 77, body });
  }
  assert.throws(() => encodeFrame(77, new Uint8Array(FRAME_BODY_BYTES + 1)), RangeError);
  const longer = new Uint8Array(2_000);
  new DataView(longer.buffer).setUint16(2, FRAME_BODY_BYTES + 1, true);
  assert.equal(decodeFrame(longer), null);
});

test("damaged and random frames: as the twin reads them, and nothing is thrown", () => {
  const kinds = { hello: 0, probe: 0, answer: 0, unknown: 0, network: 0, none: 0 };
  const damaged = encoded.chain((frame) =>
    changes(frame.length + 6).map((all) =>
      mutate(Uint8Array.from([...frame, 0, 0, 0, 0, 0, 0]), all),
    ),
  );
  const random = fc.uint8Array({ maxLength: 64, size: "max" }).map((bytes) => {
    if (bytes.length > 3) bytes.set([0, bytes[1]! % 23, bytes[2]! % 70, 0]);
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(damaged, random), fc.nat(9), (bytes, before) => {
      const room = new Uint8Array(before + bytes.length + 5).fill(255);
      room.set(bytes, before);
      const frame = read(room.subarray(before, before + bytes.length));
      assert.deepEqual(frame, twin([...bytes]));
      kinds[frame?.kind ?? "none"]++;
    }),
    runs(5_000),
  );
  for (const [kind, count] of Object.entries(kinds)) assert.ok(count > 50, `${count} ${kind}`);
});
