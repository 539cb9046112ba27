/**
 * channel-oracle — the opening of a channel a second time, by other hands: Noise's own words
 * (SymmetricState, MixHash, MixKey, EncryptAndHash, Split) on the @noble packages, for
 * Noise_IK_25519_ChaChaPoly_BLAKE2s, and the bytes of docs/PROTOCOL.md around it. It shares no code
 * with src.
 *
 * Source: Noise specification, revision 34, sections 5.2 and 7.5.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { blake2s } from "@noble/hashes/blake2.js";
import { hmac } from "@noble/hashes/hmac.js";
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";

const NAME = "Noise_IK_25519_ChaChaPoly_BLAKE2s";
const ZERO_NONCE = new Uint8Array(12);
const EMPTY = new Uint8Array(0);

const hkdf = (key: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array] => {
  const temporary = hmac(blake2s, key, input);
  const first = hmac(blake2s, temporary, Uint8Array.of(1));
  return [first, hmac(blake2s, temporary, concatBytes(first, Uint8Array.of(2)))];
};

class SymmetricState {
  // The name is longer than a hash, so it is hashed.
  h: Uint8Array = blake2s(utf8ToBytes(NAME));
  ck: Uint8Array = this.h;
  k: Uint8Array = EMPTY;

  mixHash(data: Uint8Array): void {
    this.h = blake2s(concatBytes(this.h, data));
  }

  mixKey(input: Uint8Array): void {
    [this.ck, this.k] = hkdf(this.ck, input);
  }

  /** Each key is used once, with nonce zero. */
  encryptAndHash(plain: Uint8Array): Uint8Array {
    const sealed = chacha20poly1305(this.k, ZERO_NONCE, this.h).encrypt(plain);
    this.mixHash(sealed);
    return sealed;
  }
}

export interface Keys {
  readonly networkId: Uint8Array;
  readonly caller: Uint8Array;
  readonly callerEphemeral: Uint8Array;
  readonly callee: Uint8Array;
  readonly calleeEphemeral: Uint8Array;
}

const u32 = (n: number): Uint8Array => Uint8Array.of(n, n >>> 8, n >>> 16, n >>> 24);
const publicKey = (key: Uint8Array): Uint8Array => x25519.getPublicKey(key);
const dh = (key: Uint8Array, point: Uint8Array): Uint8Array => x25519.getSharedSecret(key, point);

/** OPEN: 1,232 bytes, and the state behind it. */
export const open = (
  keys: Keys,
  purpose: number,
  ticket: Uint8Array,
  number: number,
  payload: Uint8Array,
): { readonly message: Uint8Array; readonly state: SymmetricState } => {
  const kind = Uint8Array.of(10, 0, 0, 0, 2, purpose, 0, 0);
  const head = concatBytes(kind, ticket, u32(number), u32(0));
  const state = new SymmetricState();
  const calleePublic = publicKey(keys.callee);
  state.mixHash(concatBytes(utf8ToBytes("p2pvpn/1/channel"), keys.networkId, head));
  state.mixHash(calleePublic);
  const e = publicKey(keys.callerEphemeral);
  state.mixHash(e);
  state.mixKey(dh(keys.callerEphemeral, calleePublic));
  const s = state.encryptAndHash(publicKey(keys.caller));
  state.mixKey(dh(keys.caller, calleePublic));
  const plain = new Uint8Array(1_104);
  plain.set(payload);
  return { message: concatBytes(head, e, s, state.encryptAndHash(plain)), state };
};

/** OPENED, and the caller's and the callee's key. */
export const opened = (
  keys: Keys,
  state: SymmetricState,
  callerNumber: number,
  calleeNumber: number,
  payload: Uint8Array,
): {
  readonly message: Uint8Array;
  readonly fromCaller: Uint8Array;
  readonly fromCallee: Uint8Array;
} => {
  const e = publicKey(keys.calleeEphemeral);
  state.mixHash(e);
  state.mixKey(dh(keys.calleeEphemeral, publicKey(keys.callerEphemeral)));
  state.mixKey(dh(keys.calleeEphemeral, publicKey(keys.caller)));
  const sealed = state.encryptAndHash(concatBytes(u32(calleeNumber), payload));
  const head = concatBytes(Uint8Array.of(10, 0, 0, 0, 5, 0, 0, 0), u32(callerNumber), u32(0));
  const [fromCaller, fromCallee] = hkdf(state.ck, EMPTY);
  return { message: concatBytes(head, e, sealed), fromCaller, fromCallee };
};

/** CHANNEL or DIRECTORY. */
export const sealed = (
  key: Uint8Array,
  type: number,
  receiver: number,
  counter: number,
  plain: Uint8Array,
): Uint8Array => {
  const count = new Uint8Array(8);
  new DataView(count.buffer).setBigUint64(0, BigInt(counter), true);
  const kind = Uint8Array.of(type, 0, 0, 0, type === 10 ? 4 : 0, 0, 0, 0);
  const head = concatBytes(kind, u32(receiver), u32(0), count);
  const nonce = concatBytes(new Uint8Array(4), count);
  return concatBytes(head, chacha20poly1305(key, nonce, head).encrypt(plain));
};
