/**
 * insider — a member that the engine may know, and whose every datagram of types 9 and 10 we can
 * make: what gets past the network's tag to tickets, the curve, certificates and records.
 *
 *     strange()   right tag, the rest chance     wrong()   right tag, ticket and seal around a pair
 *     real()      as members send them                      that is damaged, old, or another's
 *     take(answer): tickets of CHALLENGE and HERE, for the one socket that gets answers
 */
import { Epochs } from "../../src/control/network/epochs.ts";
import {
  openHere,
  sealChallenge,
  sealHere,
  sealIntro,
  sealWho,
} from "../../src/control/network/strange-seal.ts";
import { NO_TICKET } from "../../src/control/strangers/tickets.ts";
import type { MemberFile } from "../../src/members/bundle.ts";
import { encodeRecord, RECORD_LIFE_MAX_S } from "../../src/members/record.ts";
import { derive, openSecret } from "../../src/members/secret.ts";
import { SIGNATURE_BYTES, shortHash } from "../../src/members/sign.ts";
import type { Identity } from "../../src/schema/identity.ts";
import { field, type Range } from "../../src/wire/handshake.ts";
import {
  CHALLENGE,
  CHALLENGE_BYTES,
  INDEX_TYPE,
  INTRO,
  INTRO_BYTES,
  INTRO_KIND,
  INTRO_TYPE,
  type Pair,
  strangeKind,
  taggedBytes,
} from "../../src/wire/intro.ts";
import type { Chance } from "../lab/chance.ts";
import { LabError } from "../lab/lab.ts";
import { mac } from "./friend.ts";

/** Kinds that there are, and some that there are not. */
const KINDS = 8;
/** Tuning: a record of ours is made anew so often, so that its sequence grows. */
const RECORD_MS = 2_000;
const DAY_S = 86_400;
/** Tuning: what was really said, by us and by the engine, to be said again. */
const KEPT = 64;

export interface InsiderKeys {
  /** Its certificate file, and its identity. */
  readonly file: MemberFile;
  readonly identity: Identity;
  /** The ed25519 secret of the identity, 64 bytes. */
  readonly signingKey: Uint8Array;
  /** Another certificate of the network, whose key we do not have. */
  readonly other: Uint8Array;
  /** Handshake key of the engine. */
  readonly engine: Uint8Array;
  readonly unixMs: () => number;
}

/** What a record names a certificate by. */
const certificateHash = (certificate: Uint8Array): Uint8Array =>
  shortHash(certificate.subarray(0, -SIGNATURE_BYTES));

/** Thread: the fuzzer's. */
export class Insider {
  readonly #keys: InsiderKeys;
  readonly #chance: Chance;
  readonly #epochs = new Epochs();
  readonly #recordKey: Uint8Array;
  readonly #kept: Uint8Array[] = [];
  #ticket: Uint8Array = NO_TICKET;
  #pair: Pair | null = null;
  #pairMs = 0;

  constructor(keys: InsiderKeys, chance: Chance) {
    const { file, identity } = keys;
    const secret = openSecret(file.sealed, identity.publicKey, identity.privateKey);
    if (secret === null) throw new LabError("The insider's certificate holds no secret.");
    this.#keys = keys;
    this.#chance = chance;
    this.#recordKey = derive(secret, "record");
    this.#epochs.hold([{ epoch: file.list.epoch, secret }]);
  }

  get #secret() {
    return this.#epochs.newest!;
  }

  #random(bytes: number): Uint8Array {
    return this.#chance.fill(new Uint8Array(bytes));
  }

  // -------------------------------------------------------------------------------------------
  // Pairs

  /** A record of ours, issued `agoS` ago. */
  #record(agoS: number, owner = this.#keys.file.certificate.hash): Uint8Array {
    const { file, signingKey, unixMs } = this.#keys;
    const issuedS = Math.floor(unixMs() / 1_000) - agoS;
    const head = {
      epoch: file.list.epoch,
      nodeKey: file.certificate.nodeKey,
      certificateHash: owner,
      sequence: unixMs() - agoS * 1_000,
      issuedS,
      expiresS: issuedS + RECORD_LIFE_MAX_S,
    };
    const content = { startId: this.#random(16), suites: 3, candidates: [], announced: [] };
    return encodeRecord(head, content, {
      networkId: file.definition.networkId,
      secretKey: signingKey,
      recordKey: this.#recordKey,
      nonce: this.#random(24),
    });
  }

  /** What we show as a member. */
  #own(): Pair {
    const nowMs = this.#keys.unixMs();
    if (this.#pair !== null && nowMs < this.#pairMs + RECORD_MS) return this.#pair;
    this.#pairMs = nowMs;
    this.#pair = { certificate: this.#keys.file.certificate.bytes, record: this.#record(0) };
    return this.#pair;
  }

  #bent(bytes: Uint8Array): Uint8Array {
    const out = bytes.slice();
    out[this.#chance.below(out.length)]! ^= 1 << this.#chance.below(8);
    return out;
  }

  /** One that no member shows. */
  #wrongPair(): Pair {
    const { certificate, record } = this.#own();
    const { other } = this.#keys;
    switch (this.#chance.below(8)) {
      case 0: {
        const bent = this.#bent(certificate);
        return { certificate: bent, record: this.#record(0, certificateHash(bent)) };
      }
      case 1:
        return { certificate, record: this.#bent(record) };
      case 2:
        return { certificate: other, record };
      case 3:
        return { certificate, record: this.#record(2 * DAY_S) };
      case 4:
        return { certificate, record: this.#record(-DAY_S) };
      case 5:
        return {
          certificate: this.#random(1 + this.#chance.below(512)),
          record: this.#record(0, this.#random(16)),
        };
      case 6:
        return { certificate, record: this.#random(1 + this.#chance.below(400)) };
      default:
        return { certificate, record: this.#record(0, this.#random(16)) };
    }
  }

  // -------------------------------------------------------------------------------------------
  // Datagrams

  #tagged(datagram: Uint8Array, tag: Range): Uint8Array {
    const scratch = new Uint8Array(INTRO_BYTES);
    field(datagram, tag).set(mac(this.#secret.intro, taggedBytes(datagram, tag, scratch)));
    return datagram;
  }

  /** Of every kind, also of those that there are not, with a right tag; the rest is chance. */
  strange(): Uint8Array {
    const isIntro = !this.#chance.once(4);
    const out = this.#random(isIntro ? INTRO_BYTES : CHALLENGE_BYTES);
    out.fill(0, 0, INTRO.ticket.at);
    out[0] = isIntro ? INTRO_TYPE : INDEX_TYPE;
    const known = this.#chance.pick([...Object.values(INTRO_KIND), 3]);
    out[INTRO.kind.at] = this.#chance.once(4) ? this.#chance.below(KINDS) : known;
    out[INTRO.epoch.at] = this.#secret.low;
    return this.#tagged(out, isIntro ? INTRO.tag : CHALLENGE.tag);
  }

  #intro(pair: Pair, ticket: Uint8Array, receiver = this.#keys.engine): Uint8Array {
    const parts = { keys: this.#secret, pair, receiver, ticket };
    return sealIntro({ ...parts, ephemeralSecret: this.#random(32) }, mac)!;
  }

  /** As members say them: INTRO and WHO with our ticket or without, HERE and CHALLENGE unasked. */
  real(): Uint8Array {
    const keys = this.#secret;
    const ticket = this.#chance.once(3) ? NO_TICKET : this.#ticket;
    switch (this.#chance.below(6)) {
      case 0:
        return this.#keep(sealWho(keys, this.#random(32), ticket, mac));
      case 1: {
        const who = sealWho(keys, this.#random(32), NO_TICKET, mac);
        const parts = { who, keys, pair: this.#own(), ticket: this.#random(16) };
        return this.#keep(sealHere({ ...parts, nonce: this.#random(24) }, mac));
      }
      case 2: {
        const intro = this.#intro(this.#own(), NO_TICKET);
        return this.#keep(sealChallenge(intro, this.#random(16), keys, mac));
      }
      default:
        return this.#keep(this.#intro(this.#own(), ticket));
    }
  }

  /** With our ticket, so that it is opened: a pair that is none, or sealed to somebody else. */
  wrong(): Uint8Array {
    if (this.#chance.once(8)) {
      return this.#intro(this.#own(), this.#ticket, this.#keys.identity.publicKey);
    }
    return this.#keep(this.#intro(this.#wrongPair(), this.#ticket));
  }

  /** One of before, of ours or of the engine's, as it was. */
  again(): Uint8Array {
    return this.#kept.length === 0 ? this.real() : this.#chance.pick(this.#kept);
  }

  /** One of before with a byte that is another, and a tag that is right again, or not. */
  damaged(): Uint8Array {
    const out = this.again().slice();
    const { tag } = out.length === CHALLENGE_BYTES ? CHALLENGE : INTRO;
    out[INTRO.kind.at + this.#chance.below(out.length - INTRO.kind.at)]! ^=
      1 << this.#chance.below(8);
    return this.#chance.once(3) ? out : this.#tagged(out, tag);
  }

  #keep(datagram: Uint8Array): Uint8Array {
    if (this.#kept.length < KEPT) this.#kept.push(datagram);
    else this.#kept[this.#chance.below(KEPT)] = datagram;
    return datagram;
  }

  /** Reads an answer that came to the socket that gets answers. False: it is none of these. */
  take(datagram: Uint8Array): boolean {
    const kind = strangeKind(datagram)?.kind;
    if (kind === "challenge") this.#ticket = field(datagram, CHALLENGE.ticket).slice();
    else if (kind === "here" && openHere(datagram, this.#secret) !== null) {
      this.#ticket = field(datagram, INTRO.ticket).slice();
    } else return false;
    this.#keep(datagram.slice());
    return true;
  }
}
