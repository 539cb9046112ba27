/**
 * statement — a member's record with the certificate that entitles it, both verified: what is known
 * of a member, and what is passed on of it.
 *
 *     bytes ──decode──▶ ──certificate, by hash──▶ ──record's signature──▶ Statement
 *
 * What is verified here holds as long as the definition does. Clock, revocations and what others
 * hold are looked at by members.ts. Pure.
 */
import { sameBytes } from "../../members/bytes.ts";
import {
  type Certificate,
  certificateProblem,
  decodeCertificate,
} from "../../members/certificate.ts";
import type { Definition } from "../../members/definition.ts";
import { ANY_EXTENSION } from "../../members/extensions.ts";
import { KEY_BYTES } from "../../members/fields.ts";
import { memberId } from "../../members/member-id.ts";
import {
  decodeRecord,
  openRecord,
  type RecordContent,
  type RecordView,
  recordSigned,
} from "../../members/record.ts";
import type { RevocationList } from "../../members/revocation-list.ts";
import { hashOf, shortHash } from "../../members/sign.ts";
import type { Shown } from "../../wire/network-frames.ts";

const TWO_32 = 2 ** 32;
/** Tuning: verified certificates that are remembered beside those that members have. */
const CERTIFICATES_KEPT = 256;

/** Where the node key stands in a record. */
const NODE_KEY_AT = 6;

/** Whose record it says it is; null: it is too short to be one. */
export const idOfRecord = (record: Uint8Array): number | null => {
  const end = NODE_KEY_AT + KEY_BYTES;
  return record.length < end ? null : memberId(record.subarray(NODE_KEY_AT, end));
};

/** What an entry adds to the digest of its bucket: 64 bits in two words. */
const markOf = (id: number, sequence: number): readonly [number, number] => {
  const entry = new Uint8Array(16);
  const view = new DataView(entry.buffer);
  for (const [i, value] of [id, sequence].entries()) {
    view.setUint32(8 * i, value % TWO_32, true);
    view.setUint32(8 * i + 4, Math.floor(value / TWO_32), true);
  }
  const mark = hashOf(16, entry);
  const words = new DataView(mark.buffer, mark.byteOffset);
  return [words.getUint32(0, true), words.getUint32(4, true)];
};

/**
 * A verified record and its certificate. Whatever is in here, the node said; nothing is current.
 */
export class Statement implements Shown {
  readonly id: number;
  readonly owner: Certificate;
  readonly record: Uint8Array;
  readonly epoch: number;
  /** Unix ms, growing. */
  readonly sequence: number;
  /** Unix seconds. */
  readonly issuedS: number;
  readonly expiresS: number;
  readonly markLow: number;
  readonly markHigh: number;
  /** What it says, or why it cannot be read; null: nobody has tried. */
  #content: RecordContent | string | null = null;
  /** The list that was looked at last, by its authority and sequence, and what it said. */
  #listAuthority = -1;
  #listSequence = -1;
  #revoked: string | null = null;

  constructor(owner: Certificate, view: RecordView, id = memberId(owner.nodeKey)) {
    this.id = id;
    this.owner = owner;
    this.record = view.bytes;
    this.epoch = view.epoch;
    this.sequence = view.sequence;
    this.issuedS = view.issuedS;
    this.expiresS = view.expiresS;
    [this.markLow, this.markHigh] = markOf(id, view.sequence);
  }

  /** The certificate's bytes. */
  get certificate(): Uint8Array {
    return this.owner.bytes;
  }

  /** What it says, to who has the secret of its epoch; null: it cannot be read. */
  content(recordKey: (epoch: number) => Uint8Array | null): RecordContent | null {
    const read = this.#read(recordKey);
    return typeof read === "string" ? null : read;
  }

  /** Why it cannot be read, as a clause; null: it can. */
  unreadable(recordKey: (epoch: number) => Uint8Array | null): string | null {
    const read = this.#read(recordKey);
    return typeof read === "string" ? read : null;
  }

  #read(recordKey: (epoch: number) => Uint8Array | null): RecordContent | string {
    const key = recordKey(this.epoch);
    if (key === null) return "it is sealed with a secret of the network that is not here yet";
    if (this.#content === null) {
      const view = decodeRecord(this.record);
      const content = view.ok ? openRecord(view.value, key) : view;
      this.#content = content.ok ? content.value : content.why;
    }
    return this.#content;
  }

  /** `problem` of the list, asked once. */
  revoked(
    list: RevocationList,
    problem: (list: RevocationList, owner: Certificate) => string | null,
  ): string | null {
    if (this.#listSequence !== list.sequence || this.#listAuthority !== list.authority) {
      this.#revoked = problem(list, this.owner);
      this.#listAuthority = list.authority;
      this.#listSequence = list.sequence;
    }
    return this.#revoked;
  }
}

/** Why something is refused: what is counted, and a clause. */
export interface Refusal {
  readonly ok: false;
  readonly of: "record" | "certificate";
  readonly why: string;
  /** Whose certificate it is, where that is known for sure. */
  readonly owner: Certificate | null;
}

export type Verdict = { readonly ok: true; readonly value: Statement } | Refusal;

/** `owner`: it was verified, and is refused for what this version does not understand of it. */
export type CertificateVerdict =
  | { readonly ok: true; readonly value: Certificate }
  | { readonly ok: false; readonly why: string; readonly owner: Certificate | null };

/** Verifies certificates and records, of one definition. */
export interface Verifier {
  /** A certificate is read and verified; the same bytes are verified once. */
  certificate(bytes: Uint8Array): CertificateVerdict;
  /**
   * What was verified before, byte for byte; an empty certificate stands for the one of then. Null:
   * nothing is remembered. Where many nodes live in one process, one verifies for all.
   */
  known(shown: Shown): Statement | null;
  /** A record that was read, with a certificate that was verified. */
  record(view: RecordView, owner: Certificate): Verdict;
  /** Forgets what the former one said. */
  redefine(definition: Definition): void;
}

/** Thread: control. Errors: never. */
export class RealVerifier implements Verifier {
  #definition: Definition;
  /** By their hash; the oldest goes. */
  readonly #certificates = new Map<string, CertificateVerdict>();

  constructor(definition: Definition) {
    this.#definition = definition;
  }

  redefine(definition: Definition): void {
    this.#definition = definition;
    this.#certificates.clear();
  }

  /** A record comes once, but for a few. */
  known(): null {
    return null;
  }

  certificate(bytes: Uint8Array): CertificateVerdict {
    const key = Buffer.from(shortHash(bytes)).toString("latin1");
    const known = this.#certificates.get(key);
    if (known !== undefined) return known;
    const verdict = this.#verify(bytes);
    if (this.#certificates.size >= CERTIFICATES_KEPT) {
      this.#certificates.delete(this.#certificates.keys().next().value!);
    }
    this.#certificates.set(key, verdict);
    return verdict;
  }

  #verify(bytes: Uint8Array): CertificateVerdict {
    const decoded = decodeCertificate(bytes);
    if (decoded.ok) {
      const why = certificateProblem(decoded.value, this.#definition);
      return why === null ? decoded : { ok: false, why, owner: null };
    }
    const unknown = decodeCertificate(bytes, ANY_EXTENSION);
    const isProved = unknown.ok && certificateProblem(unknown.value, this.#definition) === null;
    return { ...decoded, owner: isProved ? unknown.value : null };
  }

  record(view: RecordView, owner: Certificate): Verdict {
    const why = recordMatches(view, owner);
    if (why !== null) return { ok: false, of: "record", why, owner };
    if (recordSigned(view, this.#definition.networkId)) {
      return { ok: true, value: new Statement(owner, view) };
    }
    return { ok: false, of: "record", why: "its node did not sign it", owner: null };
  }
}

/** Why a record is none of the certificate's; null: it is. */
export const recordMatches = (view: RecordView, owner: Certificate): string | null => {
  if (!sameBytes(view.nodeKey, owner.nodeKey)) return "it is of another node than its certificate";
  return sameBytes(view.certificateHash, owner.hash) ? null : "it names another certificate";
};
