/**
 * session-order — whatever control does with a peer's sessions, an I/O thread may begin a turn
 * before any of its stores, or use the session that waits for its first packet: no session is
 * zeroed while it may be held, and what is sealed with is one that the peer has.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Peer } from "../../src/control/peers/peer.ts";
import { SessionKeeper, type SessionRef } from "../../src/control/sessions/sessions.ts";
import { TIMING } from "../../src/control/sessions/timers.ts";
import { Counters, controlBlock } from "../../src/memory/counters.ts";
import { IO } from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { PEER_FIELD, PeerEntries, peerWord } from "../../src/memory/peers.ts";
import { type Arena, fieldWord, makeArena, wordOf } from "../../src/memory/region.ts";
import { sessionWord } from "../../src/memory/sessions.ts";
import { makeReceiverIndexKey } from "../../src/wire/receiver-index.ts";
import { Holdings } from "../simulation/holdings.ts";
import { watchStores } from "../simulation/stores.ts";

/** More stores than any of these makes. */
const STORES_MAX = 200;
const NOW_MS = 1_000;

interface Scene {
  readonly arena: Arena;
  readonly keeper: SessionKeeper;
  readonly peer: Peer;
  readonly entries: PeerEntries;
  readonly make: (initiator: boolean) => SessionRef;
  /** What happens before control's next stores. */
  before: () => void;
}

const stage = (): Scene => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 2, routes: 4 });
  writeMtu(arena, 1_420);
  const watched = watchStores(arena, () => scene.before());
  let random = 0;
  const keeper = new SessionKeeper({
    arena: watched,
    entries: new PeerEntries(watched),
    counters: new Counters(arena, controlBlock(arena)),
    receiverIndexKey: makeReceiverIndexKey(new Uint8Array(8)),
    timing: TIMING,
    random: () => 0,
    random32: () => (random += 8),
    confirmed: () => {},
  });
  const peer = { entry: 0, owner: 0 } as unknown as Peer;
  const make = (initiator: boolean): SessionRef => {
    const localIndex = keeper.reserveIndex(0);
    const keys = { send: new Uint8Array(32).fill(1), receive: new Uint8Array(32).fill(2) };
    const made = keeper.create(
      { peer, localIndex, remoteIndex: 7, initiator, suite: 0, keys },
      NOW_MS,
    );
    assert(made !== null);
    return made;
  };
  const entries = new PeerEntries(arena);
  const scene: Scene = { arena, keeper, peer, entries, make, before: () => {} };
  return scene;
};

/** A peer with a current session, a previous one, and one that waits for its first packet. */
const furnish = ({ keeper, peer, make }: Scene, answered: boolean): void => {
  keeper.useInitiated(peer, make(true), NOW_MS);
  keeper.useInitiated(peer, make(true), NOW_MS);
  if (answered) keeper.useAnswered(peer, make(false), NOW_MS);
};

/** What the I/O thread that opens the first packet of `next` does, in one step (io_deliver.c). */
const useNext = ({ arena }: Scene): void => {
  const word = peerWord(arena, 0);
  const next = arena.u32[word + PEER_FIELD.next]!;
  if (next === 0) return;
  arena.u32[word + PEER_FIELD.current] = next;
  arena.u32[word + PEER_FIELD.next] = 0;
};

const ACTS: Readonly<Record<string, (scene: Scene) => void>> = {
  "a response": ({ keeper, peer, make }) => keeper.useInitiated(peer, make(true), NOW_MS),
  "an initiation": ({ keeper, peer, make }) => keeper.useAnswered(peer, make(false), NOW_MS),
  "two initiations": ({ keeper, peer, make }) => {
    keeper.useAnswered(peer, make(false), NOW_MS);
    keeper.useAnswered(peer, make(false), NOW_MS);
  },
  "a first packet": ({ keeper, peer }) => {
    const { next } = keeper.of(peer);
    if (next !== null) keeper.confirm(peer, next.session, next.generation, NOW_MS);
  },
  "the end of its time": ({ keeper, peer }) => keeper.stopUsing(peer),
  "all is forgotten": ({ keeper, peer }) => keeper.forget(peer, NOW_MS),
};

/** Does `act` with something before its store number `at`. False: it made no so many. */
const cutAt = (scene: Scene, act: (scene: Scene) => void, at: number, cut: () => void): boolean => {
  let left = at;
  scene.before = () => {
    if (left-- === 0) cut();
  };
  act(scene);
  scene.keeper.sweep(NOW_MS);
  scene.before = () => {};
  return left < 0;
};

const assertSound = ({ arena, keeper, peer, entries }: Scene): void => {
  keeper.follow(peer, NOW_MS);
  keeper.sweep(NOW_MS);
  const used = entries.current(0);
  const { current, previous, next } = keeper.of(peer);
  assert(used < 0 || used === current?.session, `${used} is used, which is not current`);
  for (const ref of [previous, current, next]) {
    if (ref === null) continue;
    assert.equal(arena.u32[sessionWord(arena, ref.session)], ref.generation, "zeroed, and kept");
  }
};

for (const answered of [false, true]) {
  for (const [name, act] of Object.entries(ACTS)) {
    const state = answered ? "one that we answered waits" : "a current session";
    test(`${state}, then ${name}: a turn before any store`, () => {
      for (let at = 0; at < STORES_MAX; at++) {
        const scene = stage();
        furnish(scene, answered);
        scene.keeper.sweep(NOW_MS);
        const holdings = new Holdings(scene.arena, 0);
        const loops = wordOf(scene.arena, "ios", IO.size, 0) + fieldWord(IO.fields.loops);
        const inside = cutAt(scene, act, at, () => {
          scene.arena.u32[loops]!++;
          holdings.take();
        });
        holdings.leave();
        assertSound(scene);
        if (!inside) return;
      }
      assert.fail("more stores than thought");
    });

    test(`${state}, then ${name}: its first packet before any store`, () => {
      for (let at = 0; at < STORES_MAX; at++) {
        const scene = stage();
        furnish(scene, answered);
        const inside = cutAt(scene, act, at, () => useNext(scene));
        assertSound(scene);
        if (!inside) return;
      }
      assert.fail("more stores than thought");
    });
  }
}

test("an I/O thread that was told too late uses nothing that control has taken away", () => {
  const scene = stage();
  furnish(scene, true);
  scene.keeper.forget(scene.peer, NOW_MS);
  useNext(scene);
  assert.equal(scene.entries.current(0), -1);
});
