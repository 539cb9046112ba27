/**
 * presence — whether a peer is there, as people want to know it. Pure.
 *
 *     waiting ──traffic──▶ calling ──answer──▶ connected ──nothing is asked──▶ idle
 *                             └── no answer in 15 s ──▶ silent ◀──┘
 *
 * WireGuard has no such thing: a session lives on for three minutes after its peer has died. A peer
 * is silent when it owes an answer, and for longer than one that lives takes (timers.ts). It stays
 * silent until it is heard.
 */
import type { PeerValue } from "../../schema/requests.ts";

export interface PresenceSeen {
  /** A session may be used. */
  readonly usable: boolean;
  /** A handshake is under way. */
  readonly attempting: boolean;
  /** An address is known to call. */
  readonly callable: boolean;
  /** There was a session once. */
  readonly met: boolean;
  /** Since when it owes an answer; null: it owes none. */
  readonly owedSinceMs: number | null;
  /** It has owed one for too long. */
  readonly overdue: boolean;
}

export type Presence = Pick<PeerValue, "state" | "silentMs">;

/** Thread: any.   Errors: never. */
export const presenceOf = (seen: PresenceSeen, nowMs: number): Presence => {
  const { usable, attempting, callable, met, owedSinceMs, overdue } = seen;
  if (overdue && callable) {
    return { state: "silent", silentMs: Math.max(0, nowMs - (owedSinceMs ?? nowMs)) };
  }
  if (usable) return { state: "connected", silentMs: null };
  if (attempting && callable) return { state: "calling", silentMs: null };
  return { state: met ? "idle" : "waiting", silentMs: null };
};
