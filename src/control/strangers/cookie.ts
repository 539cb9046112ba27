/**
 * cookie — proof that a sender gets what is sent to its address, asked for under load. Pure.
 *
 *     initiator                          responder, under load
 *     1: mac1, mac2 zero      ────────▶  mac2 not valid: nothing else is looked at
 *     CookieHolder.take()     ◀────────  3: CookieChecker.reply()
 *     1 again: mac1, mac2     ────────▶  CookieChecker.valid(): goes on
 *
 * A cookie is a MAC over the source address and port under a secret that changes; the responder
 * remembers no sender. The reply is sealed under a key that everybody can compute, with the
 * message's mac1 as associated data: only who sent or saw that message can use or forge a reply.
 * Messages 5 and 6 are answered with 7, which is made like 3; a cookie is good in either suite.
 *
 * Source: WireGuard paper, sections 5.4.4 and 5.4.7; security.md 27 and 30.
 */
import sodium from "sodium-native";
import { blake2s, equal, type Mac } from "../../noise/mac.ts";
import {
  AES_TYPE_OFFSET,
  before,
  COOKIE,
  checkMessage,
  field,
  INITIATION,
  type Range,
  RESPONSE,
  readU32,
  writeU32,
} from "../../wire/handshake.ts";
import { SOCKADDR_BYTES, sockaddrHost, sockaddrPort, sockaddrScope } from "../../wire/sockaddr.ts";
import { SECRET_AGE_MS, TwoSecrets } from "./two-secrets.ts";

/** Protocol: a cookie may be used this long. Paper 5.4.7. */
export const COOKIE_AGE_MS = SECRET_AGE_MS;

const COOKIE_BYTES = 16;
const NONCE_BYTES = 24;
/** Tuning: random bytes are asked for this many nonces at once, a tenth of the price each. */
const NONCES = 256;

/** Fields of the two messages that carry mac2. */
interface Macs {
  readonly senderIndex: Range;
  readonly mac1: Range;
  readonly mac2: Range;
}

/** Where a message has its macs; both messages end with them. */
const macsOf = (message: Uint8Array): Macs =>
  message.length === INITIATION.bytes ? INITIATION.fields : RESPONSE.fields;

/** The type of the reply to a message: 3 to 1 and 2, 7 to 5 and 6. */
const replyType = (message: Uint8Array): number =>
  message[0]! > AES_TYPE_OFFSET ? COOKIE.type + AES_TYPE_OFFSET : COOKIE.type;

/** Key that seals cookie replies of the holder of a public key. Source: paper 5.4.7. */
export const cookieKey = (publicKey: Uint8Array): Uint8Array =>
  blake2s(Buffer.from("cookie--"), publicKey);

/** True when a message claims no cookie. */
const hasNoMac2 = (message: Uint8Array): boolean => {
  for (let i = macsOf(message).mac2.at; i < message.length; i++) if (message[i] !== 0) return false;
  return true;
};

/**
 * What a cookie is bound to: address, port and, for IPv6, scope id. An IPv4-mapped address is its
 * IPv4 address. Returns the bytes of `out` in use; SOCKADDR_BYTES are enough room.
 */
export const sourceBytes = (from: Uint8Array, out: Uint8Array): Uint8Array => {
  const host = sockaddrHost(from);
  const port = sockaddrPort(from);
  const scope = host.length === 16 ? sockaddrScope(from) : 0;
  out.set(host, 0);
  let at = host.length;
  for (const byte of [port >>> 8, port]) out[at++] = byte;
  if (host.length === 4) return out.subarray(0, at);
  for (const byte of [scope >>> 24, scope >>> 16, scope >>> 8, scope]) out[at++] = byte;
  return out.subarray(0, at);
};

// ---------------------------------------------------------------------------------------------
// Who is under load

export interface CheckerInput {
  /** Our own. */
  readonly publicKey: Uint8Array;
  readonly mac: Mac;
  /** That many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
}

/** Makes cookies and checks them; remembers two secrets and nobody. Thread: control. */
export class CookieChecker {
  readonly #key: Uint8Array;
  readonly #mac: Mac;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #source = new Uint8Array(SOCKADDR_BYTES);
  #nonces: Uint8Array = new Uint8Array(0);
  #noncesUsed = 0;
  readonly #secrets: TwoSecrets;

  constructor(input: CheckerInput) {
    this.#key = cookieKey(input.publicKey);
    this.#mac = input.mac;
    this.#random = input.random;
    this.#secrets = new TwoSecrets(input.random);
  }

  /** Is mac2 of an initiation or a response made with a cookie for this source? */
  valid(message: Uint8Array, from: Uint8Array, nowMs: number): boolean {
    if (hasNoMac2(message)) return false;
    return this.#secrets.some(nowMs, (secret) => this.#validUnder(secret, message, from));
  }

  /** The cookie reply to an initiation or a response whose mac1 is valid; 64 bytes. */
  reply(message: Uint8Array, from: Uint8Array, nowMs: number): Uint8Array {
    const secret = this.#secrets.current(nowMs);
    const { senderIndex, mac1 } = macsOf(message);
    const { fields } = COOKIE;
    const datagram = new Uint8Array(COOKIE.bytes);
    writeU32(datagram, fields.type, replyType(message));
    writeU32(datagram, fields.receiverIndex, readU32(message, senderIndex));
    const nonce = this.#nonce();
    field(datagram, fields.nonce).set(nonce);
    const cookie = this.#cookie(secret, from);
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
      field(datagram, fields.sealedCookie),
      cookie,
      field(message, mac1),
      null,
      nonce,
      this.#key,
    );
    return datagram;
  }

  /** Zeroes the secrets; not to be used afterwards. */
  wipe(): void {
    this.#secrets.wipe();
  }

  /** Random bytes that were never used before. */
  #nonce(): Uint8Array {
    if (this.#noncesUsed === this.#nonces.length) {
      this.#nonces = this.#random(NONCES * NONCE_BYTES);
      this.#noncesUsed = 0;
    }
    const at = this.#noncesUsed;
    this.#noncesUsed += NONCE_BYTES;
    return this.#nonces.subarray(at, this.#noncesUsed);
  }

  #cookie(secret: Uint8Array, from: Uint8Array): Uint8Array {
    return this.#mac(secret, sourceBytes(from, this.#source));
  }

  #validUnder(secret: Uint8Array, message: Uint8Array, from: Uint8Array): boolean {
    const { mac2 } = macsOf(message);
    const expected = this.#mac(this.#cookie(secret, from), before(message, mac2));
    return equal(expected, field(message, mac2));
  }
}

// ---------------------------------------------------------------------------------------------
// Who calls

/** A message on its way: what it was and how it was sent. */
export interface Sent {
  /** With both macs; mac2 changes when a cookie comes. */
  readonly datagram: Uint8Array;
  /** Its sender index: a cookie reply names it. */
  readonly index: number;
  readonly to: Uint8Array;
  readonly local: Uint8Array;
  /** It was sent a second time already. */
  again: boolean;
}

/** The cookie that a peer gave us, and our last message to it. Thread: control. */
export class CookieHolder {
  readonly #remotePublicKey: Uint8Array;
  readonly #mac: Mac;
  #cookie: Uint8Array | null = null;
  #takenMs = 0;
  #sent: Sent | null = null;

  constructor(remotePublicKey: Uint8Array, mac: Mac) {
    this.#remotePublicKey = remotePublicKey;
    this.#mac = mac;
  }

  /** The last message, while a cookie reply to it may come. */
  get sent(): Sent | null {
    return this.#sent;
  }

  /**
   * Writes mac2 into an initiation or a response that has its mac1, when there is a cookie, and
   * remembers the message. Takes: `datagram`. Borrows: `to`, `local`.
   */
  sign(datagram: Uint8Array, to: Uint8Array, local: Uint8Array, nowMs: number): Sent {
    this.#writeMac2(datagram, nowMs);
    this.#sent = {
      datagram,
      index: readU32(datagram, macsOf(datagram).senderIndex),
      to: new Uint8Array(to),
      local: new Uint8Array(local),
      again: false,
    };
    return this.#sent;
  }

  /**
   * Takes a cookie reply: false when it does not answer our last message. Afterwards that message
   * has the new mac2.
   */
  take(reply: Uint8Array, nowMs: number): boolean {
    const { fields } = COOKIE;
    const sent = this.#sent;
    if (sent === null || !checkMessage(reply, COOKIE, replyType(sent.datagram))) return false;
    if (readU32(reply, fields.receiverIndex) !== sent.index) return false;
    const cookie = new Uint8Array(COOKIE_BYTES);
    try {
      sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        cookie,
        null,
        field(reply, fields.sealedCookie),
        field(sent.datagram, macsOf(sent.datagram).mac1),
        field(reply, fields.nonce),
        cookieKey(this.#remotePublicKey),
      );
    } catch {
      return false;
    }
    this.#cookie = cookie;
    this.#takenMs = nowMs;
    this.#writeMac2(sent.datagram, nowMs);
    return true;
  }

  /** No cookie reply to the last message is of use any more. */
  settle(): void {
    this.#sent = null;
  }

  #writeMac2(datagram: Uint8Array, nowMs: number): void {
    if (this.#cookie === null || nowMs - this.#takenMs >= COOKIE_AGE_MS) return;
    const { mac2 } = macsOf(datagram);
    field(datagram, mac2).set(this.#mac(this.#cookie, before(datagram, mac2)));
  }
}
