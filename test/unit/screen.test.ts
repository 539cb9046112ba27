/** screen — what `status` and `peers` look like at each width, letter by letter; units and ages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPeers } from "../../src/commands/peers.ts";
import { formatBoth, formatShort, formatTraffic } from "../../src/commands/print.ts";
import { type Screen, screenOf, wrap } from "../../src/commands/screen.ts";
import { formatStatus } from "../../src/commands/status.ts";
import type { PeerValue, StatusValue } from "../../src/schema/requests.ts";

const GIB = 2 ** 30;
const key = (n: number): string => Buffer.alloc(32, n).toString("base64");

// biome-ignore format: a table
const STATUS: StatusValue = {
  interface: "p2p0", up: true, network: 1, nodeId: null, wireguardPublicKey: key(9), listenPort: 51_820, mtu: 1_420, cipher: "auto", threads: 1, ioThreads: 1,
  startedMs: 125_000, pid: 17_294, addresses: ["10.66.0.2/24", "fd66::2/64"], warnings: [], keyLog: false, defence: { state: "calm", rung: 0 },
  features: { gso: true, gro: true, tunOffload: true, uso: true, mergeTcp: true, mergeUdp: true, connectedSockets: true, aesHardware: true, aes256gcm: true },
  offBecause: {}, counters: { tunPackets: 7 }, drops: { linkOnly: 12, standingQueue: 3, noRoute: 0 }, membership: null,
};
// biome-ignore format: a table
const OFFICE: PeerValue = {
  name: "office", nodeId: null, origin: "file", wireguardPublicKey: key(1), addresses: ["10.66.0.1/32"], endpoint: "203.0.113.7:51820", endpointName: null, endpointProblem: null,
  state: "connected", silentMs: null, path: "direct", cipher: "aes256gcm", lastHandshakeMs: 5_000, rxBytes: GIB, txBytes: 3 * GIB, rttMs: 12.34, mtu: 1_420,
};
// biome-ignore format: a table
const LAN: PeerValue = {
  ...OFFICE, name: "lan", wireguardPublicKey: key(2), addresses: ["10.66.0.9/32"], endpoint: "203.0.113.9:51820",
  state: "silent", silentMs: 40_000, path: "none", cipher: null, lastHandshakeMs: null, rxBytes: 0, txBytes: 4_096, rttMs: null,
};
// biome-ignore format: a table
const SIX: PeerValue = {
  ...OFFICE, name: null, wireguardPublicKey: key(3), addresses: ["10.66.0.3/32", "fd66::3/128", "192.168.5.0/24"], endpoint: null, endpointName: "vpn.example.org:51820",
  state: "waiting", path: "none", cipher: null, lastHandshakeMs: null, rxBytes: 0, txBytes: 0, rttMs: null,
};

const screen = (columns: number, colour = false): Screen => ({ columns, colour });
const lines = (text: string): string => text.replace(/^\n/, "").replace(/\n *$/, "");

// biome-ignore format: a table
const WIDE = [
  "  peer       state            address               endpoint                              handshake  in / out   round trip",
  "  office     connected, AES   10.66.0.1             203.0.113.7:51820                     5 s ago    1 / 3 GiB  12.3 ms",
  "  AwMDAwMD…  never connected  10.66.0.3 fd66::3 +1  vpn.example.org:51820 (not resolved)  never      0 / 0      -",
];

/** Nothing passes the edge. */
const assertFits = (text: string, columns: number): void => {
  for (const line of text.split("\n")) assert.ok(line.length <= columns, `${columns}: ${line}`);
};

test("status as it is drawn", () => {
  assert.equal(
    formatStatus(STATUS, [OFFICE, LAN], screen(100)),
    lines(`
p2p0  up 2 min  10.66.0.2/24 fd66::2/64  UDP 51820  process 17294
1 of 2 peers connected; 1 GiB in, 3 GiB out; drops: none worth a look

  peer    state               address    endpoint           handshake  in / out
  office  connected, AES      10.66.0.1  203.0.113.7:51820  5 s ago    1 / 3 GiB
  lan     no answer for 40 s  10.66.0.9  203.0.113.9:51820  never      0 / 4 KiB
`),
  );
});

test("status at 80 columns: a table while it fits, a card for each peer when it does not", () => {
  const table = formatStatus(STATUS, [OFFICE, LAN], screen(84));
  assert.match(table, /^ {2}peer {4}state/m);
  assert.equal(
    formatStatus(STATUS, [OFFICE, LAN, SIX], screen(80)),
    lines(`
p2p0  up 2 min  10.66.0.2/24 fd66::2/64  UDP 51820  process 17294
1 of 3 peers connected; 1 GiB in, 3 GiB out; drops: none worth a look

  office  connected, AES
    10.66.0.1
    endpoint 203.0.113.7:51820, handshake 5 s ago, in / out 1 / 3 GiB
  lan  no answer for 40 s
    10.66.0.9
    endpoint 203.0.113.9:51820, handshake never, in / out 0 / 4 KiB
  AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=  never connected
    10.66.0.3, fd66::3, 192.168.5.0/24
    endpoint vpn.example.org:51820 (not resolved), handshake never,
      in / out 0 / 0
`),
  );
});

test("peers at 60 and at 135 columns", () => {
  assert.equal(
    formatPeers([OFFICE, SIX], screen(60)),
    lines(`
  office  connected, AES
    10.66.0.1
    endpoint 203.0.113.7:51820, handshake 5 s ago,
      in / out 1 / 3 GiB, round trip 12.3 ms
  AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=
    never connected
    10.66.0.3, fd66::3, 192.168.5.0/24
    endpoint vpn.example.org:51820 (not resolved),
      handshake never, in / out 0 / 0
`),
  );
  assert.equal(formatPeers([OFFICE, SIX], screen(135)), WIDE.join("\n"));
});

test("whatever is shown, nothing passes the edge", () => {
  const six = "[2001:db8:1111:2222:3333:4444:5555:6666]:51820";
  const long = {
    ...OFFICE,
    name: "n".repeat(30),
    endpoint: six,
    addresses: Array(9).fill("fd66:1:2:3:4:5:6:7/128"),
  };
  const busy: StatusValue = {
    ...STATUS,
    keyLog: true,
    defence: { state: "under load", rung: 4 },
    drops: { noRoute: 1_234_567, openFailed: 1, replayed: 2, tooShort: 3 },
    warnings: Array.from({ length: 20 }, (_, i) => ({
      ageMs: i,
      text: `a route is missing (reason: number ${i}, which is a long one)`,
    })),
  };
  for (const columns of [60, 80, 100, 135]) {
    assertFits(formatStatus(busy, [OFFICE, LAN, SIX, long], screen(columns)), columns);
    assertFits(formatPeers([OFFICE, LAN, SIX, long], screen(columns)), columns);
  }
});

test("what is out of the ordinary is said, and the rest is behind --all", () => {
  const warnings = [1, 2, 3, 4].map((n) => ({ ageMs: n * 1_000, text: `warning ${n}` }));
  const odd = {
    ...STATUS,
    keyLog: true,
    defence: { state: "under load", rung: 4 },
    warnings,
    drops: { noRoute: 1_000, openFailed: 2, replayed: 3, tooShort: 4 },
  };
  const text = formatStatus(odd, [], screen(100));
  assert.match(
    text,
    /^ *drops: 1,000 noRoute, 4 tooShort, 3 replayed and 1 more \(--all says why\)$/m,
  );
  assert.match(
    text,
    /^under load \(rung 4\)\nkey log ON: .*\n1 older warning: .*\nwarning, 2 s ago: warning 2\n/m,
  );
  assert.match(text, /There are no peers; add a \[\[peer\]\]/);
  assert.doesNotMatch(text, /tunPackets|public key|UDP GSO/);
  const all = formatStatus(odd, [], screen(100), true);
  assert.match(all, /warning 1\n/);
  assert.match(all, /^public key +CQkJ/m);
  assert.match(all, /^ {2}tunPackets +7 +packets/m);
  assert.match(all, /^ {2}noRoute +1,000 +packets +No peer's allowed IPs/m);
});

test("of many peers those that do not answer are shown", () => {
  const many = Array.from({ length: 30 }, (_, i) => ({
    ...OFFICE,
    name: `peer${i}`,
    wireguardPublicKey: key(i),
  }));
  many[29] = { ...LAN, name: "peer29" };
  const text = formatStatus(STATUS, many, screen(100));
  assert.match(text, /and 10 more: p2pvpn-engine peers -i p2p0$/);
  assert.match(text, /peer29 +no answer/);
});

test("keys that begin alike are told apart", () => {
  const twin = `${key(3).slice(0, 12)}${"B".repeat(31)}=`;
  const text = formatPeers([SIX, { ...SIX, wireguardPublicKey: twin }], screen(135));
  assert.match(text, /^ {2}AwMDAwMDAwMDA… .*\n {2}AwMDAwMDAwMDB… /m);
});

test("colour and width: a terminal's, COLUMNS, or 100 into a pipe", () => {
  assert.deepEqual(screenOf({ isTTY: true, columns: 72 }, {}), screen(72, true));
  assert.deepEqual(screenOf({ isTTY: true }, {}), screen(80, true));
  assert.equal(screenOf({ isTTY: true, columns: 72 }, { NO_COLOR: "1" }).colour, false);
  assert.equal(screenOf({ isTTY: true, columns: 72 }, { TERM: "dumb" }).colour, false);
  assert.deepEqual(screenOf({}, {}), screen(100));
  assert.deepEqual(screenOf({}, { COLUMNS: "64" }), screen(64));
  for (const COLUMNS of ["0", "-3", "x"]) assert.deepEqual(screenOf({}, { COLUMNS }), screen(100));
  const plain = formatPeers([OFFICE, LAN], screen(100));
  const coloured = formatPeers([OFFICE, LAN], screen(100, true));
  assert.ok(coloured.includes("\u001b[31mno answer for 40 s\u001b[0m"));
  const codes = ["\u001b[0m", "\u001b[2m", "\u001b[31m", "\u001b[32m"];
  assert.equal(
    codes.reduce((text, code) => text.replaceAll(code, ""), coloured),
    plain,
  );
});

// biome-ignore format: a table
const TRAFFIC: readonly (readonly [number, string])[] = [
  [0, "0"], [1, "0.1 KiB"], [148, "0.1 KiB"], [1_024, "1 KiB"], [1_536, "1.5 KiB"], [10_240, "10 KiB"],
  [1_023 * 1_024, "1023 KiB"], [1_048_575, "1 MiB"], [2 ** 30, "1 GiB"], [2 ** 53, "8 PiB"],
];

test("bytes and ages for columns", () => {
  for (const [bytes, text] of TRAFFIC) assert.equal(formatTraffic(bytes), text);
  assert.equal(formatBoth(0, 0), "0 / 0");
  assert.equal(formatBoth(GIB, 3 * GIB), "1 / 3 GiB");
  assert.equal(formatBoth(0, 4_096), "0 / 4 KiB");
  assert.equal(formatBoth(4_096, 0), "4 / 0 KiB");
  assert.equal(formatBoth(4_096, GIB), "4 KiB / 1 GiB");
  assert.equal(formatShort(119_999), "119 s");
  assert.equal(formatShort(120_000), "2 min");
  assert.equal(formatShort(7_200_000), "2 h");
  assert.equal(formatShort(172_800_000), "2 d");
});

test("parts that do not fit go on in the next line", () => {
  assert.equal(wrap(["aaaa", "bbbb", "cccc"], screen(12)), "aaaa  bbbb\n  cccc");
  assert.equal(wrap(["aaaa", "bbbb"], screen(8), { gap: ", " }), "aaaa,\n  bbbb");
});
