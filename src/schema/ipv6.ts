/**
 * ipv6 — is IPv6 switched off on this host, and what of a configuration does not work then.
 *
 * The kernel says "Permission denied" to an IPv6 address or route of an interface on which IPv6 is
 * off; an engine goes on with IPv4. Source: Linux ip-sysctl.rst, disable_ipv6.
 */
import { existsSync, readFileSync } from "node:fs";
import type { Cidr } from "../wire/cidr.ts";
import type { EngineConfig } from "./config.ts";

export const IPV6_OFF = "IPv6 is switched off on this host";

/** Of an interface; without a name, of one that is made now. Thread: any. */
export const ipv6IsOff = (name = "default"): boolean => {
  try {
    return readFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, "latin1").trim() === "1";
  } catch {
    // A kernel without IPv6 has neither; a container may hide the first.
    return !existsSync("/proc/self/net/if_inet6");
  }
};

const SWITCH_ON = "run `sysctl -w net.ipv6.conf.all.disable_ipv6=0`";

/** What to tell people of IPv6 prefixes that will do nothing; null: all work. */
export const ipv6Problem = (prefixes: readonly Cidr[], name?: string): string | null =>
  prefixes.some(({ version }) => version === 6) && ipv6IsOff(name)
    ? `${IPV6_OFF}: its addresses and routes are not set; ${SWITCH_ON}, or leave them out.`
    : null;

const endpointProblem = ({ peers }: EngineConfig): string | null =>
  peers.some(({ endpoint }) => endpoint?.host.includes(":")) && ipv6IsOff("all")
    ? `${IPV6_OFF}: no peer is reached by an IPv6 endpoint; ${SWITCH_ON}, or give its IPv4 address.`
    : null;

/** What will not work of a configuration, a sentence each. `name`: of a device that is there. */
export const ipv6Problems = (config: EngineConfig, name?: string): readonly string[] => {
  const { interface: link, peers, host } = config;
  const routed = host.installRoutes ? peers.flatMap(({ allowedIps }) => allowedIps) : [];
  const prefixes = ipv6Problem([...link.addresses, ...routed], name);
  return [prefixes, endpointProblem(config)].filter((problem) => problem !== null);
};
