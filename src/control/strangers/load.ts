/**
 * load — which handshake messages are looked into when there are too many. Pure.
 *
 *     mac1 ── calm ──────────────────────────────────────────────────────▶ pass
 *         └── under load ── mac2 valid ── source's bucket ── verified ───▶ pass
 *                       └── mac2 not valid ── unverified ────────────────▶ pass
 *                                                     └── cookie reply, or nothing
 *
 * A cookie reply to an address on our own link that the host does not know has a budget of its own:
 * each costs an entry of the kernel's table of neighbours, which all links share.
 *
 * Verified and unverified senders have budgets of their own, so that neither starves the other. The
 * buckets by source are asked only after a valid mac2: before, anybody could use up another's.
 * A response names an initiation of ours, which a stranger cannot guess: none needs a cookie.
 *
 * Source: WireGuard paper, section 5.3; security.md 25 and 38. Times are boot-clock milliseconds.
 */
import type { CookieChecker } from "./cookie.ts";
import { Bucket, type Limiter, type Rate } from "./limiter.ts";

/** Tuning: load is measured over this long. */
export const INTERVAL_MS = 100;
/**
 * Tuning: this many initiations in an interval are looked into without more ado: of strangers, a
 * tenth of control's time.
 */
export const INTERVAL_INITIATIONS = 100;
/** Tuning: as many receives that left more waiting are load too, whatever it was that they took. */
export const INTERVAL_RECEIVES = 4;
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
  /** Of them, those that cost the kernel an entry of its table of neighbours. */
  readonly neighbours: Rate;
}

/**
 * Tuning. A stranger's initiation costs control 0.1 ms, a friend's 0.5 ms, a cookie reply 0.012 ms,
 * dropping one 0.005 ms. Fewer cookie replies would make callers wait; more would leave too little
 * time to take what verified senders send out of the socket. Whom nobody answers for on a link is
 * looked for during 3 s: 50 of the kernel's 1,024 entries at most are under way for strangers.
 */
export const BUDGETS: Budgets = {
  unverified: { perSecond: 100, burst: 10 },
  verified: { perSecond: 1_000, burst: 100 },
  answers: { perSecond: 100, burst: 20 },
  cookies: { perSecond: 40_000, burst: 1_000 },
  neighbours: { perSecond: 10, burst: 20 },
};

export interface LoadOptions {
  readonly checker: CookieChecker;
  readonly limiter: Limiter;
  /**
   * A datagram to this address makes the kernel look on a link for somebody whom it does not know,
   * which costs an entry of its table for seconds (neighbours.ts). Both are sockaddrs.
   */
  readonly isUnknownNeighbour: (to: Uint8Array, local: Uint8Array) => boolean;
  /** Calm ends. */
  readonly onLoad: () => void;
}

/** What to do with a message: look into it, send a cookie reply, or drop it for this reason. */
export type Verdict =
  | "pass"
  | "passVerified"
  | "cookieAsked"
  | "handshakeUnverified"
  | "cookieNeighbour"
  | "handshakeVerified"
  | "handshakeSource";

/** Thread: control. */
export class Load {
  readonly #options: LoadOptions;
  readonly #unverified: Bucket;
  readonly #verified: Bucket;
  readonly #answers: Bucket;
  readonly #cookies: Bucket;
  readonly #neighbours: Bucket;
  #intervalMs = Number.NEGATIVE_INFINITY;
  #arrived = 0;
  #receives = 0;
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(options: LoadOptions, budgets: Budgets = BUDGETS) {
    this.#options = options;
    this.#unverified = new Bucket(budgets.unverified);
    this.#verified = new Bucket(budgets.verified);
    this.#answers = new Bucket(budgets.answers);
    this.#cookies = new Bucket(budgets.cookies);
    this.#neighbours = new Bucket(budgets.neighbours);
  }

  under(nowMs: number): boolean {
    return nowMs < this.#untilMs;
  }

  /** Datagrams came as many as one receive takes: more are waiting. */
  full(nowMs: number): void {
    this.#turn(nowMs);
    this.#receives++;
    if (this.#receives >= INTERVAL_RECEIVES) this.#begin(nowMs);
  }

  /** An initiation with a valid mac1 came, from one address to another. */
  initiation(datagram: Uint8Array, from: Uint8Array, local: Uint8Array, nowMs: number): Verdict {
    this.#count(nowMs);
    if (!this.under(nowMs)) return "pass";
    const verified = this.#verdict(datagram, from, nowMs);
    if (verified !== null) return verified;
    if (this.#unverified.take(nowMs)) return "pass";
    if (!this.#cookies.take(nowMs)) return "handshakeUnverified";
    const known = !this.#options.isUnknownNeighbour(from, local);
    return known || this.#neighbours.take(nowMs) ? "cookieAsked" : "cookieNeighbour";
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
    const { checker, limiter } = this.#options;
    if (!checker.valid(datagram, from, nowMs)) return null;
    if (!limiter.take(from, nowMs)) return "handshakeSource";
    return this.#verified.take(nowMs) ? "passVerified" : "handshakeVerified";
  }

  #count(nowMs: number): void {
    this.#turn(nowMs);
    this.#arrived++;
    if (this.#arrived > INTERVAL_INITIATIONS) this.#begin(nowMs);
  }

  /** The interval is over: the next one begins. */
  #turn(nowMs: number): void {
    if (nowMs - this.#intervalMs < INTERVAL_MS) return;
    this.#intervalMs = nowMs;
    this.#arrived = 0;
    this.#receives = 0;
  }

  /** Load begins, or goes on. */
  #begin(nowMs: number): void {
    if (!this.under(nowMs)) this.#options.onLoad();
    this.#untilMs = nowMs + STICKY_MS;
  }
}
