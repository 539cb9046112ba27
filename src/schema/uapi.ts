/**
 * uapi — WireGuard's configuration protocol: text to `Change`, `DeviceState` to text.
 *
 *     get=1\n\n                                    what the device is, errno=0\n\n
 *     set=1\n key=value\n … \n                     errno=N\n\n
 *
 * An operation ends with an empty line. It is read while it arrives, and nothing of it is given out
 * before its end was seen: one unknown key, one bad value, or a missing end refuses all of it.
 * Keys before the first `public_key` are the device's, then the peer's.
 *
 * Source: wireguard.com/xplatform, "Configuration Protocol"; order of the answer: wireguard-go.
 */
import { join } from "node:path";
import { writePrefix } from "../wire/prefix.ts";
import type { Change, DeviceState, PeerState } from "./change.ts";
import { ERRNO } from "./errno.ts";
import { SetBuilder } from "./uapi-set.ts";

/** Protocol: where `wg` looks. */
const FOLDER = "/var/run/wireguard";

/** The socket of an interface. */
export const uapiFile = (
  name: string,
  folder: string = process.env.P2PVPN_WG_DIR ?? FOLDER,
): string => join(folder, `${name}.sock`);

/** Tuning: a line of ours is at most 100 bytes. */
export const LINE_BYTES_MAX = 1_024;
/** Tuning: a million lines of IPv6 prefixes. What comes after it is read and not kept. */
export const SET_BYTES_MAX = 64 * 1_048_576;

/** What a client asked for. */
export type UapiRequest =
  | { readonly type: "get" }
  | { readonly type: "set"; readonly change: Change }
  /** `last`: nothing that follows can be trusted. */
  | { readonly type: "refused"; readonly errno: number; readonly last: boolean };

const NEWLINE = 0x0a;

/**
 * Reads the operations of one client, in whatever pieces they come. Memory: what is kept of one
 * `set` (see `SetBuilder`) and a line.
 *
 * Thread: any.   Errors: never.
 */
export class UapiReader {
  /** The line that has no end yet. */
  readonly #line = Buffer.alloc(LINE_BYTES_MAX);
  #lineBytes = 0;
  /** Bytes of the operation so far. */
  #bytes = 0;
  #operation: "none" | "get" | "set" | "unknown" = "none";
  #errno = 0;
  #set: SetBuilder | null = null;

  /** Gives the operations that end in these bytes; reads on when the next one is asked for. */
  *read(bytes: Buffer): Generator<UapiRequest, void, undefined> {
    let from = 0;
    while (from < bytes.length) {
      const end = bytes.indexOf(NEWLINE, from);
      const to = end < 0 ? bytes.length : end;
      this.#count(to - from + 1);
      if (this.#bytes > 2 * SET_BYTES_MAX) {
        yield { type: "refused", errno: ERRNO.tooLarge, last: true };
        return;
      }
      if (end < 0 || this.#lineBytes > 0) this.#keep(bytes, from, to);
      if (end < 0) return;
      const done = this.#lineBytes > 0 ? this.#kept() : this.#onLine(bytes, from, to);
      if (done) {
        yield this.#finish();
      }
      from = to + 1;
    }
  }

  /** What is to be said at the end of the stream: an operation without an end is refused. */
  end(): UapiRequest | null {
    const open = this.#operation !== "none" || this.#lineBytes > 0;
    this.#line.fill(0);
    return open ? { type: "refused", errno: this.#errno || ERRNO.invalid, last: true } : null;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > SET_BYTES_MAX) this.#fail(ERRNO.tooLarge);
  }

  /** Adds to the line; one that is too long is counted on and not kept. */
  #keep(bytes: Buffer, from: number, to: number): void {
    const room = LINE_BYTES_MAX - this.#lineBytes;
    if (room > 0) bytes.copy(this.#line, this.#lineBytes, from, Math.min(to, from + room));
    this.#lineBytes = Math.min(LINE_BYTES_MAX + 1, this.#lineBytes + to - from);
  }

  #kept(): boolean {
    const bytes = this.#lineBytes;
    this.#lineBytes = 0;
    const done = this.#onLine(this.#line, 0, bytes);
    this.#line.fill(0); // it may have held a key
    return done;
  }

  /** True when the line ends an operation. */
  #onLine(text: Buffer, from: number, to: number): boolean {
    if (from === to) return this.#operation !== "none";
    if (to - from > LINE_BYTES_MAX) {
      if (this.#operation === "none") this.#operation = "unknown";
      this.#fail(ERRNO.invalid);
    } else if (this.#operation === "none") {
      this.#begin(text.toString("latin1", from, to));
    } else if (this.#errno === 0) {
      const errno = this.#set === null ? ERRNO.invalid : this.#set.line(text, from, to);
      if (errno !== 0) this.#fail(errno);
    }
    return false;
  }

  #begin(line: string): void {
    this.#operation = line === "get=1" ? "get" : line === "set=1" ? "set" : "unknown";
    if (this.#operation === "set") this.#set = new SetBuilder();
    if (this.#operation === "unknown") this.#fail(ERRNO.invalid);
  }

  /** The first reason counts; what was kept is given up. */
  #fail(errno: number): void {
    this.#errno ||= errno;
    this.#set = null;
  }

  #finish(): UapiRequest {
    const errno = this.#errno;
    const set = this.#set;
    this.#operation = "none";
    this.#errno = 0;
    this.#set = null;
    this.#bytes = 0;
    if (errno !== 0) return { type: "refused", errno, last: false };
    return set === null ? { type: "get" } : { type: "set", change: set.finish() };
  }
}

/** Tuning: text is given out in pieces of about this size. */
const PIECE_CHARACTERS = 32_768;
const NO_KEY = "0".repeat(64);

const hex = (key: Uint8Array): string => Buffer.from(key).toString("hex");

const peerHead = (peer: PeerState): string => {
  const seconds = Math.floor(peer.lastHandshakeUnixMs / 1_000);
  const nanoseconds = Math.floor((peer.lastHandshakeUnixMs - 1_000 * seconds) * 1e6);
  return [
    `public_key=${hex(peer.publicKey)}`,
    `preshared_key=${peer.presharedKey === null ? NO_KEY : hex(peer.presharedKey)}`,
    "protocol_version=1",
    ...(peer.endpoint === null ? [] : [`endpoint=${peer.endpoint}`]),
    `last_handshake_time_sec=${seconds}`,
    `last_handshake_time_nsec=${nanoseconds}`,
    `tx_bytes=${peer.txBytes}`,
    `rx_bytes=${peer.rxBytes}`,
    `persistent_keepalive_interval=${peer.persistentKeepaliveS}`,
    "",
  ].join("\n");
};

/**
 * The answer to `get`, in pieces, without its errno. A device that changes between two pieces may
 * be seen in part.
 *
 * Thread: any.   Errors: what the iterables of `state` throw.
 */
export function* stateText(state: DeviceState): Generator<string, void, undefined> {
  let text = state.privateKey === null ? "" : `private_key=${hex(state.privateKey)}\n`;
  if (state.listenPort !== 0) text += `listen_port=${state.listenPort}\n`;
  if (state.fwmark !== 0) text += `fwmark=${state.fwmark}\n`;
  for (const peer of state.peers) {
    text += peerHead(peer);
    for (const prefix of peer.allowedIps) {
      text += `allowed_ip=${writePrefix(prefix)}\n`;
      if (text.length < PIECE_CHARACTERS) continue;
      yield text;
      text = "";
    }
    if (text.length < PIECE_CHARACTERS) continue;
    yield text;
    text = "";
  }
  if (text !== "") yield text;
}
