/**
 * log — what the engine says while it runs: one line of JSON an event, on standard error or in a
 * file of its own.
 *
 *   {"level":"warn","time":"2026-01-02T03:04:05.678Z","thread":"control","msg":"…","peer":"abcd…"}
 *
 * Where journald reads, a line begins with its priority, "<4>". The last warnings are kept for
 * `status`, whatever the level: a daemon's standard error is nowhere.
 *
 * Each thread makes its own; all write a line at once. A line that finds no room
 * (the descriptor does not block and its reader is behind) is left out and counted in the next.
 * pino is loaded with the first log, so that commands that start nothing do not pay for it.
 *
 * No line holds a key, a token or payload (security.md 5): facts are numbers and short texts, and
 * whatever looks like a key is cut to its first characters on the way out. What others can cause
 * is said through `Kinds`, never per datagram.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import type { LogLevel } from "./schema/config.ts";
import { EngineError } from "./schema/errors.ts";

/** What a line tells besides its sentence. */
export type Facts = Readonly<Record<string, string | number | boolean | null>>;

export type LogKind = "error" | "warn" | "info" | "debug";

/** Thread: the one that made it. */
export interface Log {
  error(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  debug(message: string, facts?: Facts): void;
  /**
   * Opens its file anew, when it has one: somebody may have moved it away.
   * Errors: EngineError FILE_UNWRITABLE; it goes on in the one that is open.
   */
  reopen(): void;
  /** Changes what is said from now on. */
  level: LogLevel;
}

/** Says a line, with its facts; never keys, never what strangers sent. */
export type Say = (
  level: LogKind,
  text: string,
  facts?: Readonly<Record<string, string | number>>,
) => void;

export interface LogOptions {
  /** The thread's name. */
  readonly thread: string;
  readonly level: LogLevel;
  /** Standard error unless given. */
  readonly fd?: number;
  /** Written to instead, at its end; made for its owner alone. Null: none. */
  readonly file?: string | null;
  /** Hears of warnings and errors, also of those that the level leaves out. */
  readonly onWarning?: (text: string) => void;
}

/** Of syslog. Source: sd-daemon(3), syslog(3). */
const PRIORITIES: Readonly<Record<LogKind, string>> = {
  error: "<3>",
  warn: "<4>",
  info: "<6>",
  debug: "<7>",
};

/** Does journald read from the descriptor? Source: systemd.exec(5), JOURNAL_STREAM. */
const isJournal = (fd: number): boolean => {
  const stream = process.env.JOURNAL_STREAM;
  if (!stream) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
};

/** What a line on standard error begins with: its priority where journald reads, else nothing. */
export const journalPrefix = (kind: LogKind, fd = 2): string =>
  isJournal(fd) ? PRIORITIES[kind] : "";

/** A pipe without a reader would block its opening, hence O_NONBLOCK. Errors: FILE_UNWRITABLE. */
const openLogFile = (file: string): number => {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK } = constants;
  try {
    const fd = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, 0o600);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such folder" : code;
    throw new EngineError("FILE_UNWRITABLE", { file, reason, cause });
  }
  throw new EngineError("FILE_UNWRITABLE", { file, reason: "it is no plain file" });
};

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
  #fd: number;
  #journal: boolean;
  /** Of the line that comes next. */
  kind: LogKind = "info";
  #leftOut = 0;
  /** The end of a line that went out in part. */
  #rest: Buffer | null = null;

  constructor(fd: number) {
    this.#fd = fd;
    this.#journal = isJournal(fd);
  }

  /** Goes on in another descriptor, and closes the one before. */
  replace(fd: number): void {
    closeSync(this.#fd);
    this.#fd = fd;
    this.#journal = false;
    this.#rest = null;
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
    const bytes = Buffer.from(this.#journal ? `${PRIORITIES[this.kind]}${text}` : text);
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

/** A sentence with its facts, for people, in one line: "a route is missing (reason: …)". */
const sentence = (message: string, facts: Facts): string => {
  const parts = Object.entries(cleanFacts(facts)).map(([name, value]) => `${name}: ${value}`);
  const text = parts.length === 0 ? message : `${message} (${parts.join(", ")})`;
  return withoutKeys(text.replaceAll("\n", " "));
};

/**
 * Makes a thread's log. Thread: any; loads pino at the first call.
 * Errors: EngineError FILE_UNWRITABLE.
 */
export const makeLog = async (options: LogOptions): Promise<Log> => {
  const { thread, level, fd = 2, file = null, onWarning } = options;
  const { pino, stdTimeFunctions } = await import("pino");
  const lines = new Lines(file === null ? fd : openLogFile(file));
  const logger = pino(
    {
      level,
      base: { thread },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    lines,
  );
  const say =
    (kind: LogKind) =>
    (message: string, facts: Facts = {}): void => {
      if (kind === "error" || kind === "warn") onWarning?.(sentence(message, facts));
      if (!logger.isLevelEnabled(kind)) return;
      lines.kind = kind;
      logger[kind](cleanFacts(facts), withoutKeys(message));
    };
  return {
    error: say("error"),
    warn: say("warn"),
    info: say("info"),
    debug: say("debug"),
    reopen: () => {
      if (file !== null) lines.replace(openLogFile(file));
    },
    get level() {
      return logger.level as LogLevel;
    },
    set level(value: LogLevel) {
      logger.level = value;
    },
  };
};

/** Tuning: so many are kept. */
export const RECENT_MAX = 20;

/** The last warnings, for `status`. Constant memory. */
export class Recent {
  readonly #lines: { readonly atMs: number; readonly text: string }[] = [];

  /** Units: `atMs` in boot-clock milliseconds. */
  add(text: string, atMs: number): void {
    this.#lines.push({ atMs, text });
    if (this.#lines.length > RECENT_MAX) this.#lines.shift();
  }

  /** Oldest first. */
  values(nowMs: number): { readonly ageMs: number; readonly text: string }[] {
    return this.#lines.map(({ atMs, text }) => ({ ageMs: Math.max(0, nowMs - atMs), text }));
  }
}

/** How many lines of a kind are said: so many at once, and then one in each time of `everyMs`. */
export interface Rate {
  readonly burst: number;
  readonly everyMs: number;
}

/** Tuning: of what strangers can cause, and warnings. */
export const SPARSE_BURST = 5;
export const SPARSE_EVERY_MS = 10_000;
const STRANGERS: Rate = { burst: SPARSE_BURST, everyMs: SPARSE_EVERY_MS };
/** Tuning: of what peers do, and what is done to the engine; 10,000 peers may all come at once. */
const FRIENDS: Rate = { burst: 60, everyMs: 1_000 };
/** What was left out is told so long after at the latest. */
export const TELL_MS = 60_000;

/**
 * Lines of one kind that others can cause: a few, then few; each tells how many were left out
 * before it. Constant memory. One for each place that says such a thing.
 */
export class Sparse {
  readonly #log: Log;
  readonly #rate: Rate;
  #tokens: number;
  #sinceMs = 0;
  #leftOut = 0;
  #last: readonly [kind: LogKind, message: string] = ["info", ""];

  constructor(log: Log, rate: Rate = STRANGERS) {
    this.#log = log;
    this.#rate = rate;
    this.#tokens = rate.burst;
  }

  /** Units: `nowMs` in boot-clock milliseconds. True when it was said. */
  say(kind: LogKind, nowMs: number, message: string, facts: Facts = {}): boolean {
    const { burst, everyMs } = this.#rate;
    const due = Math.floor((nowMs - this.#sinceMs) / everyMs);
    if (this.#tokens + due >= burst) {
      this.#tokens = burst;
      this.#sinceMs = nowMs;
    } else if (due > 0) {
      this.#tokens += due;
      this.#sinceMs += due * everyMs;
    }
    if (this.#tokens === 0) {
      this.#leftOut++;
      this.#last = [kind, message];
      return false;
    }
    this.#tokens--;
    this.#log[kind](message, this.#leftOut === 0 ? facts : { ...facts, leftOut: this.#leftOut });
    this.#leftOut = 0;
    return true;
  }

  /** Tells how many were left out since the last line, if any were. */
  tell(): void {
    if (this.#leftOut === 0) return;
    const [kind, message] = this.#last;
    this.#log[kind](message, { leftOut: this.#leftOut });
    this.#leftOut = 0;
  }
}

/** Lines of all kinds; a kind is a sentence, and its facts do not count. */
export class Kinds {
  readonly #log: Log;
  readonly #bootMs: () => number;
  readonly #later: (ms: number, call: () => void) => void;
  readonly #sparse = new Map<string, Sparse>();
  #telling = false;

  /** `later` calls once, after so long. Sentences come from our own source: they are few. */
  constructor(log: Log, bootMs: () => number, later: (ms: number, call: () => void) => void) {
    this.#log = log;
    this.#bootMs = bootMs;
    this.#later = later;
  }

  say(kind: LogKind, message: string, facts?: Facts): void {
    let sparse = this.#sparse.get(message);
    if (sparse === undefined) {
      const rate = kind === "info" || kind === "debug" ? FRIENDS : STRANGERS;
      sparse = new Sparse(this.#log, rate);
      this.#sparse.set(message, sparse);
    }
    if (sparse.say(kind, this.#bootMs(), message, facts) || this.#telling) return;
    this.#telling = true;
    this.#later(TELL_MS, () => {
      this.#telling = false;
      for (const one of this.#sparse.values()) one.tell();
    });
  }
}
