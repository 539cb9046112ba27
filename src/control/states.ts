/** states — the peers as UAPI shows them, read from shared memory and the roster. */
import type { PeerEntries } from "../memory/peers.ts";
import type { PeerState } from "../schema/change.ts";
import { endpointText } from "./reach/endpoint-text.ts";
import type { Roster } from "./peers/roster.ts";

/** Good until the next change. Thread: control. */
export function* peerStates(roster: Roster, entries: PeerEntries): Iterable<PeerState> {
  for (const peer of roster.peers()) {
    const bytes = entries.bytes(peer.index);
    yield {
      publicKey: peer.publicKey,
      presharedKey: peer.presharedKey,
      endpoint: endpointText(entries.endpoint(peer.index)),
      persistentKeepaliveS: peer.persistentKeepaliveS,
      allowedIps: roster.allowed.of(peer),
      lastHandshakeUnixMs: peer.lastHandshakeUnixMs,
      rxBytes: bytes.received,
      txBytes: bytes.sent,
    };
  }
}
