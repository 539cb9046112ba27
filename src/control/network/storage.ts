/**
 * storage — what a member does for other members whose certificate lets it store (flag relay): it
 * gives them channels at its data port, and serves the directory in these.
 *
 *     KNOCK tagged by the newest secret ─▶ CARD ─▶ OPEN with a REPORT ─▶ guest, OBSERVED
 *     14 ─▶ dht-rpc (directory.ts) ─▶ records       REPORT, SHOW ─▶ its newer record
 *
 * What else an index node serves is not served: members have it of each other. Lists, definitions
 * and members come by gossip, in sessions; who has a target is asked of the directory itself, so
 * that nobody has us ask others; and joiners go to whoever invited them. Guests are members, and
 * are believed nothing. Thread: control.
 */
import type { Caller } from "../../directory/callers.ts";
import { knockProved } from "../../directory/card.ts";
import { GuestNames } from "../../directory/guest-names.ts";
import type { Guest } from "../../directory/guests.ts";
import { Hosting } from "../../directory/hosting.ts";
import type { Name } from "../../directory/names.ts";
import type { Records } from "../../directory/records.ts";
import { DIRECTORY_TYPE, KNOCK } from "../../wire/channel.ts";
import { decodeReport, MESSAGE } from "../../wire/index-messages.ts";
import { Bucket, type Rate } from "../strangers/limiter.ts";
import { knockProof } from "./own-report.ts";
import type { Parts } from "./parts.ts";
import type { NetworkWorld } from "./world.ts";

/**
 * Tuning: bytes of the directory that all guests together may have looked into, in pieces: a GET is
 * one, a PUT two to four. Measured: 0.006 and 0.3 ms, so a twelfth of control's time at most.
 */
const ASKED: Rate = { perSecond: 500, burst: 1_000 };
const PIECE_BYTES = 256;
/** Tuning: guests and records that are looked at again, each time. */
const LOOKED_AT_MAX = 256;
/** Tuning: a guest that was not heard of for so long may be gone: it is called instead. */
const LATELY_MS = 60_000;

export interface StorageOptions {
  readonly parts: Parts;
  readonly world: Pick<NetworkWorld, "count">;
  readonly records: Records;
  /** Bytes of the directory, of a guest. Borrows. */
  readonly onMessage: (name: Name, bytes: Uint8Array) => void;
  /** Callers.say, Callers.dismiss. */
  readonly say: (caller: Caller, message: Uint8Array, type?: number) => boolean;
  readonly dismiss: (caller: Caller) => void;
}

export class Storage {
  readonly #options: StorageOptions;
  readonly #hosting: Hosting;
  readonly #names = new GuestNames();
  readonly #asked = new Bucket(ASKED);

  constructor(options: StorageOptions) {
    const { parts, world, records, dismiss } = options;
    this.#options = options;
    this.#hosting = new Hosting({
      records,
      list: () => parts.authority.revocations.list,
      standings: () => parts.authority.standings,
      onGuest: (guest, here) => this.#names.guest(guest, here),
      onLeave: () => {},
      dismiss: ({ caller }) => dismiss(caller),
      count: (what, amount = 1) => world.count(what, amount),
    });
  }

  /** Members that have a channel. */
  get guests(): number {
    return this.#hosting.guests.size;
  }

  /** Does its tag prove a member? Whoever is revoked knows former secrets, and not the newest. */
  mayKnock(knock: Uint8Array): boolean {
    const { low, key } = knockProof(this.#options.parts);
    return key !== null && knock[KNOCK.low.at] === low && knockProved(knock, key);
  }

  /** Callers' `open`. */
  open(caller: Caller, payload: Uint8Array): Uint8Array | null {
    return this.#hosting.open(caller, payload) && this.#hosting.observed(caller);
  }

  /** Callers' `message`. False: it means nothing. */
  message(caller: Caller, type: number, plain: Uint8Array, nowMs: number): boolean {
    const { records } = this.#options;
    const guest = this.#hosting.guests.of(caller);
    if (guest === undefined) return false;
    // A newer list counts from its next word on.
    const isOld = guest.generation !== records.checker.generation;
    if (isOld && !this.#hosting.counts(guest)) return true;
    if (type === DIRECTORY_TYPE) return this.#directory(guest, plain, nowMs);
    if (plain[0] === MESSAGE.show) return this.#hosting.show(guest, plain, nowMs);
    return plain[0] === MESSAGE.report && this.#report(guest, plain, nowMs);
  }

  #directory(guest: Guest, bytes: Uint8Array, nowMs: number): boolean {
    const { world, onMessage } = this.#options;
    const name = this.#names.nameOf(guest);
    if (name === null) world.count("directoryRefused", 1);
    else if (!this.#asked.take(nowMs, Math.ceil(bytes.length / PIECE_BYTES))) {
      world.count("directoryBusy", 1);
    } else onMessage(name, bytes);
    return true;
  }

  #report(guest: Guest, plain: Uint8Array, nowMs: number): boolean {
    const { world, say } = this.#options;
    const report = decodeReport(plain);
    if (report === null) return false;
    if (report.pair !== null && !this.#hosting.renew(guest, report.pair, nowMs)) return true;
    if (guest.share.outbox.take(nowMs)) say(guest.caller, this.#hosting.observed(guest.caller));
    else world.count("answerRate", 1);
    return true;
  }

  /** Callers' `onGone`. */
  gone(caller: Caller): void {
    this.#hosting.gone(caller);
  }

  /** Bytes of the directory to a guest. False: none of this name was heard of lately. Borrows. */
  say(name: Name, bytes: Uint8Array, nowMs: number): boolean {
    const guest = this.#names.byName(name);
    if (guest === undefined || nowMs - guest.caller.heardMs >= LATELY_MS) return false;
    if (guest.share.outbox.take(nowMs)) this.#options.say(guest.caller, bytes, DIRECTORY_TYPE);
    else this.#options.world.count("answerRate", 1);
    return true;
  }

  /** Who has to go goes. */
  look(): void {
    this.#hosting.look(LOOKED_AT_MAX);
  }
}
