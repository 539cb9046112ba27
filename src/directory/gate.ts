/**
 * gate — what may reach the parser of the directory's engine, and what may leave it.
 *
 *     channel ──▶ length, form, command on the list, quota ──▶ dht-rpc     a request
 *     channel ──▶ length, form, did we ask that node?      ──▶ dht-rpc     an answer
 *     dht-rpc ──▶ no longer than a datagram holds          ──▶ channel
 *
 * The first gate is the channel's: a stranger has none. Of dht-rpc's commands, those stay outside
 * that answer to a port of the caller's choosing (PING_NAT), keep a timer (DELAYED_PING), or that a
 * later version may bring. The form is read here, as strictly as it is written by dht-rpc 6.27:
 *
 *      0 0x03 request, 0x13 answer · 1 flags u8 (below 32) · 2 number u16 · 4 to: name (6)
 *     10 flag 1: id (32) · flag 2: token (32)
 *        request: command u8 · flag 8: target (32) · flag 16: length, value · flag 4: internal
 *        answer:  flag 4: count u8, names (6 each) · flag 8: error u8 · flag 16: length, value
 *
 * Numbers of the form are one byte below 0xfd, or 0xfd and a u16. Source: security.md 22; dht-rpc
 * 6.27.0, lib/io.js and lib/commands.js. Thread: the owner's.
 */
import { Bucket, type Rate } from "../control/strangers/limiter.ts";
import type { Count } from "./counts.ts";
import type { Name } from "./names.ts";

/** Bytes around a message in a datagram of type 14: its head, and the seal's tag. */
const CHANNEL_BYTES = 40;
/** Protocol: longest message. */
export const MESSAGE_BYTES_MAX = 1_232 - CHANNEL_BYTES;
/** Protocol: {u16 length, certificate, u16 length, record}. */
export const PAIR_BYTES_MAX = 2 + 512 + 2 + 400;
/** Protocol: our commands. dht-rpc's own are told from them by a flag. */
export const COMMAND = { get: 16, put: 17 } as const;
/** Those of dht-rpc that are taken. */
const INTERNAL = { ping: 0, findNode: 2, downHint: 3 } as const;

/** Tuning: what one node may ask of us (security.md 22), and what a PUT counts as. */
const NAME_RATE: Rate = { perSecond: 50, burst: 50 };
const PUT_COST = 5;
/** Tuning: nodes whose quota is kept; one that asked nothing for a second needs none. */
const NAMES_MAX = 16_384;

const REQUEST = 0x03;
const ANSWER = 0x13;
const FLAG = { id: 1, token: 2, internal: 4, target: 8, value: 16 } as const;
const ANSWER_FLAG = { closer: 4, error: 8 } as const;
const FLAGS_END = 32;
const HEAD_BYTES = 10;
const KEY_BYTES = 32;
const NAME_BYTES = 6;
/** As many nodes as an answer names: dht-rpc's k. */
const CLOSER_MAX = 20;
const LONG = 0xfd;

/** What a message is, as far as the gate looks. */
interface Read {
  readonly isRequest: boolean;
  readonly number: number;
  readonly flags: number;
  readonly command: number;
  readonly valueBytes: number;
}

/** A number at a place and where the next thing begins, or -1: there is none. */
const numberAt = (bytes: Uint8Array, at: number): readonly [value: number, next: number] => {
  const first = bytes[at];
  if (first === undefined || first > LONG) return [0, -1];
  if (first < LONG) return [first, at + 1];
  const value = (bytes[at + 1] ?? 0) | ((bytes[at + 2] ?? 0) << 8);
  return at + 3 > bytes.length || value < LONG ? [0, -1] : [value, at + 3];
};

/** Reads flags 16's value, which ends the message: its length; -1: something else does. */
const valueAt = (bytes: Uint8Array, at: number, flags: number): number => {
  if ((flags & FLAG.value) === 0) return at === bytes.length ? 0 : -1;
  const [length, next] = numberAt(bytes, at);
  return next >= 0 && length > 0 && next + length === bytes.length ? length : -1;
};

/** Is an answer to it expected? Borrows. */
export const isRequest = (bytes: Uint8Array): boolean => bytes[0] === REQUEST;

/** Reads a message; null: dht-rpc writes no such one. Errors: never. */
const read = (bytes: Uint8Array): Read | null => {
  if (bytes.length < HEAD_BYTES || bytes.length > MESSAGE_BYTES_MAX) return null;
  const flags = bytes[1]!;
  const asks = isRequest(bytes);
  if ((!asks && bytes[0] !== ANSWER) || flags >= FLAGS_END) return null;
  const number = bytes[2]! | (bytes[3]! << 8);
  let at = HEAD_BYTES;
  if ((flags & FLAG.id) !== 0) at += KEY_BYTES;
  if ((flags & FLAG.token) !== 0) at += KEY_BYTES;
  let command = 0;
  if (asks) {
    command = bytes[at++] ?? LONG;
    if ((flags & FLAG.target) !== 0) at += KEY_BYTES;
  } else {
    if ((flags & ANSWER_FLAG.closer) !== 0) {
      const count = bytes[at++] ?? 0;
      if (count === 0 || count > CLOSER_MAX) return null;
      at += NAME_BYTES * count;
    }
    if ((flags & ANSWER_FLAG.error) !== 0 && (bytes[at++] ?? 0) === 0) return null;
  }
  const valueBytes = command < LONG ? valueAt(bytes, at, flags) : -1;
  return valueBytes < 0 ? null : { isRequest: asks, number, flags, command, valueBytes };
};

/** Which parts a command has to have, and how long its value is; undefined: not on the list. */
// biome-ignore format: a table
const FORMS: ReadonlyMap<number, { readonly flags: number; readonly least: number; readonly most: number }> = new Map([
  [FLAG.internal << 8 | INTERNAL.ping,     { flags: 0, least: 0, most: 0 }],
  [FLAG.internal << 8 | INTERNAL.findNode, { flags: FLAG.target, least: 0, most: 0 }],
  [FLAG.internal << 8 | INTERNAL.downHint, { flags: FLAG.value, least: NAME_BYTES, most: NAME_BYTES }],
  [COMMAND.get, { flags: FLAG.target, least: 0, most: 0 }],
  [COMMAND.put, { flags: FLAG.target | FLAG.value, least: 4, most: PAIR_BYTES_MAX }],
]);
const FORM_FLAGS = FLAG.token | FLAG.target | FLAG.value;

export interface GateOptions {
  readonly bootMs: () => number;
  readonly count: Count;
  /** Whether requests are taken at all. */
  readonly serves: boolean;
  /** Is anything asked of that node? dht-rpc goes on with nodes that store no more. */
  readonly mayAsk: (name: Name) => boolean;
}

/** Errors: never. */
export class Gate {
  readonly #options: GateOptions;
  /** Who asked lately, the longest silent first. */
  readonly #quotas = new Map<Name, Bucket>();
  /** By the number of a request, who was asked: as many as there are numbers, at most. */
  readonly #asked = new Map<number, Name>();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** May dht-rpc read this? It came in a channel with that node. */
  admits(name: Name, bytes: Uint8Array): boolean {
    const { count, serves } = this.#options;
    const message = read(bytes);
    if (message === null) {
      count("malformed");
      return false;
    }
    if (!message.isRequest) return this.#wasAsked(name, message.number);
    const { flags, command, valueBytes } = message;
    const form = FORMS.get(((flags & FLAG.internal) << 8) | command);
    if (form === undefined) {
      count("commandRefused");
      return false;
    }
    if ((flags & FORM_FLAGS) !== form.flags || valueBytes < form.least || valueBytes > form.most) {
      count("malformed");
      return false;
    }
    if (!serves) {
      count("notServing");
      return false;
    }
    return this.#hasQuota(name, command === COMMAND.put ? PUT_COST : 1);
  }

  #wasAsked(name: Name, number: number): boolean {
    if (this.#asked.get(number) !== name) {
      this.#options.count("unasked");
      return false;
    }
    this.#asked.delete(number);
    return true;
  }

  #hasQuota(name: Name, cost: number): boolean {
    const { bootMs, count } = this.#options;
    const known = this.#quotas.get(name);
    if (known === undefined && this.#quotas.size >= NAMES_MAX && !this.#forget()) {
      count("namesFull");
      return false;
    }
    const bucket = known ?? new Bucket(NAME_RATE);
    this.#quotas.delete(name);
    this.#quotas.set(name, bucket);
    if (bucket.take(bootMs(), cost)) return true;
    count("quota");
    return false;
  }

  /** The longest silent one goes, when its bucket is full again: so it loses nothing. */
  #forget(): boolean {
    const [name, bucket] = this.#quotas.entries().next().value!;
    if (!bucket.take(this.#options.bootMs(), NAME_RATE.burst)) return false;
    this.#quotas.delete(name);
    return true;
  }

  /** May this go to that node? An answer to it is taken then. */
  releases(name: Name, bytes: Uint8Array): boolean {
    if (bytes.length > MESSAGE_BYTES_MAX) {
      this.#options.count("tooLong");
      return false;
    }
    if (!isRequest(bytes)) return true;
    const isAsked = this.#options.mayAsk(name);
    if (isAsked) this.#asked.set(bytes[2]! | (bytes[3]! << 8), name);
    return isAsked;
  }
}
