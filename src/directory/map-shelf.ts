/**
 * map-shelf — a shelf in memory: one entry of each member, found by number and by target. Pure but
 * for its state.
 *
 * Everything is verified as a member's own intake does: certificate by the definition, times by the
 * clock, revocation by the list, record by the node's signature.
 */
import { sameBytes, Writer } from "../members/bytes.ts";
import {
  type Certificate,
  certificateProblem,
  decodeCertificate,
  validity,
} from "../members/certificate.ts";
import type { Definition } from "../members/definition.ts";
import { putPrefix } from "../members/fields.ts";
import { memberId } from "../members/member-id.ts";
import { decodeRecord, recordSigned } from "../members/record.ts";
import { revocationProblem } from "../members/revocation-list.ts";
import { hashOf } from "../members/sign.ts";
import type { Pair } from "../wire/intro.ts";
import type { Lists } from "./lists.ts";
import type { Checked, PairReason, Shelf } from "./shelf.ts";

/** Tuning: members of a network. */
const MEMBERS_MAX = 65_536;
/** Protocol: how far a record may be ahead of us. */
const SKEW_S = 300;
const TARGET_BYTES = 32;
const TARGET_LABEL = Buffer.from("p2pvpn/1/target\0");
const PREFIX_BYTES_MAX = 18;

interface Entry {
  readonly id: number;
  readonly pair: Pair;
  readonly certificate: Certificate;
  readonly sequence: number;
  readonly expiresS: number;
  readonly targets: readonly string[];
}

/** Which time it is, as far as it is believed. Units: seconds since 1970. */
export interface ShelfClock {
  readonly nowS: number;
  /** False: it is a bound from below, and nothing is refused as being too early. */
  readonly trusted: boolean;
}

const refused = (reason: PairReason): Checked => ({ ok: false, reason });
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

const targetsOf = (networkId: Uint8Array, certificate: Certificate): string[] => {
  const target = (kind: number, bytes: Uint8Array): string =>
    textOf(hashOf(TARGET_BYTES, TARGET_LABEL, networkId, Uint8Array.of(kind), bytes));
  return [
    target(0, certificate.nodeKey),
    ...certificate.addresses.map((address) => target(1, address)),
    ...certificate.routes.map((route) => {
      const writer = new Writer(PREFIX_BYTES_MAX);
      putPrefix(writer, route);
      return target(2, writer.done());
    }),
  ];
};

export class MapShelf implements Shelf {
  readonly #lists: Lists;
  readonly #clock: () => ShelfClock;
  readonly #entries = new Map<number, Entry>();
  readonly #targets = new Map<string, Entry>();
  /** Certificates, and the definition by which they were verified. */
  readonly #verified = new WeakMap<Certificate, Definition>();
  #walk: Iterator<Entry> | null = null;

  constructor(lists: Lists, clock: () => ShelfClock) {
    this.#lists = lists;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  check(pair: Pair): Checked {
    const record = decodeRecord(pair.record);
    const decoded = decodeCertificate(pair.certificate);
    if (!record.ok || !decoded.ok) return refused("pairInvalid");
    const [view, certificate] = [record.value, decoded.value];
    const { nowS, trusted } = this.#clock();
    if (view.expiresS <= nowS) return refused("recordExpired");
    const ahead = Math.max(view.sequence / 1_000, view.issuedS) - nowS;
    if (trusted && ahead > SKEW_S) return refused("recordAhead");
    const belong =
      sameBytes(view.nodeKey, certificate.nodeKey) &&
      sameBytes(view.certificateHash, certificate.hash);
    if (!belong) return refused("pairInvalid");
    const problem = this.problem(certificate);
    if (problem !== null) return refused(problem);
    return recordSigned(view, this.#lists.definition.networkId)
      ? { ok: true, certificate }
      : refused("pairInvalid");
  }

  problem(
    certificate: Certificate,
  ): "certificateTime" | "certificateRevoked" | "pairInvalid" | null {
    const { definition, list } = this.#lists;
    const { nowS, trusted } = this.#clock();
    const { fromS, toS } = validity(certificate, definition);
    if (nowS > toS || (trusted && fromS > nowS + SKEW_S)) return "certificateTime";
    if (list !== null && revocationProblem(list, certificate) !== null) return "certificateRevoked";
    if (this.#verified.get(certificate) === definition) return null;
    if (certificateProblem(certificate, definition) !== null) return "pairInvalid";
    this.#verified.set(certificate, definition);
    return null;
  }

  put(pair: Pair): "taken" | "kept" | "recordOld" | "storeFull" {
    const record = decodeRecord(pair.record);
    const decoded = decodeCertificate(pair.certificate);
    if (!record.ok || !decoded.ok) return "recordOld";
    const id = memberId(decoded.value.nodeKey);
    const held = this.#entries.get(id);
    if (held !== undefined && record.value.sequence <= held.sequence) {
      return record.value.sequence === held.sequence ? "kept" : "recordOld";
    }
    if (held === undefined && this.#entries.size >= MEMBERS_MAX) return "storeFull";
    if (held !== undefined) this.#remove(held);
    const entry: Entry = {
      id,
      pair: { certificate: decoded.value.bytes, record: record.value.bytes },
      certificate: decoded.value,
      sequence: record.value.sequence,
      expiresS: record.value.expiresS,
      targets: targetsOf(this.#lists.definition.networkId, decoded.value),
    };
    this.#entries.set(id, entry);
    for (const target of entry.targets) this.#targets.set(target, entry);
    return "taken";
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.id);
    for (const target of entry.targets) {
      if (this.#targets.get(target) === entry) this.#targets.delete(target);
    }
  }

  /** Does it count now? If not, it is gone. */
  #counted(entry: Entry | undefined): Pair | null {
    if (entry === undefined) return null;
    const ended = entry.expiresS <= this.#clock().nowS;
    if (!ended && this.problem(entry.certificate) === null) return entry.pair;
    this.#remove(entry);
    return null;
  }

  get(target: Uint8Array): Pair | null {
    return this.#counted(this.#targets.get(textOf(target)));
  }

  byId(id: number): Pair | null {
    return this.#counted(this.#entries.get(id));
  }

  sweep(most: number): number {
    const before = this.#entries.size;
    for (let i = 0; i < most; i++) {
      this.#walk ??= this.#entries.values();
      const { value, done } = this.#walk.next();
      if (done) this.#walk = null;
      if (done) break;
      this.#counted(value);
    }
    return before - this.#entries.size;
  }

  *pairs(): Generator<Pair, void, undefined> {
    for (const { pair } of this.#entries.values()) yield pair;
  }
}
