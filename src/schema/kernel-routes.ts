/**
 * kernel-routes — which prefixes may be routes of the kernel into our device, and what people are
 * told of those that may not.
 *
 *     default route                    left to the user, as to wg-quick
 *     a peer is reached inside it      left to the user: our own datagrams would enter the tunnel
 *     another device has it            the kernel keeps that one
 *
 * Pure; any thread.
 */
import { type Cidr, formatAddress, formatCidr, maskCidr } from "../wire/cidr.ts";

/** The kernel's tables that a rule without conditions leads to, last. Source: ip-rule(8). */
const LAST_TABLES: readonly number[] = [254, 253];

/** The way of a datagram, as the kernel has it now. */
export interface Way {
  /** Of the link; 0: it stays on this host. */
  readonly index: number;
  /** Of the route that it takes. */
  readonly prefixLength: number;
  readonly table: number;
  /** The least of several for one prefix counts. */
  readonly metric: number;
}

/** An address, 4 or 16 bytes, at which a peer is reached. */
export interface Reached {
  readonly host: Uint8Array;
  /** As people call the peer. */
  readonly peer: string;
}

/** An address at which a peer is reached, as a sockaddr too. */
export interface ReachedAt extends Reached {
  readonly sockaddr: Uint8Array;
}

export const contains = (prefix: Cidr, host: Uint8Array): boolean => {
  if (prefix.bytes.length !== host.length) return false;
  for (let bit = 0; bit < prefix.prefixLength; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((prefix.bytes[bit >> 3]! & mask) !== (host[bit >> 3]! & mask)) return false;
  }
  return true;
};

/**
 * Would a route for the prefix, in the main table, take a datagram whose way is this now? Null: it
 * has none. A way by a table of its own, as a rule for a firewall mark gives, stays.
 */
export const wouldCatch = (way: Way | null, prefix: Cidr): boolean =>
  way === null || (LAST_TABLES.includes(way.table) && way.prefixLength < prefix.prefixLength);

/** What the kernel gives a route of ours. */
const METRIC = { 4: 0, 6: 1_024 } as const;

/** Would the kernel keep another device's route for the prefix, if it has one, before ours? */
export const wouldKeep = (way: Way | null, { version, prefixLength }: Cidr): boolean =>
  way !== null && way.prefixLength === prefixLength && way.metric <= METRIC[version];

/** Who of these is reached inside which prefix: by the prefix's text. */
export const reachedInside = <One extends Reached>(
  prefixes: ReadonlyMap<string, Cidr>,
  reached: Iterable<One>,
): Map<string, One[]> => {
  const lengths = { 4: new Set<number>(), 6: new Set<number>() };
  for (const { version, prefixLength } of prefixes.values()) lengths[version].add(prefixLength);
  const inside = new Map<string, One[]>();
  for (const one of reached) {
    const version = one.host.length === 4 ? 4 : 6;
    for (const prefixLength of lengths[version]) {
      const text = formatCidr(maskCidr({ version, bytes: one.host, prefixLength }));
      if (!prefixes.has(text)) continue;
      const known = inside.get(text);
      if (known === undefined) inside.set(text, [one]);
      else known.push(one);
    }
  }
  return inside;
};

/** Bits that are set in the first probe, where the prefix does not fix them: ordinary addresses. */
const ORDINARY = {
  4: Uint8Array.of(1, 0, 0, 1),
  6: Uint8Array.of(0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
} as const;

/** Two addresses of the prefix, near its ends: the kernel is asked where they lead. */
export const probesOf = ({ version, bytes, prefixLength }: Cidr): readonly Uint8Array[] => {
  const open = (i: number): number => {
    const fixed = Math.min(8, Math.max(0, prefixLength - 8 * i));
    return 0xff >> fixed;
  };
  const low = bytes.map((byte, i) => (byte & ~open(i)) | (ORDINARY[version][i]! & open(i)));
  const high = bytes.map((byte, i) => byte | open(i));
  high[high.length - 1]! &= ~(open(bytes.length - 1) & 1);
  return prefixLength >= 8 ? [low, high] : [low];
};

/**
 * The route that the kernel has for a prefix, or for a shorter one around it; null: none;
 * undefined: parts of it have routes of their own, which hide it. `find`: the way to an address.
 */
export const routeFor = <Found extends Way>(
  cidr: Cidr,
  find: (host: Uint8Array) => Found | null,
): Found | null | undefined => {
  for (const host of probesOf(cidr)) {
    const way = find(host);
    if (way === null || way.prefixLength <= cidr.prefixLength) return way;
  }
  return undefined;
};

/** Why a prefix has no route of ours. */
export type Left =
  | { readonly kind: "default" }
  | { readonly kind: "endpoint"; readonly reached: Reached }
  | { readonly kind: "taken"; readonly link: string };

const where = ({ host, peer }: Reached): string => `${peer} is reached at ${formatAddress(host)}`;

/** A clause, as `routes` shows it. */
export const leftReason = (left: Left): string => {
  switch (left.kind) {
    case "default":
      return "left to you: a default route";
    case "endpoint":
      return `left to you: ${where(left.reached)}, inside it`;
    case "taken":
      return `${left.link} has it`;
  }
};

const REMEDY = {
  default: "set it yourself, or use wg-quick",
  endpoint: "leave it out, or set fwmark and a rule for it",
  taken: "leave it out, or remove that one",
} as const;

/** A sentence: what is not done, why, and what to do. */
export const leftSentence = (prefix: string, left: Left): string => {
  const none = `${prefix} gets no kernel route`;
  const remedy = REMEDY[left.kind];
  switch (left.kind) {
    case "default":
      return `${none}; ${remedy}.`;
    case "endpoint":
      return `${none}, since ${where(left.reached)}, inside it; ${remedy}.`;
    case "taken":
      return `${none}, since ${left.link} has it; ${remedy}.`;
  }
};

/** A peer whose address leads into the tunnel by the interface's own network. */
export const unreachedSentence = (reached: Reached, network: Cidr): string => {
  const own = `the tunnel's own network ${formatCidr(maskCidr(network))}`;
  return `${where(reached)}, inside ${own}, and so not at all; change one of them.`;
};
