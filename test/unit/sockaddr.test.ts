/** sockaddr — outer addresses as the kernel writes them: ip(7), ipv6(7). */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatSockaddr,
  makeSockaddr,
  SOCKADDR_BYTES,
  sameSockaddr,
  sockaddrFamily,
} from "../../src/wire/sockaddr.ts";

const FD00_1 = Uint8Array.from([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const port = fc.nat(0xffff);

test("IPv4: family, port and address where struct sockaddr_in has them", () => {
  const made = makeSockaddr(Uint8Array.from([203, 0, 113, 7]), 51_820);
  const expected = new Uint8Array(SOCKADDR_BYTES);
  expected.set([2, 0, 0xca, 0x6c, 203, 0, 113, 7]);
  assert.deepEqual(made, expected);
  assert.equal(sockaddrFamily(made), 4);
  assert.equal(formatSockaddr(made), "203.0.113.7:51820");
});

test("IPv6: flow label 0, address and scope where struct sockaddr_in6 has them", () => {
  const made = makeSockaddr(FD00_1, 1, 7);
  const expected = new Uint8Array(SOCKADDR_BYTES);
  expected.set([10, 0, 0, 1]);
  expected.set(FD00_1, 8);
  expected[24] = 7;
  assert.deepEqual(made, expected);
  assert.equal(sockaddrFamily(made), 6);
  assert.equal(formatSockaddr(made), "[fd00::1%7]:1");
  const linkName = (index: number): string => (index === 7 ? "eth0" : "");
  assert.equal(formatSockaddr(made, linkName), "[fd00::1%eth0]:1");
  assert.equal(formatSockaddr(makeSockaddr(FD00_1, 1, 8), linkName), "[fd00::1%8]:1");
  assert.equal(formatSockaddr(makeSockaddr(FD00_1, 1), linkName), "[fd00::1]:1");
});

test("an IPv4-mapped address becomes IPv4", () => {
  fc.assert(
    fc.property(bytes(4), port, (address, p) => {
      const mapped = new Uint8Array(16);
      mapped.set([0xff, 0xff], 10);
      mapped.set(address, 12);
      assert.deepEqual(makeSockaddr(mapped, p, 3), makeSockaddr(address, p));
    }),
  );
});

test("none", () => {
  const none = new Uint8Array(SOCKADDR_BYTES);
  assert.equal(sockaddrFamily(none), 0);
  assert.equal(formatSockaddr(none), null);
  assert(sameSockaddr(none, new Uint8Array(SOCKADDR_BYTES)));
});

test("equal by address, port and scope; padding and flow label do not count", () => {
  const address = fc.oneof(bytes(4), bytes(16));
  fc.assert(
    fc.property(address, port, fc.nat(9), fc.nat(27), fc.nat(254), (host, p, scope, at, add) => {
      const one = makeSockaddr(host, p, scope);
      const other = one.slice();
      other[at] = (one[at]! + add + 1) & 0xff;
      const family = sockaddrFamily(one);
      const counts = family === 4 ? at < 8 : at < 4 || at >= 8;
      assert.equal(sameSockaddr(one, other), !counts);
      assert(sameSockaddr(one, one.slice()));
    }),
    { numRuns: 2_000 },
  );
});
