/**
 * secret — the network's secret: who has it reads records and may knock; its keys, its check, and
 * how it travels to one member. Pure.
 *
 * Each use has a key of its own (security.md 14). The revocation list holds the check of the
 * newest secret, so that whoever passes a secret on cannot lie about it. A secret has an epoch;
 * each revocation starts the next.
 */
import sodium from "sodium-native";
import { hashOf } from "./sign.ts";

/** Protocol. */
export const SECRET_BYTES = 32;
export const SEALED_SECRET_BYTES = SECRET_BYTES + 48;
/** Protocol: this many epochs, the newest, are held; a member that was away has an old one. */
export const EPOCHS_HELD = 16;

const CHECK_LABEL = Buffer.from("p2pvpn/1/secret-check\0");

/** What keys are derived for: sealing records, tags of INTROs, HERE, the beacon, KNOCKs. */
export type SecretLabel = "record" | "intro" | "here" | "beacon" | "target" | "knock";

/** The key of one use: BLAKE2b-256, keyed with the secret, over the label. Units: 32 bytes. */
export const derive = (secret: Uint8Array, label: SecretLabel): Uint8Array => {
  const key = new Uint8Array(SECRET_BYTES);
  sodium.crypto_generichash(key, Buffer.from(label), secret);
  return key;
};

/** What the list says of a secret; tells nothing of it. Units: 32 bytes. */
export const secretCheck = (epoch: number, secret: Uint8Array): Uint8Array => {
  const number = Buffer.alloc(4);
  number.writeUInt32LE(epoch);
  return hashOf(SECRET_BYTES, CHECK_LABEL, number, secret);
};

/** Is this the secret that a list speaks of? In constant time. */
export const isSecret = (
  list: { readonly epoch: number; readonly secretCheck: Uint8Array },
  epoch: number,
  secret: Uint8Array,
): boolean =>
  secret.length === SECRET_BYTES &&
  epoch === list.epoch &&
  sodium.sodium_memcmp(secretCheck(epoch, secret), list.secretCheck);

/** Seals a secret to a member's handshake key; null: that is nobody's key. Units: 80 bytes. */
export const sealSecret = (secret: Uint8Array, handshakeKey: Uint8Array): Uint8Array | null => {
  const sealed = new Uint8Array(SEALED_SECRET_BYTES);
  try {
    sodium.crypto_box_seal(sealed, secret, handshakeKey);
    return sealed;
  } catch {
    return null;
  }
};

/** Opens it with the member's handshake pair; null: it is not for it, or damaged. */
export const openSecret = (
  sealed: Uint8Array,
  publicKey: Uint8Array,
  privateKey: Uint8Array,
): Uint8Array | null => {
  if (sealed.length !== SEALED_SECRET_BYTES) return null;
  const secret = new Uint8Array(SECRET_BYTES);
  return sodium.crypto_box_seal_open(secret, sealed, publicKey, privateKey) ? secret : null;
};
