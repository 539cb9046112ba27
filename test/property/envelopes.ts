/** envelopes — envelopes that are damaged in one way or another, for the fuzz tests. */
import { CONTROL_VERSION, ENVELOPE_BYTES_MAX, encodeEnvelope } from "../../src/schema/requests.ts";
import type { Chance } from "../lab/chance.ts";

const HEADER_BYTES = 4;

const framed = (body: Uint8Array, length = body.length): Buffer => {
  const out = Buffer.alloc(HEADER_BYTES + body.length);
  out.writeUInt32LE(length >>> 0);
  out.set(body, HEADER_BYTES);
  return out;
};

/** msgpack that promises more than it holds, nests, refers to itself, or names extensions. */
// biome-ignore format: a table
const HOSTILE: readonly (readonly [what: string, body: (chance: Chance) => Uint8Array])[] = [
  ["an array of 2^32 - 1", () => Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff)],
  ["a map of 2^32 - 1", () => Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff)],
  ["text of 2^32 - 1 bytes", () => Uint8Array.of(0xdb, 0xff, 0xff, 0xff, 0xff, 0x61)],
  ["bytes of 2^31", () => Uint8Array.of(0xc6, 0x80, 0, 0, 0, 1)],
  ["arrays in arrays", (chance) => new Uint8Array(1 + chance.below(60_000)).fill(0x91)],
  ["maps in maps", (chance) => new Uint8Array(2 + chance.below(60_000)).fill(0x81)],
  ["an extension of any type", (chance) => chance.fill(Uint8Array.of(0xc7, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)).fill(0xc7, 0, 1)],
  ["a fixed extension", (chance) => Uint8Array.of(0xd4 + chance.below(5), chance.below(256), ...chance.fill(new Uint8Array(16)))],
  ["a record", (chance) => Uint8Array.of(0xd4, 0x72, 0x40 + chance.below(64), 0x92, 0xa1, 0x61, 0xa1, 0x62, 1, 2)],
  ["a reference", () => Uint8Array.of(0x81, 0xa1, 0x61, 0xd6, 0x70, 0, 0, 0, 1)],
  ["a map with __proto__", () => Buffer.concat([Uint8Array.of(0x81, 0xa9), Buffer.from("__proto__"), Uint8Array.of(0x81, 0xa8), Buffer.from("polluted"), Uint8Array.of(0xc3)])],
  ["a number alone", () => Uint8Array.of(7)],
  ["nothing", () => new Uint8Array(0)],
];

// biome-ignore format: a table
const TYPES = ["status.get", "peers.get", "routes.get", "stats.get", "config.get", "engine.reload", "peers.rekey", "log.level", "network.publish", "network.explain", "toString", "__proto__", "x"] as const;

const someKey = (chance: Chance): unknown =>
  chance.pick([null, "a key", chance.fill(new Uint8Array(32)), new Uint8Array(31), 7]);

/** A request as the command line sends it, or of a kind that there is not. Never a stop. */
export const someRequest = (chance: Chance): Record<string, unknown> => ({
  version: chance.once(10) ? chance.below(5) : CONTROL_VERSION,
  id: chance.once(10) ? -1 : chance.below(1_000),
  type: chance.pick(TYPES),
  ...(chance.once(2) ? { from: chance.below(10) } : {}),
  ...(chance.once(2) ? { publicKey: someKey(chance) } : {}),
  ...(chance.once(2) ? { definition: someKey(chance), list: someKey(chance) } : {}),
  ...(chance.once(2) ? { secret: someKey(chance) } : {}),
  ...(chance.once(2) ? { subject: chance.pick(["a", "", "x".repeat(101), null, 7]) } : {}),
  ...(chance.once(4) ? { sealed: chance.fill(new Uint8Array(80)) } : {}),
  ...(chance.once(2) ? { level: chance.pick(["warn", "loud", null, 3, "silent"]) } : {}),
});

/** One envelope, or what passes for one. Nothing here is a whole `engine.stop`. */
export const damagedEnvelope = (chance: Chance): Buffer => {
  const whole = encodeEnvelope(someRequest(chance));
  switch (chance.below(7)) {
    case 0:
      return whole;
    case 1:
      whole[chance.below(whole.length)]! ^= 1 << chance.below(8);
      return whole;
    case 2:
      return whole.subarray(0, chance.below(whole.length));
    case 3:
      return framed(chance.fill(new Uint8Array(chance.size(0, 4_000))));
    case 4:
      return Buffer.from(chance.fill(new Uint8Array(chance.size(0, 4_000))));
    case 5:
      return framed(chance.pick(HOSTILE)[1](chance));
    default:
      return framed(whole.subarray(HEADER_BYTES), chance.below(4) + ENVELOPE_BYTES_MAX.request - 2);
  }
};

/** Some envelopes, cut anywhere. */
export const damagedStream = (chance: Chance): Buffer[] => {
  const envelopes = Array.from({ length: 1 + chance.below(6) }, () => damagedEnvelope(chance));
  const bytes = Buffer.concat(envelopes);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = chance.once(2) ? bytes.length : 1 + chance.below(40);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
};
