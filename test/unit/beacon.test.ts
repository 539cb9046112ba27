/** beacon — what members say on their link, and whom they ask because of what others say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Beacon, type BeaconCount } from "../../src/control/network/beacon.ts";
import type { EpochSecret } from "../../src/control/network/epochs.ts";
import { derive } from "../../src/members/secret.ts";
import { BEACON_BYTES } from "../../src/wire/beacon.ts";
import { formatSockaddr, makeSockaddr } from "../../src/wire/sockaddr.ts";
import { hex, SECRETS } from "./intro-parts.ts";
import { fixedBytes, mac } from "./noise-parties.ts";

const UNIX_MS = 1_800_000_123_456;
const SLOT_MS = 300_000;
const FROM = makeSockaddr(Uint8Array.of(192, 168, 1, 7), 4_739);
const START_MS = 1_000;

interface Member {
  readonly beacon: Beacon;
  readonly counts: Map<BeaconCount, number>;
  /** Addresses and epochs that were heard of. */
  readonly heard: string[];
  unixMs: number;
  port: number;
}

const member = (name: string, secrets: readonly EpochSecret[] = SECRETS): Member => {
  const counts = new Map<BeaconCount, number>();
  const heard: string[] = [];
  let draws = 0;
  const facts = { unixMs: UNIX_MS, port: 51_820 };
  const beacon = new Beacon({
    world: {
      unixMs: () => made.unixMs,
      randomBytes: (bytes) => fixedBytes(`${name} ${draws++}`, bytes),
      mac,
      count: (what, amount) => counts.set(what, (counts.get(what) ?? 0) + amount),
    },
    port: () => made.port,
    secrets: () => secrets,
    heardOf: (at, low) => heard.push(`${formatSockaddr(at)} ${low}`),
  });
  const made: Member = Object.assign(facts, { beacon, counts, heard });
  return made;
};

const counted = ({ counts }: Member): string => [...counts].map((row) => row.join(" ")).join(", ");

test("a beacon is, byte for byte, what the page says", () => {
  const said = member("a").beacon.make()!;
  const head = Buffer.alloc(8);
  head.set([1, 3]);
  head.writeUInt16LE(51_820, 2);
  head.writeUInt32LE(Math.floor(UNIX_MS / SLOT_MS), 4);
  const before = Buffer.concat([head, fixedBytes("a 0", 16)]);
  const tag = mac(derive(SECRETS[0]!.secret, "beacon"), Uint8Array.from(before));
  assert.equal(hex(said), before.toString("hex") + hex(tag));
  assert.equal(said.length, BEACON_BYTES);
});

test("its source is asked at the port that it says, and not again for a while", () => {
  const [a, b] = [member("a", [SECRETS[1]!]), member("b")];
  const said = a.beacon.make()!;
  b.beacon.take(said, FROM, START_MS);
  assert.deepEqual(b.heard, ["192.168.1.7:51820 2"]);
  b.beacon.take(said, FROM, START_MS + 49_999);
  assert.equal(counted(b), "beaconsTaken 1, beaconRate 1");
  b.beacon.take(said, FROM, START_MS + 60_000);
  assert.equal(b.heard.length, 2);
  const local = Uint8Array.from({ length: 16 }, (_, i) => [0xfe, 0x80][i] ?? 1);
  b.beacon.take(said, makeSockaddr(local, 4_739, 5), START_MS + 60_000);
  assert.match(b.heard.at(-1)!, /^\[fe80:.*%5\]:51820 2$/);
});

test("its own comes back, also after its id has changed, and means nothing", () => {
  const a = member("a");
  const first = a.beacon.make()!;
  assert.equal(hex(a.beacon.make()!), hex(first), "one id a slot");
  a.unixMs += SLOT_MS;
  const second = a.beacon.make()!;
  assert.notEqual(hex(second.subarray(8, 24)), hex(first.subarray(8, 24)));
  for (const said of [first, second]) a.beacon.take(said, FROM, START_MS);
  assert.equal(counted(a), "beaconsSent 3");
});

test("of another time, network or length, altered, of a low port: nobody is asked", () => {
  const [a, b] = [member("a"), member("b")];
  for (const slots of [-2, -1, 0, 1, 2]) {
    a.unixMs = UNIX_MS + slots * SLOT_MS;
    const source = makeSockaddr(Uint8Array.of(192, 168, 1, 20 + slots), 4_739);
    b.beacon.take(a.beacon.make()!, source, START_MS);
  }
  assert.equal(counted(b), "beaconInvalid 2, beaconsTaken 3");
  a.unixMs = UNIX_MS;
  b.counts.clear();
  const said = a.beacon.make()!;
  for (let at = 0; at < said.length; at++) {
    const other = said.slice();
    other[at]! ^= 1;
    b.beacon.take(other, FROM, START_MS + 1_000 * at);
  }
  const laterMs = START_MS + 1_000 * BEACON_BYTES;
  for (const wrong of [new Uint8Array(0), said.subarray(1), Buffer.concat([said, said])]) {
    b.beacon.take(wrong, FROM, laterMs);
  }
  const other = member("c", [{ epoch: 3, secret: new Uint8Array(32).fill(9) }]);
  b.beacon.take(other.beacon.make()!, FROM, laterMs);
  a.port = 1_023;
  b.beacon.take(a.beacon.make()!, FROM, laterMs);
  assert.equal(counted(b), `beaconInvalid ${BEACON_BYTES + 5}`);
  assert.equal(b.heard.length, 3);
});

test("without a secret or a port nothing is said", () => {
  assert.equal(member("a", []).beacon.make(), null);
  const a = member("a");
  a.port = 0;
  assert.equal(a.beacon.make(), null);
});

test("a flood has 32 addresses asked at once, then two a second; 256 are remembered", () => {
  const [a, b] = [member("a"), member("b")];
  const said = a.beacon.make()!;
  const from = (i: number) => makeSockaddr(Uint8Array.of(10, 0, i >> 8, i & 255), 4_739);
  for (let i = 0; i < 5_000; i++) b.beacon.take(said, from(i), START_MS);
  assert.equal(b.heard.length, 32);
  for (let i = 0; i < 5_000; i++) b.beacon.take(said, from(i), START_MS + 10 * i);
  assert.ok(b.heard.length <= 32 + 2 * 50 && b.heard.length > 90, `${b.heard.length}`);
  for (let i = 0; i < 1_000; i++) b.beacon.take(said, from(i), START_MS + 100_000 + 500 * i);
  assert.equal(b.beacon.size, 256);
  assert.equal(b.counts.has("beaconInvalid"), false);
});
