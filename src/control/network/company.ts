/**
 * company — sessions with neighbours: begun, kept up, found dead and replaced.
 *
 *     choose ──call, 4 times──▶ session ──▶ roots: at its beginning, and each minute
 *                 │                            │ no answer: called anew; three times: silent
 *                 ╰──── silent: another ◀──────╯
 *
 * A root says what a member holds, and that the other is its neighbour; the answer is the other's.
 * So one exchange a minute keeps the session up, shows that the other lives, and finds what gossip
 * has lost. While two roots differ, the end with the lower id asks more often. Thread: control.
 */
import type { Root } from "../../wire/digests.ts";
import type { CountName } from "./counts.ts";
import type { Gossip } from "./gossip.ts";
import type { Link } from "./links.ts";
import type { Members } from "./members.ts";
import { Neighbours, type NeighboursOptions } from "./neighbours.ts";

/** Protocol: how often neighbours exchange roots; below what ends an idle session (180 s). */
const ROOT_MS = 60_000;
/** Who does not say again that it keeps us does so no more. */
const KEPT_MS = 80_000;
/** Tuning: a root is answered within this. */
const ANSWER_MS = 2_000;
/** Tuning: questions without an answer until a neighbour is silent. */
const UNANSWERED_MAX = 3;
/** Tuning: an exchange is repeated soon while roots differ: doubled each time, so often at most. */
const DIFFER_MS = 1_000;
const DIFFER_TIMES = 6;
/** Tuning: what is held is compared with one member so often at most. */
const COMPARE_MS = 500;
/** Tuning: a session is new for so long. */
const NEW_MS = 10_000;
/** Tuning: when a member is called again that does not answer; then it is silent. */
const CALLS_MS = [0, 1_000, 2_000, 4_000];
/** Tuning: members that may keep us, beside those that we keep. */
const INBOUND_MAX = 16;
/** Tuning: members that are called besides, while there is no session with anybody. */
const KNOCKS = 12;
/** Tuning: choosing is gathered for so long. */
const CHOOSE_MS = 200;
const NEVER = Number.POSITIVE_INFINITY;

export interface CompanyOptions extends NeighboursOptions {
  readonly members: Members;
  readonly gossip: Gossip;
  /** Session of a member, by its slot. */
  readonly linkOf: (slot: number) => Link | undefined;
  /** There is a session with somebody. */
  readonly hasLinks: () => boolean;
  /** Sends message 1 to a member. False: it is nowhere known to be. */
  readonly call: (slot: number) => boolean;
  readonly sayRoot: (link: Link, flags: Pick<Root, "keep" | "answer" | "decline">) => boolean;
  readonly random: () => number;
  readonly count: (what: CountName, amount: number) => void;
  readonly wakeBy: (dueMs: number) => void;
}

interface Call {
  readonly slot: number;
  tries: number;
  dueMs: number;
}

export class Company {
  readonly #options: CompanyOptions;
  readonly neighbours: Neighbours;
  /** Neighbours: chosen by us or by them. */
  readonly #company = new Set<Link>();
  /** Links whose root is due at some time, or to be answered. */
  readonly #timed = new Set<Link>();
  /** Chosen members without a session, by id. */
  readonly #calls = new Map<number, Call>();
  #chosen: ReadonlySet<number> = new Set();
  #chooseMs = 0;

  constructor(options: CompanyOptions) {
    this.#options = options;
    this.neighbours = new Neighbours(options);
  }

  /** Those that are owed news. */
  get links(): ReadonlySet<Link> {
    return this.#company;
  }

  /** Links that are looked at when they are due. */
  get timed(): number {
    return this.#timed.size;
  }

  get dueMs(): number {
    const chooseMs = this.neighbours.isStale ? this.#chooseMs : this.neighbours.retryMs;
    let dueMs = Math.max(chooseMs, this.#chooseMs);
    for (const call of this.#calls.values()) dueMs = Math.min(dueMs, call.dueMs);
    for (const link of this.#timed) dueMs = Math.min(dueMs, this.#rootDueMs(link));
    return dueMs;
  }

  #rootDueMs(link: Link): number {
    return link.asking ? link.rootSentMs + ANSWER_MS : link.rootDueMs;
  }

  tick(nowMs: number): void {
    for (const link of this.#timed) this.#tickLink(link, nowMs);
    for (const [id, call] of this.#calls) if (nowMs >= call.dueMs) this.#call(id, call, nowMs);
    if (nowMs >= this.neighbours.retryMs) this.neighbours.stale();
    if (this.neighbours.isStale && nowMs >= this.#chooseMs) this.#choose(nowMs);
  }

  // -------------------------------------------------------------------------------------------
  // Whom to keep

  /** A member is new, or may be called now. */
  learned(slot: number): void {
    this.neighbours.learned(slot);
    if (this.neighbours.isStale) this.#options.wakeBy(this.#chooseMs);
  }

  #choose(nowMs: number): void {
    const { linkOf, hasLinks, members } = this.#options;
    const isolated = !hasLinks();
    this.#chooseMs = nowMs + CHOOSE_MS;
    this.#chosen = this.neighbours.choose(
      nowMs,
      (slot) => {
        const link = linkOf(slot);
        return link !== undefined && !link.chosen && link.keptUntilMs > nowMs;
      },
      (slot) => linkOf(slot) !== undefined,
      isolated ? KNOCKS : 0,
    );
    for (const link of this.#company) {
      if (link.chosen && !this.#chosen.has(link.slot)) this.#release(link, nowMs);
    }
    for (const [id, { slot }] of this.#calls) if (!this.#chosen.has(slot)) this.#calls.delete(id);
    for (const slot of this.#chosen) {
      const link = linkOf(slot);
      const { id } = members.at(slot);
      if (link !== undefined) this.#keep(link, nowMs);
      else if (!this.#calls.has(id)) this.#calls.set(id, { slot, tries: 0, dueMs: nowMs });
    }
  }

  #keep(link: Link, nowMs: number): void {
    if (link.chosen) return;
    link.chosen = true;
    this.#company.add(link);
    // Of one that was silent a session says nothing: it is asked.
    const wasSilent = this.neighbours.silences(link.id) > 0;
    this.#say(link, wasSilent, nowMs);
    link.rootDueMs = Math.min(link.rootDueMs, nowMs + this.#minute());
    this.#timed.add(link);
  }

  #release(link: Link, nowMs: number): void {
    link.chosen = false;
    this.#settle(link, nowMs);
  }

  #minute(): number {
    return ROOT_MS * (0.9 + 0.2 * this.#options.random());
  }

  /** A chosen member without a session: message 1, until it is there. */
  #call(id: number, call: Call, nowMs: number): void {
    // Who was silent before is tried once.
    const most = this.neighbours.silences(id) > 0 ? 1 : CALLS_MS.length;
    if (call.tries < most && this.#options.call(call.slot)) {
      call.tries++;
      call.dueMs = nowMs + (CALLS_MS[call.tries] ?? ANSWER_MS);
      return;
    }
    this.#calls.delete(id);
    this.neighbours.fellSilent(id, nowMs);
  }

  // -------------------------------------------------------------------------------------------
  // Sessions

  /** A session with a member began, or began anew at its other end. */
  up(link: Link, nowMs: number): void {
    this.neighbours.spoke(link.id);
    this.#calls.delete(link.id);
    link.sinceMs = nowMs;
    link.theirs = null;
    link.asking = false;
    link.unanswered = 0;
    link.chosen = this.#chosen.has(link.slot);
    if (link.chosen) this.#company.add(link);
    link.rootDueMs = nowMs + (link.chosen ? this.#minute() : DIFFER_MS);
    this.#timed.add(link);
    this.#say(link, false, nowMs);
  }

  /** It is gone. */
  down(link: Link): void {
    this.#timed.delete(link);
    if (this.#company.delete(link) || !this.#options.hasLinks()) this.#short();
  }

  /** A neighbour is gone: there may be too few. */
  #short(): void {
    this.neighbours.stale();
    this.#options.wakeBy(this.#chooseMs);
  }

  /** The other end says that it stops. */
  goodbye(link: Link, nowMs: number): void {
    link.keptUntilMs = 0;
    this.#fellSilent(link, nowMs);
  }

  /** Says our root, unasked. */
  say(link: Link, nowMs: number): void {
    this.#say(link, false, nowMs);
  }

  #say(link: Link, answer: boolean, nowMs: number): void {
    const decline = !link.chosen && link.keptUntilMs > nowMs && this.#isFull(nowMs);
    if (decline) link.keptUntilMs = 0;
    // One that cannot be said now is one that is lost on its way.
    this.#options.sayRoot(link, { keep: link.chosen, answer, decline });
    link.rootSentMs = nowMs;
    link.asking = answer;
  }

  /** As many keep us as may. */
  #isFull(nowMs: number): boolean {
    const { wanted } = this.#options;
    let inbound = 0;
    let chosen = 0;
    for (const link of this.#company) {
      if (link.chosen) chosen++;
      else if (link.keptUntilMs > nowMs) inbound++;
    }
    // Who pays for each byte has no more neighbours than it asked for.
    return inbound > INBOUND_MAX || (wanted < 4 && chosen >= wanted);
  }

  #tickLink(link: Link, nowMs: number): void {
    if (nowMs < this.#rootDueMs(link)) return;
    if (link.asking) {
      link.unanswered++;
      if (link.unanswered >= UNANSWERED_MAX) {
        if (link.chosen) this.#options.count("neighboursLost", 1);
        this.#fellSilent(link, nowMs);
      } else {
        // Its end of the session may be gone.
        this.#options.call(link.slot);
        this.#say(link, true, nowMs);
      }
    } else if (link.chosen || link.theirs === null || link.differs > 0) {
      link.rootDueMs = nowMs + this.#minute();
      this.#say(link, true, nowMs);
    } else this.#settle(link, nowMs);
  }

  #fellSilent(link: Link, nowMs: number): void {
    link.asking = false;
    link.unanswered = 0;
    link.rootDueMs = NEVER;
    link.keptUntilMs = 0;
    this.neighbours.fellSilent(link.id, nowMs);
    this.#release(link, nowMs);
  }

  /** Who is no neighbour is owed no news, and no roots. */
  #settle(link: Link, nowMs: number): void {
    if (link.isNeighbour(nowMs)) this.#company.add(link);
    else if (this.#company.delete(link)) this.#short();
    if (link.chosen || link.asking) return;
    link.rootDueMs = link.keptUntilMs > nowMs ? link.keptUntilMs : NEVER;
    this.#time(link);
  }

  /** Only those are looked at of whom something is due: a hub has sessions with thousands. */
  #time(link: Link): void {
    if (link.asking || link.rootDueMs !== NEVER) this.#timed.add(link);
    else this.#timed.delete(link);
  }

  // -------------------------------------------------------------------------------------------
  // Roots

  /** The other end said its root: what differs is found out by the end with the lower id. */
  root(link: Link, root: Root, same: boolean, nowMs: number): void {
    this.neighbours.spoke(link.id);
    link.theirs = root;
    link.asking = false;
    link.unanswered = 0;
    link.keptUntilMs = root.keep ? nowMs + KEPT_MS : 0;
    if (root.decline && link.chosen) {
      this.neighbours.declined(link.id, nowMs);
      link.chosen = false;
    }
    link.differs = same ? 0 : link.differs + 1;
    if (root.answer) this.#say(link, false, nowMs);
    this.#settle(link, nowMs);
    if (link.chosen) link.rootDueMs = nowMs + this.#minute();
    const soonMs = DIFFER_MS * 2 ** Math.min(link.differs - 1, DIFFER_TIMES);
    if (!same) link.rootDueMs = Math.min(link.rootDueMs, nowMs + soonMs);
    this.#time(link);
    if (!same) this.#compare(link, nowMs);
  }

  /** The end with the lower id finds out what differs. */
  #compare(link: Link, nowMs: number): void {
    if (this.#options.ownId > link.id || nowMs - link.comparedMs < COMPARE_MS) return;
    // What is just on its way differs for a moment, and is no reason, but for a new session.
    const idle = !link.isBusy && link.queue.length === 0 && link.asked === 0;
    const isNew = nowMs - link.sinceMs < NEW_MS;
    if (isNew || (link.differs > 1 && idle)) this.#options.gossip.compare(link, nowMs);
  }

  /** It holds more than we could ask for. */
  again(link: Link, nowMs: number): void {
    link.rootDueMs = Math.min(link.rootDueMs, nowMs);
    this.#time(link);
    link.differs = Math.max(link.differs, 1);
    this.#options.wakeBy(link.rootDueMs);
  }
}
