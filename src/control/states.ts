/** states — the peers as UAPI shows them, read from shared memory and the roster. */
import type { PeerEntries } from "../memory/peers.ts";
import type { PeerState } from "../schema/change.ts";
import type { Roster } from "./peers/roster.ts";
import { endpointText } from "./reach/endpoint-text.ts";
import type { SessionKeeper } from "./sessions/sessions.ts";

/** Good until the next change. Thread: control. */
export function* peerStates(
  roster: Roster,
  entries: PeerEntries,
  keeper: SessionKeeper,
): Iterable<PeerState> {
  for (const peer of roster.peers()) {
    const bytes = entries.bytes(peer.index);
    yield {
      publicKey: peer.publicKey,
      presharedKey: peer.presharedKey,
      endpoint: endpointText(entries.endpoint(peer.index)),
      persistentKeepaliveS: peer.persistentKeepaliveS,
      allowedIps: roster.allowed.of(peer),
      lastHandshakeUnixMs: keeper.of(peer).lastHandshakeUnixMs,
      rxBytes: bytes.received,
      txBytes: bytes.sent,
    };
  }
}
