/**
 * log — what the engine says while it runs: one line of JSON an event, on standard error.
 *
 *   {"level":"warn","time":"2026-01-02T03:04:05.678Z","thread":"control","msg":"…","peer":"abcd…"}
 *
 * Each thread makes its own; all write to descriptor 2, a line at once. A line that finds no room
 * (the descriptor does not block and its reader is behind) is left out and counted in the next.
 * pino is loaded with the first log, so that commands that start nothing do not pay for it.
 *
 * No line holds a key, a token or payload (security.md 5): facts are numbers and short texts, and
 * whatever looks like a key is cut to its first characters on the way out. What a stranger can
 * cause is said through `Sparse`, never per datagram.
 */
import { writeSync } from "node:fs";
import type { LogLevel } from "./schema/config.ts";

/** What a line tells besides its sentence. */
export type Facts = Readonly<Record<string, string | number | boolean | null>>;

/** Thread: the one that made it. */
export interface Log {
  error(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  debug(message: string, facts?: Facts): void;
  /** Changes what is said from now on. */
  level: LogLevel;
}

export interface LogOptions {
  /** The thread's name. */
  readonly thread: string;
  readonly level: LogLevel;
  /** Standard error unless given. */
  readonly fd?: number;
}

/** Tuning: longer texts are cut. */
const TEXT_MAX = 1_000;
/** Tuning: a line that does not go out in so many pieces is given up. */
const WRITES_MAX = 16;

/**
 * What 32 bytes or more look like: base64 with padding and without, base64url and hex. A long path
 * stays readable when it holds a dot, hyphen or underscore.
 */
const SECRETS = [
  /(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{42,}={1,2}/g,
  /(?<![A-Za-z0-9+/_.-])[A-Za-z0-9+/]{43,}(?![A-Za-z0-9+/_=.-])/g,
  /(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43,}/g,
];
const SHOWN = 4;

/** A text without what looks like a key, and not too long. */
export const withoutKeys = (text: string): string => {
  const cut = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
  return SECRETS.reduce(
    (clean, secret) => clean.replace(secret, (key) => `${key.slice(0, SHOWN)}…`),
    cut,
  );
};

/** How a peer is named in lines: the beginning of its public key. */
export const shortKey = (publicKey: Uint8Array): string =>
  `${Buffer.from(publicKey).toString("base64").slice(0, 8)}…`;

/** Facts as they go out; what has no place in a line is not shown, whatever the types said. */
const cleanFacts = (facts: Facts): Record<string, string | number | boolean | null> => {
  const clean: Record<string, string | number | boolean | null> = {};
  for (const [name, value] of Object.entries(facts) as [string, unknown][]) {
    if (typeof value === "string") clean[name] = withoutKeys(value);
    else if (typeof value === "number" || typeof value === "boolean") clean[name] = value;
    else clean[name] = value === null ? null : "not shown";
  }
  return clean;
};

/** Writes lines to a descriptor, at once. */
class Lines {
  readonly #fd: number;
  #leftOut = 0;
  /** The end of a line that went out in part. */
  #rest: Buffer | null = null;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(line: string): void {
    if (this.#rest !== null && !this.#send(this.#rest)) {
      this.#leftOut++;
      return;
    }
    const text =
      this.#leftOut === 0
        ? line
        : `${line.slice(0, line.lastIndexOf("}"))},"linesLeftOut":${this.#leftOut}}\n`;
    const bytes = Buffer.from(text);
    if (this.#send(bytes)) this.#leftOut = 0;
    else if (this.#rest === null || this.#rest.length === bytes.length) {
      this.#rest = null;
      this.#leftOut++;
    } else this.#leftOut = 0;
  }

  /** True when all went out; else `#rest` is what did not. */
  #send(bytes: Buffer): boolean {
    let sent = 0;
    try {
      for (let i = 0; i < WRITES_MAX && sent < bytes.length; i++) {
        sent += writeSync(this.#fd, bytes, sent);
      }
    } catch {
      // EAGAIN: the reader is behind. EPIPE, ENOSPC: there is none, or no room; nobody to tell.
    }
    this.#rest = sent < bytes.length ? bytes.subarray(sent) : null;
    return this.#rest === null;
  }
}

/** Makes a thread's log. Thread: any; loads pino at the first call. */
export const makeLog = async ({ thread, level, fd = 2 }: LogOptions): Promise<Log> => {
  const { pino, stdTimeFunctions } = await import("pino");
  const logger = pino(
    {
      level,
      base: { thread },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    new Lines(fd),
  );
  const say =
    (kind: "error" | "warn" | "info" | "debug") =>
    (message: string, facts: Facts = {}): void => {
      if (logger.isLevelEnabled(kind)) logger[kind](cleanFacts(facts), withoutKeys(message));
    };
  return {
    error: say("error"),
    warn: say("warn"),
    info: say("info"),
    debug: say("debug"),
    get level() {
      return logger.level as LogLevel;
    },
    set level(value: LogLevel) {
      logger.level = value;
    },
  };
};

/** Tuning: as many lines of a kind at once, and then one in each time of SPARSE_EVERY_MS. */
export const SPARSE_BURST = 5;
export const SPARSE_EVERY_MS = 10_000;

/**
 * Lines of one kind that strangers can cause: a few, then few; each tells how many were left out
 * before it. Constant memory. One for each place that says such a thing.
 */
export class Sparse {
  readonly #log: Log;
  #tokens = SPARSE_BURST;
  #sinceMs = 0;
  #leftOut = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Units: `nowMs` in boot-clock milliseconds. True when it was said. */
  say(
    kind: "error" | "warn" | "info" | "debug",
    nowMs: number,
    message: string,
    facts: Facts = {},
  ): boolean {
    const due = Math.floor((nowMs - this.#sinceMs) / SPARSE_EVERY_MS);
    if (this.#tokens + due >= SPARSE_BURST) {
      this.#tokens = SPARSE_BURST;
      this.#sinceMs = nowMs;
    } else if (due > 0) {
      this.#tokens += due;
      this.#sinceMs += due * SPARSE_EVERY_MS;
    }
    if (this.#tokens === 0) {
      this.#leftOut++;
      return false;
    }
    this.#tokens--;
    this.#log[kind](message, this.#leftOut === 0 ? facts : { ...facts, leftOut: this.#leftOut });
    this.#leftOut = 0;
    return true;
  }
}
