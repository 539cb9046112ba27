/**
 * joiner — becomes a member by an invitation: asks all whom the token names at once, and takes the
 * first answer that its secret sealed.
 *
 *     KNOCK, OPEN with JOIN ──▶ each index, each enroller
 *     JOINED ──▶ certificate, secret ──╮
 *     PIECE  ──▶ definition, list ─────┴──▶ verified against the token ──▶ joined
 *
 * An index reads nothing of it: it sees the hash of the invitation, and a key that is used once.
 * Pure: clock, randomness and sending come in. Source: security.md 23. Times are milliseconds of
 * any clock that goes on.
 */
import { encodeMemberFile } from "../members/bundle.ts";
import { sameBytes } from "../members/bytes.ts";
import { type Certificate, certificateProblem } from "../members/certificate.ts";
import { type Definition, decodeDefinition } from "../members/definition.ts";
import { JOINING_NONCE_BYTES, openAnswer, sealRequest } from "../members/joining.ts";
import { decodeList, listProblem, type RevocationList } from "../members/revocation-list.ts";
import { isSecret, openSecret } from "../members/secret.ts";
import { definitionDoubt, type Token, type TokenKeys, tokenKeys } from "../members/token.ts";
import { publicKeyOf } from "../noise/transcript.ts";
import { channelKind, PROOF, PURPOSE } from "../wire/channel.ts";
import {
  decodeIndexPiece,
  encodeJoin,
  encodeWantPiece,
  type IndexPiece,
  MESSAGE,
  PIECE_OF,
} from "../wire/index-messages.ts";
import { INDEX_TYPE } from "../wire/intro.ts";
import { Assembly } from "./assembly.ts";
import { Callee } from "./callee.ts";
import type { KeyPair } from "./opening.ts";

/** Tuning: pieces are asked for again so often, and so many at a time. */
const ASK_MS = 250;
const ASKED_MAX = 16;
/** Tuning: one that says BYE is called anew after so long. */
const CALL_MS = 500;
const NEVER = Number.POSITIVE_INFINITY;
/** Protocol: above the longest list. */
const WHOLE_BYTES_MAX = 100_000;
/** Above what a token names: four indexes and four enrollers, each with a few addresses. */
export const JOIN_PLACES_MAX = 32;

/** Where somebody is asked. */
export interface JoinPlace {
  readonly sockaddr: Uint8Array;
  /** Nobody else is believed to be there; null: whoever is. */
  readonly nodeKey: Uint8Array | null;
}

export interface JoinerOptions {
  readonly token: Token;
  readonly places: readonly JoinPlace[];
  /** Signed by the node (request.ts). */
  readonly request: Uint8Array;
  readonly nodeKey: Uint8Array;
  /** The identity's handshake pair. Borrows. */
  readonly identity: KeyPair;
  readonly random: () => number;
  readonly randomBytes: (bytes: number) => Uint8Array;
  readonly send: (datagram: Uint8Array, to: Uint8Array) => boolean;
}

/** All that there is to know of what happened. */
export type JoinState =
  | { readonly is: "asking" }
  | { readonly is: "refused"; readonly why: string }
  | {
      readonly is: "joined";
      readonly certificate: Certificate;
      readonly definition: Definition;
      /** As `network sign` writes it. */
      readonly file: Uint8Array;
    };

/** Pieces of one thing, of one callee. */
class Whole {
  #assembly: Assembly | null = null;

  take(piece: IndexPiece): void {
    if (piece.total > WHOLE_BYTES_MAX) return;
    // A newer one, while it came.
    if (this.#assembly === null || !this.#assembly.isOf(piece))
      this.#assembly = new Assembly(piece);
    this.#assembly.put(piece);
  }

  /** Offsets to ask for. */
  get wanted(): number[] {
    return this.#assembly?.first(ASKED_MAX) ?? [0];
  }

  /** Null: not all of it is here. */
  get bytes(): Uint8Array | null {
    return this.#assembly?.isWhole ? this.#assembly.bytes : null;
  }

  /** It was not what it should be. */
  clear(): void {
    this.#assembly = null;
  }
}

/** Somebody who is asked. */
interface Asked {
  readonly callee: Callee;
  /** When it is asked for pieces next, and when it is called anew. */
  askMs: number;
  callMs: number;
  readonly definition: Whole;
  readonly list: Whole;
}

export class Joiner {
  readonly #options: JoinerOptions;
  readonly #keys: TokenKeys;
  readonly #us: KeyPair;
  readonly #join: Uint8Array;
  readonly #asked: readonly Asked[];
  #signed: { readonly certificate: Certificate; readonly sealed: Uint8Array } | null = null;
  #state: JoinState = { is: "asking" };

  constructor(options: JoinerOptions) {
    const { token, request, randomBytes } = options;
    const privateKey = randomBytes(32);
    this.#options = options;
    this.#keys = tokenKeys(token.secret);
    // Who joins is nobody's business but the enroller's: this pair is used once.
    this.#us = { privateKey, publicKey: publicKeyOf(privateKey) };
    const body = sealRequest(this.#invited, request, randomBytes(JOINING_NONCE_BYTES));
    this.#join = encodeJoin({ hash: this.#keys.hash, body });
    this.#asked = options.places.slice(0, JOIN_PLACES_MAX).map((place) => this.#openPlace(place));
  }

  get #invited() {
    return { networkId: this.#options.token.networkId, keys: this.#keys };
  }

  #openPlace({ sockaddr, nodeKey }: JoinPlace): Asked {
    const { token, random, randomBytes, send } = this.#options;
    const { hash, knock } = this.#keys;
    const callee = new Callee({
      networkId: token.networkId,
      sockaddr,
      nodeKey,
      us: this.#us,
      purpose: PURPOSE.joiner,
      proof: () => ({ proof: PROOF.invitation, low: hash[0]!, key: knock }),
      payload: () => this.#join,
      random,
      randomBytes,
      send,
      onOpen: (answer) => this.#said(asked, answer),
      onMessage: (type, plain, nowMs) => {
        if (type !== INDEX_TYPE) return;
        this.#said(asked, plain);
        // It stops, and may be back in a moment: what it kept of ours is gone.
        if (plain[0] === MESSAGE.bye) asked.callMs = nowMs + CALL_MS;
      },
      onOther: () => {},
    });
    const times = { askMs: 0, callMs: NEVER };
    const asked: Asked = { callee, ...times, definition: new Whole(), list: new Whole() };
    return asked;
  }

  get state(): JoinState {
    return this.#state;
  }

  /** Somebody signed; what is missing is the network's definition and its list. */
  get signed(): boolean {
    return this.#signed !== null;
  }

  /** Places where somebody answered, of all. */
  get answered(): number {
    return this.#asked.filter(({ callee }) => callee.nodeKey !== null && callee.state === "open")
      .length;
  }

  start(nowMs: number): void {
    for (const { callee } of this.#asked) callee.call(nowMs);
    this.tick(nowMs);
  }

  /** To be called each few ten milliseconds. */
  tick(nowMs: number): void {
    if (this.#state.is !== "asking") return;
    for (const asked of this.#asked) {
      if (nowMs >= asked.callMs) this.#callAgain(asked, nowMs);
      asked.callee.tick(nowMs);
      if (nowMs < asked.askMs || asked.callee.state !== "open") continue;
      asked.askMs = nowMs + ASK_MS;
      this.#wants(asked);
    }
  }

  #callAgain(asked: Asked, nowMs: number): void {
    asked.callMs = NEVER;
    asked.callee.close();
    asked.callee.call(nowMs);
  }

  #wants({ callee, definition, list }: Asked): void {
    const wants = [
      [PIECE_OF.definition, definition],
      [PIECE_OF.revocations, list],
    ] as const;
    for (const [what, whole] of wants) {
      for (const offset of whole.wanted) callee.say(encodeWantPiece({ what, offset }));
    }
  }

  /** A datagram came. False: it is for nobody here. Borrows: both. */
  datagram(datagram: Uint8Array, from: Uint8Array, nowMs: number): boolean {
    const kind = channelKind(datagram);
    if (kind === null || this.#state.is !== "asking") return false;
    const asked = this.#asked.find(({ callee }) => callee.takes(kind, datagram, from));
    return asked?.callee.datagram(kind, datagram, nowMs) ?? false;
  }

  #said(asked: Asked, plain: Uint8Array): void {
    if (plain[0] === MESSAGE.joined) this.#joined(plain.subarray(1));
    if (plain[0] !== MESSAGE.piece) {
      asked.askMs = 0;
      return;
    }
    const piece = decodeIndexPiece(plain);
    if (piece === null) return;
    const whole = piece.what === PIECE_OF.definition ? asked.definition : asked.list;
    whole.take(piece);
    if (whole.bytes !== null || whole.wanted.length < ASKED_MAX) asked.askMs = 0;
    this.#finish();
  }

  #joined(body: Uint8Array): void {
    if (this.#signed !== null || this.#state.is !== "asking") return;
    const { request, identity } = this.#options;
    const answer = openAnswer(this.#invited, request, identity, body);
    if (!answer.ok) return;
    if (!answer.value.signed) {
      this.#state = { is: "refused", why: answer.value.why };
      return;
    }
    const { certificate, sealed } = answer.value;
    this.#signed = { certificate, sealed: sealed.slice() };
    this.#finish();
  }

  /** Something is here: is it all? Whoever brought what is wrong is asked again. */
  #finish(): void {
    if (this.#signed === null || this.#state.is !== "asking") return;
    const definition = this.#first((asked) => this.#definitionOf(asked));
    if (definition === null) return;
    const list = this.#first((asked) => this.#listOf(asked, definition));
    if (list === null) return;
    const { certificate, sealed } = this.#signed;
    const why = this.#problem(certificate, definition);
    if (why !== null) {
      this.#state = { is: "refused", why };
      return;
    }
    const file = encodeMemberFile({
      certificate: certificate.bytes,
      sealed,
      definition: definition.bytes,
      list: list.bytes,
    });
    this.#state = { is: "joined", certificate, definition, file };
  }

  #first<Value>(of: (asked: Asked) => Value | null): Value | null {
    for (const asked of this.#asked) {
      const value = of(asked);
      if (value !== null) return value;
    }
    return null;
  }

  #definitionOf({ definition: whole }: Asked): Definition | null {
    const decoded = whole.bytes && decodeDefinition(whole.bytes);
    if (decoded === null) return null;
    const good = decoded.ok && definitionDoubt(this.#options.token, decoded.value) === null;
    if (good) return decoded.value;
    whole.clear();
    return null;
  }

  /** The list that the secret belongs to: so nobody can give an older one. */
  #listOf({ list: whole }: Asked, definition: Definition): RevocationList | null {
    const { identity } = this.#options;
    const decoded = whole.bytes && decodeList(whole.bytes);
    if (decoded === null || this.#signed === null) return null;
    const secret = openSecret(this.#signed.sealed, identity.publicKey, identity.privateKey);
    const good =
      decoded.ok &&
      secret !== null &&
      listProblem(decoded.value, definition) === null &&
      isSecret(decoded.value, decoded.value.epoch, secret);
    secret?.fill(0);
    if (good) return decoded.value;
    whole.clear();
    return null;
  }

  /** Why what was signed is nothing for us, as a clause; null: it is. */
  #problem(certificate: Certificate, definition: Definition): string | null {
    const { identity, nodeKey, token } = this.#options;
    const same =
      sameBytes(certificate.handshakeKey, identity.publicKey) &&
      sameBytes(certificate.nodeKey, nodeKey);
    if (!same) {
      return "the certificate that came is for another key";
    }
    if (token.name !== null && token.name !== certificate.name) {
      return "the certificate that came has another name than the invitation";
    }
    const why = certificateProblem(certificate, definition);
    return why === null ? null : `of the certificate that came, ${why}`;
  }

  /** Says goodbye, and zeroes what is secret. */
  stop(): void {
    for (const { callee } of this.#asked) {
      callee.say(Uint8Array.of(MESSAGE.bye));
      callee.close();
    }
    const { hash: _, ...secrets } = this.#keys;
    for (const key of [...Object.values(secrets), this.#us.privateKey]) key.fill(0);
  }
}
