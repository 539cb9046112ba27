/**
 * clock — which time it is, as far as that may be believed: the system's clock, the boot clock,
 * what the authority signed, and what members say.
 *
 *     the system's clock is past the build date ──▶ believed, and followed step by step
 *     members have agreed, and it jumps over an hour that the boot clock does not show
 *                                     ──▶ held back until two members agree with it
 *     it is before the build date ──▶ no time is known but a floor, until two members say theirs
 *
 * The floor is the newest of build date, what the authority signed, and our own certificate: time
 * for certificates is never before it. Source: security.md 16 and 28; network.md 4, "Clock". Pure.
 * Unix times are milliseconds, but for names that end in S.
 */

/** Tuning: what of a step may be an adjustment. */
const JUMP_MS = 3_600_000;
/** Tuning: steps are counted together for so long. */
const ANCHOR_MS = 86_400_000;
/** Protocol: how far a record may be ahead of us; members' clocks that agree are no more apart. */
export const SKEW_MS = 300_000;
/** Tuning: how long what a member said counts. */
const SAID_MS = 600_000;
/** Tuning: members whose clocks are remembered. */
const SAID_MAX = 16;
/** Members that have to agree. */
const CONFIRMING = 2;
/** The last moment that a clock of Linux shows: 2^63 ns. Source: ktime_t, linux/ktime.h. */
export const LATEST_MS = 2 ** 63 / 1e6;

export interface ClockOptions {
  readonly bootMs: () => number;
  readonly unixMs: () => number;
  /** When this version was built: no host that runs it has a right clock that is before. */
  readonly builtS: number;
  /** Members that are known beside us: where there is one, that one confirms. */
  readonly others: () => number;
  /** A step is held back: it was so long. */
  readonly onHeld: (stepMs: number) => void;
  /** It is another time than was believed. */
  readonly onSet: () => void;
}

/** Thread: control. */
export class Clock {
  readonly #options: ClockOptions;
  #floorS: number;
  /** Unix time less boot time, as believed; null: only the floor is known. */
  #offsetMs: number | null = null;
  /** What it was at `#anchoredMs` of the boot clock. */
  #anchorMs = 0;
  #anchoredMs = 0;
  #heldMs = 0;
  /** Members have agreed with the time that is believed. */
  #agreed = false;
  /** What members said, as such a difference, by member; the oldest goes. */
  readonly #said = new Map<number, { readonly offsetMs: number; readonly bootMs: number }>();

  constructor(options: ClockOptions) {
    this.#options = options;
    this.#floorS = options.builtS;
  }

  nowMs(): number {
    this.#look();
    return this.#offsetMs === null ? this.#floorS * 1_000 : this.#options.bootMs() + this.#offsetMs;
  }

  /** For certificates, Unix seconds: never before what the authority signed. */
  certificateS(): number {
    return Math.max(Math.floor(this.nowMs() / 1_000), this.#floorS);
  }

  /**
   * It is a time, and no bound from below: neither before the build date nor far behind what the
   * authority signed.
   */
  get trusted(): boolean {
    const nowMs = this.nowMs();
    return this.#offsetMs !== null && this.#floorS * 1_000 - nowMs <= JUMP_MS;
  }

  /** Step of the system's clock that is held back, in milliseconds; 0: none. */
  get heldMs(): number {
    this.#look();
    return this.#heldMs;
  }

  /** How far those members' clocks are ahead of ours, in milliseconds, whose word still counts. */
  differencesMs(): number[] {
    const nowMs = this.nowMs() - this.#options.bootMs();
    return this.#fresh().map((offsetMs) => offsetMs - nowMs);
  }

  /** The authority signed this then, or our certificate counts from then; it was verified. */
  raise(signedS: number): void {
    this.#floorS = Math.max(this.#floorS, signedS);
  }

  /** A member that trusts its clock says that it is so late. */
  heard(member: number, unixMs: number): void {
    if (unixMs > LATEST_MS) return;
    const bootMs = this.#options.bootMs();
    this.#said.delete(member);
    if (this.#said.size >= SAID_MAX) this.#said.delete(this.#said.keys().next().value!);
    this.#said.set(member, { offsetMs: unixMs - bootMs, bootMs });
    if (this.trusted) {
      // Nobody can be deceived about a time that nobody but the system's clock has told.
      this.#agreed ||= this.#offsetMs !== null && this.#confirmed(this.#offsetMs);
      return;
    }
    // No time is known: the earlier of two that agree is one.
    const offsets = this.#fresh().sort((a, b) => a - b);
    const found = offsets.find((offsetMs) => this.#confirmed(offsetMs));
    if (found === undefined || bootMs + found < this.#floorS * 1_000 - SKEW_MS) return;
    this.#take(found);
    this.#agreed = true;
  }

  /** The system's clock, as far as it may be followed. */
  #look(): void {
    const { bootMs, unixMs, builtS, onHeld } = this.#options;
    const unix = unixMs();
    if (unix < builtS * 1_000) return;
    const boot = bootMs();
    const offsetMs = unix - boot;
    if (this.#offsetMs === null) {
      this.#take(offsetMs);
      return;
    }
    if (Math.abs(offsetMs - this.#anchorMs) <= JUMP_MS) {
      if (boot - this.#anchoredMs > ANCHOR_MS) this.#take(offsetMs);
      else this.#follow(offsetMs);
    } else if (!this.#agreed || this.#confirmed(offsetMs)) {
      this.#take(offsetMs);
    } else {
      const heldMs = offsetMs - this.#offsetMs;
      if (this.#heldMs === 0) onHeld(heldMs);
      this.#heldMs = heldMs;
    }
  }

  /** The jump of an hour is measured from here. */
  #take(offsetMs: number): void {
    this.#anchorMs = offsetMs;
    this.#anchoredMs = this.#options.bootMs();
    this.#follow(offsetMs);
  }

  /** A step, there or back, is told: what was said by the former time does not hold. */
  #follow(offsetMs: number): void {
    const isStep = Math.abs(offsetMs - (this.#offsetMs ?? 0)) > SKEW_MS;
    this.#offsetMs = offsetMs;
    this.#heldMs = 0;
    if (isStep) this.#options.onSet();
  }

  /** As many members as have to say so. */
  #confirmed(offsetMs: number): boolean {
    const agreeing = this.#fresh().filter((one) => Math.abs(one - offsetMs) <= SKEW_MS).length;
    return agreeing >= Math.max(1, Math.min(CONFIRMING, this.#options.others()));
  }

  #fresh(): number[] {
    const nowMs = this.#options.bootMs();
    const fresh = [...this.#said.values()].filter(({ bootMs }) => nowMs - bootMs <= SAID_MS);
    return fresh.map(({ offsetMs }) => offsetMs);
  }
}
