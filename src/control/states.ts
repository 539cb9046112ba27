/** states — the peers as UAPI shows them, read from shared memory and the roster. */
import type { PeerState } from "../schema/change.ts";
import { endpointText } from "./reach/endpoint-text.ts";
import type { Rooms } from "./rooms.ts";

/** Good until the next change. Thread: control. */
export function* peerStates({
  roster,
  entries,
  keeper,
}: Pick<Rooms, "roster" | "entries" | "keeper">): Iterable<PeerState> {
  for (const peer of roster.peers()) {
    const bytes = entries.bytes(peer.entry);
    yield {
      publicKey: peer.publicKey,
      presharedKey: peer.presharedKey,
      endpoint: endpointText(entries.endpoint(peer.entry)),
      persistentKeepaliveS: peer.persistentKeepaliveS,
      allowedIps: roster.allowed.of(peer),
      lastHandshakeUnixMs: keeper.of(peer).lastHandshakeUnixMs,
      rxBytes: bytes.received,
      txBytes: bytes.sent,
    };
  }
}
