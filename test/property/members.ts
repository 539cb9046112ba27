/**
 * members — arbitrary fields of what is signed, for property tests: as the second implementation
 * (unit/members-oracle.ts) takes them, and as src/members does.
 */
import fc from "fast-check";
import type { CertificateFields } from "../../src/members/certificate.ts";
import type { Extension } from "../../src/members/extensions.ts";
import type { RecordContent } from "../../src/members/record.ts";
import type { Cidr } from "../../src/wire/cidr.ts";
import type * as oracle from "../unit/members-oracle.ts";

const bytes = (length: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat(255), { minLength: length, maxLength: length });
export const address: fc.Arbitrary<number[]> = fc.oneof(bytes(4), bytes(16));
export const key = bytes(32);
export const wide = bytes(64);
export const u16 = fc.nat(0xffff);
export const time = fc.integer({ min: 0, max: 2 ** 34 });

const label = (most: number): fc.Arbitrary<string> => {
  const edge = fc.constantFrom(..."abcxyz019");
  const inner = fc.string({ unit: fc.constantFrom(..."abz09-"), maxLength: most - 2 });
  return fc.oneof(
    edge,
    fc.tuple(edge, inner, edge).map((parts) => parts.join("")),
  );
};

export const name = label(63);
export const group = label(31);

/** Host bits are zero. */
export const prefix: fc.Arbitrary<oracle.Prefix> = address.chain((given) =>
  fc.nat(8 * given.length).map((bits) => ({
    bits,
    address: given.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - 8 * i)))),
  })),
);

export const extension: fc.Arbitrary<oracle.Extension> = fc.record({
  type: fc.nat(0x7fff),
  critical: fc.constant(false),
  value: fc.array(fc.nat(255), { maxLength: 12 }),
});

const uniquely = <Value>(
  one: fc.Arbitrary<Value>,
  maxLength: number,
  selector: (value: Value) => string | number,
): fc.Arbitrary<Value[]> => fc.uniqueArray(one, { maxLength, selector });

export const prefixes = (most: number): fc.Arbitrary<oracle.Prefix[]> =>
  uniquely(prefix, most, ({ address: given, bits }) => `${given}/${bits}`);
export const extensions = uniquely(extension, 3, ({ type }) => type);
export const groups = uniquely(group, 4, String);

export const certificates: fc.Arbitrary<oracle.Certificate> = fc
  .record({
    flags: u16,
    serial: fc.maxSafeNat(),
    nodeKey: key,
    handshakeKey: key,
    notBeforeS: time,
    lifeS: fc.nat(2 ** 31),
    name,
    addresses: uniquely(address, 4, String),
    routes: prefixes(5),
    groups,
    extensions,
    signer: fc.nat(255),
  })
  .map(({ lifeS, ...rest }) => ({ ...rest, notAfterS: rest.notBeforeS + lifeS }));

export const heads: fc.Arbitrary<oracle.Head> = fc
  .record({
    epoch: fc.nat(0xffff_ffff),
    nodeKey: key,
    certificateHash: bytes(16),
    sequence: fc.maxSafeNat(),
    issuedS: time,
    lifeS: fc.nat(86_400),
    nonce: bytes(24),
    extensions: uniquely(extension, 1, ({ type }) => type),
  })
  .map(({ lifeS, ...rest }) => ({ ...rest, expiresS: rest.issuedS + lifeS }));

export const contents: fc.Arbitrary<oracle.Content> = fc.record({
  startId: bytes(16),
  suites: u16,
  candidates: fc.array(fc.record({ kind: fc.nat(255), address, port: u16 }), { maxLength: 4 }),
  announced: uniquely(
    fc.record({ prefix, metric: u16 }),
    3,
    ({ prefix: { address: given, bits } }) => `${given}/${bits}`,
  ),
  extensions: uniquely(extension, 1, ({ type }) => type),
});

export const oursPrefix = ({ address: given, bits }: oracle.Prefix): Cidr => ({
  version: given.length === 4 ? 4 : 6,
  bytes: Uint8Array.from(given),
  prefixLength: bits,
});

export const oursExtensions = (all: readonly oracle.Extension[]): Extension[] =>
  all.map(({ value, ...rest }) => ({ ...rest, value: Uint8Array.from(value) }));

export const oursCertificate = (given: oracle.Certificate): CertificateFields => ({
  ...given,
  nodeKey: Uint8Array.from(given.nodeKey),
  handshakeKey: Uint8Array.from(given.handshakeKey),
  addresses: given.addresses.map((one) => Uint8Array.from(one)),
  routes: given.routes.map(oursPrefix),
  extensions: oursExtensions(given.extensions),
  signer: { by: "authority", authority: given.signer as number },
});

export const oursContent = (given: oracle.Content): RecordContent => ({
  startId: Uint8Array.from(given.startId),
  suites: given.suites,
  candidates: given.candidates.map((one) => ({ ...one, address: Uint8Array.from(one.address) })),
  announced: given.announced.map(({ prefix: one, metric }) => ({
    prefix: oursPrefix(one),
    metric,
  })),
  extensions: oursExtensions(given.extensions),
});
