/**
 * allowed-ips — who owns which prefix, a peer or a group: one table for the device, as WireGuard's.
 *
 * A prefix has one owner: a prefix that is given to another owner is the former one's no more. An
 * owner's prefixes stand in the order in which they were given; a prefix given again goes to the
 * end. Giving or taking a prefix costs the same however many there are.
 *
 * A change is whole or not at all: `drop` undoes everything since `begin`. A prefix that leaves its
 * owner's list remembers its neighbours there, so undoing the steps in reverse order puts each one
 * back between them.
 *
 * Thread: control.   Source: WireGuard paper 2 (cryptokey routing).
 */
import assert from "node:assert";
import { ROUTES_MAX } from "../../memory/layout.ts";
import { type Cidr, maskCidr } from "../../wire/cidr.ts";

/** Who owns prefixes: a peer or a group. `entry` is the next hop that the route table names. */
export interface Owner {
  readonly entry: number;
}

type Key = number | string;

interface Held<O extends Owner> {
  readonly key: Key;
  readonly cidr: Cidr;
  readonly owner: O;
  readonly list: List<O>;
  before: Held<O> | null;
  after: Held<O> | null;
}

interface List<O extends Owner> {
  readonly owner: O;
  count: number;
  first: Held<O> | null;
  last: Held<O> | null;
}

/** 16 bits at byte `at`, of which the first `length` count; network order. */
const group = (bytes: Uint8Array, at: number, length: number): number => {
  const value = (bytes[at]! << 8) | bytes[at + 1]!;
  const open = 16 - length;
  return open <= 0 ? value : open >= 16 ? 0 : (value >> open) << open;
};

/** Equal for equal prefixes, whatever their host bits: a number for IPv4, 9 letters for IPv6. */
const keyOf = ({ version, bytes, prefixLength: length }: Cidr): Key => {
  if (version === 4) {
    const address = group(bytes, 0, length) * 65_536 + group(bytes, 2, length - 16);
    return address * 64 + length;
  }
  return String.fromCharCode(
    group(bytes, 0, length),
    group(bytes, 2, length - 16),
    group(bytes, 4, length - 32),
    group(bytes, 6, length - 48),
    group(bytes, 8, length - 64),
    group(bytes, 10, length - 80),
    group(bytes, 12, length - 96),
    group(bytes, 14, length - 112),
    length,
  );
};

const hasHostBits = ({ bytes, prefixLength }: Cidr): boolean => {
  const whole = prefixLength >> 3;
  const bits = prefixLength & 7;
  for (let i = whole; i < bytes.length; i++) {
    if ((bytes[i]! & (i === whole ? 0xff >> bits : 0xff)) !== 0) return true;
  }
  return false;
};

export class AllowedIps<O extends Owner> {
  readonly #most: number;
  readonly #byKey = new Map<Key, Held<O>>();
  readonly #lists = new Map<O, List<O>>();
  /** What came or went since `begin`, in order; null: no change is being made. */
  #steps: Held<O>[] | null = null;

  /** `most`: prefixes of all owners together; while a change is being made, twice as many. */
  constructor(most = ROUTES_MAX) {
    this.#most = most;
  }

  /** Prefixes of all owners. */
  get count(): number {
    return this.#byKey.size;
  }

  /** Prefixes of one owner. */
  countOf(owner: O): number {
    return this.#lists.get(owner)?.count ?? 0;
  }

  /** Who has exactly this prefix; null: nobody. */
  ownerOf(cidr: Cidr): O | null {
    return this.#byKey.get(keyOf(cidr))?.owner ?? null;
  }

  /**
   * Gives the prefix to `owner`, and takes it from whoever has it. False: there is no room for one
   * more, nothing was done; a change that was begun is to be dropped.
   * Takes: `cidr`.
   */
  give(owner: O, cidr: Cidr): boolean {
    const key = keyOf(cidr);
    const held = this.#byKey.get(key);
    if (held === undefined) {
      const most = this.#steps === null ? this.#most : 2 * this.#most;
      if (this.#byKey.size >= most) return false;
    } else {
      if (held.owner === owner && held.after === null) return true;
      this.#step(held);
    }
    const list = this.#lists.get(owner) ?? { owner, count: 0, first: null, last: null };
    this.#step({
      key,
      cidr: hasHostBits(cidr) ? maskCidr(cidr) : cidr,
      owner,
      list,
      before: list.last,
      after: null,
    });
    return true;
  }

  /** Takes the prefix from `owner`. False: it is not the owner's, nothing was done. */
  take(owner: O, cidr: Cidr): boolean {
    const held = this.#byKey.get(keyOf(cidr));
    if (held === undefined || held.owner !== owner) return false;
    this.#step(held);
    return true;
  }

  /** Takes all prefixes from `owner`, who is forgotten. */
  clear(owner: O): void {
    const list = this.#lists.get(owner);
    for (let held = list?.first ?? null; held !== null; held = held.after) this.#step(held);
  }

  /** The owner's prefixes in the order given. Borrows: until the next change. */
  *of(owner: O): Generator<Cidr, void, undefined> {
    const list = this.#lists.get(owner);
    for (let held = list?.first ?? null; held !== null; held = held.after) yield held.cidr;
  }

  /** All prefixes, to be read once, as routes take them. Borrows: until the next change. */
  entries(): IterableIterator<{ readonly cidr: Cidr; readonly owner: O }> {
    return this.#byKey.values();
  }

  /** From here on everything can be taken back; up to `keep` or `drop`, without an await. */
  begin(): void {
    assert(this.#steps === null, "a change is being made already");
    this.#steps = [];
  }

  /** Makes the change final. False: it leaves more prefixes than may be, and was dropped. */
  keep(): boolean {
    if (this.#byKey.size > this.#most) {
      this.drop();
      return false;
    }
    this.#steps = null;
    return true;
  }

  /** Takes back everything since `begin`. */
  drop(): void {
    const steps = this.#steps ?? [];
    this.#steps = null;
    for (let i = steps.length - 1; i >= 0; i--) this.#toggle(steps[i]!);
  }

  #step(held: Held<O>): void {
    this.#steps?.push(held);
    this.#toggle(held);
  }

  /** Puts a prefix between its neighbours, or takes it from between them. */
  #toggle(held: Held<O>): void {
    const { key, owner, list, before, after } = held;
    const enters = this.#byKey.get(key) !== held;
    if (before === null) list.first = enters ? held : after;
    else before.after = enters ? held : after;
    if (after === null) list.last = enters ? held : before;
    else after.before = enters ? held : before;
    list.count += enters ? 1 : -1;
    if (enters) this.#byKey.set(key, held);
    else this.#byKey.delete(key);
    if (list.count > 0) this.#lists.set(owner, list);
    else this.#lists.delete(owner);
  }
}
