/** change-words — what every change says of itself, old and new, whoever makes it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Change } from "../../src/schema/change.ts";
import { type Before, changeWords } from "../../src/schema/change-words.ts";
import { parseCidr } from "../../src/wire/cidr.ts";
import { type End, Pair } from "./control-pair.ts";

const cidr = (text: string) => parseCidr(text)!;
const key = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const LAPTOP = {
  name: "laptop",
  presharedKey: null,
  endpoint: { host: "203.0.113.7", port: 51_820 },
  persistentKeepaliveS: 0,
  allowedIps: [cidr("10.66.0.3/32"), cidr("10.5.0.0/16")],
};
const BEFORE: Before = {
  privateKey: key(9),
  listenPort: 51_820,
  fwmark: 0,
  mtu: 1_420,
  peers: 3,
  peer: (publicKey) => (publicKey[0] === 1 ? LAPTOP : undefined),
  called: (publicKey) => `key ${publicKey[0]}`,
};

// biome-ignore format: a table
const ROWS: readonly (readonly [Change, readonly string[]])[] = [
  [{}, []],
  [{ mtu: 1_380, listenPort: 51_820, fwmark: 7 }, ["interface.fwmark: 0 → 7", "interface.mtu: 1420 → 1380"]],
  [{ privateKey: key(9) }, []],
  [{ privateKey: key(8), listenPort: 1 }, ["interface.private_key_file", "interface.listen_port: 51820 → 1"]],
  [{ peers: [{ publicKey: key(1), remove: true }, { publicKey: key(2), remove: true }] }, ["peer laptop: removed"]],
  [{ peers: [{ publicKey: key(2), updateOnly: true, persistentKeepaliveS: 25 }] }, []],
  [{ peers: [{ publicKey: key(2), endpoint: { host: "vpn.example.org", port: 5 }, persistentKeepaliveS: 25, allowedIps: [cidr("fd66::/64")] }] },
    ["peer key 2: added, endpoint vpn.example.org:5, persistent_keepalive 25, allowed_ips + fd66::/64"]],
  [{ peers: [{ publicKey: key(2), name: "home" }] }, ["peer home: added"]],
  [{ peers: [{ publicKey: key(1), endpoint: { host: "203.0.113.7", port: 51_820 }, persistentKeepaliveS: 0 }] }, []],
  [{ peers: [{ publicKey: key(1), name: "office", endpoint: { host: "203.0.113.9", port: 51_820 }, presharedKey: key(7), persistentKeepaliveS: 25 }] },
    ["peer laptop: name laptop → office, preshared_key, endpoint 203.0.113.7:51820 → 203.0.113.9:51820, persistent_keepalive 0 → 25"]],
  [{ peers: [{ publicKey: key(1), replaceAllowedIps: true, allowedIps: [cidr("10.66.0.3/32"), cidr("10.6.0.0/16")] }] },
    ["peer laptop: allowed_ips + 10.6.0.0/16 − 10.5.0.0/16"]],
  [{ peers: [{ publicKey: key(1), removedAllowedIps: [cidr("10.5.0.0/16"), cidr("10.9.0.0/16")] }] }, ["peer laptop: allowed_ips − 10.5.0.0/16"]],
  [{ peers: [{ publicKey: key(1), allowedIps: [1, 2, 3, 4, 5, 6].map((n) => cidr(`10.9.${n}.0/24`)) }] },
    ["peer laptop: allowed_ips + 10.9.1.0/24 10.9.2.0/24 10.9.3.0/24 10.9.4.0/24 and 2 more"]],
  [{ replacePeers: true, peers: [{ publicKey: key(1) }] }, ["2 peers: removed"]],
];

test("old and new of what becomes another, and nothing of what stays", () => {
  for (const [change, words] of ROWS) assert.deepEqual(changeWords(change, BEFORE), words);
});

test("no key is in the words", () => {
  const change: Change = {
    privateKey: key(8),
    peers: [{ publicKey: key(1), presharedKey: key(7) }],
  };
  const text = changeWords(change, BEFORE).join();
  for (const secret of [7, 8])
    assert.ok(!text.includes(Buffer.from(key(secret)).toString("base64").slice(0, 8)));
});

const changed = (end: End): unknown[] =>
  end.said.filter(([, text]) => text === "changed").map(([level, , facts]) => [level, facts!.what]);

test("whoever changes a running engine is one line of its log; its start is none", async () => {
  const { a, b } = await Pair.make({ cipher: "auto" }, { cipher: "auto" });
  assert.deepEqual(changed(a), []);
  await a.control.apply({
    fwmark: 5,
    peers: [{ publicKey: b.publicKey, persistentKeepaliveS: 25 }],
  });
  await a.control.apply({ fwmark: 5 });
  const peer = `${Buffer.from(b.publicKey).toString("base64").slice(0, 8)}…`;
  assert.deepEqual(changed(a), [
    ["info", `interface.fwmark: 0 → 5; peer ${peer}: persistent_keepalive 0 → 25`],
  ]);
  const refused = a.control.apply({
    fwmark: 6,
    peers: [1, 2, 3].map((n) => ({ publicKey: key(n) })),
  });
  await assert.rejects(refused, /at most 2 peers/);
  assert.equal(changed(a).length, 1, "what was refused changed nothing");
});
