/**
 * forgotten — an endpoint that is taken away, or set anew, leaves nothing behind: no address that
 * its name gave once, none that the peer roamed to, and none of ours that answers came from.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENT, PEER } from "../../src/memory/layout.ts";
import { peerWord } from "../../src/memory/peers.ts";
import { Producer } from "../../src/memory/queue.ts";
import { doubleAt } from "../../src/memory/region.ts";
import type { Change } from "../../src/schema/change.ts";
import { UapiReader } from "../../src/schema/uapi.ts";
import { formatSockaddr, makeSockaddr, sockaddrFamily } from "../../src/wire/sockaddr.ts";
import { type End, Pair } from "./control-pair.ts";

const PLAIN = { cipher: "chacha20poly1305" } as const;
const ELSEWHERE = makeSockaddr(Uint8Array.of(192, 0, 2, 77), 7);
const OURS = makeSockaddr(Uint8Array.of(192, 0, 2, 9), 0);
const GIVEN_UP_MS = 100_000;
const EXPIRED_MS = 200_000;

const callsAt = (end: End): string | null =>
  formatSockaddr(end.control.entries.endpoint(end.peer.entry));

const hex = (key: Uint8Array): string => Buffer.from(key).toString("hex");

/** What `wg setconf` sends for a file of one peer, with these lines. */
const setconf = (publicKey: Uint8Array, ...lines: string[]): Change => {
  const all = ["set=1", "replace_peers=true", `public_key=${hex(publicKey)}`, ...lines, "", ""];
  const [request] = new UapiReader().read(Buffer.from(all.join("\n")));
  assert(request?.type === "set");
  return request.change;
};

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

/** An I/O thread has a packet for the peer and no session. */
const want = (pair: Pair, { arena, peer, control }: End): void => {
  const word = peerWord(arena, peer.entry);
  arena.f64[doubleAt(word, PEER.fields.wantedAtMs)] = pair.nowMs;
  assert(new Producer(arena, "events", 0).put(EVENT.wanted, peer.entry, 0, 0, 0));
  control.hear();
};

/** Packets for a peer that nobody answers for, until it is given up. */
const giveUp = (pair: Pair, end: End): void => {
  pair.carries = () => false;
  pair.run(EXPIRED_MS);
  want(pair, end);
  pair.run(GIVEN_UP_MS);
  end.types();
};

const KINDS: readonly (readonly [name: string, change: (end: End) => readonly Change[]])[] = [
  ["setconf", ({ peer }) => [setconf(peer.publicKey)]],
  ["reload", ({ peer }) => [{ peers: [{ publicKey: peer.publicKey, endpoint: null }] }]],
  ["replaced", ({ peer }) => [{ replacePeers: true, peers: [{ publicKey: peer.publicKey }] }]],
  [
    "removed and added",
    ({ peer: { publicKey } }) => [
      { peers: [{ publicKey, remove: true }] },
      { peers: [{ publicKey }] },
    ],
  ],
];

for (const [name, changes] of KINDS) {
  test(`${name}: a peer that was given up is not called at its former address`, async () => {
    const pair = await Pair.make(PLAIN, PLAIN);
    pair.call(pair.a);
    giveUp(pair, pair.a);
    assert.equal(callsAt(pair.a), "192.0.2.2:51820");
    for (const change of changes(pair.a)) await pair.a.control.apply(change);
    await settle();
    assert.equal(callsAt(pair.a), null);
    want(pair, pair.a);
    pair.run(GIVEN_UP_MS);
    assert.deepEqual(pair.a.types(), []);
  });
}

test("while a session stands its address stays, and goes when nobody answers there", async () => {
  const pair = await Pair.make(PLAIN, PLAIN);
  pair.call(pair.a);
  await pair.a.control.apply(setconf(pair.a.peer.publicKey));
  await pair.a.control.apply(setconf(pair.a.peer.publicKey));
  assert.equal(callsAt(pair.a), "192.0.2.2:51820");
  giveUp(pair, pair.a);
  assert.equal(callsAt(pair.a), null);
});

test("an address that the peer roamed to is no configured one, and stays", async () => {
  const pair = await Pair.make(PLAIN, PLAIN);
  pair.call(pair.a);
  pair.a.control.entries.setEndpoint(pair.a.peer.entry, ELSEWHERE);
  await pair.a.control.apply(setconf(pair.a.peer.publicKey));
  giveUp(pair, pair.a);
  assert.equal(callsAt(pair.a), "192.0.2.77:7");
});

test("the same endpoint once more: called there, and the kernel chooses from where", async () => {
  const pair = await Pair.make(PLAIN, PLAIN);
  pair.call(pair.a);
  const { control, peer } = pair.a;
  control.entries.setEndpoint(peer.entry, pair.b.address, OURS);
  await control.apply(setconf(peer.publicKey, "endpoint=192.0.2.2:51820"));
  await settle();
  assert.equal(callsAt(pair.a), "192.0.2.2:51820");
  assert.equal(sockaddrFamily(control.entries.local(peer.entry)), 0);
});
