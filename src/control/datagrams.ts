/**
 * datagrams — control's members of the port's two reuseport groups.
 *
 * Receives in batches of 32 into buffers made once; what the event loop does between two batches
 * (control socket, timers) is never starved by a flood of handshakes. Thread: control.
 */
import { addon, type WatchHandle } from "../io/native/addon.ts";
import { SOCKADDR_BYTES, sockaddrFamily } from "../wire/sockaddr.ts";

const BATCH = 32;
const DATAGRAM_BYTES = 2_048;
const META_BYTES = 64;
const FROM_AT = 8;
const LOCAL_AT = 36;

/** Takes one datagram. Borrows: all three. */
export type OnDatagram = (datagram: Uint8Array, from: Uint8Array, local: Uint8Array) => void;

export class Datagrams {
  readonly #fds: { readonly v4: number; readonly v6: number };
  readonly #bytes = new Uint8Array(BATCH * DATAGRAM_BYTES);
  readonly #meta = new Uint8Array(BATCH * META_BYTES);
  readonly #watches: WatchHandle[] = [];
  readonly #passOn: number;
  readonly #onDatagram: OnDatagram;
  readonly #onOversize: () => void;
  readonly #onFull: () => void;

  /**
   * File descriptors of -1 are left out. `passOn`: what I/O threads hand on, see io_pass.c.
   * `onFull` comes before the datagrams of a batch that left no room: more of them are waiting.
   */
  constructor(
    fds: { readonly v4: number; readonly v6: number },
    passOn: number,
    onDatagram: OnDatagram,
    onOversize: () => void,
    onFull: () => void,
  ) {
    this.#fds = fds;
    this.#onDatagram = onDatagram;
    this.#onOversize = onOversize;
    this.#onFull = onFull;
    this.#passOn = passOn;
    this.#watch();
  }

  /** The sockets behind the descriptors were replaced: watches the new ones. */
  rebind(): void {
    this.close();
    this.#watch();
  }

  #watch(): void {
    for (const fd of [this.#fds.v4, this.#fds.v6]) {
      if (fd >= 0) this.#watches.push(addon.watch(fd, () => this.#receive(fd)));
    }
    const passOn = this.#passOn;
    if (passOn >= 0) this.#watches.push(addon.watch(passOn, () => this.#receivePassed(passOn)));
  }

  /** Sends one datagram from `local` (empty: the kernel chooses). False: it was refused. */
  send(datagram: Uint8Array, to: Uint8Array, local: Uint8Array): boolean {
    const fd = sockaddrFamily(to) === 6 ? this.#fds.v6 : this.#fds.v4;
    return fd >= 0 && addon.datagramSend(fd, datagram, to, local) >= 0;
  }

  close(): void {
    for (const watch of this.#watches.splice(0)) addon.unwatch(watch);
  }

  #receive(fd: number): void {
    const count = addon.datagramReceive(fd, this.#bytes, this.#meta);
    if (count === BATCH) this.#onFull();
    for (let i = 0; i < count; i++) {
      const meta = i * META_BYTES;
      const length = this.#meta[meta]! | (this.#meta[meta + 1]! << 8);
      if (length > DATAGRAM_BYTES) {
        this.#onOversize();
        continue;
      }
      this.#onDatagram(
        this.#bytes.subarray(i * DATAGRAM_BYTES, i * DATAGRAM_BYTES + length),
        this.#meta.subarray(meta + FROM_AT, meta + FROM_AT + SOCKADDR_BYTES),
        this.#meta.subarray(meta + LOCAL_AT, meta + LOCAL_AT + SOCKADDR_BYTES),
      );
    }
  }

  /** Messages that came to an I/O thread, each behind its source and its local address. */
  #receivePassed(fd: number): void {
    const count = addon.datagramReceive(fd, this.#bytes, this.#meta);
    if (count === BATCH) this.#onFull();
    for (let i = 0; i < count; i++) {
      const meta = i * META_BYTES;
      const length = this.#meta[meta]! | (this.#meta[meta + 1]! << 8);
      const start = i * DATAGRAM_BYTES;
      this.#onDatagram(
        this.#bytes.subarray(start + 2 * SOCKADDR_BYTES, start + length),
        this.#bytes.subarray(start, start + SOCKADDR_BYTES),
        this.#bytes.subarray(start + SOCKADDR_BYTES, start + 2 * SOCKADDR_BYTES),
      );
    }
  }
}
