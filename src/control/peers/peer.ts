/**
 * peer — somebody with whom there may be a session: who it is, and what is configured. What is
 * going on with it is kept by the rooms (per-peer.ts). Thread: control.
 */
import { shortKey } from "../../log.ts";
import type { Endpoint } from "../../schema/config.ts";

/**
 * Who has named it: the configuration file, a person while the engine runs, or a certificate of
 * the network. The first two are static: reload, `wg` and commands are about them alone.
 */
export type Origin = "file" | "live" | "network";

export interface Peer {
  /** Its entry of the peers region. */
  readonly entry: number;
  readonly publicKey: Uint8Array;
  /** I/O thread that owns its sessions. */
  readonly owner: number;
  origin: Origin;

  name: string | null;
  presharedKey: Uint8Array | null;
  /** As configured; the address in use is in the peers region. */
  endpoint: Endpoint | null;
  /** Seconds; 0 is never. */
  persistentKeepaliveS: number;
}

/** How lines call a peer: by its name, else by the beginning of its key. */
export const peerCalled = (peer: Peer): string => peer.name ?? shortKey(peer.publicKey);
