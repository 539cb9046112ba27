/**
 * renewal — our own certificate lives on: when a third of its life is left, an issuer is asked for
 * the same for longer, in a session, and sessions go on.
 *
 *     a third is left ──▶ every issuer that is known, one after the other ──▶ RENEW
 *     RENEWED ──▶ the same but for its times, signed ──▶ disk ──▶ it counts
 *     nobody did it ──▶ again in a day, or an hour when it is late; warnings at 30, 10 and 3 days
 *
 * Issuers are: this host itself, who signed our own certificate or that of anybody who is known,
 * and members whose certificate has the flag enrol. Source: network.md 4. Thread: control.
 */
import {
  CERTIFICATE_FLAG,
  type Certificate,
  decodeCertificate,
  validity,
} from "../../members/certificate.ts";
import { formatDay } from "../../members/grant.ts";
import { ISSUER_FLAG } from "../../members/issuer.ts";
import { FRAME_KINDS } from "../../wire/frames.ts";
import { decodeRenewed } from "../../wire/network-frames.ts";
import { SKEW_MS } from "./clock.ts";
import type { CountName } from "./counts.ts";
import type { Link } from "./links.ts";
import type { Office } from "./office.ts";
import { renewalProblem } from "./own-certificate.ts";
import type { Parts } from "./parts.ts";
import type { NetworkWorld } from "./world.ts";

const DAY_S = 86_400;
/** Protocol of habit: what is left when it begins, as a part of the whole life. */
const LEFT_PART = 3;
/** Tuning: after the start, members are to be reached first. */
const START_MS = 10_000;
/** Tuning: an issuer that is asked answers within this, or the next one is asked. */
const ANSWER_MS = 5_000;
/** Tuning: issuers that are asked in one round. */
const ISSUERS_MAX = 8;
/** Tuning: the next round, and when it is late. */
const AGAIN_MS = 86_400_000;
const AGAIN_LATE_MS = 3_600_000;
const LATE_S = 3 * DAY_S;
/** Tuning: the time is looked at so often, since clocks are set. */
const LOOK_MS = 21_600_000;
/** Warned when so many days are left and nobody has renewed it. */
const WARNED_DAYS = [30, 10, 3] as const;

export interface RenewalOptions {
  readonly world: Pick<NetworkWorld, "bootMs" | "random" | "say" | "sendFrame" | "count">;
  readonly parts: Parts;
  /** Null: this host is no issuer. */
  readonly office: () => Office | null;
  /** Calls a member that is in no session. False: it is nowhere known to be. */
  readonly call: (slot: number) => boolean;
  /** This one counts from now on. */
  readonly renew: (certificate: Certificate) => void;
  readonly wakeBy: (dueMs: number) => void;
}

export class Renewal {
  readonly #options: RenewalOptions;
  /** Slots of issuers that are to be asked in this round; null: there is none under way. */
  #round: number[] | null = null;
  /** Who is asked now. */
  #asked: Link | null = null;
  /** Days of the last warning. */
  #warned = Number.POSITIVE_INFINITY;
  #why = "";
  dueMs: number;

  constructor(options: RenewalOptions) {
    const { world } = options;
    this.#options = options;
    this.dueMs = world.bootMs() + START_MS;
  }

  /** How long the certificate counts yet, and all of its life. Seconds. */
  #times(): { readonly leftS: number; readonly lifeS: number } {
    const { certificate, authority, clock } = this.#options.parts;
    const { fromS, toS } = validity(certificate, authority.definition);
    return { leftS: toS - clock.certificateS(), lifeS: toS - fromS };
  }

  #by(dueMs: number): void {
    this.dueMs = dueMs;
    this.#options.wakeBy(dueMs);
  }

  tick(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    const { random } = this.#options.world;
    const { leftS, lifeS } = this.#times();
    const untilS = leftS - lifeS / LEFT_PART;
    if (!this.#options.parts.clock.trusted || leftS < 0 || untilS > 0) {
      this.#round = null;
      const isSoon = leftS >= 0 && untilS > 0 && untilS * 1_000 < LOOK_MS;
      // Who was certified on one day does not ask in one minute.
      const spreadMs = isSoon ? random() * Math.min(AGAIN_MS, (lifeS * 1_000) / 30) : 0;
      this.#by(nowMs + (isSoon ? untilS * 1_000 + spreadMs : LOOK_MS));
      return;
    }
    if (this.#round === null) this.#begin();
    this.#next(nowMs, leftS);
  }

  /** It is another time: what was to be done at some time may be due. */
  look(nowMs: number): void {
    if (this.#round === null) this.#by(Math.min(this.dueMs, nowMs + START_MS));
  }

  #begin(): void {
    const { parts, world } = this.#options;
    const { members, ownId, links } = parts;
    const issuers = this.#issuers();
    const found: { slot: number; order: number }[] = [];
    for (const slot of members.slots()) {
      const { owner, id } = members.at(slot);
      if (id === ownId) continue;
      const isIssuer =
        (owner.flags & CERTIFICATE_FLAG.enrol) !== 0 ||
        issuers.has(Buffer.from(owner.nodeKey).toString("latin1"));
      const talks = [...links.values()].some((link) => link.slot === slot);
      if (isIssuer) found.push({ slot, order: (talks ? 0 : 1) + world.random() / 2 });
    }
    found.sort((a, b) => a.order - b.order);
    this.#round = found.slice(0, ISSUERS_MAX).map(({ slot }) => slot);
    this.#why = found.length === 0 ? "no issuer is known" : "no issuer was reached";
  }

  /** Node keys of those who sign certificates that are known, and may renew. */
  #issuers(): Set<string> {
    const { members, certificate } = this.#options.parts;
    const keys = new Set<string>();
    const see = ({ signer }: Certificate): void => {
      if (signer.by !== "issuer" || (signer.issuer.flags & ISSUER_FLAG.renew) === 0) return;
      keys.add(Buffer.from(signer.issuer.nodeKey).toString("latin1"));
    };
    see(certificate);
    for (const slot of members.slots()) see(members.at(slot).owner);
    return keys;
  }

  /** Asks the next issuer; when there is none left, waits. */
  #next(nowMs: number, leftS: number): void {
    const { parts, call, world } = this.#options;
    this.#asked = null;
    if (this.#bySelf()) return;
    const slot = this.#round!.shift();
    if (slot === undefined) {
      this.#round = null;
      this.#warn(leftS);
      const waitMs = leftS < LATE_S ? AGAIN_LATE_MS : AGAIN_MS;
      this.#by(nowMs + waitMs * (0.9 + 0.2 * world.random()));
      return;
    }
    const link = parts.members.peek(slot) === null ? undefined : parts.linkOf(slot);
    if (link !== undefined) this.#ask(link);
    else if (parts.members.peek(slot) !== null && call(slot)) this.#called = slot;
    this.#by(nowMs + ANSWER_MS);
  }

  /** Slot of an issuer that is called, to be asked when the session is there. */
  #called = -1;

  #ask(link: Link): void {
    const { parts, world } = this.#options;
    this.#called = -1;
    const { hash } = parts.certificate;
    if (world.sendFrame(link.handle, FRAME_KINDS.renew.type, hash)) this.#asked = link;
  }

  /** A session with a member began. */
  up(link: Link): void {
    if (this.#round !== null && this.#called === link.slot) this.#ask(link);
  }

  /** This host is an issuer itself. */
  #bySelf(): boolean {
    const { parts, office } = this.#options;
    const given = office()?.renew(parts.certificate, parts.certificate.hash) ?? null;
    if (given === null) return false;
    if ("why" in given) {
      this.#why = given.why;
      return false;
    }
    return this.#take(given.certificate) === null;
  }

  /** What an issuer says. Null: taken. */
  renewed(link: Link, body: Uint8Array, nowMs: number): CountName | null {
    const said = decodeRenewed(body);
    if (said === null) return "frameInvalid";
    if (this.#asked !== link) return "renewalInvalid";
    this.#asked = null;
    if ("why" in said) this.#why = said.why;
    const why = "why" in said ? null : this.#take(said.certificate);
    if (this.#round !== null) this.#by(nowMs);
    return why;
  }

  #take(bytes: Uint8Array): CountName | null {
    const { parts, world, renew } = this.#options;
    const { authority, certificate: held, disk } = parts;
    const decoded = decodeCertificate(bytes);
    const why = decoded.ok
      ? (renewalProblem(held, decoded.value, authority.definition) ??
        authority.revocations.problem(decoded.value) ??
        this.#early(decoded.value))
      : decoded.why;
    if (!decoded.ok || why !== null) {
      this.#why = `a certificate came, and ${why}`;
      return "renewalInvalid";
    }
    const next = decoded.value;
    this.#round = null;
    this.#warned = Number.POSITIVE_INFINITY;
    disk.keep("certificate", next.bytes);
    world.count("renewals", 1);
    const until = formatDay(validity(next, authority.definition).toS);
    world.say("info", "this host's certificate was renewed", { until });
    renew(next);
    this.#by(world.bootMs() + START_MS);
    return null;
  }

  /** What begins later is of no use until then: the issuer's clock is wrong, or it lies. */
  #early({ notBeforeS }: Certificate): string | null {
    const nowS = this.#options.parts.clock.certificateS();
    return notBeforeS > nowS + SKEW_MS / 1_000 ? "it does not count yet" : null;
  }

  #warn(leftS: number): void {
    const { world, parts } = this.#options;
    const passed = WARNED_DAYS.filter((days) => leftS <= days * DAY_S && days < this.#warned);
    const days = passed.at(-1);
    if (days === undefined) return;
    this.#warned = days;
    const { toS } = validity(parts.certificate, parts.authority.definition);
    const text = "this host's certificate ends soon, and was not renewed: have it signed anew";
    world.say("warn", text, { until: formatDay(toS), why: this.#why });
  }
}
