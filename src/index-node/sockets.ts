/**
 * sockets — the UDP sockets of an index node: what comes is looked at as cheaply as can be, and
 * answered from the socket at which it came.
 *
 *     first byte, length ── kind, reserved bytes ── address ─▶ datagram()
 *
 * Under a flood most of what is read is dropped at the first step. An address given by a flooder is
 * turned into bytes only where a datagram is one of ours by its form.
 */
import { createSocket, type Socket } from "node:dgram";
import { EngineError } from "../schema/errors.ts";
import {
  CHANNEL_BYTES_MAX,
  type ChannelKind,
  channelKind,
  DIRECTORY_TYPE,
} from "../wire/channel.ts";
import { formatAddress, parseAddress } from "../wire/cidr.ts";
import { INDEX_TYPE } from "../wire/intro.ts";
import { makeSockaddr, sockaddrHost, sockaddrPort } from "../wire/sockaddr.ts";

/** Tuning: what the kernel holds for us while we do something else; it may give less. */
const RECEIVE_BYTES = 16 * 1_048_576;
/** Tuning: datagrams that wait in node for room in the kernel. */
const SENDING_MAX = 1_024;
/** Shortest of all that channels know: a sealed datagram of nothing. */
const SHORTEST_BYTES = 40;

/** Where to listen. */
export interface Listen {
  /** "0.0.0.0", "2001:db8::1". */
  readonly address: string;
  readonly port: number;
  /** Where it cannot be had, that is said, and the others go on. */
  readonly optional: boolean;
}

// biome-ignore format: a table
export const SOCKET_COUNTS = ["received", "notOurs", "fromNowhere", "sent", "sendFailed", "sendFull"] as const;
export type SocketCount = (typeof SOCKET_COUNTS)[number];

export interface SocketsOptions {
  readonly datagram: (
    kind: ChannelKind,
    datagram: Uint8Array,
    from: Uint8Array,
    local: Uint8Array,
  ) => void;
  readonly say: (sentence: string, facts: Readonly<Record<string, string>>) => void;
}

const reasonOf = ({ code, message }: NodeJS.ErrnoException): string => {
  if (code === "EADDRINUSE") return "the port is in use";
  if (code === "EADDRNOTAVAIL") return "this host does not have that address";
  if (code === "EACCES") return "ports below 1024 are root's";
  if (code === "EAFNOSUPPORT") return "there is no IPv6 here";
  return code ?? message;
};

/** "203.0.113.7:4740", "[::]:4740". */
export const formatPlace = ({ address, port }: Pick<Listen, "address" | "port">): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** An address is no name: nobody has to be asked. */
const lookup = (
  host: string,
  _: unknown,
  callback: (error: null, address: string, family: number) => void,
): void => callback(null, host, host.includes(":") ? 6 : 4);

const bind = ({ address, port }: Listen): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const type = address.includes(":") ? "udp6" : "udp4";
    const socket = createSocket({ type, ipv6Only: type === "udp6", lookup: lookup as never });
    socket.once("error", (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });

/** Thread: the index node's. */
export class Sockets {
  readonly #options: SocketsOptions;
  readonly #sockets: Socket[] = [];
  readonly counts: Record<SocketCount, number> = {
    ...{ received: 0, notOurs: 0, fromNowhere: 0, sent: 0, sendFailed: 0, sendFull: 0 },
  };

  private constructor(options: SocketsOptions) {
    this.#options = options;
  }

  /** Opens them all. Errors: EngineError LISTEN_FAILED. */
  static async open(listens: readonly Listen[], options: SocketsOptions): Promise<Sockets> {
    const sockets = new Sockets(options);
    for (const listen of listens) {
      try {
        sockets.#take(await bind(listen));
      } catch (cause) {
        const facts = { place: formatPlace(listen), reason: reasonOf(cause as Error) };
        if (!listen.optional) {
          sockets.close();
          throw new EngineError("LISTEN_FAILED", { ...facts, cause });
        }
        options.say("nothing is received there", facts);
      }
    }
    return sockets;
  }

  /** Where they listen. */
  get places(): Pick<Listen, "address" | "port">[] {
    return this.#sockets.map((socket) => socket.address());
  }

  #take(socket: Socket): void {
    const local = Uint8Array.of(this.#sockets.length);
    this.#sockets.push(socket);
    try {
      socket.setRecvBufferSize(RECEIVE_BYTES);
    } catch {
      // What the kernel gives is enough to begin with.
    }
    socket.on("error", () => this.counts.sendFailed++);
    socket.on("message", (bytes, { address, port }) => this.#received(bytes, address, port, local));
  }

  #received(bytes: Buffer, address: string, port: number, local: Uint8Array): void {
    const { counts } = this;
    counts.received++;
    const type = bytes[0];
    const { length } = bytes;
    const wrong = (type !== INDEX_TYPE && type !== DIRECTORY_TYPE) || length > CHANNEL_BYTES_MAX;
    const kind = wrong || length < SHORTEST_BYTES ? null : channelKind(bytes);
    if (kind === null || kind === "card" || kind === "opened") {
      counts.notOurs++;
      return;
    }
    const host = parseAddress(address);
    // A link's own address has no place in a datagram's answer here, and port 0 is nobody's.
    if (host === null || port === 0) {
      counts.fromNowhere++;
      return;
    }
    const datagram = new Uint8Array(bytes.buffer, bytes.byteOffset, length);
    this.#options.datagram(kind, datagram, makeSockaddr(host, port), local);
  }

  /** From the socket that `local` names. False: it is not sent. Takes: `datagram`. */
  send(datagram: Uint8Array, to: Uint8Array, local: Uint8Array): boolean {
    const { counts } = this;
    const socket = this.#sockets[local[0] ?? 0];
    if (socket === undefined) return false;
    if (socket.getSendQueueCount() >= SENDING_MAX) {
      counts.sendFull++;
      return false;
    }
    socket.send(datagram, sockaddrPort(to), formatAddress(sockaddrHost(to)), (error) => {
      if (error) counts.sendFailed++;
    });
    counts.sent++;
    return true;
  }

  /** What is under way is sent. */
  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }
}
