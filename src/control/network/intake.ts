/**
 * intake — records and certificates that come, from wherever: read, verified, judged, and put among
 * the members or refused by name.
 *
 *     gossip, disk, SHOWN ──take()──▶ queue ──5 ms ────▶ ╮
 *     INTRO, HERE, FOUND ──takeNow()───────────────────▶ check ──▶ judge ──▶ members ──▶ admission
 *
 * Cheapest first: sequence, certificate (once for each), its time and revocation, the record's
 * signature, its time. A record that has expired is refused from gossip; of somebody who shows
 * itself it is a hint where it was, and its certificate counts. Thread: control.
 */
import { sameBytes } from "../../members/bytes.ts";
import { type Certificate, validity } from "../../members/certificate.ts";
import type { Definition } from "../../members/definition.ts";
import { ANY_EXTENSION } from "../../members/extensions.ts";
import { memberId } from "../../members/member-id.ts";
import { decodeRecord, recordSigned } from "../../members/record.ts";
import type { Shown } from "../../wire/network-frames.ts";
import type { Admission } from "./admission.ts";
import { formatAge } from "./ages.ts";
import { type Clock, SKEW_MS } from "./clock.ts";
import type { CountName } from "./counts.ts";
import { Fifo } from "./fifo.ts";
import type { Link } from "./links.ts";
import { type Known, MEMBERS_MAX, type Members } from "./members.ts";
import { NOBODY, type Refusals } from "./refusals.ts";
import type { Revocations } from "./revocations.ts";
import { idOfRecord, recordMatches, type Statement, type Verifier } from "./statement.ts";

/** Tuning: records that may wait to be verified. */
const QUEUE_MAX = 1_024;
/** Tuning: how long verifying may take in each such time beside it, and how many at most. */
const SLICE_MS = 5;
const SLICE_MAX = 64;
const PAUSE_MS = 5;
/** Tuning: members that are barred for a twin, of whom is remembered which. */
const TWINS_MAX = 256;

/**
 * What became of a record. `certificate`: its certificate was left out and is not known here;
 * `kept`: it is no newer than the one that is held, whose member is welcome.
 */
export type Outcome = "taken" | "kept" | "certificate" | "refused";

export interface IntakeOptions {
  readonly bootMs: () => number;
  readonly members: Members;
  readonly verifier: Verifier;
  readonly definition: () => Definition;
  readonly clock: Clock;
  readonly revocations: Revocations;
  readonly refusals: Refusals;
  readonly admission: Admission;
  /** Our own node key. */
  readonly nodeKey: Uint8Array;
  /** Somebody issued a record under our key. */
  readonly onOwn: (statement: Statement) => void;
  /** A record was taken; the link: from whom, in gossip. */
  readonly onTaken: (slot: number, link: Link | null, isNew: boolean) => void;
  /** What became of one that was taken from the queue. */
  readonly onDone: (id: number, link: Link, outcome: Outcome) => void;
  /** tick() has to be called then. */
  readonly wakeBy: (dueMs: number) => void;
}

interface Item {
  readonly shown: Shown;
  readonly way: Known;
  readonly link: Link | null;
  readonly id: number;
}

/** Ways in which others tell it, and not the member itself. */
const OF_OTHERS: ReadonlySet<Known> = new Set(["gossip", "index", "directory"]);
/** Who tells it, where no member does. */
const TELLERS: ReadonlyMap<Known, string> = new Map([
  ["index", "an index node"],
  ["directory", "the directory"],
]);

/** A refusal on the way through. */
class Refuse {
  readonly name: string;
  readonly reason: CountName;
  readonly why: string;

  constructor(name: string, reason: CountName, why: string) {
    this.name = name;
    this.reason = reason;
    this.why = why;
  }
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #ownId: number;
  readonly #queue = new Fifo<Item>();
  /** When the slice began, less what it took; what is left of it. */
  #sliceMs = Number.NEGATIVE_INFINITY;
  #sliceLeft = SLICE_MAX;
  #sliceLeftMs = SLICE_MS;
  /** Who has the handshake key of a member too, by that member's id. */
  readonly #twins = new Map<number, Certificate>();
  dueMs = Number.POSITIVE_INFINITY;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#ownId = memberId(options.nodeKey);
  }

  /** Records that wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  get hasRoom(): boolean {
    return this.waiting < QUEUE_MAX;
  }

  /**
   * Verified now, while the slice lasts, or soon. False: too many wait. Borrows: `shown`.
   */
  take(shown: Shown, id: number, way: Known, link: Link | null): boolean {
    if (!this.hasRoom) return false;
    const nowMs = this.#options.bootMs();
    if (this.waiting === 0 && this.#mayGoOn(nowMs)) {
      this.#one(shown, id, way, link);
      this.#spent(nowMs);
      return true;
    }
    const { record, certificate } = shown;
    const kept = { record: record.slice(), certificate: certificate.slice() };
    this.#queue.push({ shown: kept, way, link, id });
    if (this.dueMs === Number.POSITIVE_INFINITY) {
      this.dueMs = this.#sliceMs + PAUSE_MS;
      this.#options.wakeBy(this.dueMs);
    }
    return true;
  }

  /** A slice begins, or the one that began has something left. */
  #mayGoOn(nowMs: number): boolean {
    if (nowMs - this.#sliceMs >= PAUSE_MS) {
      this.#sliceMs = nowMs;
      this.#sliceLeft = SLICE_MAX;
      this.#sliceLeftMs = SLICE_MS;
    }
    return this.#sliceLeft > 0 && this.#sliceLeftMs > 0;
  }

  #spent(sinceMs: number): void {
    const tookMs = this.#options.bootMs() - sinceMs;
    this.#sliceLeft--;
    this.#sliceLeftMs -= tookMs;
    // The pause is after the work.
    this.#sliceMs += tookMs;
  }

  #one(shown: Shown, id: number, way: Known, link: Link | null): void {
    const outcome = this.#process(shown, way, link);
    if (link !== null) this.#options.onDone(id, link, outcome);
  }

  /** A slice of what waits. */
  tick(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    for (let atMs = nowMs; this.waiting > 0 && this.#mayGoOn(atMs); ) {
      const { shown, way, link, id } = this.#queue.shift()!;
      this.#one(shown, id, way, link);
      this.#spent(atMs);
      atMs = this.#options.bootMs();
    }
    this.dueMs = this.waiting === 0 ? Number.POSITIVE_INFINITY : this.#sliceMs + PAUSE_MS;
  }

  /** Now. Returns the member's slot; -1: it is refused. Borrows: `shown`. */
  takeNow(shown: Shown, way: Known): number {
    const { members } = this.#options;
    const outcome = this.#process(shown, way, null);
    const id = outcome === "refused" || outcome === "certificate" ? null : idOfRecord(shown.record);
    return id === null ? -1 : members.byId(id);
  }

  #process(shown: Shown, way: Known, link: Link | null): Outcome {
    const checked = this.#check(shown, way);
    if (checked instanceof Refuse) return this.#refuse(checked, way, link);
    if (typeof checked === "string") return checked;
    const judged = this.#judge(checked, way, link);
    return judged instanceof Refuse ? this.#refuse(judged, way, link) : judged;
  }

  #refuse({ name, reason, why }: Refuse, way: Known, link: Link | null): "refused" {
    const { refusals, clock, members } = this.#options;
    const named = link === null ? null : (members.peek(link.slot)?.owner.name ?? null);
    const teller = TELLERS.get(way) ?? named;
    const told = teller === null ? why : `${why} (told by ${teller})`;
    refusals.add(name, reason, told, clock.certificateS());
    return "refused";
  }

  // -------------------------------------------------------------------------------------------
  // Is it what it says?

  /** Verifies what nobody has verified yet. */
  #check(shown: Shown, way: Known): Statement | Refuse | "kept" | "certificate" {
    const { verifier, members } = this.#options;
    const known = verifier.known(shown);
    if (known !== null) return known;
    const decoded = decodeRecord(shown.record);
    if (!decoded.ok) return this.#unread(shown, decoded.why);
    const view = decoded.value;
    const slot = members.byNodeKey(view.nodeKey);
    const held = slot < 0 ? null : members.at(slot);
    // Who shows itself is welcome with an old one; that it is its own is verified first.
    const isShown = view.sequence !== held?.sequence && (way === "intro" || way === "here");
    if (held !== null && view.sequence <= held.sequence && !isShown) {
      return this.#old(view, held, way);
    }
    const sameOwner = held !== null && sameBytes(held.owner.hash, view.certificateHash);
    const owner = sameOwner ? held.owner : this.#owner(shown);
    if (owner instanceof Refuse || owner === "certificate") return owner;
    const void_ = this.#void(owner, this.#options.revocations.problem(owner));
    if (void_ !== null) return void_;
    const verdict = verifier.record(view, owner);
    if (verdict.ok) return verdict.value;
    const name = recordMatches(view, owner) === null ? owner.name : NOBODY;
    return new Refuse(name, "recordInvalid", `a record: ${verdict.why}`);
  }

  /** A record that is read no further: whose it is, is told where its node did say it. */
  #unread(shown: Shown, why: string): Refuse {
    const { members, definition } = this.#options;
    const unknown = decodeRecord(shown.record, ANY_EXTENSION);
    const refuse = (name: string): Refuse => new Refuse(name, "recordInvalid", `a record: ${why}`);
    if (!unknown.ok) return refuse(NOBODY);
    const view = unknown.value;
    const slot = members.byNodeKey(view.nodeKey);
    const held = slot < 0 ? null : members.at(slot).owner;
    const isHeld = held !== null && sameBytes(held.hash, view.certificateHash);
    const owner = isHeld ? held : this.#owner(shown);
    if (owner instanceof Refuse || owner === "certificate") return refuse(NOBODY);
    const said = recordMatches(view, owner) === null && recordSigned(view, definition().networkId);
    return refuse(said ? owner.name : NOBODY);
  }

  /**
   * One that is no newer than what is held. Somebody sends it again; or its member shows itself and
   * does not know the time: it is welcome all the same.
   */
  #old(
    { sequence, bytes }: { readonly sequence: number; readonly bytes: Uint8Array },
    held: Statement,
    way: Known,
  ): Refuse | "kept" {
    // Its sequence is no secret: who shows another record of that number is not the member.
    if (sequence === held.sequence) {
      if (sameBytes(bytes, held.record)) return "kept";
      return new Refuse(NOBODY, "recordInvalid", "a record: it has the number of another");
    }
    if (way === "intro" || way === "here") return "kept";
    return new Refuse(held.owner.name, "recordOld", "a record that is older than the one here");
  }

  #owner(shown: Shown): Certificate | Refuse | "certificate" {
    if (shown.certificate.length === 0) return "certificate";
    const decoded = this.#options.verifier.certificate(shown.certificate);
    if (decoded.ok) return decoded.value;
    const name = decoded.owner?.name ?? NOBODY;
    return new Refuse(name, "certificateInvalid", `a certificate: ${decoded.why}`);
  }

  /** Its certificate does not count: not now, or not any more. */
  #void(owner: Certificate, revoked: string | null): Refuse | null {
    const { clock, definition } = this.#options;
    const { fromS, toS } = validity(owner, definition());
    const nowS = clock.certificateS();
    const refuse = (why: string): Refuse => new Refuse(owner.name, "certificateTime", why);
    if (nowS > toS) return refuse("its certificate has expired");
    if (clock.trusted && fromS > nowS + SKEW_MS / 1_000) {
      return refuse("its certificate does not count yet");
    }
    return revoked === null ? null : new Refuse(owner.name, "certificateRevoked", revoked);
  }

  // -------------------------------------------------------------------------------------------
  // May it be?

  #judge(statement: Statement, way: Known, link: Link | null): Outcome | Refuse {
    const { members, clock, revocations, onOwn } = this.#options;
    const { id, owner } = statement;
    if (id === this.#ownId) {
      onOwn(statement);
      return "kept";
    }
    const slot = members.byId(id);
    const held = slot < 0 ? null : members.at(slot);
    if (held !== null) {
      if (!sameBytes(held.owner.nodeKey, owner.nodeKey)) {
        return new Refuse(owner.name, "keyConflict", "its id is another member's");
      }
      if (statement.sequence <= held.sequence)
        return this.#old({ sequence: statement.sequence, bytes: statement.record }, held, way);
    }
    const void_ = this.#void(owner, revocations.problemOf(statement));
    if (void_ !== null) return void_;
    const aheadMs = Math.max(statement.sequence, statement.issuedS * 1_000) - clock.nowMs();
    if (clock.trusted && aheadMs > SKEW_MS) {
      const ahead = formatAge(aheadMs / 1_000);
      const why = `its record is ${ahead} ahead: its clock is wrong, or ours`;
      return new Refuse(owner.name, "recordAhead", why);
    }
    const expired = statement.expiresS <= clock.nowMs() / 1_000;
    if (expired && OF_OTHERS.has(way)) {
      return new Refuse(owner.name, "recordExpired", "its record has expired");
    }
    return this.#put(statement, way, link, !expired);
  }

  #put(statement: Statement, way: Known, link: Link | null, listed: boolean): Outcome | Refuse {
    const { members, admission, clock, onTaken } = this.#options;
    const { owner } = statement;
    const before = members.byId(statement.id);
    const twin = members.byHandshakeKey(owner.handshakeKey);
    if (twin >= 0 && twin !== before) return this.#twin(twin, owner);
    if (before < 0 && members.size >= MEMBERS_MAX) {
      return new Refuse(owner.name, "membersFull", "more members are not known here");
    }
    const isNew = before < 0;
    const newCertificate = isNew || members.at(before).owner !== owner;
    const heardS = Math.floor(clock.nowMs() / 1_000);
    // One that was barred for its handshake key, and has another now, was signed anew.
    const held = isNew ? owner : members.at(before).owner;
    const isFreed =
      !isNew && members.isBarred(before) && !sameBytes(held.handshakeKey, owner.handshakeKey);
    const slot = members.put(statement, { way, from: link?.id ?? -1, heardS });
    members.list(slot, listed);
    if (isFreed) {
      members.bar(slot, false);
      this.#twins.delete(statement.id);
    }
    if (owner.signer.by === "authority") clock.raise(owner.notBeforeS);
    admission.update(slot, newCertificate);
    onTaken(slot, link, isNew);
    return "taken";
  }

  /** Two nodes with one handshake key: neither is a peer. */
  #twin(slot: number, owner: Certificate): Refuse {
    const { members, admission, refusals, clock } = this.#options;
    const { owner: other, id } = members.at(slot);
    if (this.#twins.size < TWINS_MAX) this.#twins.set(id, owner);
    if (!members.isBarred(slot)) {
      members.bar(slot, true);
      admission.bar(slot);
      const why = `its handshake key is that of ${owner.name} too: sign one of them anew`;
      refusals.add(other.name, "keyConflict", why, clock.certificateS());
    }
    const why = `its handshake key is that of ${other.name} too: sign one of them anew`;
    return new Refuse(owner.name, "keyConflict", why);
  }

  /** List, definition or time have changed: whose twin counts no more is welcome again. */
  reconsiderTwins(): void {
    const { members, revocations, admission, verifier } = this.#options;
    for (const [id, owner] of this.#twins) {
      const slot = members.byId(id);
      const isSigned = verifier.certificate(owner.bytes).ok;
      if (slot >= 0 && isSigned && this.#void(owner, revocations.problem(owner)) === null) continue;
      this.#twins.delete(id);
      if (slot < 0) continue;
      members.bar(slot, false);
      admission.update(slot, false);
    }
  }
}
