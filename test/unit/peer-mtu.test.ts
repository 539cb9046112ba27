/** peer-mtu — what control says of the way to a peer, and what is left of the tunnel's MTU. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { writeMtu } from "../../src/memory/mtu.ts";
import { PATH_MTU_MIN, PeerEntries } from "../../src/memory/peers.ts";
import { makeArena } from "../../src/memory/region.ts";

const TUNNEL = 1_420;

const entriesOf = (): { entries: PeerEntries; setTunnel: (mtu: number) => void } => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 2, routes: 2 });
  writeMtu(arena, TUNNEL);
  return { entries: new PeerEntries(arena), setTunnel: (mtu) => writeMtu(arena, mtu) };
};

test("a way counts where it takes less than the tunnel, with the padding", () => {
  const { entries } = entriesOf();
  assert.equal(entries.mtu(0), TUNNEL, "unknown");
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
    assert.equal(entries.mtu(0), mtu, `a way of ${path}`);
    assert.equal(entries.mtu(1), TUNNEL, "another peer");
  }
  entries.setPathMtu(0, 0);
  assert.equal(entries.mtu(0), TUNNEL);
});

test("the tunnel's MTU may change while the way's is known", () => {
  const { entries, setTunnel } = entriesOf();
  entries.setPathMtu(0, 1_500);
  for (const mtu of [1_280, 9_000, 1_500, 1_499]) {
    setTunnel(mtu);
    assert.equal(entries.mtu(0), mtu === 9_000 ? 1_488 : mtu);
  }
  entries.begin(0);
  assert.equal(entries.mtu(0), 1_499, "a new peer of the same entry");
});
