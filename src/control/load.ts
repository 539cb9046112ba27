/**
 * load — which handshake messages are looked into when there are too many. Pure.
 *
 *     mac1 ── calm ──────────────────────────────────────────────────────▶ pass
 *         └── under load ── mac2 valid ── source's bucket ── verified ───▶ pass
 *                       └── mac2 not valid ── unverified ────────────────▶ pass
 *                                                     └── cookie reply, or nothing
 *
 * Verified and unverified senders have budgets of their own, so that neither starves the other. The
 * buckets by source are asked only after a valid mac2: before, anybody could use up another's.
 * A response names an initiation of ours, which a stranger cannot guess: none needs a cookie.
 *
 * Source: WireGuard paper, section 5.3; security.md 25. Times are boot-clock milliseconds.
 */
import type { CookieChecker } from "./cookie.ts";
import { Bucket, type Limiter, type Rate } from "./limiter.ts";

/** Tuning: load is measured over this long. */
export const INTERVAL_MS = 100;
/** Tuning: this many initiations in an interval are answered without more ado. */
export const INTERVAL_INITIATIONS = 32;
/** Tuning: once under load, for at least this long. Source: wireguard-go, UnderLoadAfterTime. */
export const STICKY_MS = 1_000;

export interface Budgets {
  /** Initiations without a valid mac2 that are looked into all the same. */
  readonly unverified: Rate;
  /** Initiations with a valid mac2, all sources together. */
  readonly verified: Rate;
  /** Responses without a valid mac2 that name an initiation of ours. */
  readonly answers: Rate;
  /** Cookie replies. */
  readonly cookies: Rate;
}

/**
 * Tuning. A stranger's initiation costs control 0.1 ms, a friend's 0.5 ms, a cookie reply 0.012 ms,
 * dropping one 0.005 ms. Fewer cookie replies would make callers wait; more would leave too little
 * time to take what verified senders send out of the socket.
 */
export const BUDGETS: Budgets = {
  unverified: { perSecond: 100, burst: 10 },
  verified: { perSecond: 1_000, burst: 100 },
  answers: { perSecond: 100, burst: 20 },
  cookies: { perSecond: 40_000, burst: 1_000 },
};

/** What to do with a message: look into it, send a cookie reply, or drop it for this reason. */
export type Verdict =
  | "pass"
  | "passVerified"
  | "cookieAsked"
  | "handshakeUnverified"
  | "handshakeVerified"
  | "handshakeSource";

/** Thread: control. */
export class Load {
  readonly #checker: CookieChecker;
  readonly #limiter: Limiter;
  readonly #onLoad: () => void;
  readonly #unverified: Bucket;
  readonly #verified: Bucket;
  readonly #answers: Bucket;
  readonly #cookies: Bucket;
  #intervalMs = Number.NEGATIVE_INFINITY;
  #arrived = 0;
  #untilMs = Number.NEGATIVE_INFINITY;

  /** `onLoad` is called when calm ends. */
  constructor(
    checker: CookieChecker,
    limiter: Limiter,
    onLoad: () => void,
    budgets: Budgets = BUDGETS,
  ) {
    this.#checker = checker;
    this.#limiter = limiter;
    this.#onLoad = onLoad;
    this.#unverified = new Bucket(budgets.unverified);
    this.#verified = new Bucket(budgets.verified);
    this.#answers = new Bucket(budgets.answers);
    this.#cookies = new Bucket(budgets.cookies);
  }

  under(nowMs: number): boolean {
    return nowMs < this.#untilMs;
  }

  /** Datagrams came as many as one receive takes: more are waiting. */
  full(nowMs: number): void {
    if (!this.under(nowMs)) this.#onLoad();
    this.#untilMs = nowMs + STICKY_MS;
  }

  /** An initiation with a valid mac1 came. */
  initiation(datagram: Uint8Array, from: Uint8Array, nowMs: number): Verdict {
    this.#count(nowMs);
    if (!this.under(nowMs)) return "pass";
    const verified = this.#verdict(datagram, from, nowMs);
    if (verified !== null) return verified;
    if (this.#unverified.take(nowMs)) return "pass";
    return this.#cookies.take(nowMs) ? "cookieAsked" : "handshakeUnverified";
  }

  /** A response came that names an initiation of ours. */
  response(datagram: Uint8Array, from: Uint8Array, nowMs: number): Verdict {
    this.#count(nowMs);
    if (!this.under(nowMs)) return "pass";
    const verified = this.#verdict(datagram, from, nowMs);
    if (verified !== null) return verified;
    return this.#answers.take(nowMs) ? "pass" : "handshakeUnverified";
  }

  /** Of a message with a valid mac2; null: it has none. */
  #verdict(datagram: Uint8Array, from: Uint8Array, nowMs: number): Verdict | null {
    if (!this.#checker.valid(datagram, from, nowMs)) return null;
    if (!this.#limiter.take(from, nowMs)) return "handshakeSource";
    return this.#verified.take(nowMs) ? "passVerified" : "handshakeVerified";
  }

  #count(nowMs: number): void {
    if (nowMs - this.#intervalMs >= INTERVAL_MS) {
      this.#intervalMs = nowMs;
      this.#arrived = 0;
    }
    this.#arrived++;
    if (this.#arrived > INTERVAL_INITIATIONS) this.full(nowMs);
  }
}
