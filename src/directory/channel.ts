/**
 * channel — what an open channel carries, sealed and in any order: the same at both ends. Pure.
 *
 * ChaCha20-Poly1305, a counter for each direction, and a window of 64 counters: what came is taken
 * once. The head of a datagram is associated data. Source: RFC 8439; docs/PROTOCOL.md, "Channels".
 */
import sodium from "sodium-native";
import { zero } from "../noise/mac.ts";
import { CHANNEL_PLAIN_BYTES, counterOf, makeSealed, SEALED_HEAD_BYTES } from "../wire/channel.ts";
import { setU64, viewOf } from "../wire/u64.ts";
import type { ChannelKeys } from "./opening.ts";

const SEAL_BYTES = 16;
const NONCE_BYTES = 12;
/** Protocol: counters that may come late. */
const WINDOW = 64;

/** Which counters have come. */
class Window {
  readonly #came = new Uint8Array(WINDOW);
  #highest = -1;

  /** It did not come yet, and is not too old. */
  isNew(counter: number): boolean {
    if (counter > this.#highest) return true;
    return this.#highest - counter < WINDOW && this.#came[counter % WINDOW] === 0;
  }

  mark(counter: number): void {
    const from = Math.max(this.#highest + 1, counter - WINDOW + 1);
    for (let at = from; at <= counter; at++) this.#came[at % WINDOW] = 0;
    this.#highest = Math.max(this.#highest, counter);
    this.#came[counter % WINDOW] = 1;
  }
}

const nonceOf = (counter: number): Uint8Array => {
  const nonce = new Uint8Array(NONCE_BYTES);
  setU64(viewOf(nonce), NONCE_BYTES - 8, counter);
  return nonce;
};

export class Channel {
  readonly #keys: ChannelKeys;
  /** The other end's number. */
  readonly #receiver: number;
  readonly #window = new Window();
  #counter = 0;

  /** Takes: the keys. */
  constructor(keys: ChannelKeys, receiver: number) {
    this.#keys = keys;
    this.#receiver = receiver;
  }

  /** Datagrams that were sealed. */
  get sealed(): number {
    return this.#counter;
  }

  /** A datagram of this type; null: it is too long. Borrows: `plain`. */
  seal(type: number, plain: Uint8Array): Uint8Array | null {
    if (plain.length > CHANNEL_PLAIN_BYTES) return null;
    const counter = this.#counter++;
    const datagram = makeSealed(type, this.#receiver, counter, plain.length);
    sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
      datagram.subarray(SEALED_HEAD_BYTES),
      plain,
      datagram.subarray(0, SEALED_HEAD_BYTES),
      null,
      nonceOf(counter),
      this.#keys.send,
    );
    return datagram;
  }

  /** What it holds; null: forged, or it came before. Length and kind were checked. Borrows. */
  open(datagram: Uint8Array): Uint8Array | null {
    const counter = counterOf(datagram);
    if (counter === null || !this.#window.isNew(counter)) return null;
    const plain = new Uint8Array(datagram.length - SEALED_HEAD_BYTES - SEAL_BYTES);
    try {
      sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
        plain,
        null,
        datagram.subarray(SEALED_HEAD_BYTES),
        datagram.subarray(0, SEALED_HEAD_BYTES),
        nonceOf(counter),
        this.#keys.receive,
      );
    } catch {
      return null;
    }
    this.#window.mark(counter);
    return plain;
  }

  /** Zeroes the keys; not to be used afterwards. */
  wipe(): void {
    zero(this.#keys.send, this.#keys.receive);
  }
}
