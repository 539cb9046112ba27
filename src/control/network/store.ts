/**
 * store — what the network has on disk, each a file that is replaced whole.
 *
 *     "p2pn", version u8 = 1, content, BLAKE2b-128 of all before
 *
 *   definition, list    as they are signed                       at once
 *   secrets             Secrets.encode                           at once
 *   indexes             each { u16, name of an index node, node key (32) }    at once
 *   own                 sequence u64, floor: authority u8, sequence u64     at once
 *   members             each { u16, record, u16, certificate, u8, sockaddr or nothing }
 *                       those with a session first; when it changed, each minute and at the end
 *   certificate         our own, renewed                         at once
 *   issued              certificates that we signed, each u16, certificate   at once
 *   invitations         invitations.ts                           at once
 *   stored              what we store for others (stored.ts), each { u16, pair }
 *
 * A damaged file is as none: that is said, and counted. What is signed is verified again.
 */
import { Reader, Writer } from "../../members/bytes.ts";
import { KEY_BYTES } from "../../members/fields.ts";
import { hashOf } from "../../members/sign.ts";
import { NO_STANDING, type Standing } from "../../wire/digests.ts";
import { decodePair, type Pair } from "../../wire/intro.ts";
import { SOCKADDR_BYTES } from "../../wire/sockaddr.ts";
import type { Store } from "./world.ts";

const MAGIC = Buffer.from("p2pn\x01", "latin1");
const HASH_BYTES = 16;
const OWN_BYTES = 17;
const NOTHING = new Uint8Array(0);

export type FileName =
  | "definition"
  | "list"
  | "secrets"
  | "own"
  | "indexes"
  | "members"
  | "certificate"
  | "issued"
  | "invitations"
  | "stored";
/** They are written beside the event loop: what is lost of them is heard again. */
const LATER: readonly FileName[] = ["members", "stored"];

/** A member as it is kept. */
export interface KeptMember {
  readonly record: Uint8Array;
  readonly certificate: Uint8Array;
  /** Where it was; empty: not known. */
  readonly place: Uint8Array;
}

/** Our own state. */
export interface OwnState {
  /** Of our last record. */
  readonly sequence: number;
  /** No older list is taken. */
  readonly floor: Standing;
}

/** Tuning: what could not be written is written again so often. */
const AGAIN_MS = 60_000;
const NEVER = Number.POSITIVE_INFINITY;

/** Thread: control. Errors: never; the world says what failed. */
export class Disk {
  readonly #store: Store;
  readonly #onDamaged: (name: FileName) => void;
  /** What holds, and is not on the disk, which may have been full. */
  readonly #owed = new Map<FileName, Uint8Array>();
  #againMs = Number.NEGATIVE_INFINITY;

  constructor(store: Store, onDamaged: (name: FileName) => void) {
    this.#store = store;
    this.#onDamaged = onDamaged;
  }

  /** Null: there is none, or it is damaged. */
  read(name: FileName): Uint8Array | null {
    const bytes = this.#store.read(name);
    if (bytes === null) return null;
    const end = bytes.length - HASH_BYTES;
    const whole =
      end >= MAGIC.length &&
      Buffer.compare(bytes.subarray(0, MAGIC.length), MAGIC) === 0 &&
      Buffer.compare(hashOf(HASH_BYTES, bytes.subarray(0, end)), bytes.subarray(end)) === 0;
    if (whole) return bytes.subarray(MAGIC.length, end);
    this.#onDamaged(name);
    return null;
  }

  /** What holds in any case: where it cannot be written now, it is later. Copies. */
  keep(name: FileName, content: Uint8Array): void {
    this.#owed.get(name)?.fill(0);
    this.#owed.delete(name);
    if (!this.write(name, content)) this.#owed.set(name, content.slice());
  }

  /** When what is owed is written again. */
  get dueMs(): number {
    return this.#owed.size === 0 ? NEVER : this.#againMs;
  }

  tick(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    this.#againMs = nowMs + AGAIN_MS;
    for (const [name, content] of this.#owed) {
      if (!this.write(name, content)) continue;
      content.fill(0);
      this.#owed.delete(name);
    }
  }

  /** Zeroes what is owed still. */
  stop(): void {
    this.tick(NEVER);
    for (const content of this.#owed.values()) content.fill(0);
    this.#owed.clear();
  }

  /** Of that which counts when it is on the disk. False: it is not. */
  write(name: FileName, content: Uint8Array): boolean {
    const head = Buffer.concat([MAGIC, content]);
    const bytes = Buffer.concat([head, hashOf(HASH_BYTES, head)]);
    return this.#store.write(name, bytes, !LATER.includes(name));
  }

  readOwn(): OwnState {
    const bytes = this.read("own");
    if (bytes === null) return { sequence: 0, floor: NO_STANDING };
    const reader = new Reader(bytes);
    const sequence = reader.u64();
    const floor = { chain: reader.u8(), sequence: reader.u64() };
    reader.end();
    if (reader.why === null) return { sequence, floor };
    this.#onDamaged("own");
    return { sequence: 0, floor: NO_STANDING };
  }

  keepOwn({ sequence, floor }: OwnState): void {
    const writer = new Writer(OWN_BYTES).u64(sequence).u8(floor.chain).u64(floor.sequence);
    this.keep("own", writer.done());
  }

  /** Who index nodes were at first contact, by name. */
  readIndexes(): Map<string, Uint8Array> {
    const bytes = this.read("indexes");
    const pins = new Map<string, Uint8Array>();
    if (bytes === null) return pins;
    const reader = new Reader(bytes);
    while (reader.why === null && reader.at < bytes.length) {
      const name = Buffer.from(reader.take(reader.u16())).toString();
      const nodeKey = reader.take(KEY_BYTES);
      if (reader.why === null) pins.set(name, nodeKey);
    }
    if (reader.why !== null) this.#onDamaged("indexes");
    return pins;
  }

  keepIndexes(pins: ReadonlyMap<string, Uint8Array>): void {
    const parts = [...pins].flatMap(([text, nodeKey]) => {
      const name = Buffer.from(text);
      return [u16(name.length), name, nodeKey];
    });
    this.keep("indexes", Buffer.concat(parts));
  }

  readStored(): Pair[] {
    const bytes = this.read("stored");
    const pairs: Pair[] = [];
    if (bytes === null) return pairs;
    const reader = new Reader(bytes);
    while (reader.why === null && reader.at < bytes.length) {
      const pair = decodePair(reader.take(reader.u16()));
      if (reader.why === null && pair !== null) pairs.push(pair);
    }
    if (reader.why !== null) this.#onDamaged("stored");
    return pairs;
  }

  /** Units: pairs, encoded. */
  writeStored(pairs: Iterable<Uint8Array>): boolean {
    const parts = [...pairs].flatMap((pair) => [u16(pair.length), pair]);
    return this.write("stored", Buffer.concat(parts));
  }

  readMembers(): KeptMember[] {
    const bytes = this.read("members");
    const kept: KeptMember[] = [];
    if (bytes === null) return kept;
    const reader = new Reader(bytes);
    while (reader.why === null && reader.at < bytes.length) {
      const record = reader.take(reader.u16());
      const certificate = reader.take(reader.u16());
      const place = reader.take(reader.u8());
      if (reader.why === null) kept.push({ record, certificate, place });
    }
    if (reader.why !== null) this.#onDamaged("members");
    return kept;
  }

  writeMembers(members: Iterable<KeptMember>): boolean {
    const parts: Uint8Array[] = [];
    for (const { record, certificate, place } of members) {
      const where = place.length === SOCKADDR_BYTES ? place : NOTHING;
      parts.push(u16(record.length), record, u16(certificate.length), certificate);
      parts.push(Uint8Array.of(where.length), where);
    }
    return this.write("members", Buffer.concat(parts));
  }
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value & 0xff, value >> 8);
