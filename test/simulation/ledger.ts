/**
 * ledger — what was sent, sealed and delivered, and what must never happen among them:
 *
 *     no nonce twice · nothing in clear · nothing delivered that was not sent, to somebody else,
 *     changed, or twice · no packet whose inner source is not its sender's
 */
import { createHash } from "node:crypto";
import {
  addressOf,
  MARK,
  makePayload,
  readFrame,
  readTold,
  type Stamp,
  stampOf,
  type Told,
  type Version,
} from "./packets.ts";

/** What a path may take, other than all. */
const MTU_MIN = 1_280;
const MTU_MAX = 1_420;

/** What must never happen has happened. */
export class Violation extends Error {}

interface Sent {
  readonly stamp: Stamp;
  readonly payload: Buffer;
  readonly atMs: number;
  /** Its inner source is not the sender's: no peer may write it to a TUN. */
  readonly forged: boolean;
  delivered: boolean;
}

const digest = (datagram: Buffer): string => createHash("sha1").update(datagram).digest("base64");

const violate = (text: string): never => {
  throw new Violation(text);
};

/** Who sent what is too big for a path is told, and nobody else. */
const checkTold = (machine: number, { to, sender, mtu }: Told): void => {
  if (Buffer.compare(to, sender) !== 0) violate(`${machine} is told of another's packet`);
  if (mtu < MTU_MIN || mtu >= MTU_MAX) violate(`${machine} is told of ${mtu} bytes`);
};

export class Ledger {
  /** Packets by number. */
  readonly #sent: Sent[] = [];
  readonly #nonces = new Set<string>();
  /** Data messages that left machines, as hashes. */
  readonly #sealed = new Set<string>();
  #delivered = 0;
  /** When the newest packet that arrived from one at another was sent; by `from`, then `to`. */
  readonly #newest: number[][];

  constructor(machines: number) {
    const row = (): number[] => new Array<number>(machines).fill(Number.NEGATIVE_INFINITY);
    this.#newest = Array.from({ length: machines }, row);
  }

  get sent(): number {
    return this.#sent.length;
  }

  get delivered(): number {
    return this.#delivered;
  }

  get nonces(): number {
    return this.#nonces.size;
  }

  newestMs(from: number, to: number): number {
    return this.#newest[from]![to]!;
  }

  /** A payload that will be sent now. */
  write(from: number, to: number, bytes: number, atMs: number, forged: boolean): Buffer {
    const stamp = { from, to, sequence: this.#sent.length };
    const payload = makePayload(stamp, bytes);
    this.#sent.push({ stamp, payload, atMs, forged, delivered: false });
    return payload;
  }

  /** A data message left a machine, sealed under a key. */
  sealed(key: string, datagram: Buffer): void {
    const nonce = `${key} ${datagram.readBigUInt64LE(8)}`;
    if (this.#nonces.has(nonce)) violate(`nonce twice: ${nonce}`);
    this.#nonces.add(nonce);
    if (datagram.includes(MARK)) violate(`a message in clear: ${datagram.toString("hex")}`);
    this.#sealed.add(digest(datagram));
  }

  /** Did a machine seal exactly this? */
  isSealed(datagram: Buffer): boolean {
    return this.#sealed.has(digest(datagram));
  }

  /** A frame was written to a machine's TUN device. Returns its packets. */
  written(machine: number, frame: Buffer): readonly Stamp[] {
    const told = readTold(frame);
    if (told !== null) {
      checkTold(machine, told);
      return [];
    }
    const read = readFrame(frame);
    if (typeof read === "string") return violate(`${read}: ${frame.toString("hex")}`);
    const { version, source, destination } = read.flow;
    return read.payloads.map((payload) =>
      this.#deliver(machine, version, source, destination, payload),
    );
  }

  #deliver(
    machine: number,
    version: Version,
    source: Uint8Array,
    destination: Uint8Array,
    payload: Buffer,
  ): Stamp {
    const stamp = stampOf(payload) ?? violate(`nobody sent ${payload.toString("hex")}`);
    const sent = this.#sent[stamp.sequence];
    const name = `packet ${stamp.sequence} of ${stamp.from} to ${stamp.to}`;
    if (sent === undefined || !sent.payload.equals(payload)) return violate(`${name} was changed`);
    if (stamp.to !== machine) violate(`${name} was delivered to ${machine}`);
    if (sent.forged) violate(`${name} has another's source and was delivered`);
    const from = addressOf(version, stamp.from);
    const to = addressOf(version, stamp.to);
    if (Buffer.compare(source, from) !== 0) violate(`${name} comes from another address`);
    if (Buffer.compare(destination, to) !== 0) violate(`${name} goes to another address`);
    if (sent.delivered) violate(`${name} was delivered twice`);
    sent.delivered = true;
    this.#delivered++;
    const row = this.#newest[stamp.from]!;
    row[stamp.to] = Math.max(row[stamp.to]!, sent.atMs);
    return stamp;
  }
}
