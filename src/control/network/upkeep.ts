/**
 * upkeep — what time, a list and a definition take away: records and certificates that expire,
 * members that are revoked, certificates that a newer definition does not know.
 *
 *     a list ──▶ cut(): sessions end, staged packets and routes go, at once
 *     time ────▶ tick(): when the next thing expires, and no earlier
 *
 * Thread: control.
 */
import { certificateProblem, validity } from "../../members/certificate.ts";
import type { Definition } from "../../members/definition.ts";
import { idOfRevoked } from "../../members/member-id.ts";
import { type RevocationList, revocationsOf } from "../../members/revocation-list.ts";
import type { Admission } from "./admission.ts";
import type { Clock } from "./clock.ts";
import type { CountName } from "./counts.ts";
import type { Intake } from "./intake.ts";
import type { Members } from "./members.ts";
import type { Refusals } from "./refusals.ts";
import type { Revocations } from "./revocations.ts";

/**
 * Tuning: a member whose record has expired, and who showed itself last, so long ago is forgotten:
 * it comes again by itself.
 */
const FORGET_S = 7 * 86_400;
/** Tuning: the clock is looked at so often at least, since it may be set. */
const LOOK_MS = 600_000;
/** Tuning: certificates that are verified again at a time, for a new definition, and the pause. */
const AGAIN_MAX = 32;
const PAUSE_MS = 5;
const NEVER = Number.POSITIVE_INFINITY;

export interface UpkeepOptions {
  readonly members: Members;
  readonly clock: Clock;
  readonly definition: () => Definition;
  readonly revocations: Revocations;
  readonly refusals: Refusals;
  readonly admission: Admission;
  /** Whom a twin bars is welcome again when that one counts no more. */
  readonly intake: Pick<Intake, "reconsiderTwins">;
  /** Our own id, which does not go. */
  readonly ownId: number;
  readonly count: (what: CountName, amount: number) => void;
  readonly onGone: (slot: number) => void;
}

export class Upkeep {
  readonly #options: UpkeepOptions;
  #expiryMs: number;
  /** Slot at which verifying anew goes on; infinity: it is done. */
  #again = NEVER;
  #againMs = NEVER;

  constructor(options: UpkeepOptions, nowMs: number) {
    this.#options = options;
    this.#expiryMs = nowMs + LOOK_MS;
  }

  get dueMs(): number {
    return Math.min(this.#expiryMs, this.#againMs);
  }

  tick(nowMs: number): void {
    if (nowMs >= this.#expiryMs) this.#expire(nowMs);
    if (nowMs >= this.#againMs) this.#verifyAgain(nowMs);
  }

  /** Something new may expire: at this Unix time, in seconds. */
  expiresBy(unixS: number, nowMs: number): void {
    const { clock } = this.#options;
    const inMs = Math.max(0, unixS * 1_000 - clock.nowMs());
    this.#expiryMs = Math.min(this.#expiryMs, nowMs + inMs + 1);
  }

  /** Walks over all members, when the first of them may have expired. */
  #expire(nowMs: number): void {
    const { members, clock, admission, definition, ownId } = this.#options;
    const nowS = clock.nowMs() / 1_000;
    const certificateS = clock.certificateS();
    let nextS = nowS + LOOK_MS / 1_000;
    for (const slot of members.slots()) {
      const statement = members.at(slot);
      if (statement.id === ownId) continue;
      const { toS } = validity(statement.owner, definition());
      if (certificateS > toS) {
        this.#drop(slot, "certificateTime", "its certificate has expired");
      } else if (Math.max(statement.expiresS, members.heardS(slot)) + FORGET_S <= nowS) {
        this.#forget(slot);
      } else if (statement.expiresS <= nowS && members.isListed(slot)) {
        members.list(slot, false);
        admission.update(slot, false);
      } else if (members.isListed(slot)) {
        nextS = Math.min(nextS, statement.expiresS, toS + 1);
      }
    }
    this.#options.intake.reconsiderTwins();
    this.#expiryMs = nowMs + Math.max(1_000, (nextS - nowS) * 1_000 + 1);
  }

  /** A newer list: whom it names is gone when this returns. Returns how many had sessions. */
  cut(list: RevocationList): number {
    const { members, revocations, ownId, count } = this.#options;
    const looked = new Set<number>();
    for (const { id } of revocationsOf(list)) looked.add(members.byId(idOfRevoked(id)));
    for (const slot of members.slots()) {
      if (members.at(slot).owner.signer.by === "issuer") looked.add(slot);
    }
    let cut = 0;
    for (const slot of looked) {
      if (slot < 0 || members.at(slot).id === ownId) continue;
      const why = revocations.problemOf(members.at(slot));
      if (why === null) continue;
      if (members.handle(slot) !== null) cut++;
      this.#drop(slot, "certificateRevoked", why);
    }
    if (cut > 0) count("membersCut", cut);
    this.#options.intake.reconsiderTwins();
    return cut;
  }

  /** A newer definition: all certificates are looked at anew, some at a time. */
  redefine(nowMs: number): void {
    this.#again = 0;
    this.#againMs = nowMs;
  }

  #verifyAgain(nowMs: number): void {
    const { members, admission, definition, ownId } = this.#options;
    const end = Math.min(members.end, this.#again + AGAIN_MAX);
    for (let slot = this.#again; slot < end; slot++) {
      const statement = members.peek(slot);
      if (statement === null || statement.id === ownId) continue;
      const why = certificateProblem(statement.owner, definition());
      if (why !== null) this.#drop(slot, "certificateInvalid", why);
      else admission.update(slot, false);
    }
    this.#again = end < members.end ? end : NEVER;
    this.#againMs = end < members.end ? nowMs + PAUSE_MS : NEVER;
    if (this.#again === NEVER) this.#options.intake.reconsiderTwins();
  }

  #drop(slot: number, reason: CountName, why: string): void {
    const { members, refusals, clock } = this.#options;
    refusals.add(members.at(slot).owner.name, reason, why, clock.certificateS());
    this.#forget(slot);
  }

  #forget(slot: number): void {
    const { members, admission, onGone } = this.#options;
    admission.remove(slot);
    onGone(slot);
    members.drop(slot);
  }
}
