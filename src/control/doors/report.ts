/**
 * report — what `status`, `peers` and `stats` say, read from shared memory and control's own state.
 *
 * Thread: control; nothing here waits for another thread.
 */
import { statSync } from "node:fs";
import type { Facts, Recent } from "../../log.ts";
import { controlBlock, sumCounters } from "../../memory/counters.ts";
import { WORKER, type WORKER_STATE } from "../../memory/layout.ts";
import { type Arena, doubleAt, fieldWord, wordOf } from "../../memory/region.ts";
import { type EngineConfig, formatEndpoint } from "../../schema/config.ts";
import { formatWireguardKey } from "../../schema/identity.ts";
import type {
  PeerValue,
  RoutesPage,
  RouteValue,
  StatsValue,
  StatusValue,
} from "../../schema/requests.ts";
import { type Cidr, formatCidr } from "../../wire/cidr.ts";
import type { Control } from "../control.ts";
import type { Host } from "../host/host.ts";
import type { Peer } from "../peers/peer.ts";
import { endpointText } from "../reach/endpoint-text.ts";
import { cipherOf, presenceAt } from "../sessions/news.ts";
import type { Opened } from "../task.ts";
import { networkStatus } from "./network-report.ts";

const STATE_NAMES = ["absent", "awake", "asleep"] as const;

/** Rungs of the ladder in docs/SECURITY.md; cookies and token buckets are the fourth. */
const CALM = { state: "calm", rung: 0 };
const UNDER_LOAD = { state: "under load", rung: 4 };

/** What a status is made of. */
export interface Reported {
  readonly arena: Arena;
  readonly config: EngineConfig;
  readonly opened: Opened;
  readonly control: Control;
  /** Secrets are being written: a full disk ends that. */
  readonly keyLog: boolean;
  /** Of the interface, now. */
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
  readonly addresses: readonly Cidr[];
  readonly recent: Recent;
  readonly nowMs: number;
}

export const statusValue = (reported: Reported): StatusValue => {
  const { arena, config, opened, control, name, up, mtu, nowMs } = reported;
  const { publicKey } = control;
  return {
    interface: name,
    up,
    pid: process.pid,
    network: statSync("/proc/self/ns/net").ino,
    nodeId: config.interface.identity?.nodeId ?? null,
    wireguardPublicKey: publicKey === null ? "" : formatWireguardKey(publicKey),
    listenPort: control.listenPort,
    mtu,
    cipher: config.interface.cipher,
    threads: config.engine.threads,
    ioThreads: config.engine.ioThreads,
    features: opened.features,
    offBecause: opened.offBecause,
    keyLog: reported.keyLog,
    defence: control.underLoad(nowMs) ? UNDER_LOAD : CALM,
    startedMs: Math.max(0, nowMs - opened.startedMs),
    addresses: reported.addresses.map(formatCidr),
    warnings: reported.recent.values(nowMs),
    ...sumCounters(arena, 0, controlBlock(arena) + 1),
    membership:
      control.network === null ? null : networkStatus(control.network, control.networkCounts),
  };
};

/** What is on, for the log's first line. */
export const upFacts = (up: {
  readonly config: EngineConfig;
  readonly opened: Opened;
  readonly control: Control;
  readonly host: Host;
}): Facts => {
  const { config, opened, control, host } = up;
  const features = Object.entries(opened.features);
  const named = (wanted: boolean): string =>
    features.flatMap(([name, on]) => (on === wanted ? [name] : [])).join(" ");
  return {
    version: opened.version,
    interface: host.name,
    addresses: host.addresses.map(formatCidr).join(" "),
    port: control.listenPort,
    mtu: host.mtu,
    peers: control.roster.size,
    cipher: config.interface.cipher,
    ioThreads: config.engine.ioThreads,
    workers: config.engine.threads,
    on: named(true),
    off: named(false),
  };
};

export const peerValue = (peer: Peer, control: Control, nowMs: number): PeerValue => {
  const { entries } = control;
  const bytes = entries.bytes(peer.entry);
  const { rttMs, mtu, nameProblem, held } = control.facts(peer);
  const doneMs = held.timers.handshakeDoneMs;
  const presence = presenceAt(peer, held, entries, nowMs);
  const connected = presence.state === "connected";
  const sealing = entries.current(peer.entry) >= 0;
  return {
    name: peer.name,
    nodeId: control.network?.nodeIdOf(peer) ?? null,
    wireguardPublicKey: formatWireguardKey(peer.publicKey),
    origin: peer.origin,
    addresses: Array.from(control.roster.allowed.of(peer), formatCidr),
    endpoint: endpointText(entries.endpoint(peer.entry)),
    endpointName: peer.endpoint === null ? null : formatEndpoint(peer.endpoint),
    endpointProblem: nameProblem,
    ...presence,
    path: connected ? "direct" : "none",
    cipher: sealing ? cipherOf(held.current) : null,
    lastHandshakeMs: doneMs === 0 ? null : Math.max(0, nowMs - doneMs),
    rxBytes: bytes.received,
    txBytes: bytes.sent,
    rttMs: connected ? rttMs : null,
    mtu,
  };
};

/**
 * A part of the routes, from the `from`th on, and where the next part begins. The kernel is asked
 * about each.
 */
export const routesPage = (
  { roster, network }: Control,
  { routes, state }: Pick<Host, "routes" | "state">,
  from: number,
  most: number,
): RoutesPage => {
  const found: RouteValue[] = [];
  let at = 0;
  for (const peer of roster.peers()) {
    if (at + roster.allowed.countOf(peer) <= from) {
      at += roster.allowed.countOf(peer);
      continue;
    }
    for (const cidr of roster.allowed.of(peer)) {
      if (at++ < from) continue;
      if (found.length === most) return { routes: found, next: from + most };
      found.push({
        prefix: formatCidr(cidr),
        nodeId: network?.nodeIdOf(peer) ?? null,
        name: peer.name,
        wireguardPublicKey: formatWireguardKey(peer.publicKey),
        metric: 0,
        ...routes.stateOf(cidr, state),
      });
    }
  }
  return { routes: found, next: null };
};

export const statsValue = (arena: Arena): StatsValue => {
  const names = [...Array.from({ length: arena.limits.ioThreads }, (_, i) => `io ${i}`), "control"];
  return {
    threads: names.map((name, block) => {
      const sums = sumCounters(arena, block, block + 1);
      return { name, counters: { ...sums.counters, ...sums.drops } };
    }),
    workers: Array.from({ length: arena.limits.workers }, (_, i) => {
      const word = wordOf(arena, "workers", WORKER.size, i);
      const state = Atomics.load(arena.u32, word + fieldWord(WORKER.fields.state));
      return {
        name: `worker ${i}`,
        state: STATE_NAMES[state as (typeof WORKER_STATE)["awake"]] ?? "absent",
        jobs: arena.f64[doubleAt(word, WORKER.fields.jobs)] ?? 0,
      };
    }),
    memory: { arenaBytes: arena.buffer.byteLength, rssBytes: process.memoryUsage.rss() },
  };
};
