/**
 * reception — who has a channel with us at our own data port: joiners, who have an invitation, and
 * members, where we store for them.
 *
 *     KNOCK tagged by an invitation ──▶ CARD ──▶ OPEN with a JOIN ──▶ OPENED with what the enroller
 *     says ──▶ pieces of definition and list, as they are wanted
 *     KNOCK tagged by the secret ──▶ CARD ──▶ OPEN with a REPORT ──▶ storage.ts
 *
 * A KNOCK that neither tagged is refused in silence. Thread: control.
 */
import { type Caller, type CallerRates, Callers } from "../../directory/callers.ts";
import { knockProved, makeCard } from "../../directory/card.ts";
import type { Name } from "../../directory/names.ts";
import { Outbox } from "../../directory/outbox.ts";
import type { Records } from "../../directory/records.ts";
import { type ChannelKind, KNOCK, PROOF, PURPOSE } from "../../wire/channel.ts";
import { field } from "../../wire/handshake.ts";
import { decodeJoin, decodeWantPiece, MESSAGE, pieceOf } from "../../wire/index-messages.ts";
import { INDEX_TYPE } from "../../wire/intro.ts";
import { Bucket, Limiter, type Rate } from "../strangers/limiter.ts";
import { BUDGETS } from "../strangers/load.ts";
import type { Enroller } from "./enroller.ts";
import type { NetworkOptions } from "./options.ts";
import type { Parts } from "./parts.ts";
import { Storage } from "./storage.ts";
import { sourceHash } from "./strange-budgets.ts";
import type { NetworkWorld } from "./world.ts";

/** Tuning: an enroller takes in a few at a time: each OPEN costs the curve and a signature. */
const JOINERS_MAX = 64;
const JOINS: CallerRates = {
  cards: { perSecond: 50, burst: 100 },
  opens: { perSecond: 20, burst: 20 },
  source: { perSecond: 2, burst: 8 },
  messages: { perSecond: 200, burst: 200 },
};
/**
 * Tuning: members that have a channel with one that stores, beside joiners; who asks closes it two
 * minutes later. An OPEN takes half a millisecond: a fortieth of control's time. Members behind one
 * address are a site's.
 */
const GUESTS_MAX = 2_048;
const STORES: CallerRates = {
  cards: { perSecond: 200, burst: 200 },
  opens: { perSecond: 50, burst: 50 },
  source: { perSecond: 10, burst: 20 },
  messages: { perSecond: 100, burst: 200 },
};
/** Tuning: KNOCKs whose tag is looked at. */
const KNOCKS: Rate = { perSecond: 2_000, burst: 500 };
const SOURCE_ENTRIES = 1_024;
/** Tuning: how often it is looked who is silent, and whose certificate ended. */
const TICK_MS = 10_000;
const NEVER = Number.POSITIVE_INFINITY;

export interface ReceptionOptions {
  readonly world: NetworkWorld;
  readonly parts: Parts;
  readonly keys: Pick<NetworkOptions, "signingKey" | "handshakeKey">;
  /** Null: nobody is taken in. */
  readonly enroller: Enroller | null;
  /** Where we store for members, and who takes what they say; null: we do not. Borrows: bytes. */
  readonly stores: {
    readonly records: Records;
    readonly onMessage: (name: Name, bytes: Uint8Array) => void;
  } | null;
}

export class Reception {
  readonly #options: ReceptionOptions;
  readonly #callers: Callers;
  readonly storage: Storage | null;
  readonly #knocks = new Bucket(KNOCKS);
  readonly #neighbours = new Bucket(BUDGETS.neighbours);
  /** Of each joiner with a channel: how much it may be told. */
  readonly #outboxes = new Map<Caller, Outbox>();
  dueMs = NEVER;

  constructor(options: ReceptionOptions) {
    const { stores } = options;
    this.#options = options;
    this.storage = stores && this.#openStorage(stores);
    this.#callers = this.#openCallers();
  }

  #openStorage({ records, onMessage }: NonNullable<ReceptionOptions["stores"]>): Storage {
    const { world, parts } = this.#options;
    return new Storage({
      ...{ world, parts, records, onMessage },
      say: (caller, message, type) => this.#callers.say(caller, message, type),
      dismiss: (caller) => this.#callers.dismiss(caller),
    });
  }

  #openCallers(): Callers {
    const { world, parts, keys } = this.#options;
    const { networkId } = parts.authority.definition;
    const handshakeKey = keys.handshakeKey.publicKey;
    const who = { nodeKey: parts.certificate.nodeKey, handshakeKey };
    const networks = [{ networkId, card: makeCard(networkId, who, keys.signingKey) }];
    const rates = this.storage === null ? JOINS : STORES;
    const hash = sourceHash(world.mac, world.randomBytes(32));
    return new Callers({
      us: keys.handshakeKey,
      networks: () => networks,
      mayKnock: (knock) => this.#mayKnock(knock, world.bootMs()),
      mayAnswer: (to, local, nowMs) =>
        !world.isUnknownNeighbour(to, local) || this.#neighbours.take(nowMs),
      open: (caller, payload) => this.#open(caller, payload),
      message: (caller, type, plain, nowMs) => this.#message(caller, type, plain, nowMs),
      onGone: (caller) => {
        this.#outboxes.delete(caller);
        this.storage?.gone(caller);
      },
      mac: world.mac,
      randomBytes: world.randomBytes,
      send: world.sendDatagram,
      count: world.count,
      sources: new Limiter(hash, rates.source, SOURCE_ENTRIES),
      rates,
      callersMax: JOINERS_MAX + (this.storage === null ? 0 : GUESTS_MAX),
      joinersMax: JOINERS_MAX,
    });
  }

  /** Of an invitation, the byte in front of the tag says with what its hash begins. */
  #mayKnock(knock: Uint8Array, nowMs: number): boolean {
    const proof = knock[KNOCK.proof.at];
    if (proof === PROOF.none || !this.#knocks.take(nowMs)) return false;
    if (proof === PROOF.secret) return this.storage?.mayKnock(knock) ?? false;
    if (proof !== PROOF.invitation) return false;
    const keys = this.#options.enroller?.knockKeys(field(knock, KNOCK.low)[0]!) ?? [];
    return keys.some((key) => knockProved(knock, key));
  }

  #open(caller: Caller, payload: Uint8Array): Uint8Array | null {
    if (caller.purpose === PURPOSE.member) return this.storage?.open(caller, payload) ?? null;
    if (caller.purpose !== PURPOSE.joiner || payload[0] !== MESSAGE.join) return null;
    const wish = decodeJoin(payload);
    const body = wish && (this.#options.enroller?.join(wish) ?? null);
    return body === null ? null : Buffer.concat([Uint8Array.of(MESSAGE.joined), body]);
  }

  #message(caller: Caller, type: number, plain: Uint8Array, nowMs: number): boolean {
    if (caller.purpose === PURPOSE.member) {
      return this.storage?.message(caller, type, plain, nowMs) ?? false;
    }
    const answer = type === INDEX_TYPE ? this.#answer(plain) : null;
    if (answer === null) return false;
    const outbox = this.#outboxes.get(caller) ?? new Outbox();
    this.#outboxes.set(caller, outbox);
    if (outbox.take(nowMs)) this.#callers.say(caller, answer);
    else this.#options.world.count("answerRate", 1);
    return true;
  }

  /** A piece that is wanted; null: it means nothing. */
  #answer(plain: Uint8Array): Uint8Array | null {
    const want = plain[0] === MESSAGE.wantPiece ? decodeWantPiece(plain) : null;
    if (want === null) return null;
    return pieceOf(want, this.#options.parts.authority.whole(want.what));
  }

  /** A datagram that channelKind() knows, of no callee of ours. False: for no callee. Borrows. */
  datagram(
    kind: ChannelKind,
    datagram: Uint8Array,
    from: Uint8Array,
    local: Uint8Array,
    nowMs: number,
  ): boolean {
    if (kind === "card" || kind === "opened") return false;
    this.#callers.datagram(kind, datagram, from, local, nowMs);
    this.dueMs = Math.min(this.dueMs, nowMs + TICK_MS);
    return true;
  }

  tick(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    this.#callers.tick(nowMs);
    this.storage?.look();
    this.dueMs = this.#callers.size > 0 ? nowMs + TICK_MS : NEVER;
  }

  /** Callers are told, so that they turn to another one at once; keys are zeroed. */
  stop(): void {
    this.#callers.stop();
  }
}
