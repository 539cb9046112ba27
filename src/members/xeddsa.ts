/**
 * xeddsa — signatures by an X25519 secret, which every strict ed25519 verification takes. Pure.
 *
 *   secret k      E = kB · A = E with its sign bit cleared · a = k, or −k where that bit was 1
 *   signature     r = H(0xfe, 31 × 0xff ‖ a ‖ message ‖ random) · R = rB
 *                 h = H(R ‖ A ‖ message) · s = r + h·a · R ‖ s
 *   public key u  y = (u − 1) / (u + 1) · A = y with sign bit 0
 *
 * B is the base point, L its order, H is SHA-512 and scalars are modulo L.
 *
 * Time: what is secret is computed by libsodium, whose functions take the same time for all
 * values; h·a is made of its additions, chosen by the bits of h, which the signature tells to
 * everybody. Which of k and −k is a, is chosen by a mask on bytes, and V8 promises nothing about
 * these; it is one bit, and tells no other of k. BigInt, whose time depends on its numbers, sees
 * public keys and nothing else. A signature is made once for each request, by a command on its own
 * host: who would measure it runs programs there, and sees no repetition with one nonce.
 *
 * Source: Signal, "The XEdDSA and VXEdDSA Signature Schemes", revision 1, 2.3, 3 and 5.
 */
import sodium from "sodium-native";

/** Units: bytes. */
const KEY_BYTES = 32;
const WIDE_BYTES = 64;
export const XEDDSA_RANDOM_BYTES = 64;
const XEDDSA_BYTES = 64;
/** Above the bits of a scalar below L. */
const SCALAR_BITS = 253;
/** Of the field that both curves are over. */
const P = 2n ** 255n - 19n;
/** No point is written so: what is hashed for r is never what is hashed for an h. */
const NONCE_HEAD = Uint8Array.from({ length: KEY_BYTES }, (_, i) => (i === 0 ? 0xfe : 0xff));

/** By Fermat: value^(P − 2). Not in constant time. */
const inverse = (value: bigint): bigint => {
  let result = 1n;
  let power = value;
  for (let rest = P - 2n; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * power) % P;
    power = (power * power) % P;
  }
  return result;
};

const numberOf = (bytes: Uint8Array): bigint =>
  BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);

const bytesOf = (value: bigint): Uint8Array =>
  Uint8Array.from(Buffer.from(value.toString(16).padStart(2 * KEY_BYTES, "0"), "hex").reverse());

/**
 * The ed25519 key of an X25519 one, sign bit 0; null: it is nobody's, or not in the one form that
 * `crypto_scalarmult_base` writes. Refused are u ≥ P, so also the top bit; u = −1, which has no y;
 * the curve's twist, small orders, and what has a part of small order.
 */
export const edwardsOf = (publicKey: Uint8Array): Uint8Array | null => {
  if (publicKey.length !== KEY_BYTES) return null;
  const u = numberOf(publicKey);
  if (u >= P - 1n) return null;
  const point = bytesOf(((u + P - 1n) * inverse(u + 1n)) % P);
  return sodium.crypto_core_ed25519_is_valid_point(point) ? point : null;
};

/** Did the holder of the X25519 key sign this? Of any lengths; false rather than an error. */
export const xeddsaVerify = (
  message: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean => {
  const point = edwardsOf(publicKey);
  return (
    point !== null &&
    signature.length === XEDDSA_BYTES &&
    sodium.crypto_sign_verify_detached(signature, message, point)
  );
};

const wipe = (...secrets: readonly Uint8Array[]): void => {
  for (const secret of secrets) sodium.sodium_memzero(secret);
};

/** a and A of a secret. The caller zeroes the scalar. */
const pairOf = (
  secret: Uint8Array,
): { readonly scalar: Uint8Array; readonly point: Uint8Array } => {
  const wide = new Uint8Array(WIDE_BYTES);
  wide.set(secret);
  // As X25519 has it. Source: RFC 7748 5.
  wide[0]! &= 248;
  wide[31] = (wide[31]! & 127) | 64;
  const own = new Uint8Array(KEY_BYTES);
  const negated = new Uint8Array(KEY_BYTES);
  const point = new Uint8Array(KEY_BYTES);
  sodium.crypto_core_ed25519_scalar_reduce(own, wide);
  sodium.crypto_core_ed25519_scalar_negate(negated, own);
  sodium.crypto_scalarmult_ed25519_base_noclamp(point, own);
  const mask = -(point[31]! >> 7);
  const scalar = own.map((byte, i) => byte ^ (mask & (byte ^ negated[i]!)));
  point[31]! &= 127;
  wipe(wide, own, negated);
  return { scalar, point };
};

/** A scalar of a hash. The caller zeroes it where it is secret; what was hashed too. */
const hashed = (input: Uint8Array): Uint8Array => {
  const wide = new Uint8Array(WIDE_BYTES);
  const scalar = new Uint8Array(KEY_BYTES);
  sodium.crypto_hash_sha512(wide, input);
  sodium.crypto_core_ed25519_scalar_reduce(scalar, wide);
  wipe(wide);
  return scalar;
};

/** `factor` times `scalar`: the factor's bits are told by time, the scalar's are not. */
const times = (factor: Uint8Array, scalar: Uint8Array): Uint8Array => {
  const sum = new Uint8Array(KEY_BYTES);
  for (let bit = SCALAR_BITS - 1; bit >= 0; bit--) {
    sodium.crypto_core_ed25519_scalar_add(sum, sum, sum);
    const isSet = ((factor[bit >> 3]! >> (bit & 7)) & 1) === 1;
    if (isSet) sodium.crypto_core_ed25519_scalar_add(sum, sum, scalar);
  }
  return sum;
};

/**
 * Signs with an X25519 secret.
 *
 * Units: `secret` 32 bytes, `random` XEDDSA_RANDOM_BYTES, fresh each time; a bad source of these
 * costs no more than what they are for: that a fault in the machine during one of two signatures
 * of one message tells nothing. Borrows: all; the caller zeroes the secret.
 */
export const xeddsaSign = (
  message: Uint8Array,
  secret: Uint8Array,
  random: Uint8Array,
): Uint8Array => {
  if (secret.length !== KEY_BYTES || random.length !== XEDDSA_RANDOM_BYTES) {
    throw new RangeError("a secret of 32 bytes, and 64 random ones");
  }
  const { scalar, point } = pairOf(secret);
  const input = Buffer.concat([NONCE_HEAD, scalar, message, random]);
  const nonce = hashed(input);
  const signature = new Uint8Array(XEDDSA_BYTES);
  const [commitment, response] = [signature.subarray(0, KEY_BYTES), signature.subarray(KEY_BYTES)];
  sodium.crypto_scalarmult_ed25519_base_noclamp(commitment, nonce);
  const product = times(hashed(Buffer.concat([commitment, point, message])), scalar);
  sodium.crypto_core_ed25519_scalar_add(response, nonce, product);
  wipe(scalar, input, nonce, product);
  return signature;
};
