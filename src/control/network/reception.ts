/**
 * reception — who has a channel with us at our own data port: joiners, who have an invitation.
 *
 *     KNOCK tagged by an invitation ──▶ CARD ──▶ OPEN with a JOIN ──▶ OPENED with what the enroller
 *     says ──▶ pieces of definition and list, as they are wanted
 *
 * A KNOCK that no invitation tagged is refused in silence. Thread: control.
 */
import { Callers, type CallersOptions } from "../../directory/callers.ts";
import { knockProved, makeCard } from "../../directory/card.ts";
import { type ChannelKind, KNOCK, PROOF, PURPOSE } from "../../wire/channel.ts";
import { field } from "../../wire/handshake.ts";
import { decodeJoin, decodeWantPiece, MESSAGE, pieceOf } from "../../wire/index-messages.ts";
import { INDEX_TYPE } from "../../wire/intro.ts";
import { Bucket, Limiter, type Rate } from "../strangers/limiter.ts";
import { BUDGETS } from "../strangers/load.ts";
import type { Enroller } from "./enroller.ts";
import type { NetworkOptions } from "./options.ts";
import type { Parts } from "./parts.ts";
import { sourceHash } from "./strange-budgets.ts";
import type { NetworkWorld } from "./world.ts";

/** Tuning: a member takes in a few at a time; each OPEN costs curve arithmetic and a signature. */
const CALLERS_MAX = 64;
const RATES = {
  cards: { perSecond: 50, burst: 100 },
  opens: { perSecond: 20, burst: 20 },
  source: { perSecond: 2, burst: 8 },
  messages: { perSecond: 200, burst: 200 },
} as const;
/** Tuning: KNOCKs whose tag is looked at. */
const KNOCKS: Rate = { perSecond: 2_000, burst: 500 };
const SOURCE_ENTRIES = 1_024;
const TICK_MS = 60_000;

export interface ReceptionOptions {
  readonly world: NetworkWorld;
  readonly parts: Pick<Parts, "authority" | "certificate">;
  readonly keys: Pick<NetworkOptions, "signingKey" | "handshakeKey">;
  readonly enroller: Enroller;
}

export class Reception {
  readonly #options: ReceptionOptions;
  readonly #callers: Callers;
  readonly #knocks = new Bucket(KNOCKS);
  readonly #neighbours = new Bucket(BUDGETS.neighbours);
  dueMs: number;

  constructor(options: ReceptionOptions) {
    const { world } = options;
    this.#options = options;
    this.dueMs = world.bootMs() + TICK_MS;
    const hash = sourceHash(world.mac, world.randomBytes(32));
    this.#callers = new Callers({
      ...this.#who(),
      mayKnock: (knock) => this.#mayKnock(knock, world.bootMs()),
      mayAnswer: (to, local, nowMs) =>
        !world.isUnknownNeighbour(to, local) || this.#neighbours.take(nowMs),
      open: ({ purpose }, payload) => this.#open(purpose, payload),
      message: (caller, type, plain) => {
        const answer = type === INDEX_TYPE ? this.#answer(plain) : null;
        if (type === INDEX_TYPE && plain[0] === MESSAGE.bye) this.#callers.dismiss(caller);
        else if (answer === null) return false;
        else this.#callers.say(caller, answer);
        return true;
      },
      onGone: () => {},
      mac: world.mac,
      randomBytes: world.randomBytes,
      send: world.sendDatagram,
      count: world.count,
      sources: new Limiter(hash, RATES.source, SOURCE_ENTRIES),
      rates: RATES,
      callersMax: CALLERS_MAX,
      joinersMax: CALLERS_MAX,
    });
  }

  #who(): Pick<CallersOptions, "us" | "networks"> {
    const { parts, keys } = this.#options;
    const { networkId } = parts.authority.definition;
    const { nodeKey } = parts.certificate;
    const handshakeKey = keys.handshakeKey.publicKey;
    const card = makeCard(networkId, { nodeKey, handshakeKey }, keys.signingKey);
    const networks = [{ networkId, card }];
    return { us: keys.handshakeKey, networks: () => networks };
  }

  /** The byte in front of the tag says with what the hash of the invitation begins. */
  #mayKnock(knock: Uint8Array, nowMs: number): boolean {
    if (knock[KNOCK.proof.at] !== PROOF.invitation || !this.#knocks.take(nowMs)) return false;
    const keys = this.#options.enroller.knockKeys(field(knock, KNOCK.low)[0]!);
    return keys.some((key) => knockProved(knock, key));
  }

  #open(purpose: number, payload: Uint8Array): Uint8Array | null {
    if (purpose !== PURPOSE.joiner || payload[0] !== MESSAGE.join) return null;
    const wish = decodeJoin(payload);
    const body = wish && this.#options.enroller.join(wish);
    return body === null ? null : Buffer.concat([Uint8Array.of(MESSAGE.joined), body]);
  }

  /** A piece that is wanted; null: it means nothing. */
  #answer(plain: Uint8Array): Uint8Array | null {
    const want = plain[0] === MESSAGE.wantPiece ? decodeWantPiece(plain) : null;
    if (want === null) return null;
    return pieceOf(want, this.#options.parts.authority.whole(want.what));
  }

  /** Is it for a callee at all? */
  static takes(kind: ChannelKind): boolean {
    return kind === "knock" || kind === "open" || kind === "channel";
  }

  /** A datagram of a kind that it takes. Borrows. */
  datagram(
    kind: ChannelKind,
    datagram: Uint8Array,
    from: Uint8Array,
    local: Uint8Array,
    nowMs: number,
  ): void {
    this.#callers.datagram(kind, datagram, from, local, nowMs);
  }

  tick(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    this.dueMs = nowMs + TICK_MS;
    this.#callers.tick(nowMs);
  }

  stop(): void {
    this.#callers.stop();
  }
}
