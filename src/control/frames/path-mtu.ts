/**
 * path-mtu — the largest packet that crosses the path to an engine, found by probes. Pure.
 *
 *     rest ──due──▶ ask for the whole MTU ──answered──▶ rest: the path takes all
 *                          │ three lost, or refused by our own link
 *                          ▼
 *                   ask for 1280 ──three lost──▶ rest: unknown, if anything else arrived
 *                          │ answered
 *                          ▼
 *                   halve what lies between, in steps of 16 ──▶ rest: the largest that crossed
 *
 * Sizes are those of inner packets. Probes have the size that such a packet has when it is sealed
 * with its padding, so the steps are those of the padding. Due is a peer to which data was sent
 * since: at first, when its endpoint moved, and again after one minute, two, four, up to ten, since
 * what was lost may have been lost by chance. What holds is asked for every minute, and soon when
 * data goes out and nothing comes back. A late answer counts too.
 *
 * Times are boot-clock milliseconds. Source: RFC 8899 (3.3, 5.1); security.md 13.
 */

/** Every path takes this much: IPv6's least MTU. Source: RFC 8200, 5; security.md 13. */
export const FLOOR_BYTES = 1_280;
/** Protocol: seals pad to multiples of this. Source: WireGuard paper 5.4.6. */
const STEP_BYTES = 16;
const OVERHEAD_BYTES = 32;
/** Tuning: probes of one size that are lost before the size is. */
export const PROBE_TRIES = 3;
/** Tuning: an answer is waited for at least and at most this long; between, four round trips. */
export const ANSWER_LEAST_MS = 100;
export const ANSWER_MOST_MS = 1_000;
/** Tuning: all is asked for again after this at the latest; what holds after this. */
export const SEARCH_EVERY_MS = 600_000;
export const VERIFY_EVERY_MS = 60_000;
/** Tuning: data goes out for this long and nothing comes back: what holds is asked for. */
export const SILENCE_MS = 1_000;
/** Tuning: two rounds of one peer begin at least this far apart. */
export const ROUND_EVERY_MS = 5_000;
/** Probes whose answers count, however late. */
const REMEMBERED = 16;

interface Sent {
  readonly id: number;
  /** Inner packet that the probe stood for. */
  readonly size: number;
  readonly atMs: number;
}

/** What is seen of a peer. */
export interface PathSeen {
  readonly lastDataSentMs: number;
  readonly lastReceivedMs: number;
  /** Of the tunnel, at both ends: the smaller one. */
  readonly mtu: number;
  /** Of ours: how far padding goes. */
  readonly ownMtu: number;
}

/** A probe to be sent: UDP payload in bytes. */
export interface ProbeWanted {
  readonly id: number;
  readonly bytes: number;
}

/** UDP payload of a sealed packet of `size` bytes, padded but not beyond the tunnel's MTU. */
const sealedBytes = (size: number, ownMtu: number): number =>
  Math.min(Math.ceil(size / STEP_BYTES) * STEP_BYTES, ownMtu) + OVERHEAD_BYTES;

/** The path to one peer. Thread: control. Errors: never. */
export class PathMtu {
  readonly #random32: () => number;
  #sent: Sent[] = [];
  /** Largest that crossed in this round, 0: none; smallest that was lost. */
  #low = 0;
  #high = 0;
  /** Asked for now; 0: at rest. */
  #size = 0;
  #tries = 0;
  #dueMs = Number.POSITIVE_INFINITY;
  #seen: PathSeen = { lastDataSentMs: 0, lastReceivedMs: 0, mtu: 0, ownMtu: 0 };
  #begunMs = Number.NEGATIVE_INFINITY;
  #searchedMs = Number.NEGATIVE_INFINITY;
  #searchAfterMs = VERIFY_EVERY_MS;
  /** Since when data that was sent has been followed by nothing; 0: it has not. */
  #silentMs = 0;
  /** A round is to begin as soon as it may. */
  #urgent = true;
  /** What the last round found; 0: nothing yet. */
  #found = 0;
  /** Round trip of the newest answer; null: none yet. */
  rttMs: number | null = null;
  /** Rounds in a row in which no probe was answered, though something else arrived. */
  deafRounds = 0;

  /** `random32`: for ids that nobody guesses. */
  constructor(random32: () => number) {
    this.#random32 = random32;
  }

  /**
   * Largest packet known to cross; 0: unknown. It changes when a round is over: hosts keep what
   * they are told for ten minutes, so nothing provisional is told.
   */
  get mtu(): number {
    return this.#found;
  }

  /** When to call step(), while a probe is on its way; infinity: at any look at the peer. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** The path is another one. */
  moved(): void {
    this.#urgent = true;
    this.rttMs = null;
  }

  /** What is to be sent now; null: nothing. */
  step(seen: PathSeen, nowMs: number): ProbeWanted | null {
    const { mtu, ownMtu } = this.#seen;
    if (seen.mtu !== mtu || seen.ownMtu !== ownMtu) {
      this.#rest();
      this.#found = 0;
      this.#urgent = true;
    }
    this.#seen = seen;
    if (seen.lastReceivedMs >= seen.lastDataSentMs) this.#silentMs = 0;
    else if (this.#silentMs === 0) this.#silentMs = nowMs;
    if (this.#size === 0 && !this.#begin(nowMs)) return null;
    if (nowMs < this.#dueMs) return null;
    if (this.#tries >= PROBE_TRIES) this.#lost(nowMs);
    return this.#size === 0 ? null : this.#ask(nowMs);
  }

  /** An answer: `bytes` of UDP payload arrived. False: to no probe of ours. */
  answered(id: number, bytes: number, nowMs: number): boolean {
    const at = this.#sent.findIndex((sent) => sent.id === id);
    const probe = this.#sent[at];
    if (probe === undefined || bytes !== sealedBytes(probe.size, this.#seen.ownMtu)) return false;
    this.#sent.splice(at, 1);
    this.rttMs = nowMs - probe.atMs;
    this.deafRounds = 0;
    if (this.#size === 0) this.#late(probe.size);
    else this.#crossed(probe.size, nowMs);
    return true;
  }

  /** Our own link takes no datagram of `bytes`. */
  refused(bytes: number, nowMs: number): void {
    const { ownMtu } = this.#seen;
    if (this.#size !== 0 && bytes === sealedBytes(this.#size, ownMtu)) {
      this.#tries = PROBE_TRIES;
      this.#dueMs = nowMs;
    } else if (this.#size === 0 && bytes > sealedBytes(FLOOR_BYTES, ownMtu)) {
      this.#urgent = true;
    }
  }

  /** Is a round to begin? Then the first size is chosen. */
  #begin(nowMs: number): boolean {
    const { lastDataSentMs, mtu } = this.#seen;
    const flowed = lastDataSentMs > 0 && lastDataSentMs >= this.#begunMs;
    if (!flowed || nowMs - this.#begunMs < ROUND_EVERY_MS || mtu === 0) return false;
    const search = this.#urgent || nowMs - this.#searchedMs >= this.#searchAfterMs;
    const isSilent = this.#silentMs > 0 && lastDataSentMs - this.#silentMs >= SILENCE_MS;
    const verify = isSilent || nowMs - this.#begunMs >= VERIFY_EVERY_MS;
    if (!search && !verify) return false;
    if (search) {
      this.#searchAfterMs = this.#urgent ? VERIFY_EVERY_MS : 2 * this.#searchAfterMs;
      this.#searchAfterMs = Math.min(SEARCH_EVERY_MS, this.#searchAfterMs);
      this.#searchedMs = nowMs;
    }
    this.#urgent = false;
    this.#begunMs = nowMs;
    this.#low = 0;
    this.#high = 0;
    this.#try(search ? mtu : Math.min(mtu, this.#found || mtu), nowMs);
    return true;
  }

  #try(size: number, nowMs: number): void {
    this.#size = size;
    this.#tries = 0;
    this.#dueMs = nowMs;
  }

  #ask(nowMs: number): ProbeWanted {
    const id = this.#random32();
    this.#sent.push({ id, size: this.#size, atMs: nowMs });
    if (this.#sent.length > REMEMBERED) this.#sent.shift();
    this.#tries++;
    const waitMs = this.rttMs === null ? ANSWER_MOST_MS : 4 * this.rttMs;
    this.#dueMs = nowMs + Math.min(ANSWER_MOST_MS, Math.max(ANSWER_LEAST_MS, waitMs));
    return { id, bytes: sealedBytes(this.#size, this.#seen.ownMtu) };
  }

  /** The size asked for does not cross. */
  #lost(nowMs: number): void {
    const size = this.#size;
    const floor = Math.min(FLOOR_BYTES, this.#seen.mtu);
    if (size <= floor) {
      if (this.#seen.lastReceivedMs > this.#begunMs) {
        this.deafRounds++;
        this.#found = 0;
      }
      this.#rest();
      return;
    }
    this.#high = size;
    if (this.#low > 0) this.#halve(nowMs);
    else this.#try(this.#found < size ? Math.max(floor, this.#found) : floor, nowMs);
  }

  #crossed(size: number, nowMs: number): void {
    if (size <= this.#low) return;
    this.#low = size;
    if (this.#high === 0) {
      if (size >= this.#size) this.#finish();
      return;
    }
    if (size >= this.#high) this.#high = size + STEP_BYTES;
    this.#halve(nowMs);
  }

  /** Asks for the middle of what is left, or is done. */
  #halve(nowMs: number): void {
    const steps = Math.floor((this.#high - 1 - this.#low) / STEP_BYTES);
    if (steps < 1) this.#finish();
    else this.#try(this.#low + Math.ceil(steps / 2) * STEP_BYTES, nowMs);
  }

  #finish(): void {
    if (this.#found !== this.#low) this.#searchAfterMs = VERIFY_EVERY_MS;
    this.#found = this.#low;
    this.#rest();
  }

  /** An answer that came when its round was over: more crosses than was thought. */
  #late(size: number): void {
    const isWhole = size >= this.#seen.mtu;
    if (isWhole || (this.#found > 0 && size > this.#found)) this.#found = size;
  }

  #rest(): void {
    this.#size = 0;
    this.#low = 0;
    this.#high = 0;
    this.#dueMs = Number.POSITIVE_INFINITY;
  }
}
