/**
 * world — what the network needs of everything around it: clock, chance, alarm, datagrams, frames,
 * peers, disk. Control gives the real ones; a simulation gives virtual ones, and then ten thousand
 * members are ten thousand objects in one process.
 *
 *     network ──admit, amend, dismiss──▶ control's peers      sessionUp, sessionDown ──▶ network
 *     network ──call──▶ message 1                  calling(): where to, and an INTRO before it
 *     network ──sendFrame, sendDatagram──▶          frame(), datagram() ──▶ network
 *
 * All calls return at once. No call of the world calls the network back before it returns, but for
 * `call`, which asks `calling()`. Times are milliseconds of the boot clock unless called Unix time.
 */
import type { CallerCount } from "../../directory/callers.ts";
import type { DirectoryCount } from "../../directory/counts.ts";
import type { DhtOptions } from "../../directory/dht.ts";
import type { Name } from "../../directory/names.ts";
import type { ServiceCount } from "../../directory/service-counts.ts";
import type { DiscoveryStore } from "../../directory/store.ts";
import type { Say } from "../../log.ts";
import type { Mac } from "../../noise/mac.ts";
import type { PeerChange } from "../../schema/change.ts";
import type { BeaconCount } from "./beacon.ts";
import type { ChannelCount, CountName } from "./counts.ts";
import type { IntroCount } from "./intro.ts";

/** A peer of control's that the network admitted; compared by identity. */
export interface Handle {
  /** Its handshake key. */
  readonly publicKey: Uint8Array;
}

/** Files of the network, in a folder of its own (state_dir/<network id>). */
export interface Store {
  /** A file's bytes; null: there is none, or it cannot be read, which the world says. */
  read(name: string): Uint8Array | null;
  /**
   * Replaces a file whole, or not at all. `durable`: it is on the disk when this returns. False: it
   * failed, which the world says.
   */
  write(name: string, bytes: Uint8Array, durable: boolean): boolean;
}

/** One of our own addresses with our port, as others may reach it. */
export interface OwnAddress {
  /**
   * `configured`: somebody said so. `local`: an interface has it. `observed`: others see us there.
   */
  readonly kind: "configured" | "local" | "observed";
  readonly sockaddr: Uint8Array;
}

/** Where somebody is asked who it is. */
export interface BootstrapPlace {
  readonly sockaddr: Uint8Array;
  /** Nobody else is believed to be there; null: whoever is. */
  readonly nodeKey: Uint8Array | null;
}

/** An index node of the configuration, and where its name leads. */
export interface IndexPlace {
  /** Host and port, as the configuration has them: no two have the same. */
  readonly name: string;
  /** Nobody else is believed to be it; null: whoever is there at first contact. */
  readonly nodeKey: Uint8Array | null;
  readonly sockaddrs: readonly Uint8Array[];
  /** Why its name gives no address, as a clause; null: it does, or was not asked for yet. */
  readonly problem: string | null;
}

/** The directory, and who stores. */
export interface DirectoryEngine extends DiscoveryStore {
  setStorers(names: Iterable<Name>): void;
}

export interface NetworkWorld {
  readonly bootMs: () => number;
  /** The system's clock as it is: network/clock.ts decides what is believed of it. */
  readonly unixMs: () => number;
  /** 0 up to 1. */
  readonly random: () => number;
  readonly randomBytes: (bytes: number) => Uint8Array;
  /** Keyed BLAKE2s with 16 bytes of output. */
  readonly mac: Mac;
  /** Call Network.tick() at this time; infinity: not at all. Replaces what was said before. */
  readonly wakeAt: (dueMs: number) => void;

  /** From our data port. `local`: a sockaddr to send from, or empty. False: it was refused. */
  readonly sendDatagram: (datagram: Uint8Array, to: Uint8Array, local: Uint8Array) => boolean;
  /** A datagram there costs an entry of the kernel's table of neighbours (strangers/load.ts). */
  readonly isUnknownNeighbour: (to: Uint8Array, local: Uint8Array) => boolean;
  /** A control frame in the peer's session. False: there is no session or no room now. */
  readonly sendFrame: (handle: Handle, type: number, body: Uint8Array) => boolean;

  /**
   * A member is a peer, now, and may send frames of members. The change names its key, name and all
   * its allowed IPs. An allowed IP that a file or a person has given away is left out; of a peer
   * that they have named, nothing is changed but what frames it may send. Null: there is no room.
   */
  readonly admit: (change: PeerChange) => Handle | null;
  /** It changes, now, as in `admit`. False: control has it no more, or no room for its routes. */
  readonly amend: (handle: Handle, change: PeerChange) => boolean;
  /**
   * It is no member any more, now: keys are zeroed, staged packets dropped, routes gone; one that a
   * file or a person has named stays, and may send no frames of members. No sessionDown follows.
   */
  readonly dismiss: (handle: Handle) => void;
  /** A file or a person has named it. */
  readonly isStatic: (handle: Handle) => boolean;

  /**
   * Sends one message 1 now, whatever was sent before, and repeats nothing by itself; first asks
   * Network.calling() where to. `to`: there, in any case; else one that a file or a person has
   * named is called where they say that it is.
   */
  readonly call: (handle: Handle, to: Uint8Array | null) => void;
  /** The message 1 that is on its way to the peer goes there once more, as it was. */
  readonly callAgain: (handle: Handle, to: Uint8Array) => void;
  /** There is a session that both ends have confirmed, and the peer said hello in it. */
  readonly hasSession: (handle: Handle) => boolean;
  /** Where the peer is, as its session last proved; null: not known. */
  readonly endpoint: (handle: Handle) => Uint8Array | null;
  /** Boot time of the last packet of a user's to or from the peer; 0: none. */
  readonly lastUsedMs: (handle: Handle) => number;

  /** Our own addresses, those first that others try first. */
  readonly addresses: () => readonly OwnAddress[];
  /** Addresses of `bootstrap`, as far as its names are resolved. */
  readonly bootstrap: () => readonly BootstrapPlace[];
  /** Index nodes of the configuration: always the same, in its order. */
  readonly indexes: () => readonly IndexPlace[];
  /** One of them is silent: its name may lead elsewhere by now. Network.indexesMoved() follows. */
  readonly askIndexNames: () => void;
  /** Opens the directory; null: there is none. */
  readonly openDirectory: ((options: Omit<DhtOptions, "timer">) => DirectoryEngine) | null;
  readonly port: () => number;
  readonly store: Store;
  readonly count: (
    what:
      | CountName
      | ChannelCount
      | IntroCount
      | BeaconCount
      | CallerCount
      | ServiceCount
      | DirectoryCount,
    amount: number,
  ) => void;
  readonly say: Say;
}
