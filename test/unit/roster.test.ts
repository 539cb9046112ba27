import assert from "node:assert/strict";
import { test } from "node:test";
import { ALLOWED_IPS_MAX } from "../../src/control/allowed-ips.ts";
import { Roster } from "../../src/control/roster.ts";
import { TIMING } from "../../src/control/timers.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { makeArena } from "../../src/memory/region.ts";
import type { Cidr } from "../../src/wire/cidr.ts";

const keyOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

/** Different prefixes of length 32. */
const prefixes = (first: number, count: number): Cidr[] =>
  Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, first + i);
    return { version: 4, bytes, prefixLength: 32 };
  });

test("prefixes that a change replaces twice make room once", () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 4, routes: ALLOWED_IPS_MAX });
  const roster = new Roster({
    arena,
    entries: new PeerEntries(arena),
    mac: () => new Uint8Array(16),
    timing: TIMING,
    random: Math.random,
  });
  const half = ALLOWED_IPS_MAX / 2;
  const publicKey = keyOf(1);
  const full = { publicKey, allowedIps: prefixes(0, half) };
  roster.check({ peers: [full] });
  roster.setAllowedIps(roster.add(publicKey), full);
  const emptied = { publicKey, replaceAllowedIps: true } as const;
  const others = prefixes(1_000_000_000, ALLOWED_IPS_MAX);
  roster.check({ peers: [emptied, emptied, { publicKey: keyOf(2), allowedIps: others }] });
  const one = prefixes(2_000_000_000, 1);
  assert.throws(
    () =>
      roster.check({
        peers: [emptied, emptied, { publicKey: keyOf(2), allowedIps: [...others, ...one] }],
      }),
    { code: "LIMIT" },
  );
});
