/** multicast — links that beacons are said on, and sources that are on one of them. */
import assert from "node:assert/strict";
import type { NetworkInterfaceInfo } from "node:os";
import { test } from "node:test";
import { linksOf, sourceOnLink } from "../../src/control/host/multicast.ts";
import { formatSockaddr } from "../../src/wire/sockaddr.ts";

const four = (address: string, netmask: string, internal = false): NetworkInterfaceInfo => {
  return { family: "IPv4", address, netmask, internal, mac: "", cidr: null };
};
const six = (address: string, scopeid: number, internal = false): NetworkInterfaceInfo => {
  return { family: "IPv6", address, scopeid, internal, netmask: "", mac: "", cidr: null };
};

const INTERFACES = {
  lo: [four("127.0.0.1", "255.0.0.0", true), six("::1", 0, true)],
  eth1: [six("2001:db8::7", 0), six("fe80::7", 3)],
  eth0: [four("192.168.1.7", "255.255.255.0"), four("10.0.0.1", "255.0.0.0"), six("fe80::1", 2)],
  p2p0: [four("10.66.0.1", "255.255.0.0")],
  empty: [],
  routed: [six("2001:db8:1::1", 0)],
};

test("links: all but loopback, our tunnel, and what has no address of a link", () => {
  const links = linksOf(INTERFACES, "p2p0");
  assert.deepEqual(
    links.map(({ name, four: of, scope }) => [name, of?.address, scope]),
    [
      ["eth0", "192.168.1.7", 2],
      ["eth1", undefined, 3],
    ],
  );
  assert.deepEqual(
    linksOf(INTERFACES, "renamed").map(({ name }) => name),
    ["eth0", "eth1", "p2p0"],
  );
  const many = Array.from({ length: 100 }, (_, i) => [`eth${i}`, INTERFACES.eth0] as const);
  assert.equal(linksOf(Object.fromEntries(many), "").length, 16);
});

test("sources: on a link, by its mask, or link-local on a link that is spoken on", () => {
  const links = linksOf(INTERFACES, "p2p0");
  const source = (address: string): string | null => {
    const from = sourceOnLink({ address, port: 4_739 }, links);
    return from === null ? null : formatSockaddr(from);
  };
  assert.equal(source("192.168.1.200"), "192.168.1.200:4739");
  assert.equal(source("fe80::99%eth1"), "[fe80::99%3]:4739");
  const wrong = [
    ...["192.168.2.1", "10.66.0.9", "127.0.0.1", "8.8.8.8", "0.0.0.0", "239.255.77.76"],
    ...["fe80::99", "fe80::99%p2p0", "fe80::99%nobody", "2001:db8::9", "2001:db8::9%eth0", "::1"],
    ...["", "%eth0", "eth0", "::ffff:192.168.1.9"],
  ];
  for (const address of wrong) assert.equal(source(address), null, address);
});
