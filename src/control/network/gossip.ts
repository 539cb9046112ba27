/**
 * gossip — members tell each other whose records are new, and give them to who wants them.
 *
 *     a record is new ──100 ms──▶ NEWS to neighbours that do not have it
 *     NEWS ──▶ WANT ──▶ RECORD ──▶ intake
 *     roots differ ──▶ one end sends its BUCKETS, or all, when that is little
 *                      the other answers with what it has in those that differ (RANGE)
 *                      who gets a range sees what it lacks (WANT) and what the other does (NEWS)
 *
 * What is owed to a member has a bound and goes out at the pace of its budget. Thread: control.
 */
import {
  type Buckets,
  type Entries,
  type Entry,
  encodeBuckets,
  encodeNews,
  encodeRange,
  ID_MAX,
  NEWS_MAX,
  type News,
  RANGE_MAX,
  type Range,
} from "../../wire/digests.ts";
import { FRAME_BODY_BYTES, FRAME_KINDS } from "../../wire/frames.ts";
import {
  decodeShown,
  decodeWants,
  encodeShown,
  type Shown,
  shownBytes,
} from "../../wire/network-frames.ts";
import type { CountName } from "./counts.ts";
import { bucketSpan } from "./digests.ts";
import type { Intake, Outcome } from "./intake.ts";
import { type Link, LOOKED_EACH, OWED_MAX } from "./links.ts";
import type { Members } from "./members.ts";
import { idOfRecord, type Verifier } from "./statement.ts";
import { Wants } from "./wants.ts";

/** Tuning: what is new is gathered for so long. */
const GATHER_MS = 100;
const NEVER = Number.POSITIVE_INFINITY;
const NOTHING = new Uint8Array(0);

export interface GossipOptions {
  readonly members: Members;
  readonly verifier: Verifier;
  readonly intake: Intake;
  readonly send: (link: Link, type: number, body: Uint8Array) => boolean;
  readonly count: (what: CountName, amount: number) => void;
  /** All of these are owed news. */
  readonly neighbours: () => Iterable<Link>;
  /** What it holds and we had no room for is there to be asked for again. */
  readonly onAgain: (link: Link, nowMs: number) => void;
  readonly wakeBy: (dueMs: number) => void;
  /** 32 random bits of this process. */
  readonly salt: number;
}

/** Why a frame is refused; null: it is not. */
export type FrameRefusal = "frameInvalid" | null;

export class Gossip {
  readonly #options: GossipOptions;
  readonly wants: Wants;
  /** Links that are owed something. */
  readonly #busy = new Set<Link>();
  #serveMs = NEVER;

  constructor(options: GossipOptions) {
    const { send, count } = options;
    this.#options = options;
    this.wants = new Wants({
      send: (link, body) => send(link, FRAME_KINDS.want.type, body),
      count,
      salt: options.salt,
    });
  }

  get dueMs(): number {
    return Math.min(this.#serveMs, this.wants.dueMs);
  }

  tick(nowMs: number): void {
    if (nowMs >= this.wants.dueMs) this.wants.tick(nowMs);
    if (nowMs < this.#serveMs) return;
    this.#serveMs = NEVER;
    for (const link of this.#busy) {
      const dueMs = this.#serve(link, nowMs);
      if (dueMs === NEVER) this.#busy.delete(link);
      else this.#serveMs = Math.min(this.#serveMs, dueMs);
    }
  }

  #owe(link: Link, dueMs: number): void {
    this.#busy.add(link);
    if (dueMs >= this.#serveMs) return;
    this.#serveMs = dueMs;
    this.#options.wakeBy(dueMs);
  }

  /** The link is gone. */
  forget(link: Link, nowMs: number): void {
    link.isGone = true;
    this.#busy.delete(link);
    this.wants.forget(link, nowMs);
  }

  /** A member is gone. */
  forgetSlot(slot: number): void {
    for (const link of this.#busy) link.news.remove(slot);
  }

  // -------------------------------------------------------------------------------------------
  // What is new here

  /**
   * A record was taken, or is our own: neighbours are told, but for the one it came from; not for
   * the one it is of, since a copy of that member may be there, or the member itself again.
   */
  learned(slot: number, from: Link | null, nowMs: number): void {
    for (const link of this.#options.neighbours()) {
      if (link !== from || link.slot === slot) this.#tell(link, slot, nowMs + GATHER_MS);
    }
  }

  #tell(link: Link, slot: number, dueMs: number): void {
    if (link.news.count === 0) link.newsDueMs = dueMs;
    else link.newsDueMs = Math.min(link.newsDueMs, dueMs);
    link.news.add(slot);
    this.#owe(link, link.newsDueMs);
  }

  /** A record that was asked for was looked at. */
  done(id: number, link: Link, outcome: Outcome, nowMs: number): void {
    const { members } = this.#options;
    const slot = members.byId(id);
    this.wants.done(id, link, outcome, slot < 0 ? -1 : members.at(slot).sequence, nowMs);
    this.wants.pump(link, nowMs);
    this.#options.wakeBy(this.wants.dueMs);
    if (link.again && link.queue.length === 0 && link.asked === 0) {
      link.again = false;
      this.#options.onAgain(link, nowMs);
    }
  }

  // -------------------------------------------------------------------------------------------
  // Who has what

  /** Roots differ, and it is ours to find out where. */
  compare(link: Link, nowMs: number): void {
    const { members, send } = this.#options;
    const { type } = FRAME_KINDS.digest;
    const body =
      members.digests.count <= RANGE_MAX
        ? encodeRange(0, ID_MAX, members.entries(0, ID_MAX))
        : encodeBuckets(members.digests.bytes());
    if (send(link, type, body)) link.comparedMs = nowMs;
  }

  /** The other end's buckets: it is owed what we have where they differ. */
  buckets(link: Link, { digests }: Buckets, nowMs: number): FrameRefusal {
    const { members } = this.#options;
    const differing = members.digests.differing(digests);
    if (differing.length === 0) return null;
    if (members.digests.count <= RANGE_MAX) this.compare(link, nowMs);
    else {
      link.oweRanges(differing);
      this.#owe(link, nowMs);
    }
    return null;
  }

  /** All that the other end has between two ids. */
  range(link: Link, { first, last, entries }: Range, nowMs: number): FrameRefusal {
    this.#announced(link, entries, nowMs);
    const { members, count } = this.#options;
    // Ids are spread evenly. Whoever says wide ranges again and again is told nothing for them.
    const looked = (members.digests.count * (last - first)) / ID_MAX;
    if (!link.looks.take(nowMs, Math.ceil(looked / LOOKED_EACH))) {
      count("rangesFull", 1);
      return null;
    }
    const ours = members.entries(first, last);
    let at = 0;
    for (const { id } of ours) {
      while (at < entries.count && entries.id(at) < id) at++;
      const has = at < entries.count && entries.id(at) === id;
      if (!has) this.#tell(link, members.byId(id), nowMs);
    }
    return null;
  }

  news(link: Link, { entries }: News, nowMs: number): FrameRefusal {
    this.#announced(link, entries, nowMs);
    return null;
  }

  /** The other end has these. */
  #announced(link: Link, entries: Entries, nowMs: number): void {
    const { members } = this.#options;
    for (let i = 0; i < entries.count; i++) {
      const [id, sequence] = [entries.id(i), entries.sequence(i)];
      const slot = members.byId(id);
      const held = slot < 0 ? -1 : members.at(slot).sequence;
      if (held < sequence) this.wants.announced(link, id, sequence, slot >= 0, nowMs);
      else if (held === sequence) link.news.remove(slot);
      else if (members.isListed(slot)) this.#tell(link, slot, nowMs + GATHER_MS);
    }
    this.wants.pump(link, nowMs);
    this.#options.wakeBy(this.wants.dueMs);
  }

  // -------------------------------------------------------------------------------------------
  // Giving and getting

  want(link: Link, body: Uint8Array, nowMs: number): FrameRefusal {
    const wants = decodeWants(body);
    if (wants === null) return "frameInvalid";
    for (const want of wants) {
      if (link.owed.length < OWED_MAX) link.owed.push(want);
      else this.#options.count("owedFull", 1);
    }
    this.#owe(link, nowMs);
    return null;
  }

  /** Records came. Borrows: `body`. */
  record(link: Link, body: Uint8Array): FrameRefusal {
    const { verifier, intake, count } = this.#options;
    const all = decodeShown(body);
    if (all === null) return "frameInvalid";
    for (const shown of all) {
      const id = verifier.known(shown)?.id ?? idOfRecord(shown.record);
      if (id === null) return "frameInvalid";
      if (!this.wants.came(link, id)) count("recordUnwanted", 1);
      else if (!intake.take(shown, id, "gossip", link)) {
        count("checksFull", 1);
        link.again = true;
        this.wants.lost(id);
      }
    }
    return null;
  }

  /** Sends what is owed, as far as the pace allows. Returns when the next is due. */
  #serve(link: Link, nowMs: number): number {
    while (link.isBusy) {
      const first = link.owed.length > 0 || link.ranges.length > 0;
      const dueMs = Math.max(link.pace.dueMs(nowMs), first ? nowMs : link.newsDueMs);
      if (dueMs > nowMs) return dueMs;
      const sent = this.#sendOwed(link) ?? this.#sendRange(link) ?? this.#sendNews(link);
      if (sent === false) return nowMs + GATHER_MS;
      link.pace.take(nowMs);
    }
    return NEVER;
  }

  /** Null: nothing is owed. False: there is no room now. */
  #sendOwed(link: Link): boolean | null {
    const { members, send } = this.#options;
    if (link.owed.length === 0) return null;
    const all: Shown[] = [];
    let bytes = 0;
    let taken = 0;
    for (const { id, certificate } of link.owed) {
      const slot = members.byId(id);
      if (slot >= 0 && members.isListed(slot)) {
        const { record, certificate: whole } = members.at(slot);
        const shown = { record, certificate: certificate ? whole : NOTHING };
        if (bytes + shownBytes(shown) > FRAME_BODY_BYTES) break;
        bytes += shownBytes(shown);
        all.push(shown);
        link.news.remove(slot);
      }
      taken++;
    }
    if (all.length > 0 && !send(link, FRAME_KINDS.record.type, encodeShown(all))) return false;
    link.owed.splice(0, taken);
    return true;
  }

  /** What we have in buckets that differ: many in one frame, or one in many. */
  #sendRange(link: Link): boolean | null {
    const { members, send } = this.#options;
    const bucket = link.ranges[0];
    if (bucket === undefined) return null;
    const [start, end] = bucketSpan(bucket);
    const first = Math.max(start, link.rangeFrom);
    let last = end;
    let entries = members.entries(first, end);
    let done = 1;
    if (entries.length > RANGE_MAX) {
      entries = entries.slice(0, RANGE_MAX);
      last = entries.at(-1)!.id;
      done = 0;
    }
    while (done > 0 && done < link.ranges.length) {
      const next = bucketSpan(link.ranges[done]!)[1];
      const more = members.entries(last + 1, next);
      if (entries.length + more.length > RANGE_MAX) break;
      entries = [...entries, ...more];
      last = next;
      done++;
    }
    if (!send(link, FRAME_KINDS.digest.type, encodeRange(first, last, entries))) return false;
    link.rangeFrom = done === 0 ? last + 1 : 0;
    link.ranges.splice(0, done);
    return true;
  }

  #sendNews(link: Link): boolean | null {
    const { members, send } = this.#options;
    const slots = link.news.take(NEWS_MAX);
    const entries = slots
      .filter((slot) => members.isListed(slot))
      .map((slot): Entry => ({ id: members.at(slot).id, sequence: members.at(slot).sequence }))
      .sort((a, b) => a.id - b.id);
    if (entries.length === 0) return true;
    if (send(link, FRAME_KINDS.digest.type, encodeNews(entries))) return true;
    for (const slot of slots) link.news.add(slot);
    return false;
  }
}
