/**
 * lookup — one question to the directory: answers come, are verified, and the best of them counts.
 *
 *     first that is verified ──── 250 ms ────▶ told
 *     three that say the same ──▶ told
 *     all who are closest have answered, or are silent ──▶ told, over
 *
 * Once it is told, nobody else is asked; who was asked by then may still bring something newer, and
 * who is silent is found out, so that the next question goes to others. dht-rpc's own end waits for
 * the slowest of twenty. Errors: never.
 */
import { sameBytes } from "../members/bytes.ts";
import { decodePair, type Pair } from "../wire/intro.ts";
import type { Count } from "./counts.ts";
import { outranks, type PairChecker, type Rank } from "./pairs.ts";
import { AGREEING, LATE_MS, type Timer } from "./store.ts";

/** Tuning: longest look-up. */
const LOOKUP_MS = 5_000;

/** What was found so far. */
interface Best extends Rank {
  /** As it came, encoded: the same bytes are not verified again. */
  readonly bytes: Uint8Array;
  readonly pair: Pair;
}

/** The stream of answers, as far as it is used here. */
export interface Answers {
  /** Questions at a time. */
  concurrency: number;
  destroy(): void;
}

export interface LookupOptions {
  readonly target: Uint8Array;
  /** Storers of whom it is known that they answer: where there are two, two agree. */
  readonly reachable: number;
  readonly checker: PairChecker;
  readonly timer: Timer;
  readonly count: Count;
  /** Once. */
  readonly onDone: (pair: Pair | null) => void;
  /** Afterwards, what is newer. */
  readonly onFound: (pair: Pair) => void;
}

export class Lookup {
  readonly #options: LookupOptions;
  readonly #answers: Answers;
  #best: Best | null = null;
  /** Storers that gave the best. */
  #agreeing = 0;
  #isDone = false;
  #isOver = false;
  #stopLate: (() => void) | null = null;
  readonly #stopLongest: () => void;

  constructor(answers: Answers, options: LookupOptions) {
    this.#answers = answers;
    this.#options = options;
    this.#stopLongest = options.timer.after(LOOKUP_MS, () => this.end());
  }

  /** What we have ourselves; it agrees with nobody. */
  begin(bytes: Uint8Array | null): void {
    if (bytes !== null) this.#take(bytes);
    this.#agreeing = 0;
  }

  /** A storer's answer. Borrows: `bytes`. */
  answer(bytes: Uint8Array): void {
    if (this.#isOver) return;
    const isTaken = this.#take(bytes);
    if (!isTaken) return;
    this.#stopLate ??= this.#options.timer.after(LATE_MS, () => this.#done());
    if (this.#agreeing >= Math.min(AGREEING, this.#options.reachable)) this.#done();
  }

  /** Verifies; true: it is what it says, and was asked for. */
  #take(bytes: Uint8Array): boolean {
    const { checker, target, count, onFound } = this.#options;
    if (this.#best !== null && sameBytes(bytes, this.#best.bytes)) {
      this.#agreeing++;
      return true;
    }
    const pair = decodePair(bytes);
    if (pair === null) {
      count("pairInvalid");
      return false;
    }
    const checked = checker.check(pair, target);
    if (!checked.ok) {
      count(checked.reason);
      return false;
    }
    const { certificate, view } = checked.value;
    const found: Best = {
      bytes: bytes.slice(),
      pair: { certificate: certificate.bytes, record: view.bytes },
      notBeforeS: certificate.notBeforeS,
      sequence: view.sequence,
    };
    const { kind } = checker.targets(certificate).find((one) => sameBytes(one.target, target))!;
    if (this.#best === null || outranks(kind, found, this.#best)) {
      this.#best = found;
      this.#agreeing = 1;
      if (this.#isDone) onFound(found.pair);
    }
    return true;
  }

  #done(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#answers.concurrency = 0;
    this.#options.onDone(this.#best?.pair ?? null);
  }

  /** Nobody answers any more. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopLate?.();
    this.#stopLongest();
    this.#done();
    this.#answers.destroy();
  }
}
