/**
 * admits — may a peer be reached at an address? At none that the kernel leads into the tunnel
 * itself (security.md 37), whoever says so: a file, a name server, the peer. Thread: control.
 */
import type { Say } from "../../log.ts";
import type { Counters } from "../../memory/counters.ts";
import { COUNT } from "../../memory/layout.ts";
import { formatSockaddr } from "../../wire/sockaddr.ts";

export interface AdmitsWorld {
  /** Does the kernel lead our datagrams to `to`, from `local`, into the tunnel itself? */
  readonly inside: (to: Uint8Array, local: Uint8Array) => boolean;
  readonly say: Say;
}

export const admitsOutside =
  ({ inside, say }: AdmitsWorld, counters: Counters) =>
  (to: Uint8Array, local: Uint8Array): boolean => {
    if (!inside(to, local)) return true;
    counters.add(COUNT.insideRefused, 1);
    const endpoint = formatSockaddr(to) ?? "";
    say("warn", "endpoint not taken: a route leads it into the tunnel itself", { endpoint });
    return false;
  };
