/**
 * field — the laboratory of floods: two peers, a server or index, an attacker, and one switch.
 *
 *        a 192.0.2.1 ──┐                      ┌── s 192.0.2.3   server of rivals, or our index
 *                      ├── w: bridge "switch" ┤
 *        b 192.0.2.2 ──┘                      └── x 192.0.2.4   attacker; 198.18.0.0/15 lies there
 *
 * Each is a namespace of its own. A link is a veth that segments as a network card does, and is
 * shaped at both ends where `links` says so. Neighbours are known beforehand: a flood that drowns
 * ARP would measure the laboratory. Nothing leaves it: no namespace has another way out.
 */
import { mkdirSync, mkdtempSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { inside } from "../../src/demo/tools.ts";
import { useCubic } from "./cubic.ts";
import {
  cleanUpAtExit,
  type Host,
  hostOf,
  isAlive,
  Lab,
  LabError,
  LINK,
  must,
  namespaceOf,
  type Place,
  PREFIX,
  removeOf,
  WIRE,
} from "./lab.ts";
import { makeSwitch, plugIn } from "./switch.ts";

/** Sources of floods that are nobody's. Source: RFC 2544 names it for benchmarks (RFC 6890). */
export const ATTACKER_PREFIX = "198.18.0.0/15";
/** The hosts' own network. Source: RFC 3849. */
export const LINK_PREFIX6 = "2001:db8::/64";
/** Peers send super-packets; those larger than the burst are cut before they are counted. */
const PEER_BURST = "32k";
/**
 * Where nobody sends super-packets a larger burst costs nothing, and spares a timer for every few
 * packets: 2 ms at this rate. Source: perf, half of the flooder's time was that timer.
 */
const WIDE_BURST = "256k";
const MASK_BITS_MAX = 31;

/** What a line carries beside the bytes that counters tell: check sum, preamble, gap. */
const LINE_BYTES = 4 + 20;
/** A veth that merges counts what it received behind the Ethernet header. Source: veth.c. */
const HEADER_BYTES = 14;

/** Which links are 1 Gbit/s: all, or the attacker's alone. */
export type Links = "all" | "attacker";

/** Traffic that a host and the switch have seen so far. Units: bytes of a line. */
export interface Counters {
  /** CLOCK_MONOTONIC, when the switch was asked. Units: nanoseconds. */
  readonly atNs: bigint;
  /** Went from the switch to the host. */
  readonly received: number;
  /** Came into the switch, by the letter of the host that sent it. */
  readonly entered: Readonly<Record<Host["name"], number>>;
  /** Packets that the switch's queue towards the host, or the link itself, had no room for. */
  readonly switchDrops: number;
  /** Packets that sockets of the host had no room for. Source: RcvbufErrors of /proc/net/snmp. */
  readonly socketDrops: number;
}

interface LinkStatistics {
  readonly ifname: string;
  readonly stats64: {
    readonly rx: { readonly bytes: number; readonly packets: number };
    readonly tx: { readonly bytes: number; readonly packets: number; readonly dropped: number };
  };
}

const NAMES = ["a", "b", "s", "x"] as const;
const portOf = (name: Host["name"]): string => `port${name}`;
/** Locally administered; the last byte is the host's own. */
const hardwareAddress = (name: Host["name"]): string =>
  `02:00:c0:00:02:0${NAMES.indexOf(name) + 1}`;

/** Receive work of the host's link goes to all processors, and not to that of the sender alone. */
const steerReceive = (host: Place): Promise<string> => {
  const bits = Math.min(availableParallelism(), MASK_BITS_MAX);
  const mask = (2 ** bits - 1).toString(16);
  const script = `echo ${mask} > /sys/class/net/${LINK}/queues/rx-0/rps_cpus`;
  return must(inside(host.namespace, ["sh", "-c", script]));
};

/** 1 Gbit/s, with a queue of 20 ms. */
const shaper = (burst: string): string[] => [
  "tbf",
  "rate",
  "1gbit",
  "burst",
  burst,
  "latency",
  "20ms",
];

/** Makes the link of a host, from the host to its port of the switch. */
const layLink = async (host: Host, w: Place, shaped: boolean): Promise<void> => {
  const ip = (place: Place, ...words: string[]) =>
    must(["ip", "-netns", place.namespace, ...words]);
  const port = portOf(host.name);
  const own = ["name", LINK, "address", hardwareAddress(host.name), "netns", host.namespace];
  const far = ["type", "veth", "peer", "name", port, "netns", w.namespace];
  await must(["ip", "link", "add", ...own, ...far]);
  const ends = [
    [host, LINK, "on", host.name === "x" ? WIDE_BURST : PEER_BURST],
    // A switch merges nothing.
    [w, port, "off", WIDE_BURST],
  ] as const;
  for (const [place, device, gro, burst] of ends) {
    await must(inside(place.namespace, ["ethtool", "-K", device, ...WIRE, "gro", gro]));
    if (!shaped) continue;
    await must([
      "tc",
      "-netns",
      place.namespace,
      "qdisc",
      "add",
      "dev",
      device,
      "root",
      ...shaper(burst),
    ]);
  }
  await plugIn(w, port);
  await ip(host, "link", "set", "lo", "up");
  await ip(host, "address", "add", `${host.under4}/24`, "dev", LINK);
  await ip(host, "address", "add", `${host.under6}/64`, "dev", LINK, "nodad");
  await ip(host, "link", "set", LINK, "up");
  await steerReceive(host);
};

/** Tells a host where the others are, and that answers to the attacker's prefix go to x. */
const tellNeighbours = async (host: Host, hosts: readonly Host[]): Promise<void> => {
  const ip = (...words: string[]) => must(["ip", "-netns", host.namespace, ...words]);
  for (const other of hosts.filter(({ name }) => name !== host.name)) {
    const at = ["lladdr", hardwareAddress(other.name), "dev", LINK, "nud", "permanent"];
    for (const under of [other.under4, other.under6])
      await ip("neighbour", "replace", under, ...at);
    // x forwards nothing: what comes back to these addresses ends there in silence.
    if (other.name === "x") await ip("route", "add", ATTACKER_PREFIX, "via", other.under4);
  }
};

/** Four hosts and a switch. A Lab too, whose a and b are the peers. One at a time in a process. */
export class Field extends Lab {
  readonly s: Host = hostOf("s", process.pid);
  readonly x: Host = hostOf("x", process.pid);
  readonly w: Place = { namespace: namespaceOf("w") };

  /** Makes it. Thread: main.   Errors: LabError, EngineError TOOL_MISSING. */
  static async lay(links: Links): Promise<Field> {
    if (process.geteuid?.() !== 0) throw new LabError("This needs root; run it with sudo.");
    removeOf((pid) => !isAlive(pid));
    cleanUpAtExit();
    const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
    mkdirSync(join(folder, "run"), { mode: 0o700 });
    const hosts = NAMES.map((name) => hostOf(name, process.pid));
    const w: Place = { namespace: namespaceOf("w") };
    for (const { namespace } of [...hosts, w]) await must(["ip", "netns", "add", namespace]);
    await makeSwitch(w);
    for (const host of hosts) await layLink(host, w, links === "all" || host.name === "x");
    for (const host of hosts) await tellNeighbours(host, hosts);
    return new Field(folder, await useCubic(hosts));
  }

  /** Lets a host pass packets on between tunnels, as servers of rivals do. */
  async forward(host: Host): Promise<void> {
    await this.must(host, ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
  }

  /** From now on the attacker's addresses lie on the link for this host, and nobody has them. */
  async linkAttacker(host: Host): Promise<void> {
    await this.must(host, ["ip", "route", "replace", ATTACKER_PREFIX, "dev", LINK]);
  }

  /** What a host's link and the switch have counted. Errors: LabError. */
  async counters(victim: Host): Promise<Counters> {
    // One look for all ports: two moments would differ by more than a small flood.
    const text = await must(["ip", "-netns", this.w.namespace, "-s", "-j", "link", "show"]);
    const atNs = process.hrtime.bigint();
    const ports = JSON.parse(text) as readonly LinkStatistics[];
    const countOf = (name: Host["name"]): LinkStatistics["stats64"] =>
      ports.find(({ ifname }) => ifname === portOf(name))!.stats64;
    const enteredFrom = (name: Host["name"]): number => {
      const { bytes, packets } = countOf(name).rx;
      return bytes + packets * LINE_BYTES;
    };
    const { tx } = countOf(victim.name);
    const port = portOf(victim.name);
    const queue = ["tc", "-netns", this.w.namespace, "-s", "-j", "qdisc", "show", "dev", port];
    const [queues, snmp] = await Promise.all([
      must(queue),
      this.must(victim, ["cat", "/proc/net/snmp"]),
    ]);
    const queued = (JSON.parse(queues) as { readonly drops?: number }[])[0]?.drops ?? 0;
    return {
      ...{ atNs, switchDrops: queued + tx.dropped, socketDrops: receiveDrops(snmp) },
      received: tx.bytes + tx.packets * (LINE_BYTES + HEADER_BYTES),
      entered: {
        a: enteredFrom("a"),
        b: enteredFrom("b"),
        s: enteredFrom("s"),
        x: enteredFrom("x"),
      },
    };
  }
}

/** RcvbufErrors of UDP; 0 when the text has none. */
export const receiveDrops = (snmp: string): number => {
  const [names = [], values = []] = snmp
    .split("\n")
    .filter((line) => line.startsWith("Udp: "))
    .map((line) => line.split(" "));
  return Number(values[names.indexOf("RcvbufErrors")] ?? 0);
};

/** What came of a flood. Units: Mbit/s of a line. */
export interface Arrived {
  /** Entered the switch from the attacker. */
  readonly attackOfferedMbps: number;
  /**
   * Came to the victim, at least: all that came to it, less what peers sent into the switch for it.
   * What the switch dropped is taken to be of the flood.
   */
  readonly attackAchievedMbps: number;
  readonly switchDrops: number;
  readonly socketDrops: number;
}

/** Compares two samples of a victim; `others` sent to the victim too, and to nobody else. */
export const arrived = (
  before: Counters,
  after: Counters,
  others: readonly Host["name"][],
): Arrived => {
  const rate = (bytes: number): number => (bytes * 8 * 1_000) / Number(after.atNs - before.atNs);
  const entered = (name: Host["name"]): number => rate(after.entered[name] - before.entered[name]);
  const received = rate(after.received - before.received);
  const wanted = others.reduce((sum, name) => sum + entered(name), 0);
  const offered = entered("x");
  return {
    attackOfferedMbps: offered,
    attackAchievedMbps: Math.max(0, Math.min(offered, received - wanted)),
    switchDrops: after.switchDrops - before.switchDrops,
    socketDrops: after.socketDrops - before.socketDrops,
  };
};
