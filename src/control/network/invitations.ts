/**
 * invitations — those that this host made: of each the secret, what it promises, and who took it.
 *
 *     version u8 = 1, then each
 *       { secret (32), expires u64 (s), flags u8 (1 a name follows, 2 it was taken), name,
 *         addresses: count u8, groups: count u8, certificate of who took it (u16 length) }
 *
 * One is taken once: who took it is on the disk before it is answered, and may ask again. Those
 * that have ended are remembered for a while, so that it can be said why they count no more.
 * Thread: control.
 */
import { Reader, Writer } from "../../members/bytes.ts";
import { ADDRESSES_MAX, type Certificate, decodeCertificate } from "../../members/certificate.ts";
import {
  KEY_BYTES,
  putAddress,
  putGroups,
  putName,
  takeAddress,
  takeGroups,
  takeName,
} from "../../members/fields.ts";
import { ISSUER_GROUPS_MAX } from "../../members/issuer.ts";
import { type TokenKeys, tokenKeys } from "../../members/token.ts";
import { TOKENS_MAX } from "../../wire/index-messages.ts";
import type { Disk } from "./store.ts";

/** Tuning: an invitation that ended, or was taken, is remembered so long. */
const REMEMBERED_S = 7 * 86_400;
/** Tuning: of those that live, and of all. An index takes TOKENS_MAX of one enroller. */
const LIVING_MAX = TOKENS_MAX;
const ALL_MAX = 4 * TOKENS_MAX;
const NAMED = 1;
const TAKEN = 2;
/** Above one invitation's. */
const ENTRY_BYTES_MAX = 1_200;

/** What an invitation promises. */
export interface InvitationFields {
  readonly secret: Uint8Array;
  /** Unix seconds. */
  readonly expiresS: number;
  /** Null: whoever takes it chooses one. */
  readonly name: string | null;
  readonly addresses: readonly Uint8Array[];
  readonly groups: readonly string[];
}

export interface Invitation extends InvitationFields {
  readonly keys: TokenKeys;
  /** Of who took it; null: nobody did. */
  readonly taken: Certificate | null;
}

const hashText = (hash: Uint8Array): string => Buffer.from(hash).toString("latin1");

const encoded = ({ secret, expiresS, name, addresses, groups, taken }: Invitation): Uint8Array => {
  const writer = new Writer(ENTRY_BYTES_MAX).put(secret, KEY_BYTES).u64(expiresS);
  writer.u8((name === null ? 0 : NAMED) | (taken === null ? 0 : TAKEN));
  if (name !== null) putName(writer, name);
  writer.u8(addresses.length);
  for (const address of addresses) putAddress(writer, address);
  putGroups(writer, groups);
  if (taken !== null) writer.u16(taken.bytes.length).put(taken.bytes);
  const bytes = writer.done();
  writer.wipe();
  return bytes;
};

const decoded = (reader: Reader): Invitation | null => {
  const secret = reader.take(KEY_BYTES).slice();
  const expiresS = reader.u64();
  const flags = reader.u8();
  const name = (flags & NAMED) === 0 ? null : takeName(reader);
  const addresses: Uint8Array[] = [];
  const count = reader.count(ADDRESSES_MAX, "addresses");
  for (let i = 0; i < count; i++) addresses.push(takeAddress(reader).slice());
  const groups = takeGroups(reader, ISSUER_GROUPS_MAX);
  const certificate = (flags & TAKEN) === 0 ? null : decodeCertificate(reader.take(reader.u16()));
  if (reader.why !== null || certificate?.ok === false) return null;
  const taken = certificate === null ? null : certificate.value;
  return { secret, expiresS, name, addresses, groups, keys: tokenKeys(secret), taken };
};

export class Invitations {
  readonly #disk: Disk;
  /** By the hash that others see; the oldest first. */
  readonly #all = new Map<string, Invitation>();

  constructor(disk: Disk) {
    this.#disk = disk;
    const kept = disk.read("invitations");
    if (kept === null) return;
    const reader = new Reader(kept);
    reader.version();
    while (reader.why === null && reader.at < kept.length) {
      const one = decoded(reader);
      if (one !== null) this.#all.set(hashText(one.keys.hash), one);
    }
    kept.fill(0);
  }

  of(hash: Uint8Array): Invitation | null {
    return this.#all.get(hashText(hash)) ?? null;
  }

  get all(): readonly Invitation[] {
    return [...this.#all.values()];
  }

  /** Those that somebody may take still. */
  living(nowS: number): Invitation[] {
    return this.all.filter(({ taken, expiresS }) => taken === null && expiresS >= nowS);
  }

  /** Those whose hash begins so, and that may be answered. */
  beginning(first: number): Invitation[] {
    return this.all.filter(({ keys }) => keys.hash[0] === first);
  }

  /** There is room for one more. */
  hasRoom(nowS: number): boolean {
    return this.living(nowS).length < LIVING_MAX;
  }

  /** False: it is not on the disk, and does not count. */
  add(fields: InvitationFields, nowS: number): boolean {
    this.#forget(nowS);
    const one = { ...fields, keys: tokenKeys(fields.secret), taken: null };
    const key = hashText(one.keys.hash);
    this.#all.set(key, one);
    if (this.#write()) return true;
    this.#all.delete(key);
    return false;
  }

  /** Somebody takes it. False: that is not on the disk, and does not count. */
  take(one: Invitation, taken: Certificate): boolean {
    const key = hashText(one.keys.hash);
    this.#all.set(key, { ...one, taken });
    if (this.#write()) return true;
    this.#all.set(key, one);
    return false;
  }

  #forget(nowS: number): void {
    for (const [key, { expiresS }] of this.#all) {
      if (expiresS + REMEMBERED_S < nowS) this.#all.delete(key);
    }
    for (const [key, { taken, expiresS }] of this.#all) {
      if (this.#all.size < ALL_MAX) return;
      if (taken !== null || expiresS < nowS) this.#all.delete(key);
    }
  }

  #write(): boolean {
    const parts = [Uint8Array.of(1), ...this.all.map(encoded)];
    const bytes = Buffer.concat(parts);
    const done = this.#disk.write("invitations", bytes);
    for (const part of [...parts, bytes]) part.fill(0);
    return done;
  }

  /** Zeroes all. */
  stop(): void {
    for (const { secret, keys } of this.#all.values()) {
      for (const bytes of [secret, keys.knock, keys.request, keys.answer]) bytes.fill(0);
    }
    this.#all.clear();
  }
}
