/** address — what an interface may be called by, and why not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addressProblem } from "../../src/schema/address.ts";
import { parseCidr } from "../../src/wire/cidr.ts";

const GOOD = [
  ...["10.66.0.1/24", "10.66.0.1", "10.66.0.0/31", "10.66.0.1/31", "10.66.0.0/32", "10.66.1.0/23"],
  ...["10.66.0.255/23", "0.0.0.1/8", "192.0.2.254/24", "169.254.1.1/16", "240.0.0.1/24"],
  ...["fd66::1/64", "fd66::", "fd66::/127", "fe80::1/64", "fd66:0:0:0:ffff:ffff:ffff:ffff/64"],
];
// biome-ignore format: a table
const BAD: readonly (readonly [string, RegExp])[] = [
  ["0.0.0.0/24", /unspecified/],
  ["0.0.0.0", /unspecified/],
  ["127.0.0.1/8", /loopback/],
  ["127.255.255.254/32", /loopback/],
  ["224.0.0.1/24", /multicast/],
  ["239.255.255.255/32", /multicast/],
  ["255.255.255.255/32", /broadcast/],
  ["10.66.0.0/24", /network's own address; use a host's, like 10\.66\.0\.1\/24/],
  ["10.66.0.4/30", /network's own address; .* 10\.66\.0\.5\/30/],
  ["10.66.0.255/24", /network's broadcast/],
  ["10.66.1.255/23", /network's broadcast/],
  ["10.66.0.1/0", /prefix length, like 10\.66\.0\.1\/24/],
  ["::/64", /unspecified/],
  ["::1/128", /loopback/],
  ["ff02::1/64", /multicast/],
  ["fd66::/64", /network's own address; .* fd66::1\/64/],
  ["fd66::4/126", /network's own address/],
  ["fd66::1/0", /prefix length, like fd66::1\/64/],
];

for (const text of GOOD) {
  test(`a host may have ${text}`, () => assert.equal(addressProblem(parseCidr(text)!), null));
}
for (const [text, clause] of BAD) {
  test(`no host has ${text}`, () => assert.match(addressProblem(parseCidr(text)!) ?? "", clause));
}
