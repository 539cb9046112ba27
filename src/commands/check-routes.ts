/**
 * check-routes — what the kernel will not route into the tunnel, said before the engine starts: as
 * control/host-routes.ts finds it out while the engine runs.
 */
import type { Addon } from "../io/native/addon.ts";
import { shortKey } from "../log.ts";
import type { EngineConfig, PeerConfig } from "../schema/config.ts";
import {
  contains,
  type Left,
  leftSentence,
  type Reached,
  reachedInside,
  routeFor,
  wouldCatch,
  wouldKeep,
} from "../schema/kernel-routes.ts";
import { type Cidr, formatCidr, parseAddress } from "../wire/cidr.ts";
import { makeSockaddr } from "../wire/sockaddr.ts";

const NOWHERE = new Uint8Array(0);

/** Endpoints that are addresses; names are asked for when the engine runs. */
const reachedOf = ({ name, publicKey, endpoint }: PeerConfig): Reached[] => {
  const host = endpoint === null ? null : parseAddress(endpoint.host);
  return host === null ? [] : [{ host, peer: name ?? shortKey(publicKey) }];
};

/** Sentences, one for each prefix that gets no route. Thread: main. */
export const routeWarnings = async (
  { interface: link, peers, host }: EngineConfig,
  addon: Addon,
): Promise<string[]> => {
  if (!host.installRoutes) return [];
  const { findWay } = await import("../io/native/ways.ts");
  const prefixes = new Map<string, Cidr>();
  for (const { allowedIps } of peers) {
    for (const cidr of allowedIps) prefixes.set(formatCidr(cidr), cidr);
  }
  const inside = reachedInside(prefixes, peers.flatMap(reachedOf));
  const ours = addon.linkIndex(link.name);
  const wayTo = (bytes: Uint8Array, mark: number) => {
    const way = findWay(makeSockaddr(bytes, 0), NOWHERE, mark, true);
    return way?.index === ours ? undefined : way;
  };
  const catches = ({ host: bytes }: Reached, cidr: Cidr): boolean => {
    const way = link.bindDevice === "" ? wayTo(bytes, link.fwmark) : undefined;
    return way !== undefined && wouldCatch(way, cidr);
  };
  const leftOf = (prefix: string, cidr: Cidr): Left | null => {
    if (cidr.prefixLength === 0) return { kind: "default" };
    const reached = inside.get(prefix)?.find((one) => catches(one, cidr));
    if (reached !== undefined) return { kind: "endpoint", reached };
    if (link.addresses.some((own) => contains(own, cidr.bytes))) return null;
    const way = routeFor(cidr, (bytes) => findWay(makeSockaddr(bytes, 0), NOWHERE, 0, true));
    if (way == null || way.index === 0 || way.index === ours || !wouldKeep(way, cidr)) return null;
    return { kind: "taken", link: addon.linkName(way.index) };
  };
  return [...prefixes].flatMap(([prefix, cidr]) => {
    const left = leftOf(prefix, cidr);
    return left === null ? [] : [leftSentence(prefix, left)];
  });
};
