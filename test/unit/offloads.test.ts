/** offloads — what is used of what is wanted and found, and why the rest is not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  chooseOffloads,
  type Found,
  OFFLOADS,
  type OffloadName,
  reasonsOf,
  surprises,
  type Wanted,
} from "../../src/offloads.ts";

const ALL: Wanted = { gso: true, gro: true, tunOffload: true, quirks: "avoid" };
const GOOD: Found = { udp: 3, tun: 2, mergesTcp: true, mergesUdp: true, release: "6.18.44" };

// biome-ignore format: a table
const CASES: readonly (readonly [what: string, wanted: Partial<Wanted>, found: Partial<Found>, off: readonly OffloadName[], why: RegExp])[] = [
  ["all is there", {}, {}, [], /^$/],
  ["--no-gso", { gso: false }, {}, ["gso"], /^as configured$/],
  ["--no-gro", { gro: false }, {}, ["gro"], /^as configured$/],
  ["--no-tun-offload", { tunOffload: false }, { tun: 0 }, ["tunOffload", "uso", "mergeTcp", "mergeUdp"], /^as configured$/],
  ["no UDP_SEGMENT", {}, { udp: 2 }, ["gso"], /Linux 4\.18 has/],
  ["no UDP_GRO that can be read", {}, { udp: 1 }, ["gro"], /Linux 5\.12 does/],
  ["no offload of the device", {}, { tun: 0 }, ["tunOffload", "uso", "mergeTcp", "mergeUdp"], /kernel refuses it/],
  ["no USO", {}, { tun: 1 }, ["uso", "mergeUdp"], /Linux 6\.2 has/],
  ["merged packets refused", {}, { mergesTcp: false, mergesUdp: false }, ["mergeTcp", "mergeUdp"], /refuses merged packets/],
  ["merged TCP refused, and UDP taken: not to be trusted", {}, { mergesTcp: false }, ["mergeTcp", "mergeUdp"], /refuses merged packets/],
  ["merged UDP refused", {}, { mergesUdp: false }, ["mergeUdp"], /refuses merged UDP/],
  ["a kernel that damages UDP GSO", {}, { release: "7.1.0" }, ["gso"], /7\.0\.0 to 7\.1\.4/],
  ["the same, ignored", { quirks: "ignore" }, { release: "7.1.0" }, [], /^$/],
  ["the same, and switched off", { gso: false }, { release: "7.1.0" }, ["gso"], /^as configured$/],
];

for (const [what, wanted, found, off, why] of CASES) {
  test(`${what}: ${off.map((name) => OFFLOADS[name]).join(", ") || "nothing"} off`, () => {
    const offloads = chooseOffloads({ ...ALL, ...wanted }, { ...GOOD, ...found });
    const reasons = reasonsOf(offloads);
    assert.deepEqual(Object.keys(reasons), off);
    for (const reason of Object.values(reasons)) assert.match(reason, why);
    const configured = why.test("as configured");
    assert.equal(surprises(offloads).length, configured ? 0 : off.length);
    for (const sentence of surprises(offloads)) assert.match(sentence, / is off: .*\.$/);
  });
}
