import assert from "node:assert/strict";
import { test } from "node:test";
import { Endpoints } from "../../src/control/reach/endpoints.ts";
import { Roster } from "../../src/control/peers/roster.ts";
import { ASK_EVERY_MS, TIMING } from "../../src/control/sessions/timers.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { makeArena } from "../../src/memory/region.ts";

test("a name that nobody answers for is asked for once at a time", async () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 2, routes: 2 });
  const entries = new PeerEntries(arena);
  const mac = () => new Uint8Array(16);
  const roster = new Roster({ arena, entries, mac, timing: TIMING, random: Math.random });
  const peer = roster.add(new Uint8Array(32).fill(1));
  const asked: ((found: string) => void)[] = [];
  let nowMs = 1;
  const resolve = (): Promise<string> => new Promise((give) => asked.push(give));
  const endpoints = new Endpoints(
    { bootMs: () => nowMs, resolve, say: () => {} },
    entries,
    ASK_EVERY_MS,
    () => {},
  );
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
