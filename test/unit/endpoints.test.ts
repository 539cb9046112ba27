import assert from "node:assert/strict";
import { test } from "node:test";
import { Roster } from "../../src/control/peers/roster.ts";
import { Endpoints } from "../../src/control/reach/endpoints.ts";
import { ASK_EVERY_MS } from "../../src/control/sessions/timers.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { makeArena } from "../../src/memory/region.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";

test("a name that nobody answers for is asked for once at a time", async () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 2, routes: 2 });
  const entries = new PeerEntries(arena);
  const roster = new Roster({ arena, entries });
  const peer = roster.add(new Uint8Array(32).fill(1), "file");
  const asked: ((found: string) => void)[] = [];
  let nowMs = 1;
  const resolve = (): Promise<string> => new Promise((give) => asked.push(give));
  const endpoints = new Endpoints({
    calling: () => null,
    world: { bootMs: () => nowMs, resolve, say: () => {} },
    entries,
    askEveryMs: ASK_EVERY_MS,
    calledMs: () => 0,
    onKnown: () => {},
  });
  endpoints.set(peer, { host: "vpn.example", port: 1 });
  for (let i = 0; i < 100; i++) {
    nowMs += ASK_EVERY_MS;
    endpoints.ask(peer);
  }
  assert.equal(asked.length, 1);
  asked[0]!("nobody knows it");
  await new Promise((done) => setImmediate(done));
  endpoints.ask(peer);
  assert.equal(asked.length, 2);
});

test("a new endpoint forgets where the peer had roamed to", async () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 2, routes: 2 });
  const entries = new PeerEntries(arena);
  const peer = new Roster({ arena, entries }).add(new Uint8Array(32).fill(1), "file");
  const at = (last: number): Uint8Array => makeSockaddr(Uint8Array.of(192, 0, 2, last), 1);
  let [nowMs, answer] = [1, at(1)];
  const endpoints = new Endpoints({
    calling: () => null,
    world: { bootMs: () => nowMs, resolve: async () => answer, say: () => {} },
    entries,
    askEveryMs: ASK_EVERY_MS,
    calledMs: () => ASK_EVERY_MS,
    onKnown: () => {},
  });
  const settled = (): Promise<void> => new Promise((done) => setImmediate(done));
  const ask = async (): Promise<Uint8Array> => {
    nowMs += ASK_EVERY_MS;
    endpoints.ask(peer);
    await settled();
    return entries.endpoint(peer.entry);
  };
  endpoints.set(peer, { host: "vpn.example", port: 1 });
  await settled();
  endpoints.heard(peer, at(9), new Uint8Array(28), nowMs);
  assert.deepEqual(await ask(), at(1), "called where it is configured");
  assert.deepEqual(await ask(), at(9), "and in turn where it was heard");
  await ask();
  answer = at(2);
  endpoints.set(peer, { host: "other.example", port: 1 });
  await settled();
  for (let i = 0; i < 4; i++) assert.deepEqual(await ask(), at(2));
});
