/**
 * endpoint-proof — where a peer is: a copy of an old initiation moves nothing, also after a restart
 * that has forgotten its timestamp; data in the session does, and a response to our own message.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENT } from "../../src/memory/layout.ts";
import { Producer } from "../../src/memory/queue.ts";
import { formatSockaddr, makeSockaddr } from "../../src/wire/sockaddr.ts";
import { type End, type EndOptions, Pair } from "./control-pair.ts";

const AUTO: EndOptions = { cipher: "auto" };
const NO_LOCAL = new Uint8Array(0);
const ELSEWHERE = makeSockaddr(Uint8Array.of(203, 0, 113, 9), 9);
const ELSEWHERE_6 = makeSockaddr(new Uint8Array(16).fill(0xfd), 9);

const endpointOf = (end: End): string | null =>
  formatSockaddr(end.control.entries.endpoint(end.peer.entry));

/** b restarts, and somebody sends it a copy of an initiation of a. */
const replayed = async (from: Uint8Array, type: 1 | 5): Promise<Pair> => {
  const pair = await Pair.make({ cipher: type === 1 ? "chacha20poly1305" : "aes256gcm" }, AUTO);
  pair.call(pair.a);
  const initiation = pair.a.sent.find(([first]) => first === type);
  assert(initiation !== undefined);
  await pair.b.start(pair, AUTO);
  pair.b.types();
  pair.carries = () => false;
  pair.b.control.receive(initiation, from, NO_LOCAL);
  assert.deepEqual(pair.b.types(), [type + 1], "it is answered, where it came from");
  return pair;
};

for (const from of [ELSEWHERE, ELSEWHERE_6]) {
  for (const type of [1, 5] as const) {
    test(`a copy from ${formatSockaddr(from)}, type ${type}, does not move the peer`, async () => {
      const pair = await replayed(from, type);
      const { b } = pair;
      assert.equal(endpointOf(b), "192.0.2.1:51820");
      // What b sends next goes where the peer is.
      pair.carries = () => true;
      pair.run(6_000);
      pair.call(b);
      pair.run(6_000);
      assert.ok(b.current?.initiator, "b has a session with a");
      assert.equal(endpointOf(b), "192.0.2.1:51820");
    });
  }
}

test("the first packet in the session says where it is, and no other session's", async () => {
  const { b } = await replayed(ELSEWHERE, 1);
  const { entry } = b.peer;
  const { next } = b.held;
  assert(next !== null);
  const address = (from: Uint8Array): number => {
    b.arena.u8.set(from, b.arena.layout.base.slots);
    return b.arena.layout.base.slots / 4;
  };
  const events = new Producer(b.arena, "events", 0);
  const { session, generation } = next;
  assert(events.put(EVENT.confirmed, entry, session, generation + 2, address(ELSEWHERE)));
  b.control.hear();
  assert.equal(endpointOf(b), "192.0.2.1:51820");
  assert(events.put(EVENT.confirmed, entry, session, generation, address(ELSEWHERE)));
  b.control.hear();
  assert.equal(endpointOf(b), "203.0.113.9:9");
  assert.equal(b.current?.session, session);
});
