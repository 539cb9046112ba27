/**
 * hosting — members as guests of a callee: who may be one, what each shows of itself, who must go.
 *
 *     OPEN with a REPORT ─▶ certificate, record, handshake key that the channel proved ─▶ guest
 *     SHOW, REPORT       ─▶ a newer record of the guest itself ─▶ records
 *     look(), counts()   ─▶ whose certificate ended, or is revoked: dismissed
 *
 * The same at an index node (service.ts) and at a member that stores (control/network/storage.ts).
 * Nobody is believed, and what is refused is counted by name. Pure. Thread: the owner's.
 */
import { sameBytes } from "../members/bytes.ts";
import type { Certificate } from "../members/certificate.ts";
import { memberId } from "../members/member-id.ts";
import { type RevocationList, revocationProblem } from "../members/revocation-list.ts";
import {
  decodeReport,
  decodeShow,
  encodeObserved,
  MESSAGE,
  type Report,
  type Standings,
} from "../wire/index-messages.ts";
import type { Pair } from "../wire/intro.ts";
import { sockaddrHost, sockaddrPort } from "../wire/sockaddr.ts";
import type { Caller } from "./callers.ts";
import type { DirectoryCount } from "./counts.ts";
import { type Guest, Guests } from "./guests.ts";
import type { Records } from "./records.ts";
import type { ServiceCount } from "./service-counts.ts";

/** Tuning: a caller reports again within this; a callee forgets it after four times as long. */
const AGAIN_S = 60;

export interface HostingOptions {
  /** Of guests their records are kept; by its checker they are judged. */
  readonly records: Records;
  readonly list: () => RevocationList | null;
  /** What we hold of the authority's word. */
  readonly standings: () => Standings;
  /** A member came, or has another certificate, or is gone. */
  readonly onGuest: (guest: Guest, here: boolean) => void;
  /** It is gone, or another channel of the same member takes its place. */
  readonly onLeave: (guest: Guest) => void;
  /** Its certificate does not count any more: its channel is to end, which calls `gone`. */
  readonly dismiss: (guest: Guest) => void;
  readonly count: (what: ServiceCount | DirectoryCount, amount?: number) => void;
}

export class Hosting {
  readonly #options: HostingOptions;
  readonly guests = new Guests();
  #looked: Iterator<Guest> | null = null;

  constructor(options: HostingOptions) {
    this.#options = options;
  }

  /** What an OPEN says: a guest, and its REPORT; null: refused, and counted. */
  open(
    caller: Caller,
    payload: Uint8Array,
  ): { readonly guest: Guest; readonly report: Report } | null {
    const { records, onGuest, onLeave, count } = this.#options;
    const report = payload[0] === MESSAGE.report ? decodeReport(payload) : null;
    if (report === null || report.pair === null) {
      count("openInvalid");
      return null;
    }
    const certificate = this.#believed(caller, report.pair);
    if (certificate === null) return null;
    const before = this.guests.byId(memberId(certificate.nodeKey));
    if (before !== undefined) onLeave(before);
    const { generation } = records.checker;
    const guest = this.guests.add(caller, certificate, generation, report.standings);
    onGuest(guest, true);
    return { guest, report };
  }

  /** A channel ended. */
  gone(caller: Caller): void {
    const guest = this.guests.remove(caller);
    if (guest === undefined) return;
    this.#options.onLeave(guest);
    this.#options.onGuest(guest, false);
  }

  /** The certificate of a pair that is the caller's own, stored if it is newer; null: counted. */
  #believed(caller: Caller, pair: Pair): Certificate | null {
    const { records, count } = this.#options;
    const record = records.verify(pair);
    if (!record.ok) count(record.reason);
    const certificate = records.checker.ownerOf(pair, record);
    if (certificate === null) return null;
    if (!sameBytes(certificate.handshakeKey, caller.key)) {
      count("pairOfAnother");
      return null;
    }
    if (record.ok) records.keep(record.value);
    return certificate;
  }

  /** OBSERVED: where a caller is seen. */
  observed({ sockaddr }: Caller): Uint8Array {
    const { records, standings } = this.#options;
    return encodeObserved({
      address: sockaddrHost(sockaddr),
      port: sockaddrPort(sockaddr),
      againS: AGAIN_S,
      members: records.size,
      standings: standings(),
      clockMs: records.checker.toldMs,
    });
  }

  /** SHOW. False: it is none. */
  show(guest: Guest, plain: Uint8Array, nowMs: number): boolean {
    const pair = decodeShow(plain);
    if (pair !== null) this.renew(guest, pair, nowMs);
    return pair !== null;
  }

  /** A newer pair of a guest's own. False: refused, and counted. */
  renew(guest: Guest, pair: Pair, nowMs: number): boolean {
    if (!guest.share.pairs.take(nowMs)) {
      this.#options.count("pairRate");
      return false;
    }
    const certificate = this.#believed(guest.caller, pair);
    if (certificate === null) return false;
    if (!sameBytes(certificate.nodeKey, guest.certificate.nodeKey)) {
      this.#options.count("pairOfAnother");
      return false;
    }
    if (certificate.notBeforeS < guest.certificate.notBeforeS) return true;
    const isOther = certificate.flags !== guest.certificate.flags;
    guest.certificate = certificate;
    if (isOther) this.#options.onGuest(guest, true);
    return true;
  }

  // -------------------------------------------------------------------------------------------
  // Who has to go

  /** Does its certificate count still? If not, it is dismissed. */
  counts(guest: Guest): boolean {
    const { checker } = this.#options.records;
    if (checker.stillCounts(guest.certificate.bytes, guest.generation) === null) {
      this.#cut(guest);
      return false;
    }
    guest.generation = checker.generation;
    return true;
  }

  /** A newer list holds: all guests are looked at. */
  cutRevoked(): void {
    const list = this.#options.list();
    this.#looked = null;
    if (list === null) return;
    for (const guest of [...this.guests.all()]) {
      if (revocationProblem(list, guest.certificate) !== null) this.#cut(guest);
    }
  }

  #cut(guest: Guest): void {
    this.#options.count("callersCut");
    this.#options.dismiss(guest);
  }

  /** Some more guests and records: whose certificate has ended goes. */
  look(most: number): void {
    for (let i = 0; i < most; i++) {
      this.#looked ??= this.guests.all()[Symbol.iterator]();
      const { value, done } = this.#looked.next();
      if (done) this.#looked = null;
      if (done) break;
      this.counts(value);
    }
    this.#options.records.sweep(most);
  }
}
