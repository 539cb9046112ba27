/** peer-mtu — the largest packet for a peer, of what its way takes and the tunnel's MTU. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addon } from "../../src/io/native/addon.ts";
import { readMtu, writeMtu } from "../../src/memory/mtu.ts";
import { PATH_MTU_MIN, PeerEntries } from "../../src/memory/peers.ts";
import { makeArena } from "../../src/memory/region.ts";

const TUNNEL = 1_420;

const entriesOf = () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 2, routes: 2 });
  writeMtu(arena, TUNNEL);
  const entries = new PeerEntries(arena);
  return {
    entries,
    setTunnel: (mtu: number) => writeMtu(arena, mtu),
    largest: (peer: number) => addon.largestPacket(entries.pathMtu(peer), readMtu(arena)),
  };
};

test("a way counts where it takes less than the tunnel, with the padding", () => {
  const { entries, largest } = entriesOf();
  assert.equal(largest(0), TUNNEL, "unknown");
  // What is padded to 16 bytes within the tunnel's MTU; a way of at least that does not count.
  for (const [path, mtu] of [
    [1_300, 1_296],
    [1_296, 1_296],
    [1_419, 1_408],
    [1_420, 1_420],
    [1_421, 1_420],
    [9_000, 1_420],
    [1_000, PATH_MTU_MIN],
  ] as const) {
    entries.setPathMtu(0, path);
    assert.equal(largest(0), mtu, `a way of ${path}`);
    assert.equal(largest(1), TUNNEL, "another peer");
  }
  entries.setPathMtu(0, 0);
  assert.equal(largest(0), TUNNEL);
});

test("the tunnel's MTU may change while the way's is known", () => {
  const { entries, setTunnel, largest } = entriesOf();
  entries.setPathMtu(0, 1_500);
  for (const mtu of [1_280, 9_000, 1_500, 1_499]) {
    setTunnel(mtu);
    assert.equal(largest(0), mtu === 9_000 ? 1_488 : mtu);
  }
  entries.begin(0);
  assert.equal(largest(0), 1_499, "a new peer of the same entry");
});
