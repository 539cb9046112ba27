/**
 * change — what a running engine can be asked to become, and what it is.
 *
 * One form for all who ask: the UAPI socket, `reload`, and the commands `peer`, `route` and
 * `config set`. Control applies a change whole or not at all.
 */
import type { Cidr } from "../wire/cidr.ts";
import type { Endpoint } from "./config.ts";

/** What is left out stays as it is. Entries of one change are applied in their order. */
export interface PeerChange {
  /** 32 bytes; names the peer. */
  readonly publicKey: Uint8Array;
  /** Takes the peer away; nothing else of the entry counts. */
  readonly remove?: true;
  /** Does nothing when there is no such peer. */
  readonly updateOnly?: true;
  /** Null: it has none. No two peers have one name when the whole change is applied. */
  readonly name?: string | null;
  /** 32 bytes; null: none. */
  readonly presharedKey?: Uint8Array | null;
  /** Null: none is configured. */
  readonly endpoint?: Endpoint | null;
  /** Seconds; 0 is never. */
  readonly persistentKeepaliveS?: number;
  /** Takes all allowed IPs away first. */
  readonly replaceAllowedIps?: true;
  /** Given to the peer, and taken from whoever has them. Host bits are zero. */
  readonly allowedIps?: readonly Cidr[];
  /** Taken from the peer, after `allowedIps` were given; others keep theirs. */
  readonly removedAllowedIps?: readonly Cidr[];
}

/** What is left out stays as it is. */
export interface Change {
  /** 32 bytes, X25519; null: none, so that no handshake is possible. */
  readonly privateKey?: Uint8Array | null;
  /** 0 lets the kernel choose. */
  readonly listenPort?: number;
  /** 0 is none. */
  readonly fwmark?: number;
  /** Bytes. */
  readonly mtu?: number;
  /** Takes all peers away that `peers` does not name. Those that it names keep their sessions. */
  readonly replacePeers?: true;
  readonly peers?: readonly PeerChange[];
}

/** A peer as it is. */
export interface PeerState {
  readonly publicKey: Uint8Array;
  readonly presharedKey: Uint8Array | null;
  /** Address and port in use, as `formatSockaddr` writes them; null: none is known. */
  readonly endpoint: string | null;
  readonly persistentKeepaliveS: number;
  readonly allowedIps: Iterable<Cidr>;
  /** Unix time of the last handshake, in milliseconds; 0: none yet. */
  readonly lastHandshakeUnixMs: number;
  readonly rxBytes: number;
  readonly txBytes: number;
}

/** A device as it is. */
export interface DeviceState {
  /** Null: none is set. */
  readonly privateKey: Uint8Array | null;
  readonly listenPort: number;
  readonly fwmark: number;
  readonly peers: Iterable<PeerState>;
}
