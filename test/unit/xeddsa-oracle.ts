/**
 * xeddsa-oracle — a second implementation of signatures by X25519 secrets, for tests: the formulas
 * of Signal's specification on @noble's points and on whole numbers. It shares no code with src/.
 */
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";

type Bytes = readonly number[];

const { Point } = ed25519;
const { Fp } = Point;
const ORDER = Point.Fn.ORDER;

const numberOf = (bytes: Bytes): bigint =>
  bytes.reduceRight((sum, byte) => 256n * sum + BigInt(byte), 0n);
const bytesOf = (value: bigint): Bytes =>
  Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
const hashed = (...parts: readonly Bytes[]): bigint =>
  numberOf([...sha512(Uint8Array.from(parts.flat()))]) % ORDER;

/** k·B, as it is written: with its sign bit. */
const baseTimes = (scalar: bigint): Bytes => [...Point.BASE.multiply(scalar).toBytes()];

const clamped = (secret: Uint8Array): bigint => {
  const [first = 0, ...rest] = secret;
  const last = rest.pop() ?? 0;
  return numberOf([first & 248, ...rest, (last & 127) | 64]) % ORDER;
};

/** Sign bit of the point of a secret: 1 where it is negated. */
export const signBit = (secret: Uint8Array): number => baseTimes(clamped(secret))[31]! >> 7;

export const xeddsa = (message: Bytes, secret: Uint8Array, random: Bytes): Bytes => {
  const k = clamped(secret);
  const e = baseTimes(k);
  const a = e[31]! > 127 ? ORDER - k : k;
  const own = [...e.slice(0, 31), e[31]! & 127];
  const r = hashed([254, ...new Array<number>(31).fill(255)], bytesOf(a), message, random);
  const commitment = baseTimes(r);
  const h = hashed(commitment, own, message);
  return [...commitment, ...bytesOf((r + h * a) % ORDER)];
};

/** The ed25519 key of an X25519 one; null: nobody has its secret, or it is written otherwise. */
export const edwards = (publicKey: Uint8Array): Uint8Array | null => {
  const u = numberOf([...publicKey]);
  if (u >= Fp.ORDER || Fp.is0(Fp.create(u + 1n))) return null;
  const y = Fp.div(Fp.create(u - 1n), Fp.create(u + 1n));
  const bytes = Uint8Array.from(bytesOf(y));
  try {
    const point = Point.fromBytes(bytes);
    return point.isTorsionFree() && !point.isSmallOrder() ? bytes : null;
  } catch {
    return null;
  }
};

/** Another key that gives the same products as this secret's: its point, and one of order 8. */
export const aliasOf = (secret: Uint8Array, torsion: string): Uint8Array => {
  const point = Point.BASE.multiply(clamped(secret)).add(Point.fromHex(torsion));
  return ed25519.utils.toMontgomery(point.toBytes());
};

/**
 * A signature that an ordinary strict verification takes for an alias: of nonces the first whose h
 * has no part of small order left in hA.
 */
export const signAsAlias = (message: Bytes, secret: Uint8Array, torsion: string) => {
  const k = clamped(secret);
  const point = [...Point.BASE.multiply(k).add(Point.fromHex(torsion)).toBytes()];
  const a = point[31]! > 127 ? ORDER - k : k;
  const key = [...point.slice(0, 31), point[31]! & 127];
  for (let r = 1n; r < 1_000n; r++) {
    const commitment = baseTimes(r);
    const h = hashed(commitment, key, message);
    if (h % 8n !== 0n) continue;
    const signature = Uint8Array.from([...commitment, ...bytesOf((r + h * a) % ORDER)]);
    return { signature, key: Uint8Array.from(key) };
  }
  throw new Error("a thousand nonces, and none fits");
};

export const publicKeyOf = (secret: Uint8Array): Uint8Array => x25519.getPublicKey(secret);
export const productOf = (secret: Uint8Array, publicKey: Uint8Array): Uint8Array =>
  x25519.getSharedSecret(secret, publicKey);
/** Does @noble's own strict verification take it? */
export const accepts = (message: Uint8Array, signature: Uint8Array, key: Uint8Array): boolean =>
  ed25519.verify(signature, message, key, { zip215: false });
/** s + L, which a lax verification takes too. */
export const higher = (signature: Uint8Array): Uint8Array =>
  Uint8Array.from([
    ...signature.subarray(0, 32),
    ...bytesOf(numberOf([...signature.subarray(32)]) + ORDER),
  ]);
