/**
 * own-record — what we say of ourselves: issued when it changes, gathered for a moment, and every
 * twelve hours.
 *
 *     start id, suites, addresses, prefixes ──sealed, signed──▶ record, sequence = Unix ms, growing
 *
 * The sequence is on the disk before the record is out. Who hears of a higher one of ours goes over
 * it, unless it lies in the future, where nobody takes it anyway. If another process keeps issuing
 * under our key, that is said, and we back off: two that answer each other would fill the network.
 * Thread: control.
 */
import { sameBytes } from "../../members/bytes.ts";
import type { Certificate } from "../../members/certificate.ts";
import {
  type Announced,
  CANDIDATE_KIND,
  CANDIDATES_MAX,
  type Candidate,
  decodeRecord,
  encodeRecord,
  RECORD_LIFE_MAX_S,
  type RecordContent,
  recordFits,
  START_ID_BYTES,
} from "../../members/record.ts";
import { sockaddrHost, sockaddrPort } from "../../wire/sockaddr.ts";
import { type Clock, LATEST_MS, SKEW_MS } from "./clock.ts";
import type { HeldSecret } from "./secrets.ts";
import { Statement } from "./statement.ts";
import type { NetworkWorld, OwnAddress } from "./world.ts";

/** Tuning: changes are gathered for so long. */
const GATHER_MS = 1_500;
/** Protocol: half a record's life, less up to a tenth. */
const AGAIN_MS = 43_200_000;
/** Tuning: a new secret has all issue again: spread over so much for each member that is known. */
const SPREAD_MS = 10;
/** Tuning: after another process was seen under our key: at first, doubled each time, at most. */
const BACK_OFF_MS = 60_000;
const BACK_OFF_MAX_MS = 3_600_000;
/** Tuning: the alarm is over when nothing was seen for so long. */
const ALARM_MS = 86_400_000;
const NONCE_BYTES = 24;
const NEVER = Number.POSITIVE_INFINITY;

export interface OwnRecordOptions {
  readonly world: Pick<NetworkWorld, "bootMs" | "random" | "randomBytes" | "addresses">;
  readonly clock: Clock;
  readonly networkId: Uint8Array;
  /** The node's ed25519 secret, 64 bytes. Borrows. */
  readonly signingKey: Uint8Array;
  readonly certificate: () => Certificate;
  readonly secret: () => HeldSecret | null;
  /** A mask of 1 << SUITE. */
  readonly suites: number;
  readonly announce: readonly Announced[];
  /** Where others see us, beside the world's addresses. */
  readonly observed: () => readonly OwnAddress[];
  /** Sequence of the disk; 0: none. */
  readonly sequence: number;
  /** Is on the disk when it returns. */
  readonly writeSequence: (sequence: number) => void;
  readonly onIssued: (statement: Statement) => void;
  /** A newer record under our key is not of this process. */
  readonly onForeign: () => void;
  /** Another process lives under our key; it is said once. */
  readonly onClone: () => void;
  readonly wakeBy: (dueMs: number) => void;
}

/** Another process under our key. */
interface Clone {
  startId: Uint8Array;
  sequence: number;
  /** Records of it that were newer than ours and than those before. */
  times: number;
  heardMs: number;
}

const candidateOf = ({ kind, sockaddr }: OwnAddress): Candidate => ({
  kind: CANDIDATE_KIND[kind],
  address: sockaddrHost(sockaddr),
  port: sockaddrPort(sockaddr),
});

export class OwnRecord {
  readonly #options: OwnRecordOptions;
  readonly #startId: Uint8Array;
  #sequence: number;
  #statement: Statement | null = null;
  #dueMs: number;
  #clone: Clone | null = null;
  #backOffUntilMs = 0;
  /** Unix time of the first record of this process; 0: there was none. */
  #begunS = 0;
  /** Echoes in a row that we went over, and until when none counts. */
  #echoes = 0;
  #echoedUntilMs = 0;

  constructor(options: OwnRecordOptions) {
    this.#options = options;
    this.#startId = options.world.randomBytes(START_ID_BYTES);
    this.#sequence = options.sequence;
    this.#dueMs = options.world.bootMs();
  }

  get dueMs(): number {
    return this.#dueMs;
  }

  /** Null: no secret is held, so that none can be made. */
  get statement(): Statement | null {
    return this.#statement;
  }

  /** When another process was last seen under our key, on the boot clock; null: not of late. */
  cloneSeenMs(nowMs: number): number | null {
    const clone = this.#clone;
    return clone === null || clone.times < 2 || nowMs - clone.heardMs > ALARM_MS
      ? null
      : clone.heardMs;
  }

  tick(nowMs: number): void {
    if (nowMs >= this.#dueMs) this.#issue(nowMs);
  }

  /** Something that it says has changed. */
  changed(nowMs: number): void {
    this.#issueBy(nowMs + GATHER_MS);
  }

  /** A new secret is held: all members issue again, and not at once. */
  resealed(nowMs: number, members: number): void {
    const spreadMs = this.#options.world.random() * members * SPREAD_MS;
    this.#issueBy(nowMs + GATHER_MS + spreadMs);
  }

  #issueBy(atMs: number): void {
    this.#dueMs = Math.min(this.#dueMs, Math.max(atMs, this.#backOffUntilMs));
    this.#options.wakeBy(this.#dueMs);
  }

  /**
   * A member says that it knows one of ours of this sequence. We go over it once; who says so again
   * and again has all members told of a record of ours no more often than a clone has.
   */
  echoed(sequence: number, nowMs: number): void {
    if (nowMs < this.#echoedUntilMs || !this.#isOver(sequence)) return;
    if (nowMs - this.#echoedUntilMs > ALARM_MS) this.#echoes = 0;
    const pauseMs = BACK_OFF_MS * 2 ** this.#echoes++;
    this.#echoedUntilMs = nowMs + Math.min(BACK_OFF_MAX_MS, pauseMs);
    this.#goOver(sequence, nowMs);
  }

  /** Is it higher than ours, and none of the future? */
  #isOver(sequence: number): boolean {
    if (this.#statement === null || sequence <= this.#statement.sequence) return false;
    return sequence <= this.#latest();
  }

  /** The highest that somebody may have taken; without a time, our certificate's end is a bound. */
  #latest(): number {
    const { clock, certificate } = this.#options;
    if (clock.trusted) return clock.nowMs() + SKEW_MS;
    return Math.min(1_000 * certificate().notAfterS, LATEST_MS);
  }

  #goOver(sequence: number, nowMs: number): void {
    this.#sequence = Math.max(this.#sequence, sequence);
    this.changed(nowMs);
  }

  /** A record came that is signed with our key. */
  heard(statement: Statement, nowMs: number): void {
    const { clock, secret, onForeign, onClone } = this.#options;
    const own = this.#statement;
    if (own === null || statement.sequence < own.sequence) return;
    const key = secret()?.epoch === statement.epoch ? (secret()?.recordKey ?? null) : null;
    const startId = statement.content(() => key)?.startId ?? null;
    if (startId === null || sameBytes(startId, this.#startId)) return;
    onForeign();
    const clone = this.#clone;
    if (clone !== null && sameBytes(clone.startId, startId)) {
      if (statement.sequence <= clone.sequence) return;
      clone.times++;
      clone.sequence = statement.sequence;
      clone.heardMs = nowMs;
      // The other one has to hear of us as often, to know.
      const backOffMs = Math.min(BACK_OFF_MAX_MS, BACK_OFF_MS * 2 ** (clone.times - 3));
      if (clone.times > 2) this.#backOffUntilMs = nowMs + backOffMs;
      else onClone();
    } else {
      // One of a former start whose end the disk does not know of, perhaps; not a later one.
      const isAlarmed = (clone?.times ?? 0) > 1;
      const isLater = clock.trusted && statement.issuedS > this.#begunS;
      const { sequence } = statement;
      this.#clone = { startId, sequence, times: isAlarmed || isLater ? 2 : 1, heardMs: nowMs };
      if (isLater && !isAlarmed) onClone();
    }
    if (this.#isOver(statement.sequence)) this.#goOver(statement.sequence, nowMs);
    this.changed(nowMs);
  }

  // -------------------------------------------------------------------------------------------
  // Issuing

  #issue(nowMs: number): void {
    const { world, secret, certificate, writeSequence, onIssued } = this.#options;
    const held = secret();
    this.#dueMs = held === null ? NEVER : nowMs + AGAIN_MS * (0.9 + 0.1 * world.random());
    if (held === null) return;
    const sequence = this.#nextSequence();
    writeSequence(sequence);
    this.#sequence = sequence;
    const issuedS = Math.floor(this.#unixMs() / 1_000);
    if (this.#begunS === 0) this.#begunS = issuedS;
    const owner = certificate();
    const head = {
      epoch: held.epoch,
      nodeKey: owner.nodeKey,
      certificateHash: owner.hash,
      sequence,
      issuedS,
      expiresS: issuedS + RECORD_LIFE_MAX_S,
    };
    const bytes = encodeRecord(head, this.#content(), {
      networkId: this.#options.networkId,
      secretKey: this.#options.signingKey,
      recordKey: held.recordKey,
      nonce: world.randomBytes(NONCE_BYTES),
    });
    const view = decodeRecord(bytes);
    if (!view.ok) throw new Error(`our own record: ${view.why}`);
    this.#statement = new Statement(owner, view.value);
    onIssued(this.#statement);
  }

  /** The time; where none is known, what was signed is a bound: else it would have expired. */
  #unixMs(): number {
    const { clock } = this.#options;
    return clock.trusted ? clock.nowMs() : 1_000 * clock.certificateS();
  }

  /**
   * Over the last one, unless that lies in the future: nobody takes such a one, and nobody has
   * taken it.
   */
  #nextSequence(): number {
    const nowMs = Math.floor(this.#unixMs());
    return this.#sequence <= this.#latest() ? Math.max(nowMs, this.#sequence + 1) : nowMs;
  }

  /**
   * As much as a record holds: addresses give way to prefixes, and those of interfaces to where
   * others see us.
   */
  #content(): RecordContent {
    const { world, suites, announce, observed } = this.#options;
    const seen = observed().map(candidateOf);
    const own = world
      .addresses()
      .slice(0, CANDIDATES_MAX - seen.length)
      .map(candidateOf);
    for (let left = own.length + seen.length; ; left--) {
      const ofOwn = Math.max(0, left - seen.length);
      const candidates = [...own.slice(0, ofOwn), ...seen.slice(0, left)];
      const content = { startId: this.#startId, suites, candidates, announced: announce };
      if (left === 0 || recordFits(content)) return content;
    }
  }
}
