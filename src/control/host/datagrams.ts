/**
 * datagrams — control's members of the port's two reuseport groups.
 *
 * Receives in batches of 32 into buffers made once; what the event loop does between two batches
 * (control socket, timers) is never starved by a flood of handshakes. Thread: control.
 */
import { addon, type WatchHandle } from "../../io/native/addon.ts";
import { DATAGRAM } from "../../memory/numbers.ts";
import { SOCKADDR_BYTES, sockaddrFamily } from "../../wire/sockaddr.ts";

const ANY = new Uint8Array(0);

/** Who takes datagrams: `Control`. */
export interface Taker {
  /** Borrows: all three. */
  receive(datagram: Uint8Array, from: Uint8Array, local: Uint8Array): void;
  oversized(): void;
  /** Comes before the datagrams of a batch that left no room: more of them are waiting. */
  crowded(): void;
}

/** Bytes before a handshake message that an I/O thread handed on; see io_pass.c. */
const PASSED_AT = 2 * SOCKADDR_BYTES;

/** Gives what an I/O thread handed on to who takes it. Borrows: `message`. */
export const takePassed = (message: Uint8Array, taker: Pick<Taker, "receive">): void => {
  if (message.length < PASSED_AT) return;
  const from = message.subarray(0, SOCKADDR_BYTES);
  taker.receive(message.subarray(PASSED_AT), from, message.subarray(SOCKADDR_BYTES, PASSED_AT));
};

export class Datagrams {
  readonly #fds: { readonly udp4: number; readonly udp6: number };
  readonly #passOn: number;
  readonly #taker: Taker;
  readonly #bytes = new Uint8Array(DATAGRAM.most * DATAGRAM.bytes);
  readonly #meta = new Uint8Array(DATAGRAM.most * DATAGRAM.metaBytes);
  readonly #watches: WatchHandle[] = [];

  /**
   * File descriptors of -1 are left out. `passOn`: what I/O threads hand on, see io_pass.c.
   */
  constructor(fds: { readonly udp4: number; readonly udp6: number }, passOn: number, taker: Taker) {
    this.#fds = fds;
    this.#passOn = passOn;
    this.#taker = taker;
    this.resume();
  }

  /** Leaves the descriptors alone; they may be replaced now. */
  pause(): void {
    for (const watch of this.#watches.splice(0)) addon.unwatch(watch);
  }

  resume(): void {
    const passOn = this.#passOn;
    for (const fd of [this.#fds.udp4, this.#fds.udp6]) {
      if (fd >= 0) this.#watches.push(addon.watch(fd, () => this.#receive(fd)));
    }
    if (passOn >= 0) this.#watches.push(addon.watch(passOn, () => this.#receivePassed(passOn)));
  }

  /**
   * Sends one datagram from `local`; where that address is gone, or family 0, the kernel chooses.
   * False: it was refused.
   */
  send(datagram: Uint8Array, to: Uint8Array, local: Uint8Array): boolean {
    const fd = sockaddrFamily(to) === 6 ? this.#fds.udp6 : this.#fds.udp4;
    if (fd < 0) return false;
    const chosen = sockaddrFamily(local) === sockaddrFamily(to) ? local : ANY;
    if (addon.datagramSend(fd, datagram, to, chosen) >= 0) return true;
    return chosen !== ANY && addon.datagramSend(fd, datagram, to, ANY) >= 0;
  }

  close(): void {
    this.pause();
  }

  #receive(fd: number): void {
    const count = addon.datagramReceive(fd, this.#bytes, this.#meta);
    if (count === DATAGRAM.most) this.#taker.crowded();
    for (let i = 0; i < count; i++) {
      const meta = i * DATAGRAM.metaBytes;
      const length = this.#meta[meta]! | (this.#meta[meta + 1]! << 8);
      if (length > DATAGRAM.bytes) {
        this.#taker.oversized();
        continue;
      }
      this.#taker.receive(
        this.#bytes.subarray(i * DATAGRAM.bytes, i * DATAGRAM.bytes + length),
        this.#meta.subarray(meta + DATAGRAM.fromAt, meta + DATAGRAM.fromAt + SOCKADDR_BYTES),
        this.#meta.subarray(meta + DATAGRAM.localAt, meta + DATAGRAM.localAt + SOCKADDR_BYTES),
      );
    }
  }

  /** What I/O threads handed on. */
  #receivePassed(fd: number): void {
    const count = addon.datagramReceive(fd, this.#bytes, this.#meta);
    if (count === DATAGRAM.most) this.#taker.crowded();
    for (let i = 0; i < count; i++) {
      const meta = i * DATAGRAM.metaBytes;
      const length = this.#meta[meta]! | (this.#meta[meta + 1]! << 8);
      const start = i * DATAGRAM.bytes;
      takePassed(this.#bytes.subarray(start, start + length), this.#taker);
    }
  }
}
