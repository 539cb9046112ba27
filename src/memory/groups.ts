/**
 * groups — next hops: what routes lead to.
 *
 *      route ──▶ hop ──┬──▶ active peer       what is sent goes to it
 *                      └──▶ entitled peers    what any of them sends may come from the prefix
 *
 * A hop below the number of peer entries is that peer, alone; nothing is stored for it. Hops above
 * them are groups: entries of this region. Which peer is active is one word: one store moves all
 * traffic of a group, however many prefixes lead to it, and no table is written.
 *
 * Thread: control writes, I/O threads read (routes.c). A group that no route names any more may be
 * used again when every I/O thread has passed a mark (epochs.ts); so may a peer's entry that was
 * withdrawn. Who sees to that is the roster.
 */
import assert from "node:assert";
import { GROUP, GROUP_PEERS } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

const ACTIVE = fieldWord(GROUP.fields.active);
const ENTITLED = fieldWord(GROUP.fields.entitled);

/** Control's end. */
export class Groups {
  readonly #arena: Arena;
  readonly #free: number[] = [];
  readonly #made = new Set<number>();
  /** Hops from here on were never taken. */
  #next: number;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#next = arena.layout.count.peers;
  }

  /** An empty group's hop, or -1: all are in use. */
  take(): number {
    const { peers, groups } = this.#arena.layout.count;
    const hop = this.#free.pop() ?? (this.#next < peers + groups ? this.#next++ : -1);
    if (hop >= 0) this.#made.add(hop);
    return hop;
  }

  /** Nobody is in it any more, and it has no peers; routes may still name it for a while. */
  empty(hop: number): void {
    for (const peer of this.entitled(hop)) this.withdraw(hop, peer);
    this.#made.delete(hop);
  }

  /** No I/O thread can find it any more. */
  give(hop: number): void {
    this.#free.push(hop);
  }

  /** The peer that packets go to, or -1. */
  active(hop: number): number {
    return Atomics.load(this.#arena.u32, this.#word(hop) + ACTIVE) - 1;
  }

  /**
   * Packets go to this peer from now on, or to nobody: -1. One store. It is entitled already.
   * What is staged for the former one follows by COMMAND.release.
   */
  setActive(hop: number, peer: number): void {
    assert(peer === -1 || this.#placeOf(hop, peer) >= 0, `peer ${peer} is not of hop ${hop}`);
    Atomics.store(this.#arena.u32, this.#word(hop) + ACTIVE, peer + 1);
  }

  /** The peers that may send from what leads to the hop. */
  entitled(hop: number): number[] {
    const first = this.#word(hop) + ENTITLED;
    const words = this.#arena.u32.subarray(first, first + GROUP_PEERS);
    return [...words].filter((word) => word !== 0).map((word) => word - 1);
  }

  /** False: the group has GROUP_PEERS peers already. */
  entitle(hop: number, peer: number): boolean {
    if (this.#placeOf(hop, peer) >= 0) return true;
    const place = this.#placeOf(hop, -1);
    if (place >= 0) Atomics.store(this.#arena.u32, place, peer + 1);
    return place >= 0;
  }

  /** What the peer sends from there is dropped. When it was active, packets go to nobody. */
  withdraw(hop: number, peer: number): void {
    const place = this.#placeOf(hop, peer);
    if (place < 0) return;
    if (this.active(hop) === peer) this.setActive(hop, -1);
    Atomics.store(this.#arena.u32, place, 0);
  }

  /** The peer is gone, from all groups. */
  forget(peer: number): void {
    for (const hop of this.#made) this.withdraw(hop, peer);
  }

  /** Word that holds the peer, or of -1: nobody; -1: there is none. */
  #placeOf(hop: number, peer: number): number {
    const first = this.#word(hop) + ENTITLED;
    const place = this.#arena.u32.subarray(first, first + GROUP_PEERS).indexOf(peer + 1);
    return place < 0 ? -1 : first + place;
  }

  #word(hop: number): number {
    const index = hop - this.#arena.layout.count.peers;
    assert(index >= 0 && index < this.#arena.layout.count.groups, `hop ${hop} is no group`);
    return wordOf(this.#arena, "groups", GROUP.size, index);
  }
}
