/**
 * addresses — who has an address that two certificates hold: one of them, and it is said.
 *
 * What the authority itself signed beats what an issuer signed, then what counts from later on
 * wins: a renewed certificate, or one for a new machine, takes over. The other gets the address
 * back when the first is gone. Pure.
 */
import { formatAddress } from "../../wire/cidr.ts";
import type { Members } from "./members.ts";
import type { Statement } from "./statement.ts";

/** Tuning: addresses of which is remembered who else claims them. */
const CONTESTED_MAX = 1_024;

const NOBODY: ReadonlySet<number> = new Set();

const textOf = (address: Uint8Array): string => Buffer.from(address).toString("latin1");
const addressOf = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** Does `a` have it rather than `b`? */
const beats = (a: Statement, b: Statement): boolean => {
  const [byA, byB] = [a.owner.signer.by === "authority", b.owner.signer.by === "authority"];
  if (byA !== byB) return byA;
  const [fromA, fromB] = [a.owner.notBeforeS, b.owner.notBeforeS];
  return fromA !== fromB ? fromA > fromB : a.id < b.id;
};

/** Somebody does not have an address of its certificate. */
export interface Contest {
  readonly address: string;
  readonly loser: number;
  readonly winner: number;
}

export class Addresses {
  readonly #members: Members;
  readonly #onContest: (contest: Contest) => void;
  /** Who holds an address and does not have it. */
  readonly #losers = new Map<string, Set<number>>();

  constructor(members: Members, onContest: (contest: Contest) => void) {
    this.#members = members;
    this.#onContest = onContest;
  }

  /** A member's certificate is new. Returns whose addresses have changed besides its own. */
  claim(slot: number): ReadonlySet<number> {
    const members = this.#members;
    let affected: Set<number> | null = null;
    this.#forget(slot);
    for (const address of members.at(slot).owner.addresses) {
      const has = members.byAddress(address);
      const losers = this.#losers.size === 0 ? undefined : this.#losers.get(textOf(address));
      if (has === slot) continue;
      if (has < 0 && losers === undefined) {
        members.own(slot, address);
        continue;
      }
      affected ??= new Set();
      this.#contest(address, [slot, ...(has < 0 ? [] : [has]), ...(losers ?? [])], affected);
    }
    affected = this.#inherit(affected);
    affected?.delete(slot);
    return affected ?? NOBODY;
  }

  /** What nobody has any more is theirs who lost it. `affected`: null, as long as it is nobody. */
  #inherit(affected: Set<number> | null): Set<number> | null {
    let all = affected;
    for (const [text, losers] of [...this.#losers]) {
      const address = addressOf(text);
      if (this.#members.byAddress(address) >= 0) continue;
      all ??= new Set();
      this.#contest(address, [...losers], all);
    }
    return all;
  }

  /** A member goes. Returns whose addresses have changed. */
  withdraw(slot: number): Set<number> {
    const members = this.#members;
    this.#forget(slot);
    for (const address of members.at(slot).owner.addresses) {
      if (members.byAddress(address) === slot) members.release(slot, address);
    }
    return this.#inherit(null) ?? new Set();
  }

  #forget(slot: number): void {
    for (const [text, losers] of this.#losers) {
      if (losers.delete(slot) && losers.size === 0) this.#losers.delete(text);
    }
  }

  /** One of several has it; the first of them that beats the others. */
  #contest(address: Uint8Array, slots: readonly number[], affected: Set<number>): void {
    const members = this.#members;
    const has = members.byAddress(address);
    const winner = slots.reduce((a, b) => (beats(members.at(b), members.at(a)) ? b : a));
    if (has !== winner) {
      if (has >= 0) members.release(has, address);
      members.own(winner, address);
      affected.add(winner);
      if (has >= 0) affected.add(has);
    }
    const losers = new Set(slots.filter((slot) => slot !== winner));
    const text = textOf(address);
    this.#losers.delete(text);
    if (losers.size === 0 || this.#losers.size >= CONTESTED_MAX) return;
    this.#losers.set(text, losers);
    for (const loser of losers) {
      this.#onContest({ address: formatAddress(address), loser, winner });
    }
  }

  /** Addresses of its certificate that another has. */
  lostBy(slot: number): Contest[] {
    const members = this.#members;
    return members.at(slot).owner.addresses.flatMap((address) => {
      const winner = members.byAddress(address);
      if (winner === slot || winner < 0) return [];
      return [{ address: formatAddress(address), loser: slot, winner }];
    });
  }
}
