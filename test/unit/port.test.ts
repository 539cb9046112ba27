/** port — while it is taken, left or moved nobody is called in vain, and afterwards at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENT, PEER } from "../../src/memory/layout.ts";
import { peerWord } from "../../src/memory/peers.ts";
import { Producer } from "../../src/memory/queue.ts";
import { doubleAt } from "../../src/memory/region.ts";
import { EngineError } from "../../src/schema/errors.ts";
import { type End, Pair } from "./control-pair.ts";

const CHACHA = { cipher: "chacha20poly1305" } as const;
/** An attempt that is made again by itself takes 5 s. */
const SOON_MS = 100;

/** A packet comes, and there is no session. */
const want = (pair: Pair, { arena, peer, control }: End): void => {
  const word = peerWord(arena, peer.entry);
  arena.f64[doubleAt(word, PEER.fields.wantedAtMs)] = pair.nowMs;
  assert(new Producer(arena, "events", 0).put(EVENT.wanted, peer.entry, 0, 0, 0));
  control.hear();
};

/** Two ends that have a session; what the first sent is forgotten. */
const connected = async (): Promise<Pair> => {
  const pair = await Pair.make(CHACHA, CHACHA);
  pair.call(pair.a);
  pair.run(1_000);
  assert.notEqual(pair.a.current, null);
  pair.a.types();
  return pair;
};

/** Holds the port where it is until the returned function is called. */
const hold = (end: End): (() => void) => {
  let go = (): void => {};
  end.moving = new Promise((resolve) => {
    go = resolve;
  });
  return go;
};

test("down and up at once: who is wanted before the port is there is called with it", async () => {
  for (const wantedFirst of [true, false]) {
    const pair = await connected();
    const { a } = pair;
    const go = hold(a);
    const both = [a.control.setUp(false), a.control.setUp(true)];
    if (wantedFirst) want(pair, a);
    go();
    await both[0];
    if (!wantedFirst) want(pair, a);
    assert.equal(a.control.rekey(null), 0, "there is no port to call from");
    await both[1];
    pair.run(SOON_MS);
    assert.notEqual(a.current, null);
    assert.deepEqual([a.types(), a.count("sendRefused")], [[1], 0]);
  }
});

test("a keepalive that is due at once waits for the port, too", async () => {
  const pair = await connected();
  const { a, b } = pair;
  await a.control.apply({ peers: [{ publicKey: b.publicKey, persistentKeepaliveS: 25 }] });
  await Promise.all([a.control.setUp(false), a.control.setUp(true)]);
  pair.run(SOON_MS);
  assert.notEqual(a.current, null);
  assert.equal(a.count("sendRefused"), 0);
});

test("an answer that goes to the former port is asked for again from the new one", async () => {
  const pair = await Pair.make(CHACHA, CHACHA);
  const { a } = pair;
  pair.carries = ([type]) => type !== 2;
  pair.call(a);
  await a.control.apply({ listenPort: 2 });
  pair.carries = () => true;
  assert.equal(a.current, null);
  pair.run(SOON_MS);
  assert.notEqual(a.current, null);
  assert.deepEqual(a.types(), [1, 1]);
});

test("a port that is taken meanwhile: nobody is called until there is another", async () => {
  const pair = await connected();
  const { a } = pair;
  await a.control.setUp(false);
  a.moving = Promise.reject(new EngineError("PORT_TAKEN", { port: 1 }));
  await assert.rejects(a.control.setUp(true), { code: "PORT_TAKEN" });
  want(pair, a);
  pair.run(SOON_MS);
  assert.deepEqual([a.types(), a.count("sendRefused")], [[], 0]);
  a.moving = Promise.resolve();
  await a.control.apply({ listenPort: 2 });
  pair.run(SOON_MS);
  assert.notEqual(a.current, null);
});

test("a move that is refused leaves the port, and who is wanted meanwhile is called", async () => {
  const pair = await Pair.make(CHACHA, CHACHA);
  const { a } = pair;
  a.moving = Promise.reject(new EngineError("PORT_TAKEN", { port: 2 }));
  const refused = assert.rejects(a.control.apply({ listenPort: 2 }), { code: "PORT_TAKEN" });
  want(pair, a);
  await refused;
  pair.run(SOON_MS);
  assert.notEqual(a.current, null);
});
