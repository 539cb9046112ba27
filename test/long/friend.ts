/**
 * friend — a peer that the engine knows, and whose every message we can make: the fuzzer's own.
 *
 *     initiation() ──▶ engine ──▶ take(response) ──▶ data(), keepalives, and what is made of them
 *
 * It answers cookie replies, so that its handshakes go on under load.
 */
import {
  consumeResponse,
  createInitiation,
  type InitiatorState,
  type StaticKeys,
  staticKeys,
  staticStatic,
} from "../../src/control/handshake/noise.ts";
import { CookieHolder } from "../../src/control/strangers/cookie.ts";
import { seal } from "../../src/crypto/sodium.ts";
import { addon } from "../../src/io/native/addon.ts";
import type { Mac } from "../../src/noise/mac.ts";
import { COOKIE, messageKind, RESPONSE } from "../../src/wire/handshake.ts";
import { nextTai64n } from "../../src/wire/tai64n.ts";
import type { Chance } from "../lab/chance.ts";

const DATA = 4;
const HEADER_BYTES = 16;
const TAG_BYTES = 16;

/** Keyed BLAKE2s with 16 bytes of output, the addon's. */
export const mac: Mac = (key, data) => {
  const out = new Uint8Array(16);
  addon.blake2sMac(out, key, data);
  return out;
};

interface Session {
  readonly remoteIndex: number;
  readonly key: Uint8Array;
  counter: number;
}

export class Friend {
  readonly #keys: StaticKeys;
  readonly #remotePublicKey: Uint8Array;
  readonly #shared: Uint8Array;
  readonly #chance: Chance;
  readonly #cookie: CookieHolder;
  readonly #nonce = new Uint8Array(12);
  #timestamp: Uint8Array | null = null;
  #state: InitiatorState | null = null;
  #session: Session | null = null;
  /** Sessions that the engine made with us. */
  made = 0;

  /** Takes the keys of the friend, and the engine's. */
  constructor(privateKey: Uint8Array, remotePublicKey: Uint8Array, chance: Chance) {
    this.#keys = staticKeys(privateKey);
    this.#remotePublicKey = remotePublicKey;
    this.#shared = staticStatic(this.#keys, remotePublicKey)!;
    this.#chance = chance;
    this.#cookie = new CookieHolder(remotePublicKey, mac);
  }

  /** An initiation is on its way that a later one would make stale. */
  get waits(): boolean {
    return this.#state !== null;
  }

  /** A new, valid initiation; `kept`: its response will be taken. Units: Unix milliseconds. */
  initiation(unixMs: number, kept: boolean): Uint8Array {
    this.#timestamp = nextTai64n(this.#timestamp, unixMs);
    const { datagram, state } = createInitiation({
      local: this.#keys,
      remotePublicKey: this.#remotePublicKey,
      staticStatic: this.#shared,
      ephemeralSeed: this.#chance.fill(new Uint8Array(32)),
      senderIndex: this.#chance.next(),
      timestamp: this.#timestamp,
      mac,
    });
    const none = new Uint8Array(0);
    if (kept) {
      this.#state = state;
      this.#cookie.sign(datagram, none, none, unixMs);
    }
    return datagram;
  }

  /** Reads an answer. A message to send in return: the initiation again, with a cookie. */
  take(datagram: Uint8Array, unixMs: number): Uint8Array | null {
    const kind = messageKind(datagram)?.kind;
    if (kind === "cookie" && datagram[0] === COOKIE.type) {
      const fresh = this.#cookie.take(datagram, unixMs);
      const sent = this.#cookie.sent;
      if (!fresh || sent === null || sent.again) return null;
      sent.again = true;
      return sent.datagram;
    }
    if (kind !== "response" || datagram[0] !== RESPONSE.type || this.#state === null) return null;
    const state = this.#state;
    const done = consumeResponse({ local: this.#keys, state, presharedKey: null, datagram, mac });
    if (!done.ok) return null;
    this.#state = null;
    this.made++;
    this.#session = { remoteIndex: done.remoteIndex, key: done.keys.send, counter: 0 };
    return null;
  }

  /** A data message that authenticates; `plain` is padded by the caller, or not. */
  data(plain: Uint8Array): Uint8Array | null {
    const session = this.#session;
    if (session === null) return null;
    const datagram = new Uint8Array(HEADER_BYTES + plain.length + TAG_BYTES);
    const view = new DataView(datagram.buffer);
    view.setUint32(0, DATA, true);
    view.setUint32(4, session.remoteIndex, true);
    view.setBigUint64(8, BigInt(session.counter), true);
    new DataView(this.#nonce.buffer).setBigUint64(4, BigInt(session.counter++), true);
    seal(datagram.subarray(HEADER_BYTES), plain, undefined, this.#nonce, session.key);
    return datagram;
  }
}
