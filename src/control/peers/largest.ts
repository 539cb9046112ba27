/**
 * largest — bytes of the largest packet that reaches a peer: what the tunnel takes, or the way
 * there. Which it is, C says (io_too_big.c), by which packets go. Thread: control.
 */
import { addon } from "../../io/native/addon.ts";
import { readMtu } from "../../memory/mtu.ts";
import type { PeerEntries } from "../../memory/peers.ts";
import type { Arena } from "../../memory/region.ts";
import type { Peer } from "./peer.ts";

export const largestPacket = (arena: Arena, entries: PeerEntries, peer: Peer): number =>
  addon.largestPacket(entries.pathMtu(peer.entry), readMtu(arena));
