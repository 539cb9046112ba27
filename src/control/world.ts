/**
 * world — what control needs of the world: clock, randomness, sockets, alarm, device.
 *
 * The control thread gives the real ones (main.ts), a simulation others. All times are
 * milliseconds of the boot clock unless called Unix time.
 */
import type { Endpoint } from "../schema/config.ts";
import type { HandshakeSecrets } from "./handshake/key-log.ts";
import type { SourceHash } from "./strangers/limiter.ts";
import type { Mac } from "./handshake/noise.ts";
import type { Asking } from "./reach/resolve.ts";

/** Words for the log; never keys, never what strangers sent. */
export type Say = (
  level: "error" | "warn" | "info" | "debug",
  text: string,
  facts?: Readonly<Record<string, string | number>>,
) => void;

/** TAI64N of what is sent under one key (security.md 28). */
export interface Timestamps {
  /** Later than `last` and than all that were sent before a restart. */
  next(last: Uint8Array | null, unixMs: number): Uint8Array;
  /** The peer to which `last` was sent is gone; should it come back, this one counts. */
  forget(last: Uint8Array | null): void;
  close(): void;
}

export interface World {
  readonly bootMs: () => number;
  readonly unixMs: () => number;
  /** 0 up to 1. */
  readonly random: () => number;
  readonly randomBytes: (bytes: number) => Uint8Array;
  /** Keyed BLAKE2s with 16 bytes of output. */
  readonly mac: Mac;
  /** Where a source lies in the limiter's table. */
  readonly sourceHash: SourceHash;
  /** What was sent under this key before a restart is not sent again (clock.ts). */
  readonly openClock: (publicKey: Uint8Array) => Timestamps;
  /** `local`: a sockaddr to send from, or empty. False: it was refused. */
  readonly send: (datagram: Uint8Array, to: Uint8Array, local: Uint8Array) => boolean;
  /**
   * A datagram to this address makes the kernel look on a link for somebody whom it does not know,
   * which costs an entry of its table for seconds (neighbours.ts). Both are sockaddrs.
   */
  readonly isUnknownNeighbour: (to: Uint8Array, local: Uint8Array) => boolean;
  /** Rings an I/O thread's bell: a command waits. */
  readonly signal: (thread: number) => void;
  /** Call `tick` at this time; infinity: not at all. Replaces what was said before. */
  readonly wakeAt: (dueMs: number) => void;
  readonly pause: (ms: number) => Promise<void>;
  /** A sockaddr, or why there is none that our sockets speak. Errors: never. */
  readonly resolve: (endpoint: Endpoint, asking: Asking) => Promise<Uint8Array | string>;
  /**
   * Moves all sockets to another port; 0: any; null: none. Returns the port.
   * Errors: EngineError PORT_TAKEN, SOCKET_FAILED; the old port stays then.
   */
  readonly listen: (port: number | null) => Promise<number>;
  /** Does the kernel lead our datagrams to `to`, from `local`, into the tunnel itself? */
  readonly inside: (to: Uint8Array, local: Uint8Array) => boolean;
  readonly setMark: (fwmark: number) => void;
  /** Errors: EngineError TUN_FAILED. */
  readonly setMtu: (mtu: number) => void;
  /** Allowed IPs have changed. */
  readonly onRoutes: () => void;
  readonly logKeys: ((secrets: HandshakeSecrets) => void) | null;
  readonly say: Say;
}
