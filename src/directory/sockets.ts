/**
 * sockets — what dht-rpc takes for its library of UDP sockets: ours, behind which is the gate.
 *
 *     dht-rpc ── trySend ──▶ gate.releases ──▶ transport.send      a channel's owner
 *     dht-rpc ◀── message ── gate.admits   ◀── transport.onMessage
 *
 * dht-rpc's option `udx` is not documented: what it has to have was read in its source, and
 * test/unit/directory-gate.test.ts says whether that still holds. No socket is opened, no
 * interface is watched, and no name is looked up. Source: dht-rpc 6.27.0, lib/io.js.
 */
import { EventEmitter } from "node:events";
import type { Count } from "./counts.ts";
import type { Gate } from "./gate.ts";
import { type Name, nameAt, type Place, placeOf } from "./names.ts";

/** Messages of the directory by name of the node; its owner knows which channel that is. */
export interface Transport {
  /** False: there is no channel, and none will be opened for it. Borrows: `bytes`. */
  send(name: Name, bytes: Uint8Array): boolean;
  /** Set by the directory: a message came in a channel with that node. Borrows: `bytes`. */
  onMessage: (name: Name, bytes: Uint8Array) => void;
}

/** What it has for one socket; it makes two, and we have it use the first alone. */
class Socket extends EventEmitter {
  /** It need not be bound any more. */
  readonly bound = true;
  readonly #place: Place;
  readonly #send: (name: Name, bytes: Uint8Array) => void;

  constructor(place: Place, send: (name: Name, bytes: Uint8Array) => void) {
    super();
    this.#place = place;
    this.#send = send;
  }

  bind(): void {}

  address(): Place & { readonly family: 4 } {
    return { ...this.#place, family: 4 };
  }

  trySend(bytes: Uint8Array, port: number, host: string): void {
    this.#send(nameAt({ host, port }), bytes);
  }

  async close(): Promise<void> {
    this.removeAllListeners();
  }
}

export interface SocketsOptions {
  readonly own: Name;
  readonly transport: Transport;
  readonly gate: Gate;
  readonly count: Count;
}

/** Errors: never. */
export class Sockets {
  readonly #options: SocketsOptions;
  readonly #made: Socket[] = [];

  constructor(options: SocketsOptions) {
    this.#options = options;
  }

  /** dht-rpc's. */
  createSocket(): Socket {
    const socket = new Socket(placeOf(this.#options.own), (name, bytes) => this.#send(name, bytes));
    this.#made.push(socket);
    return socket;
  }

  /** dht-rpc's: nothing of it changes. */
  watchNetworkInterfaces(): EventEmitter & { destroy(): void } {
    return Object.assign(new EventEmitter(), { destroy: () => {} });
  }

  /** dht-rpc's. */
  networkInterfaces(): readonly never[] {
    return [];
  }

  #send(name: Name, bytes: Uint8Array): void {
    const { gate, transport, count } = this.#options;
    if (gate.releases(name, bytes) && !transport.send(name, bytes)) count("unreachable");
  }

  /** Their engine is gone; what comes is for the next. */
  forget(): void {
    this.#made.length = 0;
  }

  /** Something came in a channel. Borrows: `bytes`; what dht-rpc keeps is a copy. */
  receive(name: Name, bytes: Uint8Array): void {
    const { gate, count } = this.#options;
    if (!gate.admits(name, bytes)) return;
    try {
      this.#made[0]?.emit("message", Buffer.from(bytes), placeOf(name));
    } catch {
      count("failed");
    }
  }
}
