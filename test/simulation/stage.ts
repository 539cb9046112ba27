/**
 * stage — the descriptors of a simulation: what stands for TUN devices and for the network.
 *
 *     machine i ── its socket ◀──▶ path (i to j, way w) ── network ── path (j to i) ◀──▶ machine j
 *
 * A path is a socket of ours on loopback: machine i sends to j by sending to it, and hears j from
 * it. A TUN device is a pair of Unix datagram sockets. Made once, and used for many runs.
 */
import { addon } from "../../src/io/native/addon.ts";
import { formatSockaddr, makeSockaddr } from "../../src/wire/sockaddr.ts";

/** Ways from one machine to another: two over IPv4 and one over IPv6. */
export const WAYS = [4, 4, 6] as const;

/** An address of this process alone: others let the kernel choose ports of 127.0.0.1. */
const OWN = [127, 1 + ((process.pid >>> 16) & 63), (process.pid >>> 8) & 255, process.pid & 255];
const LOOPBACK = { 4: Uint8Array.from(OWN), 6: new Uint8Array(16).fill(1, 15) } as const;
const LOOPBACK_TEXT = { 4: OWN.join("."), 6: "::1" } as const;

export interface Path {
  /** The machine that uses it, who is behind it, and which way. */
  readonly owner: number;
  readonly peer: number;
  readonly way: number;
  readonly family: 4 | 6;
  readonly fd: number;
  readonly address: Uint8Array;
}

/** What an I/O thread of a machine is given, and our ends of it. */
export interface Port {
  readonly tun: number;
  /** Our end of the TUN device. */
  readonly host: number;
  readonly udp: { readonly 4: number; readonly 6: number };
  readonly address: { readonly 4: Uint8Array; readonly 6: Uint8Array };
  readonly wake: number;
}

export interface Place {
  readonly ports: readonly Port[];
  readonly controlWake: number;
  /** Handshake messages that came to I/O threads: their end, and control's. */
  readonly passOn: readonly [io: number, control: number];
  /** By peer, then by way. Then come a stranger, and who speaks through the tunnel itself. */
  readonly paths: readonly (readonly Path[])[];
}

/** Ports that are tried for one that nobody has. */
const PORT_TRIES = 64;
/** Unread bytes are thrown away up to this many times a descriptor. */
const DRAIN_MAX = 4_096;

const checked = (fd: number): number => {
  if (fd < 0) throw new Error(`no descriptor: ${addon.errorText(-fd)}`);
  return fd;
};

export class Stage {
  readonly places: readonly Place[];
  readonly #fds: number[] = [];
  readonly #sockets: number[] = [];
  readonly #bytes = new Uint8Array(32 * 2_048);
  readonly #meta = new Uint8Array(32 * 64);

  /** Errors: Error when descriptors or loopback are not to be had. */
  constructor(machines: number, ioThreads: number) {
    this.places = Array.from({ length: machines }, (_, machine) => ({
      ports: Array.from({ length: ioThreads }, () => this.#port()),
      controlWake: this.#keep(addon.eventOpen()),
      passOn: this.#pair(),
      paths: Array.from({ length: machines + 2 }, (_row, peer) =>
        peer === machine ? [] : WAYS.map((family, way) => this.#path(machine, peer, way, family)),
      ),
    }));
  }

  /** Throws away what a run left behind. */
  drain(): void {
    for (const fd of this.#sockets) {
      for (let i = 0; i < DRAIN_MAX; i++) {
        if (addon.datagramReceive(fd, this.#bytes, this.#meta) <= 0) break;
      }
    }
    for (const place of this.places) {
      addon.eventClear(place.controlWake);
      for (const { wake } of place.ports) addon.eventClear(wake);
    }
  }

  close(): void {
    for (const fd of this.#fds.splice(0)) addon.close(fd);
  }

  #keep(fd: number): number {
    this.#fds.push(checked(fd));
    return fd;
  }

  #pair(): readonly [number, number] {
    const fds = new Int32Array(2);
    checked(addon.datagramPair(new Uint8Array(fds.buffer)));
    this.#sockets.push(...fds);
    return [this.#keep(fds[0]!), this.#keep(fds[1]!)];
  }

  /** The kernel may choose a port that another socket of this user shares (SO_REUSEPORT). */
  #socket(family: 4 | 6): number {
    const text = LOOPBACK_TEXT[family];
    for (let tries = 0; tries < PORT_TRIES; tries++) {
      const chosen = checked(addon.udpOpen(family, text, 0, 0, ""));
      const port = addon.udpPort(chosen);
      addon.close(chosen);
      if (addon.udpTaken(text, port, "") < 0) continue;
      const fd = this.#keep(addon.udpOpen(family, text, port, 0, ""));
      this.#sockets.push(fd);
      return fd;
    }
    throw new Error("no free port on loopback");
  }

  #port(): Port {
    const [tun, host] = this.#pair();
    const udp = { 4: this.#socket(4), 6: this.#socket(6) };
    const address = {
      4: makeSockaddr(LOOPBACK[4], addon.udpPort(udp[4])),
      6: makeSockaddr(LOOPBACK[6], addon.udpPort(udp[6])),
    };
    return { tun, host, udp, address, wake: this.#keep(addon.eventOpen()) };
  }

  #path(owner: number, peer: number, way: number, family: 4 | 6): Path {
    const fd = this.#socket(family);
    const address = makeSockaddr(LOOPBACK[family], addon.udpPort(fd));
    return { owner, peer, way, family, fd, address };
  }
}

/** Finds a machine's path by the address that it is to send to. */
export class PathIndex {
  readonly #paths = new Map<string, Path>();

  constructor(place: Place) {
    for (const path of place.paths.flat()) this.#paths.set(formatSockaddr(path.address)!, path);
  }

  find(address: Uint8Array): Path | undefined {
    return this.#paths.get(formatSockaddr(address) ?? "");
  }
}
