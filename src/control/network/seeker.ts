/**
 * seeker — who has an address of the network that nobody here is known to have: asked once, then
 * not for a while.
 *
 *     packet ──▶ memory ──▶ directory ──nobody, 400 ms──▶ index nodes ──▶ verified ──▶ a peer
 *
 * What members know they have told already, up to some thousands of them; and they are asked for
 * ids, not for addresses. Who scans the network's ranges from inside costs a few questions a
 * second, however many addresses it tries. What is found counts as what a stranger says: the
 * certificate has to hold the address. Thread: control.
 */
import { addressTarget } from "../../directory/targets.ts";
import { sameBytes } from "../../members/bytes.ts";
import { hostPrefix, someHolds } from "../../members/fields.ts";
import { formatAddress } from "../../wire/cidr.ts";
import type { Pair } from "../../wire/intro.ts";
import { Bucket, type Rate } from "../strangers/limiter.ts";
import type { CountName } from "./counts.ts";
import type { Directory } from "./directory.ts";
import type { Known } from "./members.ts";
import type { Parts } from "./parts.ts";
import type { NetworkWorld } from "./world.ts";

/** Tuning: addresses of which is remembered what came of it; the oldest goes. */
const SEARCHES_MAX = 1_024;
/** Tuning: addresses that are asked for. */
const RATE: Rate = { perSecond: 10, burst: 64 };
/** Tuning: index nodes are asked when the directory has not answered by then. */
const DIRECTORY_MS = 400;
/** Tuning: they are asked again after so long, and so often at most: a question may be lost. */
const AGAIN_MS = 500;
const TIMES_MAX = 4;
/** Tuning: whom nobody knew is asked for again after so long: doubled each time, at most. */
const PAUSE_MS = 10_000;
const PAUSE_MAX_MS = 600_000;
const NEVER = Number.POSITIVE_INFINITY;

export interface SeekerOptions {
  readonly parts: Parts;
  readonly world: Pick<NetworkWorld, "bootMs" | "randomBytes">;
  readonly directory: Pick<Directory, "isThere" | "get">;
  /** Asks all index nodes that answer. How many. */
  readonly ask: (question: number, target: Uint8Array) => number;
  readonly wakeBy: (dueMs: number) => void;
}

interface Search {
  readonly address: Uint8Array;
  /** 32 random bits. */
  question: number;
  state: "asking" | "found" | "nobody";
  /** It is still asked for: when the next step is due. */
  dueMs: number;
  /** When it began last; nobody is asked again before `untilMs`. */
  sinceMs: number;
  untilMs: number;
  /** Searches in a row that found nobody. */
  failures: number;
  /** Was the directory asked, and does it know nobody, or is not there? */
  directory: "not asked" | "asked" | "nobody";
  /** How many index nodes were asked, how often, and which of them knew nobody. */
  indexes: number;
  times: number;
  readonly unknown: Set<string>;
  /** What came and was not believed. */
  wrong: number;
}

const keyOf = (address: Uint8Array): string => Buffer.from(address).toString("latin1");

export class Seeker {
  readonly #options: SeekerOptions;
  readonly #searches = new Map<string, Search>();
  readonly #byQuestion = new Map<number, Search>();
  readonly #budget = new Bucket(RATE);

  constructor(options: SeekerOptions) {
    this.#options = options;
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#searches.size;
  }

  get dueMs(): number {
    let dueMs = NEVER;
    for (const { dueMs: one } of this.#byQuestion.values()) dueMs = Math.min(dueMs, one);
    return dueMs;
  }

  #count(what: CountName): void {
    this.#options.parts.count(what, 1);
  }

  /** A packet goes to nobody. Units: 4 or 16 bytes. Borrows. */
  seek(address: Uint8Array, nowMs: number): void {
    const { members, admission, authority } = this.#options.parts;
    if (!someHolds(authority.definition.cidrs, hostPrefix(address))) return;
    const slot = members.byAddress(address);
    if (slot >= 0) {
      // It waits for an entry: who is wanted takes the place of one that is idle.
      admission.admitNow(slot);
      return;
    }
    const key = keyOf(address);
    const known = this.#searches.get(key);
    if (known !== undefined && nowMs < known.untilMs) return;
    if (!this.#budget.take(nowMs)) {
      this.#count("seeksBusy");
      return;
    }
    if (known !== undefined) this.#forget(key, known);
    this.#begin(key, address, known?.failures ?? 0, nowMs);
  }

  #forget(key: string, search: Search): void {
    this.#searches.delete(key);
    this.#byQuestion.delete(search.question);
  }

  #begin(key: string, address: Uint8Array, failures: number, nowMs: number): void {
    const { world } = this.#options;
    for (const [oldest, search] of this.#searches) {
      if (this.#searches.size < SEARCHES_MAX) break;
      this.#forget(oldest, search);
    }
    const search: Search = {
      address: address.slice(),
      question: Buffer.from(world.randomBytes(4)).readUInt32LE(),
      state: "asking",
      dueMs: nowMs,
      sinceMs: nowMs,
      untilMs: NEVER,
      failures,
      directory: "not asked",
      indexes: 0,
      times: 0,
      unknown: new Set(),
      wrong: 0,
    };
    this.#searches.set(key, search);
    this.#byQuestion.set(search.question, search);
    this.#count("seeks");
    if (this.#options.directory.isThere) this.#askDirectory(search, nowMs);
    else this.#askIndexes(search, nowMs);
  }

  #target({ address }: Search): Uint8Array {
    const { networkId } = this.#options.parts.authority.definition;
    return addressTarget(networkId, address).target;
  }

  #askDirectory(search: Search, nowMs: number): void {
    const { world, directory, wakeBy } = this.#options;
    search.directory = "asked";
    search.dueMs = nowMs + DIRECTORY_MS;
    wakeBy(search.dueMs);
    void directory.get(this.#target(search)).then((pair) => {
      if (search.state !== "asking" || !this.#byQuestion.has(search.question)) return;
      if (pair === null) search.directory = "nobody";
      if (pair !== null) this.#take(search, pair, "directory");
      else if (search.times === 0) this.#askIndexes(search, world.bootMs());
    });
  }

  #askIndexes(search: Search, nowMs: number): void {
    const { ask, wakeBy } = this.#options;
    search.times++;
    search.unknown.clear();
    const indexes = ask(search.question, this.#target(search));
    search.indexes = Math.max(search.indexes, indexes);
    if (indexes === 0 && search.directory !== "asked") {
      this.#failed(search, nowMs);
      return;
    }
    search.dueMs = nowMs + AGAIN_MS;
    wakeBy(search.dueMs);
  }

  tick(nowMs: number): void {
    for (const search of [...this.#byQuestion.values()]) {
      if (nowMs < search.dueMs) continue;
      if (search.times >= TIMES_MAX) this.#failed(search, nowMs);
      else this.#askIndexes(search, nowMs);
    }
  }

  #failed(search: Search, nowMs: number): void {
    search.state = "nobody";
    search.dueMs = NEVER;
    search.untilMs = nowMs + Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** search.failures++);
    this.#byQuestion.delete(search.question);
    this.#count("seeksFailed");
  }

  /** An index node answers: whoever says twice that it knows nobody is one. Borrows: the pair. */
  found(by: string, question: number, pair: Pair | null, nowMs: number): void {
    const search = this.#byQuestion.get(question);
    // Others have answered already, or nobody asked.
    if (search === undefined) return;
    if (pair !== null) {
      this.#take(search, pair, "index");
      return;
    }
    search.unknown.add(by);
    if (search.unknown.size >= search.indexes && search.directory !== "asked") {
      this.#failed(search, nowMs);
    }
  }

  #take(search: Search, pair: Pair, way: Known): void {
    const { intake, members, admission } = this.#options.parts;
    const slot = intake.takeNow(pair, way);
    const has =
      slot >= 0 && members.at(slot).owner.addresses.some((one) => sameBytes(one, search.address));
    if (!has) {
      search.wrong++;
      this.#count("indexWrong");
      return;
    }
    admission.admitNow(slot);
    search.state = "found";
    search.dueMs = NEVER;
    // It is a member from now on: if it goes, whoever wants it asks again.
    search.untilMs = 0;
    this.#byQuestion.delete(search.question);
    this.#count("seeksFound");
  }

  /** What was asked for an address, and what came of it; sentences. */
  explain(address: Uint8Array): readonly string[] {
    const search = this.#searches.get(keyOf(address));
    const { parts, world } = this.#options;
    const text = formatAddress(address);
    if (search === undefined) {
      const isOurs = someHolds(parts.authority.definition.cidrs, hostPrefix(address));
      const none = `No member is known to have ${text}; no packet to it came, nobody was asked.`;
      return isOurs && parts.members.byAddress(address) < 0 ? [none] : [];
    }
    const { state, directory, indexes, unknown, wrong } = search;
    const agoS = Math.round((world.bootMs() - search.sinceMs) / 1_000);
    const nodes = `${indexes} index node${indexes === 1 ? "" : "s"}`;
    const isAsked = directory !== "not asked";
    const asked = [...(isAsked ? ["the directory"] : []), ...(indexes > 0 ? [nodes] : [])];
    const whom = asked.length === 0 ? "nobody could be asked" : `asked: ${asked.join(", ")}`;
    const lines = [`A packet to ${text} came ${agoS} s ago, and nobody had it here; ${whom}.`];
    if (wrong > 0) lines.push(`${wrong} answers were not believed: they were not of its member.`);
    if (state === "asking") lines.push("No answer has come yet.");
    if (state === "nobody" && asked.length > 0) {
      const isAnswered = unknown.size > 0 || directory === "nobody";
      lines.push(isAnswered ? "They know nobody who has it." : "None of them answered.");
    }
    if (state !== "nobody") return lines;
    const waitS = Math.max(0, Math.round((search.untilMs - world.bootMs()) / 1_000));
    return [...lines, `Who has it is asked again at the next packet in ${waitS} s, not before.`];
  }
}
