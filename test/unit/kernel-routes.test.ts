/** kernel-routes — which prefixes may be routes of the kernel into our device. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  contains,
  leftReason,
  leftSentence,
  probesOf,
  reachedInside,
  type Way,
  wouldCatch,
  wouldKeep,
} from "../../src/schema/kernel-routes.ts";
import { type Cidr, formatAddress, parseAddress, parseCidr } from "../../src/wire/cidr.ts";

const cidr = (text: string): Cidr => parseCidr(text)!;
const host = (text: string): Uint8Array => parseAddress(text)!;
const way = (prefixLength: number, more: Partial<Way> = {}): Way => ({
  index: 2,
  prefixLength,
  table: 254,
  metric: 0,
  ...more,
});

test("a prefix contains an address of its family, to the bit", () => {
  // biome-ignore format: a table
  const rows = [
    ["0.0.0.0/0", "203.0.113.7", true], ["128.0.0.0/1", "203.0.113.7", true], ["0.0.0.0/1", "203.0.113.7", false],
    ["10.5.0.0/23", "10.5.1.255", true], ["10.5.0.0/23", "10.5.2.0", false], ["10.5.0.1/32", "10.5.0.1", true],
    ["::/0", "203.0.113.7", false], ["::/1", "2001:db8::1", true], ["8000::/1", "2001:db8::1", false],
    ["2001:db8::/127", "2001:db8::1", true], ["2001:db8::/127", "2001:db8::2", false],
  ] as const;
  for (const [prefix, address, expected] of rows) {
    assert.equal(contains(cidr(prefix), host(address)), expected, `${prefix} ${address}`);
  }
});

test("a route catches a datagram unless a longer one or a rule's table leads it", () => {
  const half = cidr("128.0.0.0/1");
  assert.equal(wouldCatch(null, half), true);
  assert.equal(wouldCatch(way(0), half), true);
  assert.equal(wouldCatch(way(24), half), false);
  assert.equal(wouldCatch(way(0, { table: 51_820 }), half), false);
  assert.equal(wouldCatch(way(0, { table: 253 }), half), true);
});

test("another device's route for the same prefix stays where its metric is no greater", () => {
  assert.equal(wouldKeep(way(24), cidr("192.168.1.0/24")), true);
  assert.equal(wouldKeep(way(24, { metric: 100 }), cidr("192.168.1.0/24")), false);
  assert.equal(wouldKeep(way(64, { metric: 256 }), cidr("fd01::/64")), true);
  assert.equal(wouldKeep(way(16), cidr("192.168.1.0/24")), false);
  assert.equal(wouldKeep(null, cidr("192.168.1.0/24")), false);
});

test("who is reached inside which prefix", () => {
  const texts = ["0.0.0.0/1", "128.0.0.0/1", "203.0.113.0/24", "::/1", "10.0.0.0/8"];
  const prefixes = new Map(texts.map((text) => [text, cidr(text)]));
  const office = { peer: "office", host: host("203.0.113.7") };
  const home = { peer: "home", host: host("2001:db8::7") };
  const inside = reachedInside(prefixes, [office, home]);
  assert.deepEqual(
    [...inside].sort(([a], [b]) => a.localeCompare(b)),
    [
      ["::/1", [home]],
      ["128.0.0.0/1", [office]],
      ["203.0.113.0/24", [office]],
    ],
  );
});

test("probes are ordinary addresses of the prefix, near both ends", () => {
  // biome-ignore format: a table
  const rows = [
    ["0.0.0.0/0", ["1.0.0.1"]], ["128.0.0.0/1", ["129.0.0.1"]], ["10.0.0.0/8", ["10.0.0.1", "10.255.255.254"]],
    ["192.168.1.0/24", ["192.168.1.1", "192.168.1.254"]], ["192.168.1.6/31", ["192.168.1.7", "192.168.1.6"]],
    ["192.168.1.7/32", ["192.168.1.7", "192.168.1.7"]], ["::/0", ["2000::1"]], ["8000::/1", ["a000::1"]],
    ["fd66::/64", ["fd66::1", "fd66::ffff:ffff:ffff:fffe"]], ["fd66::2/128", ["fd66::2", "fd66::2"]],
  ] as const;
  for (const [prefix, expected] of rows) {
    const probes = probesOf(cidr(prefix));
    assert.deepEqual(probes.map(formatAddress), expected, prefix);
    for (const probe of probes) assert.ok(contains(cidr(prefix), probe));
  }
});

test("people are told what is not done, why, and what to do", () => {
  const reached = { peer: "office", host: host("203.0.113.7") };
  const left = { kind: "endpoint", reached } as const;
  assert.match(leftSentence("0.0.0.0/1", left), /office is reached at 203\.0\.113\.7, inside it; /);
  assert.match(leftReason(left), /^left to you: office is reached at 203\.0\.113\.7, inside it$/);
  const taken = { kind: "taken", link: "eth0" } as const;
  assert.match(leftSentence("192.168.1.0/24", taken), /since eth0 has it; leave it out/);
  assert.equal(leftReason(taken), "eth0 has it");
});

test("eight times as many peers in one prefix take about eight times as long", () => {
  const prefixes = new Map([["0.0.0.0/1", cidr("0.0.0.0/1")]]);
  // Processor time: a busy machine makes long work longer than short work.
  const userMs = (count: number, times: number): number => {
    const reached = Array.from({ length: count }, (_, i) => {
      return { peer: "one", host: Uint8Array.of(10, 0, i >> 8, i) };
    });
    const begun = process.cpuUsage();
    for (let i = 0; i < times; i++) {
      assert.equal(reachedInside(prefixes, reached).get("0.0.0.0/1")!.length, count);
    }
    return process.cpuUsage(begun).user / 1_000;
  };
  userMs(2_000, 20); // compiled now
  // The same work, if it is linear.
  const [many, few] = [userMs(16_000, 20), userMs(2_000, 160)];
  assert.ok(many < 3 * (few + 1), `${many.toFixed(0)} ms for ${few.toFixed(0)} ms`);
});
