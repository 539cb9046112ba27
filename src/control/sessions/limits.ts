/**
 * limits — how many messages a key may seal before it is replaced, and before it is refused. Pure.
 *
 * ChaCha20-Poly1305 has WireGuard's limits. AES-256-GCM seals at most 2^36 blocks of 16 bytes under
 * one key, and is replaced at half of that: a message counts as if its packet were as long as the
 * MTU, one block for lengths and one for the tag's mask (security.md 9).
 *
 * Source: WireGuard paper, section 6.1; NIST SP 800-38D, section 7.1, for the blocks of a message.
 */
import { SUITE } from "../../memory/layout.ts";
import { REJECT_AFTER_MESSAGES } from "../../wire/handshake.ts";

export const REKEY_AFTER_MESSAGES = 2n ** 60n;
export const REKEY_AFTER_BLOCKS = 2n ** 35n;
export const REJECT_AFTER_BLOCKS = 2n ** 36n;
const BLOCK_BYTES = 16;

/** Units: messages sealed with one key. */
export interface MessageLimits {
  /** From here on who sends asks for a new session. */
  readonly rekeyAfter: bigint;
  /** Counters from here on are not used. */
  readonly rejectAfter: bigint;
}

/** AES blocks of the largest message: the padded packet, its length, and the tag's mask. */
export const blocksOf = (mtu: number): bigint => BigInt(Math.ceil(mtu / BLOCK_BYTES) + 2);

/** Limits of a session whose packets are `mtu` bytes long at most. */
export const messageLimits = (suite: 0 | 1, mtu: number): MessageLimits =>
  suite === SUITE.chacha20poly1305
    ? { rekeyAfter: REKEY_AFTER_MESSAGES, rejectAfter: REJECT_AFTER_MESSAGES }
    : {
        rekeyAfter: REKEY_AFTER_BLOCKS / blocksOf(mtu),
        rejectAfter: REJECT_AFTER_BLOCKS / blocksOf(mtu),
      };
