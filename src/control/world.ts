/**
 * world — what control needs of the world: clock, randomness, sockets, alarm, device.
 *
 * The control thread gives the real ones (main.ts), a simulation others. All times are
 * milliseconds of the boot clock unless called Unix time.
 */
import type { Mac } from "../noise/mac.ts";
import type { HandshakeSecrets } from "./handshake/key-log.ts";
import type { Timestamps } from "./handshake/timestamps.ts";
import type { AdmitsWorld } from "./reach/admits.ts";
import type { EndpointsWorld } from "./reach/endpoints.ts";
import type { SourceHash } from "./strangers/limiter.ts";
import type { LoadOptions } from "./strangers/load.ts";

export interface World extends EndpointsWorld, AdmitsWorld {
  readonly unixMs: () => number;
  /** 0 up to 1. */
  readonly random: () => number;
  readonly randomBytes: (bytes: number) => Uint8Array;
  /** Keyed BLAKE2s with 16 bytes of output. */
  readonly mac: Mac;
  /** Where a source lies in the limiter's table. */
  readonly sourceHash: SourceHash;
  /** What was sent under this key before a restart is not sent again (timestamps.ts). */
  readonly openClock: (publicKey: Uint8Array) => Timestamps;
  /** `local`: a sockaddr to send from, or empty. False: it was refused. */
  readonly send: (datagram: Uint8Array, to: Uint8Array, local: Uint8Array) => boolean;
  readonly isUnknownNeighbour: LoadOptions["isUnknownNeighbour"];
  /** Rings an I/O thread's bell: a command waits. */
  readonly signal: (thread: number) => void;
  /** Call `tick` at this time; infinity: not at all. Replaces what was said before. */
  readonly wakeAt: (dueMs: number) => void;
  readonly pause: (ms: number) => Promise<void>;
  /**
   * Moves all sockets to another port; 0: any; null: none. Returns the port.
   * Errors: EngineError PORT_TAKEN, SOCKET_FAILED; the old port stays then.
   */
  readonly listen: (port: number | null) => Promise<number>;
  readonly setMark: (fwmark: number) => void;
  /** Errors: EngineError TUN_FAILED. */
  readonly setMtu: (mtu: number) => void;
  /** Allowed IPs have changed. */
  readonly onRoutes: () => void;
  readonly logKeys: ((secrets: HandshakeSecrets) => void) | null;
}
