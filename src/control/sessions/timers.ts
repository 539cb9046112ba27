/**
 * timers — when a peer needs a handshake, a keepalive, or to be forgotten. Pure: `now` comes in.
 *
 * WireGuard arms a timer at each packet. Here the packets belong to other threads, so control
 * looks at their time stamps instead: step() compares them with the last look and says what to do,
 * nextDueMs() when to look again. Without a session nothing can happen unasked and the peer sleeps.
 * With one, it is looked at four times per keepalive timeout, at moments that all peers share, so
 * that an idle engine wakes once for all of them.
 *
 * What a look misses is rounded to the harmless side: a keepalive goes out up to a quarter timeout
 * early, a handshake for lack of answers starts up to a quarter timeout late.
 *
 *     no attempt ──need──▶ attempt ──5 s──▶ initiate again ──90 s──▶ giveUp ──▶ no attempt
 *                             └──────────── handshakeDone ─────────────────────────▲
 *
 * All times are boot-clock milliseconds; 0 stands for never. Source: WireGuard paper, section 6.
 */
import type { MessageLimits } from "./limits.ts";

export const REKEY_AFTER_TIME_MS = 120_000;
export const REJECT_AFTER_TIME_MS = 180_000;
export const REKEY_ATTEMPT_TIME_MS = 90_000;
export const REKEY_TIMEOUT_MS = 5_000;
export const KEEPALIVE_TIMEOUT_MS = 10_000;
/** Added to retries, so that two ends do not call at once. Source: paper 6.1. */
export const JITTER_MS = 333;

/** Tuning: a name server is not asked at each of the handshakes that nobody answers. */
export const ASK_EVERY_MS = 30_000;

/** Durations of one peer; shorter ones make tests and soaks quick. */
export interface Timing {
  readonly rekeyAfterTimeMs: number;
  readonly rejectAfterTimeMs: number;
  readonly rekeyAttemptTimeMs: number;
  readonly rekeyTimeoutMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly jitterMs: number;
  /** An endpoint's name is asked for again this often while its peer does not answer. */
  readonly askEveryMs: number;
}

/** The paper's. */
export const TIMING: Timing = {
  rekeyAfterTimeMs: REKEY_AFTER_TIME_MS,
  rejectAfterTimeMs: REJECT_AFTER_TIME_MS,
  rekeyAttemptTimeMs: REKEY_ATTEMPT_TIME_MS,
  rekeyTimeoutMs: REKEY_TIMEOUT_MS,
  keepaliveTimeoutMs: KEEPALIVE_TIMEOUT_MS,
  jitterMs: JITTER_MS,
  askEveryMs: ASK_EVERY_MS,
};

/** The session that seals. */
export interface SessionSeen {
  readonly bornMs: number;
  /** We sent the initiation. */
  readonly initiator: boolean;
  readonly sentCounter: bigint | number;
  readonly limits: MessageLimits;
}

/** A peer as its shared fields (memory/layout.ts, PEER) show it now. */
export interface Observation {
  readonly lastSentMs: number;
  readonly lastDataSentMs: number;
  readonly lastReceivedMs: number;
  readonly lastDataReceivedMs: number;
  /** When an I/O thread last asked for a session. */
  readonly wantedAtMs: number;
  readonly session: SessionSeen | null;
  /** 0: off. */
  readonly persistentKeepaliveMs: number;
}

/**
 * `expire`: stop using the session. `zero`: zero all keys and handshake states of the peer.
 * `giveUp`: nobody answers; drop staged packets. `initiate`: send a fresh initiation.
 * `keepalive`: send an empty packet in the session. `renew`: the time that renewAt() set has come.
 */
export type Action = "expire" | "zero" | "giveUp" | "initiate" | "keepalive" | "renew";

/** An attempt to make a session. */
interface Attempt {
  readonly begunMs: number;
  /** Counted from here; moves on when the user sends more. */
  fromMs: number;
  retryAtMs: number;
}

/** Something unanswered since `fromMs`, to be acted upon at `dueMs`. */
interface Pending {
  readonly fromMs: number;
  readonly dueMs: number;
}

/** Timers of one peer. Thread: control. Errors: never. */
export class PeerTimers {
  readonly #timing: Timing;
  readonly #random: () => number;
  readonly #watchMs: number;
  /** Handshake messages and our own keepalives count as sent and received too. */
  #sentMs = 0;
  #receivedMs = 0;
  #handshakeSentMs = Number.NEGATIVE_INFINITY;
  #handshakeDoneMs: number;
  #gaveUpMs = 0;
  #lookedMs = 0;
  /** The last look that found a usable session; requests from before it are answered. */
  #usableMs = 0;
  #attempt: Attempt | null = null;
  #keepalive: Pending | null = null;
  #unanswered: Pending | null = null;
  #owedSinceMs: number | null = null;
  #zeroAtMs = Number.POSITIVE_INFINITY;
  #renewAtMs = Number.POSITIVE_INFINITY;
  /** Birth of the session that expired last. */
  #expiredBornMs = Number.NaN;
  #dueMs = 0;

  /**
   * `random` gives numbers from 0 up to 1, for jitter. `doneMs`: when the newest session was made,
   * of a peer whose sessions are all ended.
   */
  constructor(random: () => number, timing: Timing = TIMING, doneMs = 0) {
    this.#handshakeDoneMs = doneMs;
    this.#timing = timing;
    this.#random = random;
    this.#watchMs = timing.keepaliveTimeoutMs / 4;
  }

  /** When the newest session was made; 0: none yet. */
  get handshakeDoneMs(): number {
    return this.#handshakeDoneMs;
  }

  /** An attempt is under way. */
  get attempting(): boolean {
    return this.#attempt !== null;
  }

  /** How long the attempt that is under way has lasted; 0: there is none. */
  attemptedMs(nowMs: number): number {
    return this.#attempt === null ? 0 : nowMs - this.#attempt.begunMs;
  }

  /**
   * Since when the peer owes an answer, to data or to a handshake; null: it owes none. It still
   * does when nobody tries any more. Nobody answers keepalives.
   */
  get owedSinceMs(): number | null {
    return this.#owedSinceMs;
  }

  /** Has an answer been owed for longer than any peer takes? */
  overdue(nowMs: number): boolean {
    return this.#owedSinceMs !== null && nowMs >= this.#owedSinceMs + this.#answerMs();
  }

  /** Says `renew` at this time, or after the attempt under way, when there is a session then. */
  renewAt(dueMs: number): void {
    this.#renewAtMs = dueMs;
    this.#dueMs = Math.min(this.#dueMs, dueMs);
  }

  /** Nothing can become due until something happens. */
  rest(): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
  }

  /** We sent an initiation, asked to by step() or not. */
  handshakeSent(nowMs: number): void {
    this.#attempt ??= { begunMs: nowMs, fromMs: nowMs, retryAtMs: nowMs };
    this.#handshakeSentMs = nowMs;
    this.#sentMs = nowMs;
    this.#owedSinceMs ??= nowMs;
    this.#attempt.retryAtMs = nowMs + this.#timing.rekeyTimeoutMs + this.#jitter();
    this.#dueMs = Math.min(this.#dueMs, this.#attempt.retryAtMs);
  }

  /** What an attempt has sent is lost: it sends again then, at the latest. step() is to follow. */
  again(dueMs: number): void {
    const attempt = this.#attempt;
    if (attempt !== null) attempt.retryAtMs = Math.min(attempt.retryAtMs, dueMs);
  }

  /** A valid initiation came and we answered it: our own waits, the new keys have a last day. */
  handshakeReceived(nowMs: number): void {
    this.#handshakeSentMs = nowMs;
    this.#sentMs = nowMs;
    this.#receivedMs = nowMs;
    this.#owedSinceMs = null;
    if (this.#attempt !== null) {
      this.#attempt.retryAtMs = nowMs + this.#timing.rekeyTimeoutMs + this.#jitter();
    }
    this.#zeroAtMs = nowMs + 3 * this.#timing.rejectAfterTimeMs;
    this.#dueMs = 0;
  }

  /** A session is in use: a valid response came, or the first packet on the one we answered. */
  handshakeDone(nowMs: number): void {
    this.#attempt = null;
    this.#receivedMs = nowMs;
    this.#owedSinceMs = null;
    this.#handshakeDoneMs = nowMs;
    this.#zeroAtMs = nowMs + 3 * this.#timing.rejectAfterTimeMs;
    this.#dueMs = 0;
  }

  /** When to call step() again, at the latest; infinity: when an event or a request comes. */
  nextDueMs(nowMs: number): number {
    return Math.max(nowMs, this.#dueMs);
  }

  /** What is due now, in the order in which to do it. Usually nothing. */
  step(seen: Observation, nowMs: number): readonly Action[] {
    const actions: Action[] = [];
    const usable = this.#expire(seen.session, nowMs, actions);
    if (nowMs >= this.#zeroAtMs) {
      this.#zeroAtMs = Number.POSITIVE_INFINITY;
      actions.push("zero");
    }
    if (this.#lastReceivedMs(seen) >= (this.#owedSinceMs ?? nowMs)) this.#owedSinceMs = null;
    this.#watchAnswers(seen, nowMs);
    this.#watchKeepalive(seen, nowMs, usable);
    this.#handshake(seen, nowMs, usable, actions);
    this.#renew(nowMs, usable, actions);
    this.#sendKeepalive(seen, nowMs, usable, actions);
    this.#lookedMs = nowMs;
    this.#dueMs = this.#earliest(seen, nowMs, usable);
    return actions;
  }

  /** Whoever is there has answered by then: its keepalive is due after 10 s. */
  #answerMs(): number {
    return this.#timing.keepaliveTimeoutMs + this.#timing.rekeyTimeoutMs;
  }

  #jitter(): number {
    return this.#random() * this.#timing.jitterMs;
  }

  #lastSentMs(seen: Observation): number {
    return Math.max(seen.lastSentMs, this.#sentMs);
  }

  #lastReceivedMs(seen: Observation): number {
    return Math.max(seen.lastReceivedMs, this.#receivedMs);
  }

  /** True while the session may be used; says so once when that ends. */
  #expire(session: SessionSeen | null, nowMs: number, actions: Action[]): boolean {
    if (session === null || session.bornMs === this.#expiredBornMs) return false;
    const timing = this.#timing;
    if (
      nowMs - session.bornMs < timing.rejectAfterTimeMs &&
      session.sentCounter < session.limits.rejectAfter
    ) {
      this.#usableMs = nowMs;
      return true;
    }
    this.#expiredBornMs = session.bornMs;
    actions.push("expire");
    return false;
  }

  /** "if a transport data message is sent and nothing comes back for KEEPALIVE + REKEY_TIMEOUT" */
  #watchAnswers(seen: Observation, nowMs: number): void {
    const heardMs = Math.max(this.#lastReceivedMs(seen), this.#gaveUpMs);
    if (seen.lastDataSentMs <= heardMs || this.#attempt !== null) {
      this.#unanswered = null;
    } else if (this.#unanswered === null || heardMs >= this.#unanswered.fromMs) {
      const fromMs = Math.min(seen.lastDataSentMs, nowMs);
      this.#unanswered = { fromMs, dueMs: fromMs + this.#answerMs() + this.#jitter() };
      this.#owedSinceMs ??= fromMs;
    }
  }

  /** "received a transport data message and sent nothing back for KEEPALIVE_TIMEOUT" */
  #watchKeepalive(seen: Observation, nowMs: number, usable: boolean): void {
    const sentMs = this.#lastSentMs(seen);
    if (!usable || seen.lastDataReceivedMs === 0 || seen.lastDataReceivedMs < sentMs) {
      this.#keepalive = null;
    } else if (this.#keepalive === null || sentMs > this.#keepalive.fromMs) {
      // The first of the unanswered packets came after this.
      const fromMs = Math.min(seen.lastDataReceivedMs, nowMs, Math.max(this.#lookedMs, sentMs));
      this.#keepalive = { fromMs, dueMs: fromMs + this.#timing.keepaliveTimeoutMs };
    }
  }

  #renew(nowMs: number, usable: boolean, actions: Action[]): void {
    if (nowMs < this.#renewAtMs || this.#attempt !== null) return;
    this.#renewAtMs = Number.POSITIVE_INFINITY;
    if (usable) actions.push("renew");
  }

  #handshake(seen: Observation, nowMs: number, usable: boolean, actions: Action[]): void {
    const askedMs = this.#askedMs(seen, usable);
    if (this.#attempt === null) {
      if (!this.#needed(seen, nowMs, usable, askedMs)) return;
      const earliestMs = this.#handshakeSentMs + this.#timing.rekeyTimeoutMs;
      const retryAtMs = Math.max(nowMs, earliestMs);
      this.#attempt = { begunMs: nowMs, fromMs: nowMs, retryAtMs };
      this.#unanswered = null;
    }
    const attempt = this.#attempt;
    // "this counter is reset when a peer explicitly attempts to send a new transport data message"
    attempt.fromMs = Math.max(attempt.fromMs, askedMs);
    if (nowMs < attempt.retryAtMs) return;
    if (nowMs - attempt.fromMs >= this.#timing.rekeyAttemptTimeMs) {
      this.#giveUp(nowMs, actions);
      return;
    }
    this.#handshakeSentMs = nowMs;
    this.#owedSinceMs ??= nowMs;
    attempt.retryAtMs = nowMs + this.#timing.rekeyTimeoutMs + this.#jitter();
    actions.push("initiate");
  }

  #giveUp(nowMs: number, actions: Action[]): void {
    this.#attempt = null;
    this.#gaveUpMs = nowMs;
    if (this.#zeroAtMs === Number.POSITIVE_INFINITY) {
      this.#zeroAtMs = nowMs + 3 * this.#timing.rejectAfterTimeMs;
    }
    actions.push("giveUp");
  }

  /**
   * When somebody last sent what calls for a new session: a packet without a session, or one in a
   * session that is due for replacement. 0: nobody did.
   *
   * The paper leaves replacement to the initiator. When initiations cross, both ends can come to
   * use the session that the other one initiated, and each would wait for the other until traffic
   * stops; so a responder still on its session KEEPALIVE_TIMEOUT before the end asks as well.
   */
  #askedMs(seen: Observation, usable: boolean): number {
    const session = seen.session;
    if (!usable || session === null) {
      return seen.wantedAtMs > this.#usableMs ? seen.wantedAtMs : 0;
    }
    if (session.sentCounter >= session.limits.rekeyAfter) return seen.lastSentMs;
    const { rekeyAfterTimeMs, rejectAfterTimeMs, keepaliveTimeoutMs } = this.#timing;
    const afterMs = session.initiator ? rekeyAfterTimeMs : rejectAfterTimeMs - keepaliveTimeoutMs;
    return seen.lastSentMs >= session.bornMs + afterMs ? seen.lastSentMs : 0;
  }

  #needed(seen: Observation, nowMs: number, usable: boolean, askedMs: number): boolean {
    if (askedMs > this.#gaveUpMs) return true;
    if (this.#unanswered !== null && nowMs >= this.#unanswered.dueMs) return true;
    if (!usable && nowMs >= this.#persistentDueMs(seen)) return true;
    return this.#lastMinute(seen, usable);
  }

  /**
   * "if it is the initiator of the current session, and receives on it when it is
   * REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT old". Once per session, since the attempt
   * outlasts it.
   */
  #lastMinute(seen: Observation, usable: boolean): boolean {
    const session = seen.session;
    if (!usable || session === null || !session.initiator) return false;
    const { rejectAfterTimeMs, keepaliveTimeoutMs, rekeyTimeoutMs } = this.#timing;
    const afterMs = rejectAfterTimeMs - keepaliveTimeoutMs - rekeyTimeoutMs;
    return seen.lastReceivedMs >= Math.max(session.bornMs + afterMs, this.#gaveUpMs + 1);
  }

  #persistentDueMs(seen: Observation): number {
    if (seen.persistentKeepaliveMs <= 0) return Number.POSITIVE_INFINITY;
    const lastMs = Math.max(this.#lastSentMs(seen), this.#lastReceivedMs(seen), this.#gaveUpMs);
    return lastMs === 0 ? 0 : lastMs + seen.persistentKeepaliveMs;
  }

  #sendKeepalive(seen: Observation, nowMs: number, usable: boolean, actions: Action[]): void {
    if (!usable) return;
    const passiveDueMs = this.#keepalive?.dueMs ?? Number.POSITIVE_INFINITY;
    if (nowMs < Math.min(passiveDueMs, this.#persistentDueMs(seen))) return;
    this.#keepalive = null;
    this.#sentMs = nowMs;
    actions.push("keepalive");
  }

  /** The next moment at which anything can become due, given what was seen. */
  #earliest(seen: Observation, nowMs: number, usable: boolean): number {
    const unansweredMs = this.#unanswered?.dueMs ?? Number.POSITIVE_INFINITY;
    let dueMs = Math.min(this.#zeroAtMs, unansweredMs);
    const overdueMs = (this.#owedSinceMs ?? nowMs) + this.#answerMs();
    if (this.#owedSinceMs !== null && overdueMs > nowMs) dueMs = Math.min(dueMs, overdueMs);
    dueMs = Math.min(dueMs, this.#attempt?.retryAtMs ?? this.#renewAtMs);
    if (usable || this.#attempt === null) dueMs = Math.min(dueMs, this.#persistentDueMs(seen));
    if (!usable || seen.session === null) return dueMs;
    const watchAtMs = (Math.floor(nowMs / this.#watchMs) + 1) * this.#watchMs;
    return Math.min(
      dueMs,
      watchAtMs,
      this.#keepalive?.dueMs ?? Number.POSITIVE_INFINITY,
      seen.session.bornMs + this.#timing.rejectAfterTimeMs,
    );
  }
}
