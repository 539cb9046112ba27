/**
 * fuzzing — how long the fuzz tests run, and how they change what is right.
 *
 *     P2PVPN_FUZZ_RUNS=50 node --test dist/test/property/wire.fuzz.test.js      fifty times as long
 *     P2PVPN_FUZZ_SEED=7                                                        the same once more
 */
import fc from "fast-check";

const times = Number(process.env.P2PVPN_FUZZ_RUNS ?? 1);
const seed = process.env.P2PVPN_FUZZ_SEED;

/** fast-check's parameters for a test of `numRuns` runs in CI; a failure prints its seed. */
export const runs = (numRuns: number) => ({
  numRuns: Math.ceil(numRuns * times),
  ...(seed === undefined ? {} : { seed: Number(seed) }),
});

/** One change to bytes: a bit, some bytes over others, a piece less, a piece more. */
export type Change =
  | { readonly kind: "flip"; readonly at: number; readonly mask: number }
  | { readonly kind: "write"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "cut"; readonly bytes: number }
  | { readonly kind: "append"; readonly bytes: Uint8Array };

/** Changes to a message of `length` bytes; some of them change nothing. */
export const changes = (length: number, max = 3): fc.Arbitrary<Change[]> => {
  const at = fc.nat(Math.max(0, length - 1));
  const some = fc.uint8Array({ minLength: 1, maxLength: 40 });
  return fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("flip"), at, mask: fc.nat(255) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("write"), at, bytes: some }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut"), bytes: fc.nat(length) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("append"), bytes: some }) },
    ) as fc.Arbitrary<Change>,
    { maxLength: max },
  );
};

const changed = (bytes: Uint8Array, change: Change): Uint8Array => {
  switch (change.kind) {
    case "flip":
      if (change.at < bytes.length) bytes[change.at]! ^= change.mask;
      return bytes;
    case "write":
      bytes.set(change.bytes.subarray(0, Math.max(0, bytes.length - change.at)), change.at);
      return bytes;
    case "cut":
      return bytes.subarray(0, Math.max(0, bytes.length - change.bytes));
    case "append":
      return Uint8Array.from([...bytes, ...change.bytes]);
  }
};

/** The message with the changes; it itself stays as it is. */
export const mutate = (message: Uint8Array, all: readonly Change[]): Uint8Array => {
  let bytes: Uint8Array = Uint8Array.from(message);
  for (const change of all) {
    // A cut may have left less than a later change asks for.
    if (change.kind === "write" && change.at > bytes.length) continue;
    bytes = changed(bytes, change);
  }
  return bytes;
};

/** Text with pieces of it removed, doubled, exchanged, or replaced by characters of `alphabet`. */
export const mutatedText = (
  whole: fc.Arbitrary<string>,
  alphabet: string,
  max = 4,
): fc.Arbitrary<string> => {
  const step = fc.record({
    kind: fc.constantFrom("remove", "double", "swap", "put", "insert"),
    at: fc.nat(10_000),
    length: fc.integer({ min: 1, max: 6 }),
    text: fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 4 }),
  });
  return fc.tuple(whole, fc.array(step, { maxLength: max })).map(([text, steps]) => {
    let out = text;
    for (const { kind, at, length, text: more } of steps) {
      const from = at % (out.length + 1);
      const [head, piece, tail] = [
        out.slice(0, from),
        out.slice(from, from + length),
        out.slice(from + length),
      ];
      if (kind === "remove") out = head + tail;
      if (kind === "double") out = head + piece + piece + tail;
      if (kind === "swap") out = piece + head + tail;
      if (kind === "put") out = head + more + tail;
      if (kind === "insert") out = head + more + piece + tail;
    }
    return out;
  });
};
