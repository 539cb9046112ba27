/**
 * callers — many peers of one engine, each of which makes one handshake at its time: a program.
 *
 *   node callers.js '{"to":"192.0.2.2","port":51820,"publicKey":"…","peers":10000,"seconds":60}'
 *
 * A caller sends its initiation, again each five seconds while no answer comes, answers a cookie
 * reply, and uses the session at once: its empty message has the engine believe it. Prints a Called
 * when all are through, or after the last one's third try.
 */
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { setTimeout as sleep } from "node:timers/promises";
import { staticKeys } from "../../src/control/handshake/noise.ts";
import { COOKIE, INITIATION, RESPONSE, readU32 } from "../../src/wire/handshake.ts";
import { Chance } from "../lab/chance.ts";
import { LabError } from "../lab/lab.ts";
import { runMain } from "../lab/main.ts";
import { quantile } from "../lab/statistics.ts";
import { Friend } from "./friend.ts";

export interface CallersOptions {
  /** IPv4. */
  readonly to: string;
  readonly port: number;
  /** Base64, of the engine. */
  readonly publicKey: string;
  readonly peers: number;
  /** From the first to the last. */
  readonly seconds: number;
}

/** What came of it. */
export interface Called {
  readonly answered: number;
  readonly again: number;
  readonly cookies: number;
  /** From a caller's first initiation to its response. */
  readonly latencyMs: { readonly median: number; readonly p99: number; readonly longest: number };
}

/** WireGuard's REKEY_TIMEOUT. */
const AGAIN_MS = 5_000;
const TRIES = 3;
const LOOK_MS = 1;
const EMPTY = new Uint8Array(0);
/** Loopback and TEST-NET-1. Source: RFC 5737. */
const ALLOWED = /^(?:127\.|192\.0\.2\.)/;

/** Private key of a caller. */
const keyOf = (caller: number): Uint8Array =>
  createHash("sha256").update(`caller ${caller}`).digest();

/** Base64, as WireGuard writes it. */
export const publicKeyOf = (caller: number): string =>
  Buffer.from(staticKeys(keyOf(caller)).publicKey).toString("base64");

/** A caller whose handshake is under way. */
interface Caller {
  readonly friend: Friend;
  tries: number;
  /** Of its first initiation, and when it sends the next one. */
  sinceMs: number;
  dueMs: number;
}

class Callers {
  readonly #send: (datagram: Uint8Array) => void;
  /** By receiver index. */
  readonly #waiting = new Map<number, Caller>();
  readonly #latencies: number[] = [];
  #again = 0;
  #cookies = 0;

  constructor(send: (datagram: Uint8Array) => void) {
    this.#send = send;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Those whose friends were not called before. */
  call(friend: Friend): void {
    this.#try({ friend, tries: 0, sinceMs: 0, dueMs: 0 });
  }

  #try(caller: Caller): void {
    const datagram = caller.friend.initiation(Date.now(), true);
    const nowMs = performance.now();
    if (caller.tries++ === 0) caller.sinceMs = nowMs;
    caller.dueMs = nowMs + AGAIN_MS;
    this.#waiting.set(readU32(datagram, INITIATION.fields.senderIndex), caller);
    this.#send(datagram);
  }

  /** A response or a cookie reply. */
  receive(datagram: Uint8Array): void {
    const { receiverIndex } = (datagram[0] === COOKIE.type ? COOKIE : RESPONSE).fields;
    const index = readU32(datagram, receiverIndex);
    const caller = this.#waiting.get(index);
    if (caller === undefined) return;
    const more = caller.friend.take(datagram, Date.now());
    if (more !== null) {
      this.#cookies++;
      this.#send(more);
    }
    if (caller.friend.made === 0) return;
    this.#waiting.delete(index);
    this.#latencies.push(performance.now() - caller.sinceMs);
    this.#send(caller.friend.data(EMPTY)!);
  }

  /** Who has no answer for too long tries again, or gives up. */
  look(nowMs: number): void {
    for (const [index, caller] of this.#waiting) {
      if (nowMs < caller.dueMs) continue;
      this.#waiting.delete(index);
      if (caller.tries === TRIES) continue;
      this.#again++;
      this.#try(caller);
    }
  }

  tell(): Called {
    const latencies = this.#latencies;
    const at = (q: number): number => (latencies.length === 0 ? 0 : quantile(latencies, q));
    const latencyMs = { median: at(0.5), p99: at(0.99), longest: at(1) };
    const { length: answered } = latencies;
    return { answered, again: this.#again, cookies: this.#cookies, latencyMs };
  }
}

const main = async ({ to, port, publicKey, peers, seconds }: CallersOptions): Promise<number> => {
  if (!ALLOWED.test(to)) throw new LabError(`${to} is no address of a lab.`);
  const engine = Buffer.from(publicKey, "base64");
  const chance = new Chance(1);
  const friends = Array.from({ length: peers }, (_, i) => new Friend(keyOf(i), engine, chance));
  const socket = createSocket("udp4");
  const callers = new Callers((datagram) => socket.send(datagram, port, to));
  socket.on("message", (datagram) => callers.receive(datagram));
  const startMs = performance.now();
  for (let next = 0; next < peers || callers.waiting > 0; ) {
    const nowMs = performance.now();
    const due = Math.min(peers, Math.ceil(((nowMs - startMs) / (1_000 * seconds)) * peers));
    for (; next < due; next++) callers.call(friends[next]!);
    callers.look(nowMs);
    await sleep(LOOK_MS);
  }
  process.stdout.write(`${JSON.stringify(callers.tell())}\n`);
  return 0;
};

if (process.argv[1] === import.meta.filename) {
  await runMain(() => main(JSON.parse(process.argv[2] ?? "{}") as CallersOptions));
}
