/** cli-values — what an engine of the command line's tests answers. */
import { statSync } from "node:fs";
import type { PeerValue, RouteValue, StatsValue, StatusValue } from "../../src/schema/requests.ts";
import { parseCidr } from "../../src/wire/cidr.ts";

export const keyOf = (n: number): Uint8Array => new Uint8Array(32).fill(n);
export const textOf = (n: number): string => Buffer.from(keyOf(n)).toString("base64");
export const cidr = (text: string) => parseCidr(text)!;

// biome-ignore format: a table
export const STATUS: StatusValue = {
  interface: "cli0", nodeId: null, wireguardPublicKey: textOf(9), listenPort: 51_820, mtu: 1_420, cipher: "chacha20poly1305", up: true,
  network: statSync("/proc/self/ns/net").ino, threads: 1, ioThreads: 1, startedMs: 125_000, keyLog: false, pid: 17_294, addresses: ["10.66.0.2/24", "fd66::2/64"], warnings: [], defence: { state: "calm", rung: 0 },
  features: { gso: true, gro: false, tunOffload: true, uso: false, mergeTcp: true, mergeUdp: false, connectedSockets: true, aesHardware: true, aes256gcm: true },
  offBecause: { uso: "the kernel does not have it; Linux 6.2 has" },
  counters: { tunPackets: 1_234_567, tunReads: 0 }, drops: { noRoute: 3, replayed: 0 }, membership: null,
};
// biome-ignore format: a table
export const OFFICE: PeerValue = {
  name: "office", nodeId: null, origin: "file", wireguardPublicKey: textOf(1), addresses: ["10.66.0.2/32", "10.5.0.0/16"], endpoint: null, endpointName: "vpn.example.org:51820", endpointProblem: null,
  path: "none", cipher: null, lastHandshakeMs: null, rxBytes: 0, txBytes: 1_536, rttMs: null, mtu: 1_420, state: "waiting", silentMs: null,
};
export const OTHER: PeerValue = {
  ...OFFICE,
  name: null,
  wireguardPublicKey: textOf(2),
  addresses: [],
  endpoint: "192.0.2.1:51820",
};
export const TWIN: PeerValue = {
  ...OTHER,
  wireguardPublicKey: `${textOf(2).slice(0, 8)}${"B".repeat(35)}=`,
};
export const ROUTES: readonly RouteValue[] = OFFICE.addresses.map((prefix, i) => ({
  prefix,
  nodeId: null,
  name: "office",
  wireguardPublicKey: OFFICE.wireguardPublicKey,
  metric: 0,
  active: i === 0,
  reason: i === 0 ? null : "eth0 has it",
}));
export const STATS: StatsValue = {
  threads: [{ name: "io0", counters: { loops: 7 } }],
  workers: [{ name: "worker0", state: "asleep", jobs: 12 }],
  memory: { arenaBytes: 1_048_576, rssBytes: 2_097_152 },
};
