/**
 * receiver-index — what names a session in a datagram: 20 random bits, the lowest 3 naming the I/O
 * thread, and 12 check bits.
 *
 *      31           20 19                    3 2     0
 *      [ check (12)  ][ random (17)          ][ owner ]
 *
 * The check bits are a keyed mix that a classic BPF program can compute, so a kernel filter can
 * refuse blind junk. They are no secret towards somebody who sees traffic (security.md 8).
 */

/** Key of the check bits; `multiplier` is odd. */
export interface ReceiverIndexKey {
  readonly mask: number;
  readonly multiplier: number;
}

export const RANDOM_MASK = 0xf_ffff;
export const OWNER_MASK = 7;

/** A key from 8 random bytes. */
export const makeReceiverIndexKey = (random: Uint8Array): ReceiverIndexKey => {
  const view = new DataView(random.buffer, random.byteOffset, 8);
  return { mask: view.getUint32(0, true), multiplier: (view.getUint32(4, true) | 1) >>> 0 };
};

/** The twelve check bits of a random part. */
export const checkBits = (key: ReceiverIndexKey, random: number): number =>
  Math.imul((random & RANDOM_MASK) ^ key.mask, key.multiplier) >>> 20;

/** A whole index from 20 bits. */
export const makeReceiverIndex = (key: ReceiverIndexKey, random: number): number =>
  ((checkBits(key, random) << 20) | (random & RANDOM_MASK)) >>> 0;

/** Could we have given this index out under `key`? */
export const isPossibleReceiverIndex = (key: ReceiverIndexKey, index: number): boolean =>
  checkBits(key, index) === index >>> 20;
