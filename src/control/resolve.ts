/**
 * resolve — endpoint names to socket addresses.
 *
 * Numbers are taken as they are; endpoints.ts says when names are asked again.
 */
import { lookup } from "node:dns/promises";
import { addon } from "../io/native/addon.ts";
import type { Endpoint } from "../schema/config.ts";
import { parseAddress } from "../wire/cidr.ts";
import { makeSockaddr } from "../wire/sockaddr.ts";

/** Families that the engine's sockets speak. */
export interface Families {
  readonly v4: boolean;
  readonly v6: boolean;
}

/** A sockaddr, or null when the name has no address that we can use. Errors: never. */
export const resolveEndpoint = async (
  endpoint: Endpoint,
  families: Families,
): Promise<Uint8Array | null> => {
  const [host = "", zone = ""] = endpoint.host.split("%", 2);
  const literal = parseAddress(host);
  if (literal !== null) {
    const scope = /^\d*$/.test(zone) ? Number(zone) : addon.linkIndex(zone);
    return scope < 0 ? null : makeSockaddr(literal, endpoint.port, scope);
  }
  try {
    const found = await lookup(endpoint.host, { all: true, verbatim: true });
    for (const { address, family } of found) {
      const bytes = parseAddress(address);
      const usable = family === 4 ? families.v4 : families.v6;
      if (bytes !== null && usable) return makeSockaddr(bytes, endpoint.port);
    }
  } catch {
    return null;
  }
  return null;
};
