/** underlay — what comes through the tunnel itself, or leads into it, is no peer's address. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Counters, controlBlock } from "../../src/memory/counters.ts";
import { COUNT } from "../../src/memory/layout.ts";
import { cameInside, setTunIndex } from "../../src/memory/underlay.ts";
import { makeSockaddr, sockaddrInterface } from "../../src/wire/sockaddr.ts";
import { Pair } from "./control-pair.ts";

const TUN = 7;

/** A local address as the addon gives it: with the interface at which a datagram arrived. */
const localAt = (index: number, version: 4 | 6): Uint8Array => {
  const address = version === 4 ? Uint8Array.of(10, 66, 0, 1) : new Uint8Array(16).fill(0xfd);
  const local = makeSockaddr(address, 0);
  new DataView(local.buffer).setUint32(version === 4 ? 8 : 24, index, true);
  return local;
};

const INNER = makeSockaddr(Uint8Array.of(10, 66, 0, 2), 51_820);

/** Two ends, and an initiation of a's that b has not seen. */
const called = async (): Promise<{ pair: Pair; initiation: Uint8Array }> => {
  const pair = await Pair.make({ cipher: "chacha20poly1305" }, { cipher: "chacha20poly1305" });
  pair.carries = () => false;
  pair.a.control.rekey(null);
  const initiation = pair.a.sent.at(-1)!;
  assert.equal(initiation[0], 1);
  return { pair, initiation };
};

test("the interface of a local address", () => {
  assert.equal(sockaddrInterface(localAt(9, 4)), 9);
  assert.equal(sockaddrInterface(localAt(9, 6)), 9);
  assert.equal(sockaddrInterface(new Uint8Array(28)), 0);
  assert.equal(sockaddrInterface(new Uint8Array(0)), 0);
});

for (const version of [4, 6] as const) {
  test(`a handshake that came through the tunnel is dropped (IPv${version})`, async () => {
    const { pair, initiation } = await called();
    const { b } = pair;
    setTunIndex(b.arena, TUN);
    assert.equal(cameInside(b.arena, localAt(TUN, version)), true);
    b.control.receive(initiation, INNER, localAt(TUN, version));
    assert.equal(b.count("ownTunnel"), 1);
    assert.equal(b.held.next, null);
    assert.notDeepEqual(b.control.entries.endpoint(b.peer.entry), INNER);
    // By any other interface it is a handshake like others; and so where the device has gone away.
    for (const [index, local] of [
      [TUN, TUN + 1],
      [0, TUN],
    ] as const) {
      const { pair: other, initiation: message } = await called();
      setTunIndex(other.b.arena, index);
      other.b.control.receive(message, other.a.address, localAt(local, version));
      assert.equal(other.b.count("ownTunnel"), 0);
      assert.notEqual(other.b.held.next, null);
    }
  });
}

test("no endpoint is taken that a route leads into the tunnel, whoever says it", async () => {
  const { pair, initiation } = await called();
  const { b } = pair;
  const { entries } = b.control;
  const { entry } = b.peer;
  const before = entries.endpoint(entry);
  pair.isInside = (to) => to[4] === 10;
  // By a handshake on another interface.
  b.control.receive(initiation, INNER, localAt(TUN + 1, 4));
  b.confirm();
  assert.deepEqual(entries.endpoint(entry), before);
  // By whoever else writes one.
  assert.equal(entries.setEndpoint(entry, INNER), false);
  assert.deepEqual(entries.endpoint(entry), before);
  const refused = new Counters(b.arena, controlBlock(b.arena)).get(COUNT.insideRefused);
  assert.ok(refused >= 1, `${refused}`);
  pair.isInside = () => false;
  assert.equal(entries.setEndpoint(entry, INNER), true);
  assert.deepEqual(entries.endpoint(entry), INNER);
});
