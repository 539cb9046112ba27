/**
 * reached — where peers are reached: in use now, or configured as an address. Thread: control.
 */
import type { PeerEntries } from "../../memory/peers.ts";
import type { ReachedAt } from "../../schema/kernel-routes.ts";
import { parseAddress } from "../../wire/cidr.ts";
import { makeSockaddr, sockaddrFamily, sockaddrHost } from "../../wire/sockaddr.ts";
import type { Peer } from "../peers/peer.ts";
import { peerCalled } from "../peers/peer.ts";

/** All of them; of a peer none, one or two. */
export function* reachedPeers(
  peers: Iterable<Peer>,
  entries: PeerEntries,
): Generator<ReachedAt, void, undefined> {
  for (const one of peers) {
    const peer = peerCalled(one);
    const inUse = entries.endpoint(one.entry);
    if (sockaddrFamily(inUse) !== 0) {
      yield { peer, sockaddr: inUse, host: sockaddrHost(inUse) };
    }
    const host = one.endpoint === null ? null : parseAddress(one.endpoint.host);
    if (host === null) continue;
    const sockaddr = makeSockaddr(host, one.endpoint!.port);
    yield { peer, sockaddr, host: sockaddrHost(sockaddr) };
  }
}
