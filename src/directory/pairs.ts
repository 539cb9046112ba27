/**
 * pairs — is what somebody offers or answers a member's own word? Certificate and record, read and
 * verified, cheapest first.
 *
 *     record read ─▶ its times ─▶ certificate read ─▶ they belong together ─▶ target ─▶ time and
 *     revocation ─▶ certificate's signature (once for each) ─▶ record's signature
 *
 * The same rules as of a member's own intake (control/network/intake.ts). Who stores, and who asks,
 * does the same: neither believes the other. What is sealed in a record is not read.
 */
import { type Decoded, refused, sameBytes } from "../members/bytes.ts";
import {
  type Certificate,
  certificateProblem,
  decodeCertificate,
  validity,
} from "../members/certificate.ts";
import type { Definition } from "../members/definition.ts";
import { decodeRecord, type RecordView, recordSigned } from "../members/record.ts";
import { type RevocationList, revocationProblem } from "../members/revocation-list.ts";
import { shortHash } from "../members/sign.ts";
import type { Pair } from "../wire/intro.ts";
import type { DirectoryCount } from "./counts.ts";
import { TARGET_KIND, type Target, targetsOf } from "./targets.ts";

/** Protocol: how far a record may be ahead of us. */
const SKEW_MS = 300_000;
/** Tuning: certificates whose verdict is remembered. */
const CERTIFICATES_KEPT = 256;

/** Which time it is, as far as it is believed; control's Clock is one. */
export interface DirectoryClock {
  /** Unix milliseconds. */
  nowMs(): number;
  /** Unix seconds for certificates: never before what the authority signed. */
  certificateS(): number;
  /** It is a time, and no bound from below. */
  readonly trusted: boolean;
}

/** By what it is judged. Definition and list may change; the same object is the same. */
export interface Law {
  readonly definition: () => Definition;
  /** Null: no list is known. */
  readonly list: () => RevocationList | null;
  readonly clock: DirectoryClock;
}

/** A pair that is what it says. */
export interface Verified {
  readonly certificate: Certificate;
  readonly view: RecordView;
}

export interface NotTaken {
  readonly ok: false;
  readonly reason: DirectoryCount;
  /** A clause. */
  readonly why: string;
}

export type Verdict<Value> = { readonly ok: true; readonly value: Value } | NotTaken;

/** What is remembered of a certificate by its bytes' hash. */
interface Known {
  readonly decoded: Decoded<Certificate>;
  readonly targets: readonly Target[];
  /** Undefined: not verified yet. */
  problem: string | null | undefined;
}

export const notTaken = (reason: DirectoryCount, why: string): NotTaken => ({
  ok: false,
  reason,
  why,
});

/** What decides which of two that are found for a target is the one. */
export interface Rank {
  /** Of the certificate. */
  readonly notBeforeS: number;
  readonly sequence: number;
}

/**
 * Does `a` count before `b`? Of an address, the newer certificate, since an address may be given to
 * another; of all else, the newer record.
 */
export const outranks = (kind: number, a: Rank, b: Rank): boolean => {
  const order = kind === TARGET_KIND.address ? a.notBeforeS - b.notBeforeS : 0;
  return (order || a.sequence - b.sequence) > 0;
};

/** Verifies for one network. Errors: never. */
export class PairChecker {
  readonly #law: Law;
  /** The longest unused first. */
  readonly #certificates = new Map<string, Known>();
  #definition: Definition;
  #list: RevocationList | null;
  #generation = 0;
  #definitionGeneration = 0;

  constructor(law: Law) {
    this.#law = law;
    this.#definition = law.definition();
    this.#list = law.list();
  }

  /** Grows with each definition and list: what was verified before is looked at again. */
  get generation(): number {
    const [definition, list] = [this.#law.definition(), this.#law.list()];
    if (definition !== this.#definition || list !== this.#list) this.#generation++;
    if (definition !== this.#definition) {
      this.#definitionGeneration = this.#generation;
      this.#certificates.clear();
    }
    this.#definition = definition;
    this.#list = list;
    return this.#generation;
  }

  get definition(): Definition {
    return this.#law.definition();
  }

  get clock(): DirectoryClock {
    return this.#law.clock;
  }

  /** Which time it is, to be told to others; 0: it is not known. Units: Unix milliseconds. */
  get toldMs(): number {
    const { clock } = this.#law;
    return clock.trusted ? Math.floor(clock.nowMs()) : 0;
  }

  /** A record, before its certificate and its signature are looked at. */
  readRecord(record: Uint8Array): Verdict<RecordView> {
    const decoded = decodeRecord(record);
    if (!decoded.ok) return notTaken("pairInvalid", `a record: ${decoded.why}`);
    const { sequence, issuedS, expiresS } = decoded.value;
    const { clock } = this.#law;
    const nowMs = clock.nowMs();
    if (clock.trusted && Math.max(sequence, issuedS * 1_000) - nowMs > SKEW_MS) {
      return notTaken("recordAhead", "its record is ahead of time");
    }
    if (expiresS <= nowMs / 1_000) return notTaken("recordExpired", "its record has expired");
    return { ok: true, value: decoded.value };
  }

  /** All of a pair. `target`: what it was offered or found for; null: any. Borrows: `pair`. */
  check(pair: Pair, target: Uint8Array | null): Verdict<Verified> {
    const read = this.readRecord(pair.record);
    return read.ok ? this.checkRead(read.value, pair.certificate, target) : read;
  }

  /**
   * Whose a pair is that its own node shows; null: its certificate does not count. Where a clock is
   * wrong, there or here, `verdict` is that its record does not, and its certificate may.
   */
  ownerOf(pair: Pair, verdict: Verdict<Verified>): Certificate | null {
    if (verdict.ok) return verdict.value.certificate;
    const isOfTime = verdict.reason === "recordAhead" || verdict.reason === "recordExpired";
    const owner = isOfTime ? this.#counts(this.#certificate(pair.certificate)) : verdict;
    return owner.ok ? owner.value : null;
  }

  /** The rest, for who has read the record already. */
  checkRead(view: RecordView, bytes: Uint8Array, target: Uint8Array | null): Verdict<Verified> {
    const known = this.#certificate(bytes);
    if (!known.decoded.ok) return notTaken("pairInvalid", `a certificate: ${known.decoded.why}`);
    const certificate = known.decoded.value;
    if (!sameBytes(view.nodeKey, certificate.nodeKey)) {
      return notTaken("pairInvalid", "a record: it is of another node than its certificate");
    }
    if (!sameBytes(view.certificateHash, certificate.hash)) {
      return notTaken("pairInvalid", "a record: it names another certificate");
    }
    if (target !== null && !known.targets.some((one) => sameBytes(one.target, target))) {
      return notTaken("targetWrong", "its certificate does not give it that target");
    }
    const counts = this.#counts(known);
    if (!counts.ok) return counts;
    return recordSigned(view, this.definition.networkId)
      ? { ok: true, value: { certificate, view } }
      : notTaken("pairInvalid", "a record: its node did not sign it");
  }

  /** A certificate that counts now, and that somebody signed who may. */
  #counts(known: Known): Verdict<Certificate> {
    if (!known.decoded.ok) return notTaken("pairInvalid", `a certificate: ${known.decoded.why}`);
    const certificate = known.decoded.value;
    const void_ = this.voidBecause(certificate);
    if (void_ !== null) return void_;
    known.problem ??= certificateProblem(certificate, this.definition);
    return known.problem === null
      ? { ok: true, value: certificate }
      : notTaken("pairInvalid", `a certificate: ${known.problem}`);
  }

  /** Why a certificate does not count now, or not any more; its signature is not looked at. */
  voidBecause(certificate: Certificate): NotTaken | null {
    const { clock } = this.#law;
    const { fromS, toS } = validity(certificate, this.definition);
    const nowS = clock.certificateS();
    if (nowS > toS) return notTaken("certificateTime", "its certificate has expired");
    if (clock.trusted && fromS > nowS + SKEW_MS / 1_000) {
      return notTaken("certificateTime", "its certificate does not count yet");
    }
    const list = this.#law.list();
    const revoked = list === null ? null : revocationProblem(list, certificate);
    return revoked === null ? null : notTaken("certificateRevoked", revoked);
  }

  /**
   * A certificate that was verified in a former generation; null: it does not count any more. Its
   * signature is verified again when the definition is another one.
   */
  stillCounts(bytes: Uint8Array, generation: number): Certificate | null {
    const known = this.#certificate(bytes);
    if (!known.decoded.ok || this.voidBecause(known.decoded.value) !== null) return null;
    if (generation >= this.#definitionGeneration) return known.decoded.value;
    known.problem ??= certificateProblem(known.decoded.value, this.definition);
    return known.problem === null ? known.decoded.value : null;
  }

  /** Targets of a certificate that was read. */
  targets(certificate: Certificate): readonly Target[] {
    return this.#certificate(certificate.bytes).targets;
  }

  #certificate(bytes: Uint8Array): Known {
    // Forgets what a former definition said.
    void this.generation;
    const key = Buffer.from(shortHash(bytes)).toString("latin1");
    const found = this.#certificates.get(key);
    this.#certificates.delete(key);
    const known = found ?? this.#read(bytes);
    if (this.#certificates.size >= CERTIFICATES_KEPT) {
      this.#certificates.delete(this.#certificates.keys().next().value!);
    }
    this.#certificates.set(key, known);
    return known;
  }

  #read(bytes: Uint8Array): Known {
    const decoded = bytes.length === 0 ? refused("it is empty") : decodeCertificate(bytes);
    const { networkId } = this.definition;
    const targets = decoded.ok ? targetsOf(networkId, decoded.value) : [];
    return { decoded, targets, problem: undefined };
  }
}
