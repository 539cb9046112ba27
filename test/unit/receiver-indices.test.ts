/** indices — receiver indices and session entries: no peer's behaviour takes what others need. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { consumeResponse } from "../../src/control/handshake/noise.ts";
import type { Peer } from "../../src/control/peers/peer.ts";
import { Roster } from "../../src/control/peers/roster.ts";
import {
  INDEX_REST_MS,
  INDICES_PER_OWNER,
  RESTING_PER_PEER,
} from "../../src/control/sessions/receiver-indices.ts";
import { SessionKeeper } from "../../src/control/sessions/sessions.ts";
import { TIMING } from "../../src/control/sessions/timers.ts";
import { Counters, controlBlock } from "../../src/memory/counters.ts";
import { IO, SESSIONS_PER_PEER } from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { fieldWord, makeArena, wordOf } from "../../src/memory/region.ts";
import { makeReceiverIndexKey, OWNER_MASK } from "../../src/wire/receiver-index.ts";
import { A, answer, B, fixed, initiate, mac } from "./noise-parties.ts";

/** A peer calls as often as it may (exchange.ts). */
const CALL_EVERY_MS = 20;
const SEED = 1 + Math.floor(Math.random() * 0x7fff_ffff);

/** xorshift32: the same seed, the same numbers. */
const numbers = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
};

class Room {
  readonly arena;
  readonly keeper: SessionKeeper;
  readonly peers: readonly Peer[];
  nowMs = 1_000;

  constructor(peers: number, ioThreads = 1) {
    this.arena = makeArena({ ioThreads, workers: 0, peers, routes: 1 });
    writeMtu(this.arena, 1_420);
    const entries = new PeerEntries(this.arena);
    this.keeper = new SessionKeeper({
      arena: this.arena,
      entries,
      counters: new Counters(this.arena, controlBlock(this.arena)),
      receiverIndexKey: makeReceiverIndexKey(new Uint8Array(8).fill(7)),
      timing: TIMING,
      random: () => 0,
      confirmed: () => {},
      random32: numbers(SEED),
    });
    const roster = new Roster({ arena: this.arena, entries });
    this.peers = Array.from({ length: peers }, (_, i) => roster.add(fixed(`peer ${i}`), "file"));
  }

  reserve(peer: Peer): number {
    return this.keeper.reserveIndex(peer.owner);
  }

  /** A handshake that is answered, in either role. False: there was no room. */
  shake(peer: Peer, initiator: boolean): boolean {
    const localIndex = this.reserve(peer);
    if (localIndex < 0) return false;
    const keys = { send: new Uint8Array(32), receive: new Uint8Array(32) };
    const made = this.keeper.create(
      { peer, localIndex, remoteIndex: 1, initiator, suite: 0, keys },
      this.nowMs,
    );
    if (made === null) {
      this.keeper.releaseIndex(localIndex);
      return false;
    }
    if (initiator) this.keeper.useInitiated(peer, made, this.nowMs);
    else this.keeper.useAnswered(peer, made, this.nowMs);
    return true;
  }

  /** An I/O thread is in a turn that does not end: it holds what it may have seen. */
  stall(): void {
    const io = wordOf(this.arena, "ios", IO.size, 0);
    this.arena.i32[io + fieldWord(IO.fields.loops)] = 1;
  }

  /** The turn has ended. */
  goOn(): void {
    const io = wordOf(this.arena, "ios", IO.size, 0);
    this.arena.i32[io + fieldWord(IO.fields.loops)] = 2;
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.keeper.sweep(this.nowMs);
  }
}

test("peers that never answer use up no index, however often they are called", () => {
  const room = new Room(2);
  const [silent, other] = room.peers as [Peer, Peer];
  for (let i = 0; i < 1.1 * INDICES_PER_OWNER; i++) {
    const index = room.reserve(silent);
    assert(index >= 0, `seed ${SEED}: no index for initiation ${i}`);
    room.keeper.releaseIndex(index);
  }
  assert(room.shake(other, true), `seed ${SEED}`);
});

test("peers that make sessions as fast as they may take no index from others", () => {
  const room = new Room(32);
  const [quiet, ...busy] = room.peers as [Peer, ...Peer[]];
  assert(room.shake(quiet, true));
  let made = 0;
  for (let ms = 0; ms < 100_000; ms += CALL_EVERY_MS) {
    for (const [i, peer] of busy.entries()) {
      assert(room.shake(peer, i % 2 === 0), `seed ${SEED}: ${ms} ms`);
      made++;
    }
    room.pass(CALL_EVERY_MS);
  }
  assert(room.shake(quiet, true), `seed ${SEED}`);
  assert(made > INDICES_PER_OWNER);
});

test("an index that a session had rests, also while others make sessions", () => {
  const room = new Room(8, 2);
  const [quiet, ...busy] = room.peers as [Peer, ...Peer[]];
  const rests = new Set<number>();
  for (let i = 0; i < RESTING_PER_PEER; i++) {
    assert(room.shake(quiet, true));
    rests.add(room.keeper.of(quiet).current!.localIndex);
    room.keeper.forget(quiet, room.nowMs);
    room.pass(0);
  }
  const taken = new Set<number>();
  // Each index of the owner is taken several times; none of them is given back before.
  const takeAll = (): void => {
    taken.clear();
    for (let i = 0; i < 8 * INDICES_PER_OWNER; i++) {
      const index = room.keeper.reserveIndex(quiet.owner);
      assert.equal(index & OWNER_MASK, quiet.owner);
      taken.add(index);
      room.keeper.releaseIndex(index);
    }
  };
  for (const peer of busy) {
    for (let i = 0; i < 20; i++) {
      assert(room.shake(peer, true));
      room.pass(1);
    }
  }
  room.nowMs = 1_000;
  room.pass(INDEX_REST_MS - 1);
  takeAll();
  assert.deepEqual(
    [...rests].filter((index) => taken.has(index)),
    [],
  );
  room.pass(1_000);
  takeAll();
  assert(
    [...rests].every((index) => taken.has(index)),
    `seed ${SEED}`,
  );
});

test("of sessions that an I/O thread may hold, a peer has its own number and no more", () => {
  const room = new Room(3);
  const [pushy, other] = room.peers as [Peer, Peer];
  room.stall();
  let made = 0;
  for (let i = 0; i < 3 * SESSIONS_PER_PEER; i++) if (room.shake(pushy, i % 2 === 0)) made++;
  for (let i = 0; i < SESSIONS_PER_PEER - 2; i++) assert(room.shake(other, true));
  assert.equal(made, SESSIONS_PER_PEER);
  room.goOn();
  assert(room.shake(pushy, true), "they are cleared when the turn has ended");
});

test("an answer that is late for an index in use again opens nothing and spoils nothing", () => {
  const first = initiate();
  const late = answer(Uint8Array.from(first.datagram)).datagram;
  const again = initiate({ ...A, seed: fixed("another") }, B);
  assert.equal(again.state.senderIndex, first.state.senderIndex);
  const take = (datagram: Uint8Array) =>
    consumeResponse({ local: A.keys, state: again.state, presharedKey: null, datagram, mac });
  assert.deepEqual(take(late), { ok: false, reason: "handshakeInvalid" });
  assert(take(answer(Uint8Array.from(again.datagram)).datagram).ok);
});
