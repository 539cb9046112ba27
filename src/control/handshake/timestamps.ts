/**
 * timestamps — those that we send, which grow over crashes, restarts and clocks set back.
 *
 * A peer refuses an initiation whose timestamp is not newer than the last it took from us, so a
 * host that comes up with an older clock would be locked out without a word. What is on disk is a
 * reservation: no label later than it is ever sent, and the next run begins behind it.
 *
 *     sent before ─────────────▶ floor │ sent in this run ──▶ highest ...... reserved
 *                                      │                                      on disk
 *
 * A label is max(now, last + 2^24 ns, floor + 2^24 ns). The reservation is the later one of five
 * minutes ahead of the clock and 64 labels ahead of the last one, and is renewed beside the event
 * loop when half of it is used; a label beyond it (after silence, or a jump of the clock) waits for
 * the disk.
 *
 * Five minutes: sessions last two, so that an engine at work never waits, and writes a dozen small
 * blocks an hour. And what it costs is bounded: after a crash our labels are up to five minutes
 * ahead of the clock, so that peers refuse the same key without the folder (on another host, say)
 * for that long. A stop writes what was really sent. 64 labels are 1.07 s: where the clock is
 * behind the floor, that is all that a crash adds, so that an engine which crashes every second
 * gains nothing on the clock.
 *
 * A clock that was once far in the future leaves a floor there. It poisons nothing: labels go on
 * from the floor in steps of 2^24 ns, and 2^62 s have room for them. Without the folder (or when it
 * is lost) peers that saw such a label refuse us until they forget it; that is what it is for.
 *
 *   p2pvpn-clock-1
 *   <24 hex digits: the reserved label>
 *   <16 hex digits: the beginning of SHA-256 over the lines above>
 *
 * Source: security.md 28; CVE-2021-46873.   Thread: control.
 */
import assert from "node:assert";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { makeFolder, readOwnFile, replaceFile, stageFile } from "../../schema/atomic-file.ts";
import {
  compareTai64n,
  laterTai64n,
  nextTai64n,
  STEP_NS,
  TIMESTAMP_BYTES,
  tai64n,
} from "../../wire/tai64n.ts";

/** Tuning: how far ahead of the clock labels are reserved. */
export const AHEAD_MS = 300_000;
/** Tuning: how many labels are reserved where the clock is behind them. */
export const AHEAD_LABELS = 64;
/** Half of them. */
const LOW_NS = BigInt((AHEAD_LABELS / 2) * STEP_NS);
/** Tuning: where the disk refused, it is asked again once in so many labels. */
const RETRY_LABELS = 16;

const FILE_HEAD = "p2pvpn-clock-1";
const FILE_BYTES_MAX = 256;
/** A label beyond is from no clock: JavaScript's ends in the year 275,760. */
const LABEL_MAX = 2n ** 62n + 2n ** 44n;

/** TAI64N of what is sent under one key (security.md 28). */
export interface Timestamps {
  /** Later than `last` and than all that were sent before a restart. */
  next(last: Uint8Array | null, unixMs: number): Uint8Array;
  /** The peer to which `last` was sent is gone; should it come back, this one counts. */
  forget(last: Uint8Array | null): void;
  close(): void;
}

/** What the clock says of its file; each once until it changes. */
export interface ClockLog {
  warn(message: string): void;
  info(message: string): void;
}

export interface ClockOptions {
  /** Folder for what outlives a restart; null: only this run is remembered. */
  readonly folder: string | null;
  /** Ours: labels belong to it. 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Unix time in milliseconds. */
  readonly unixMs: number;
  readonly log: ClockLog;
}

/** Name of an identity's file; tells nobody which identity. */
export const clockFile = (folder: string, publicKey: Uint8Array): string => {
  const name = createHash("sha256").update("p2pvpn/1/clock").update(publicKey).digest("hex");
  return join(folder, `clock-${name.slice(0, 16)}`);
};

const checksum = (text: string): string =>
  createHash("sha256").update(text).digest("hex").slice(0, 16);

const fileText = (label: Uint8Array): string => {
  const text = `${FILE_HEAD}\n${Buffer.from(label).toString("hex")}\n`;
  return `${text}${checksum(text)}\n`;
};

/** The label of a file's text, or null when it is none of ours. */
const parseText = (text: string): Uint8Array | null => {
  const match = /^(p2pvpn-clock-1\n([0-9a-f]{24})\n)([0-9a-f]{16})\n$/.exec(text);
  if (match === null || checksum(match[1]!) !== match[3]) return null;
  const label = Uint8Array.from(Buffer.from(match[2]!, "hex"));
  assert(label.length === TIMESTAMP_BYTES);
  return new DataView(label.buffer).getBigUint64(0) < LABEL_MAX ? label : null;
};

const newest = (a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null => {
  if (a === null || b === null) return a ?? b;
  return compareTai64n(a, b) >= 0 ? a : b;
};

const isLater = (a: Uint8Array, b: Uint8Array | null): boolean =>
  b === null || compareTai64n(a, b) > 0;

const nanoseconds = (label: Uint8Array): bigint => {
  const view = new DataView(label.buffer, label.byteOffset, label.byteLength);
  return view.getBigUint64(0) * 1_000_000_000n + BigInt(view.getUint32(8));
};

const labelsAhead = (label: Uint8Array, labels: number): Uint8Array => {
  let ahead = label;
  for (let i = 0; i < labels; i++) ahead = laterTai64n(ahead);
  return ahead;
};

const reasonOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
};

/** Thread: control. */
export class SentClock {
  readonly #file: string | null;
  readonly #log: ClockLog;
  /** Labels up to here may have been sent to anybody. */
  #floor: Uint8Array | null;
  /** Latest label of this run. */
  #highest: Uint8Array | null = null;
  /** Durable: the next run begins behind it. Never falls. */
  #reserved: Uint8Array | null = null;
  /** What the file says by its name, durable or not; never falls while the engine runs. */
  #named: Uint8Array | null = null;
  #renewing = false;
  #closed = false;
  /** Labels given since the disk refused, or -1: it did not. */
  #refused = -1;
  /** The file's trouble was told. */
  #warned = false;

  private constructor(file: string | null, floor: Uint8Array | null, log: ClockLog) {
    this.#file = file;
    this.#floor = floor;
    this.#log = log;
  }

  /**
   * Reads what an earlier run left, and reserves. A file that cannot be read or written is one
   * warning; the engine goes on with this run's memory. Errors: never.
   */
  static open({ folder, publicKey, unixMs, log }: ClockOptions): SentClock {
    if (folder === null) return new SentClock(null, null, log);
    const file = clockFile(folder, publicKey);
    let floor: Uint8Array | null = null;
    let warned = false;
    try {
      const text = readOwnFile(file, FILE_BYTES_MAX);
      if (text !== null) {
        floor = parseText(text);
        if (floor === null) throw new Error("it is damaged");
      }
    } catch (error) {
      log.warn(
        `The clock file ${file} is not used (${reasonOf(error)}); ` +
          "peers may refuse handshakes until the system's clock is right.",
      );
      warned = true;
    }
    const clock = new SentClock(file, floor, log);
    clock.#warned = warned;
    const first = nextTai64n(floor, unixMs);
    clock.#reserveNow(file, first, unixMs, () => makeFolder(folder));
    return clock;
  }

  /**
   * The timestamp of an initiation.
   *
   * Units: `last` is the peer's last one, or null; `unixMs` in milliseconds.   Errors: never.
   */
  next(last: Uint8Array | null, unixMs: number): Uint8Array {
    assert(!this.#closed, "a timestamp after close");
    const label = nextTai64n(newest(last, this.#floor), unixMs);
    if (this.#file !== null) this.#hold(this.#file, label, unixMs);
    this.#highest = newest(this.#highest, label);
    return label;
  }

  /**
   * A peer is taken away: should it come again, its timestamps go on from here.
   * `last` is its last one, or null.
   */
  forget(last: Uint8Array | null): void {
    this.#floor = newest(this.#floor, last);
  }

  /** Gives back what was reserved and not used. No timestamp is given afterwards. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const sent = newest(this.#highest, this.#floor) ?? tai64n(0);
    if (this.#file === null || this.#refused >= 0) return;
    try {
      replaceFile(this.#file, fileText(sent));
    } catch {
      // The reservation stays, which is safe.
    }
  }

  /** Sees to it that a label is within the reservation, where the disk lets us. */
  #hold(file: string, label: Uint8Array, unixMs: number): void {
    if (this.#refused >= 0) {
      this.#refused++;
      if (this.#refused % RETRY_LABELS === 0) void this.#renew(file, label, unixMs);
      return;
    }
    if (isLater(label, this.#reserved)) {
      this.#reserveNow(file, label, unixMs);
      return;
    }
    const left = nanoseconds(this.#reserved!) - nanoseconds(label);
    const late = isLater(tai64n(unixMs + AHEAD_MS / 2), this.#reserved);
    if (late || left < LOW_NS) void this.#renew(file, label, unixMs);
  }

  /** Later than everything that the file says already. */
  #target(label: Uint8Array, unixMs: number): Uint8Array {
    const ahead = newest(tai64n(unixMs + AHEAD_MS), labelsAhead(label, AHEAD_LABELS));
    return newest(ahead, this.#named)!;
  }

  #reserveNow(file: string, label: Uint8Array, unixMs: number, before?: () => void): void {
    const target = this.#target(label, unixMs);
    try {
      before?.();
      replaceFile(file, fileText(target));
      this.#named = target;
      this.#reserved = target;
    } catch (error) {
      this.#onRefused(file, error);
    }
  }

  async #renew(file: string, label: Uint8Array, unixMs: number): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    const target = this.#target(label, unixMs);
    try {
      const staged = await stageFile(file, fileText(target));
      // Meanwhile a handshake may have reserved more, or the engine may have stopped.
      if (this.#closed || !isLater(target, this.#named)) {
        staged.drop();
        return;
      }
      this.#named = target;
      await staged.commit();
      this.#reserved = newest(this.#reserved, target);
      if (this.#refused >= 0) this.#log.info(`The clock file ${file} is written again.`);
      this.#refused = -1;
      this.#warned = false;
    } catch (error) {
      this.#onRefused(file, error);
    } finally {
      this.#renewing = false;
    }
  }

  #onRefused(file: string, error: unknown): void {
    if (this.#refused >= 0 || this.#closed) return;
    this.#refused = 0;
    if (this.#warned) return;
    this.#warned = true;
    this.#log.warn(
      `The clock file ${file} cannot be written (${reasonOf(error)}); after a restart with an ` +
        "older clock, peers will refuse handshakes.",
    );
  }
}
