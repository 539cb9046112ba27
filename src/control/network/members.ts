/**
 * members — who belongs to the network, as far as it is known here: verified statements, found by
 * node, by handshake key and by address.
 *
 * A member has a slot, which is used again when it is gone. What a slot holds lies in columns: some
 * 60 bytes beside the statement, so that ten thousand members cost little, and ten thousand nodes
 * with ten thousand members each fit into one process of the simulation.
 *
 * Nothing is judged here: what is put in was verified and judged (intake.ts). Thread: control.
 */
import { memberId } from "../../members/member-id.ts";
import type { Entry } from "../../wire/digests.ts";
import { Digests } from "./digests.ts";
import { SlotTable } from "./slot-table.ts";
import type { Statement } from "./statement.ts";
import type { Handle } from "./world.ts";

/** Tuning: more are not known. */
export const MEMBERS_MAX = 32_768;
/** Addresses of a certificate (ADDRESSES_MAX), as bits of a key of `#byAddress`. */
const ADDRESS_BITS = 3;

/** How a piece of knowledge came. The order is that of `#ways`. */
export const WAYS = ["own", "disk", "gossip", "intro", "here", "index", "directory"] as const;
export type Known = (typeof WAYS)[number];

/** Where and when a record came from. */
export interface Origin {
  readonly way: Known;
  /** Id of the member that told it; -1: nobody. */
  readonly from: number;
  /** Unix seconds. */
  readonly heardS: number;
}

const SPAN_21 = 2 ** 21;
/** In the digests: what we tell others that we hold. */
const LISTED = 1;
/** Its handshake key is another's too: no peer. */
const BARRED = 2;

const hashId = (id: number): number => Math.floor(id / SPAN_21);

const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;

/** Addresses follow each other; their hashes are spread over all. */
const hashAddress = (address: Uint8Array): number => {
  let hash = address.length;
  for (let at = 0; at < address.length; at += 4) {
    hash = Math.imul(hash ^ word(address, at), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return Math.imul(hash, 0x85ebca6b) >>> 0;
};

/** Keys and addresses are short: a loop is quicker than a call. */
const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};

const grown = <Column extends Uint8Array | Uint32Array>(
  column: Column,
  make: (length: number) => Column,
): Column => {
  const larger = make(Math.ceil(column.length * 1.25) + 8);
  larger.set(column);
  return larger;
};

export class Members {
  readonly digests = new Digests();
  readonly #statements: (Statement | null)[] = [];
  readonly #handles: (Handle | null)[] = [];
  #flags = new Uint8Array(8);
  #ways = new Uint8Array(8);
  /** First bits of the id of who told it: few enough to be kept, and enough to find it. */
  #from = new Uint32Array(8);
  #heardS = new Uint32Array(8);
  readonly #free: number[] = [];
  #size = 0;

  readonly #byId = new SlotTable<number>((slot, id) => this.#statements[slot]!.id === id);
  readonly #byHandshake = new SlotTable<Uint8Array>((slot, key) =>
    sameBytes(this.at(slot).owner.handshakeKey, key),
  );
  /** Slot and number of the address in its certificate. */
  readonly #byAddress = new SlotTable<Uint8Array>((key, address) =>
    sameBytes(this.#address(key), address),
  );

  /** How many. */
  get size(): number {
    return this.#size;
  }

  /** Slots are below this. */
  get end(): number {
    return this.#statements.length;
  }

  /** Statement of a slot that is in use. */
  at(slot: number): Statement {
    return this.#statements[slot]!;
  }

  /** Null: the slot is free. */
  peek(slot: number): Statement | null {
    return this.#statements[slot] ?? null;
  }

  handle(slot: number): Handle | null {
    return this.#handles[slot] ?? null;
  }

  setHandle(slot: number, handle: Handle | null): void {
    this.#handles[slot] = handle;
  }

  origin(slot: number): Origin {
    const hash = this.#from[slot]!;
    const [teller = -1] = hash === 0 ? [] : this.#byId.between(hash, hash);
    const from = teller < 0 ? -1 : this.at(teller).id;
    return { way: WAYS[this.#ways[slot]!]!, from, heardS: this.#heardS[slot]! };
  }

  /** When its record came, Unix seconds. */
  heardS(slot: number): number {
    return this.#heardS[slot]!;
  }

  // -------------------------------------------------------------------------------------------
  // Finding; -1: nobody

  byId(id: number): number {
    return this.#byId.find(hashId(id), id);
  }

  byNodeKey(nodeKey: Uint8Array): number {
    const slot = this.byId(memberId(nodeKey));
    return slot >= 0 && sameBytes(this.at(slot).owner.nodeKey, nodeKey) ? slot : -1;
  }

  byHandshakeKey(key: Uint8Array): number {
    return this.#byHandshake.find(word(key, 0), key);
  }

  #address(key: number): Uint8Array {
    return this.at(key >> ADDRESS_BITS).owner.addresses[key & ((1 << ADDRESS_BITS) - 1)]!;
  }

  #addressKey(address: Uint8Array): number {
    return this.#byAddress.find(hashAddress(address), address);
  }

  /** Who has an address: 4 or 16 bytes. */
  byAddress(address: Uint8Array): number {
    const key = this.#addressKey(address);
    return key < 0 ? -1 : key >> ADDRESS_BITS;
  }

  /** All slots in use. */
  *slots(): Generator<number, void, undefined> {
    for (let slot = 0; slot < this.end; slot++) if (this.peek(slot) !== null) yield slot;
  }

  /** What we tell of ids between two, both included; ids ascend. */
  entries(first: number, last: number): Entry[] {
    const found: Entry[] = [];
    for (const slot of this.#byId.between(hashId(first), hashId(last))) {
      const { id, sequence } = this.at(slot);
      if (id >= first && id <= last && this.isListed(slot)) found.push({ id, sequence });
    }
    return found.sort((a, b) => a.id - b.id);
  }

  // -------------------------------------------------------------------------------------------
  // Changing

  /**
   * Puts a statement in place of the member's former one, or in a slot of its own. It has no
   * address yet: `own()`. Its handshake key must be free, or its own.
   */
  put(statement: Statement, { way, from, heardS }: Origin): number {
    let slot = this.byId(statement.id);
    if (slot < 0) slot = this.#open(statement);
    else this.#replace(slot, statement);
    this.#ways[slot] = WAYS.indexOf(way);
    this.#from[slot] = from < 0 ? 0 : hashId(from);
    this.#heardS[slot] = heardS;
    return slot;
  }

  #open(statement: Statement): number {
    const slot = this.#free.pop() ?? this.#statements.length;
    if (slot === this.#statements.length && slot >= this.#flags.length) this.#grow();
    this.#statements[slot] = statement;
    this.#handles[slot] = null;
    this.#flags[slot] = 0;
    this.#size++;
    this.#byId.add(hashId(statement.id), slot);
    this.#byHandshake.add(word(statement.owner.handshakeKey, 0), slot);
    return slot;
  }

  #grow(): void {
    this.#flags = grown(this.#flags, (length) => new Uint8Array(length));
    this.#ways = grown(this.#ways, (length) => new Uint8Array(length));
    this.#from = grown(this.#from, (length) => new Uint32Array(length));
    this.#heardS = grown(this.#heardS, (length) => new Uint32Array(length));
  }

  #replace(slot: number, statement: Statement): void {
    const before = this.at(slot);
    this.list(slot, false);
    const sameOwner = before.owner === statement.owner;
    if (!sameOwner) {
      this.disown(slot);
      this.#byHandshake.remove(word(before.owner.handshakeKey, 0), slot);
    }
    this.#statements[slot] = statement;
    if (!sameOwner) this.#byHandshake.add(word(statement.owner.handshakeKey, 0), slot);
  }

  /** Forgets a member: its peer is gone already. */
  drop(slot: number): void {
    this.list(slot, false);
    this.disown(slot);
    this.#byHandshake.remove(word(this.at(slot).owner.handshakeKey, 0), slot);
    this.#byId.remove(hashId(this.at(slot).id), slot);
    this.#statements[slot] = null;
    this.#handles[slot] = null;
    this.#free.push(slot);
    this.#size--;
  }

  /** The member has an address of its certificate, which nobody else has. */
  own(slot: number, address: Uint8Array): void {
    const number = this.at(slot).owner.addresses.findIndex((one) => sameBytes(one, address));
    this.#byAddress.add(hashAddress(address), (slot << ADDRESS_BITS) | number);
  }

  /** It has it no more. */
  release(slot: number, address: Uint8Array): void {
    const key = this.#addressKey(address);
    if (key < 0 || key >> ADDRESS_BITS !== slot) return;
    this.#byAddress.remove(hashAddress(address), key);
  }

  /** It has no address any more. */
  disown(slot: number): void {
    for (const address of this.at(slot).owner.addresses) this.release(slot, address);
  }

  /** Its record is among those that we tell others of; or not. */
  list(slot: number, listed: boolean): void {
    if (listed === this.isListed(slot)) return;
    this.#mark(slot, LISTED, listed);
    if (listed) this.digests.add(this.at(slot));
    else this.digests.remove(this.at(slot));
  }

  isListed(slot: number): boolean {
    return (this.#flags[slot]! & LISTED) !== 0;
  }

  isBarred(slot: number): boolean {
    return (this.#flags[slot]! & BARRED) !== 0;
  }

  bar(slot: number, barred: boolean): void {
    this.#mark(slot, BARRED, barred);
  }

  #mark(slot: number, flag: number, on: boolean): void {
    this.#flags[slot] = on ? this.#flags[slot]! | flag : this.#flags[slot]! & ~flag;
  }
}
