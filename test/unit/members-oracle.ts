/**
 * members-oracle — a second implementation of what members and authorities sign, for tests: slow
 * and obvious, with @noble's primitives. It follows docs/PROTOCOL.md and shares no code with src/.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hsalsa, secretbox } from "@noble/ciphers/salsa.js";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { blake2b } from "@noble/hashes/blake2.js";
import { xeddsa } from "./xeddsa-oracle.ts";

export type Bytes = readonly number[];

const ascii = (text: string): Bytes => [...text].map((character) => character.charCodeAt(0));
const little = (value: number, bytes: number): Bytes =>
  Array.from({ length: bytes }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 255n));
const u8 = (value: number) => little(value, 1);
const u16 = (value: number) => little(value, 2);
const u32 = (value: number) => little(value, 4);
const u64 = (value: number) => little(value, 8);
const counted = (items: readonly Bytes[]): Bytes => [...u8(items.length), ...items.flat()];
const text = (value: string): Bytes => [...u8(value.length), ...ascii(value)];

/** As numbers, the shorter one first where one begins the other. */
const ascending = (items: readonly Bytes[]): Bytes[] =>
  [...items].sort((a, b) => {
    const at = a.findIndex((byte, i) => byte !== b[i]);
    return at < 0 ? a.length - b.length : a[at]! - (b[at] ?? -1);
  });

export const hash = (length: number, ...parts: Bytes[]): Uint8Array =>
  blake2b(Uint8Array.from(parts.flat()), { dkLen: length });
export const publicKey = (seed: Uint8Array): Uint8Array => ed25519.getPublicKey(seed);
export const networkId = (first: Uint8Array): Uint8Array =>
  hash(16, [...ascii("p2pvpn/1/network"), 0], [...first]);

const said = (kind: string, network: Uint8Array, bytes: Bytes): Bytes => [
  ...ascii(`p2pvpn/1/${kind}`),
  0,
  ...network,
  ...bytes,
];
const sign = (kind: string, network: Uint8Array, bytes: Bytes, seed: Uint8Array): Bytes => [
  ...ed25519.sign(Uint8Array.from(said(kind, network, bytes)), seed),
];

export interface Prefix {
  readonly address: Bytes;
  readonly bits: number;
}

const family = (address: Bytes): Bytes => u8(address.length === 4 ? 4 : 6);
const address = (bytes: Bytes): Bytes => [...family(bytes), ...bytes];
/** Family, bits, then whole bytes as far as the bits go. */
const prefix = ({ address: bytes, bits }: Prefix): Bytes => [
  ...family(bytes),
  ...u8(bits),
  ...bytes.slice(0, Math.ceil(bits / 8)),
];
const prefixes = (all: readonly Prefix[]): Bytes => counted(ascending(all.map(prefix)));
const groups = (all: readonly string[]): Bytes => counted([...all].sort().map(text));

export interface Extension {
  readonly type: number;
  readonly critical: boolean;
  readonly value: Bytes;
}

const extensions = (all: readonly Extension[]): Bytes =>
  counted(
    [...all]
      .sort((a, b) => a.type - b.type)
      .map(({ type, critical, value }) => [
        ...u16(type + (critical ? 32_768 : 0)),
        ...u16(value.length),
        ...value,
      ]),
  );

export interface Issuer {
  readonly flags: number;
  readonly serial: number;
  readonly nodeKey: Bytes;
  readonly notBeforeS: number;
  readonly notAfterS: number;
  readonly lifeS: number;
  readonly givesFlags: number;
  readonly prefixes: readonly Prefix[];
  readonly groups: readonly string[];
  readonly extensions: readonly Extension[];
  readonly authority: number;
}

export const issuer = (given: Issuer, network: Uint8Array, seed: Uint8Array): Bytes => {
  const body = [
    ...u8(1),
    ...u8(given.flags),
    ...u64(given.serial),
    ...given.nodeKey,
    ...u64(given.notBeforeS),
    ...u64(given.notAfterS),
    ...u32(given.lifeS),
    ...u16(given.givesFlags),
    ...prefixes(given.prefixes),
    ...groups(given.groups),
    ...extensions(given.extensions),
    ...u8(given.authority),
  ];
  return [...body, ...sign("issuer", network, body, seed)];
};

export interface Certificate {
  readonly flags: number;
  readonly serial: number;
  readonly nodeKey: Bytes;
  readonly handshakeKey: Bytes;
  readonly notBeforeS: number;
  readonly notAfterS: number;
  readonly name: string;
  readonly addresses: readonly Bytes[];
  readonly routes: readonly Prefix[];
  readonly groups: readonly string[];
  readonly extensions: readonly Extension[];
  /** Number of the authority's key, or an issuer's bytes. */
  readonly signer: number | Bytes;
}

export const certificate = (given: Certificate, network: Uint8Array, seed: Uint8Array): Bytes => {
  const { signer } = given;
  const body = [
    ...u8(1),
    ...u8(1),
    ...u16(given.flags),
    ...u64(given.serial),
    ...given.nodeKey,
    ...given.handshakeKey,
    ...u64(given.notBeforeS),
    ...u64(given.notAfterS),
    ...text(given.name),
    ...counted(given.addresses.map(address)),
    ...prefixes(given.routes),
    ...groups(given.groups),
    ...extensions(given.extensions),
    ...(typeof signer === "number"
      ? [...u8(0), ...u8(signer)]
      : [...u8(1), ...u16(signer.length), ...signer]),
  ];
  return [...body, ...sign("certificate", network, body, seed)];
};

export const certificateHash = (bytes: Bytes): Uint8Array =>
  hash(32, bytes.slice(0, -64)).slice(0, 16);

/** Chain of a network: the first key, then each with the times of its succession. */
export interface Chain {
  readonly first: Uint8Array;
  readonly next: readonly {
    readonly seed: Uint8Array;
    readonly atS: number;
    readonly untilS: number;
  }[];
}

const chain = ({ first, next }: Chain): Bytes => {
  const start = [...publicKey(first)];
  let said: Bytes = start;
  let before = first;
  for (const { seed, atS, untilS } of next) {
    said = [...said, ...publicKey(seed), ...u64(atS), ...u64(untilS)];
    said = [...said, ...sign("succession", networkId(publicKey(first)), said, before)];
    before = seed;
  }
  return [...start, ...u8(next.length), ...said.slice(32)];
};

export interface Definition {
  readonly sequence: number;
  readonly issuedS: number;
  readonly name: string;
  readonly cidrs: readonly Prefix[];
  readonly extensions: readonly Extension[];
  readonly chain: Chain;
}

export const definition = (given: Definition): Bytes => {
  const { first, next } = given.chain;
  const body = [
    ...u8(1),
    ...u8(0),
    ...u64(given.sequence),
    ...u64(given.issuedS),
    ...text(given.name),
    ...prefixes(given.cidrs),
    ...extensions(given.extensions),
    ...chain(given.chain),
  ];
  const network = networkId(publicKey(first));
  return [...body, ...sign("definition", network, body, next.at(-1)?.seed ?? first)];
};

export interface List {
  readonly sequence: number;
  readonly issuedS: number;
  readonly nextUpdateS: number;
  readonly epoch: number;
  readonly secret: Bytes;
  readonly revoked: readonly { readonly nodeKey: Bytes; readonly issuedBeforeS: number }[];
  readonly extensions: readonly Extension[];
  readonly authority: number;
}

export const secretCheck = (epoch: number, secret: Bytes): Bytes => [
  ...hash(32, [...ascii("p2pvpn/1/secret-check"), 0], u32(epoch), secret),
];

export const list = (given: List, network: Uint8Array, seed: Uint8Array): Bytes => {
  const entries = given.revoked.map(({ nodeKey, issuedBeforeS }) => [
    ...hash(32, nodeKey).slice(0, 16),
    ...u64(issuedBeforeS),
  ]);
  const body = [
    ...u8(1),
    ...u8(0),
    ...u64(given.sequence),
    ...u64(given.issuedS),
    ...u64(given.nextUpdateS),
    ...u32(given.epoch),
    ...secretCheck(given.epoch, given.secret),
    ...u16(entries.length),
    ...ascending(entries).flat(),
    ...extensions(given.extensions),
    ...u8(given.authority),
  ];
  return [...body, ...sign("revocations", network, body, seed)];
};

export interface Request {
  readonly nodeKey: Bytes;
  readonly handshakeKey: Bytes;
  readonly issuedS: number;
  readonly name: string;
  readonly extensions: readonly Extension[];
}

/** Seed of the node; secret of the handshake key and 64 random bytes, else it is of version 1. */
export type RequestSecrets = readonly [seed: Uint8Array, handshake?: Uint8Array, random?: Bytes];

export const request = (given: Request, secrets: RequestSecrets): Bytes => {
  const [seed, handshake, random = []] = secrets;
  const keys = [...given.nodeKey, ...given.handshakeKey];
  const rest = [...u64(given.issuedS), ...text(given.name), ...extensions(given.extensions)];
  const body = [...u8(handshake === undefined ? 1 : 2), ...u8(0), ...keys, ...rest];
  const none = new Uint8Array(16);
  if (handshake === undefined) return [...body, ...sign("request", none, body, seed)];
  const proved = [...body, ...xeddsa(said("handshake-proof", none, body), handshake, random)];
  return [...proved, ...sign("request", none, proved, seed)];
};

export interface Content {
  readonly startId: Bytes;
  readonly suites: number;
  readonly candidates: readonly {
    readonly kind: number;
    readonly address: Bytes;
    readonly port: number;
  }[];
  readonly announced: readonly { readonly prefix: Prefix; readonly metric: number }[];
  readonly extensions: readonly Extension[];
}

export interface Head {
  readonly epoch: number;
  readonly nodeKey: Bytes;
  readonly certificateHash: Bytes;
  readonly sequence: number;
  readonly issuedS: number;
  readonly expiresS: number;
  readonly nonce: Bytes;
  readonly extensions: readonly Extension[];
}

const content = (given: Content): Bytes => [
  ...given.startId,
  ...u16(given.suites),
  ...counted(
    given.candidates.map(({ kind, address: bytes, port }) => [
      ...u8(kind),
      ...family(bytes),
      ...u16(port),
      ...bytes,
    ]),
  ),
  ...counted(
    ascending(given.announced.map(({ prefix: one, metric }) => [...prefix(one), ...u16(metric)])),
  ),
  ...extensions(given.extensions),
];

/** The key of one use of a secret. */
export const derive = (secret: Bytes, label: string): Uint8Array =>
  blake2b(Uint8Array.from(ascii(label)), { key: Uint8Array.from(secret), dkLen: 32 });

export interface Token {
  readonly secret: Bytes;
  readonly expiresS: number;
  readonly network: string;
  readonly authorities: readonly Bytes[];
  readonly name: string;
  readonly indexes: readonly { readonly nodeKey: Bytes | null; readonly place: string }[];
  readonly enrollers: readonly { readonly nodeKey: Bytes; readonly places: readonly string[] }[];
}

/** An invitation with a fixed name, as its line. */
export const token = (given: Token): string => {
  const { authorities } = given;
  const body = [
    ...u8(1),
    ...given.secret,
    ...u64(given.expiresS),
    ...text(given.network),
    ...u8(authorities.length - 1),
    ...authorities[0]!,
    ...authorities.slice(1).slice(-1).flat(),
    ...text(given.name),
    ...counted(
      given.indexes.map(({ nodeKey, place }) => [
        ...u8(nodeKey === null ? 0 : 1),
        ...(nodeKey ?? []),
        ...text(place),
      ]),
    ),
    ...counted(
      given.enrollers.map(({ nodeKey, places }) => [...nodeKey, ...counted(places.map(text))]),
    ),
    ...extensions([]),
  ];
  const whole = Uint8Array.from([...body, ...hash(32, body).slice(0, 4)]);
  return `p2pvpn-invitation-1:${Buffer.from(whole).toString("base64url")}`;
};

export const tokenKey = (secret: Bytes, label: string, bytes: number): Uint8Array =>
  blake2b(Uint8Array.from(ascii(`p2pvpn/1/invitation/${label}`)), {
    key: Uint8Array.from(secret),
    dkLen: bytes,
  });

export const record = (
  head: Head,
  said: Content,
  keys: { readonly network: Uint8Array; readonly seed: Uint8Array; readonly secret: Bytes },
): Bytes => {
  const clear = [
    ...u8(1),
    ...u8(0),
    ...u32(head.epoch),
    ...head.nodeKey,
    ...head.certificateHash,
    ...u64(head.sequence),
    ...u64(head.issuedS),
    ...u64(head.expiresS),
    ...head.nonce,
    ...extensions(head.extensions),
  ];
  const cipher = xchacha20poly1305(
    derive(keys.secret, "record"),
    Uint8Array.from(head.nonce),
    Uint8Array.from(clear),
  );
  const sealed = [...cipher.encrypt(Uint8Array.from(content(said)))];
  const body = [...clear, ...u16(sealed.length), ...sealed];
  return [...body, ...sign("record", keys.network, body, keys.seed)];
};

const words = (bytes: Uint8Array): Uint32Array => new Uint32Array(Uint8Array.from(bytes).buffer);

/** crypto_box_seal of libsodium, with an ephemeral key that is given. */
export const boxSeal = (plain: Bytes, receiver: Uint8Array, ephemeral: Uint8Array): Bytes => {
  const own = x25519.getPublicKey(ephemeral);
  const shared = x25519.getSharedSecret(ephemeral, receiver);
  const key = new Uint32Array(8);
  const sigma = words(Uint8Array.from(ascii("expand 32-byte k")));
  hsalsa(sigma, words(shared), new Uint32Array(4), key);
  const nonce = blake2b(Uint8Array.from([...own, ...receiver]), { dkLen: 24 });
  return [...own, ...secretbox(new Uint8Array(key.buffer), nonce).seal(Uint8Array.from(plain))];
};

const HANDSHAKE_LABEL = Uint8Array.from(ascii("p2pvpn/1/handshake-key"));

/** The handshake pair of a seed. */
export const handshakePair = (
  seed: Uint8Array,
): { readonly privateKey: Uint8Array; readonly publicKey: Uint8Array } => {
  const privateKey = blake2b(HANDSHAKE_LABEL, { key: seed, dkLen: 32 });
  privateKey[0]! &= 248;
  privateKey[31] = (privateKey[31]! & 127) | 64;
  return { privateKey, publicKey: x25519.getPublicKey(privateKey) };
};
