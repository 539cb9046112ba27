/**
 * mix — what the fuzzer sends: a table of kinds, each a way to be wrong, and a few that are right.
 *
 * Nothing but `friend*` and `insider*` kinds may be accepted: they are made with the keys of a peer
 * that the engine knows, and of a member. Buffers are used again: send a datagram before asking for
 * the next one.
 */
import { createInitiation, mac1Key, staticKeys } from "../../src/control/handshake/noise.ts";
import { encodeFrame, FRAME_BODY_BYTES } from "../../src/wire/frames.ts";
import {
  before,
  COOKIE,
  field,
  INITIATION,
  type MessageLayout,
  type Range,
  RESPONSE,
  writeU32,
} from "../../src/wire/handshake.ts";
import {
  CHALLENGE_BYTES,
  CHALLENGE_KIND,
  INDEX_TYPE,
  INTRO,
  INTRO_BYTES,
  INTRO_KIND,
  INTRO_TYPE,
} from "../../src/wire/intro.ts";
import { tai64n } from "../../src/wire/tai64n.ts";
import type { Chance } from "../lab/chance.ts";
import { type Friend, mac } from "./friend.ts";
import { innerPacket } from "./inner.ts";
import type { Insider } from "./insider.ts";

/** The largest UDP payload over IPv4: 65,535 less IP and UDP headers. */
export const DATAGRAM_BYTES_MAX = 65_507;
/** Tuning: most random datagrams are this long at most; whole ones would cost the run its time. */
const SMALL_BYTES = 2_000;
const RANDOM_BYTES = 4 * DATAGRAM_BYTES_MAX;
/** Tuning: initiations of the tunnel's own peer that were made to be damaged. */
const MADE = 64;
/** Tuning: the friend's messages that may be sent again, or damaged. */
const KEPT = 256;
const DATA_BYTES_MIN = 32;
/** More than there are, those of members among them. */
const FRAME_TYPES = 24;
/** What follows a data message's header is sealed in steps of this many bytes. */
const PADDING_BYTES = 16;
const FORGED = [32, 33, 47, 48, 96, 160, 1_452, 1_480] as const;

export interface MixOptions {
  readonly chance: Chance;
  readonly friend: Friend;
  readonly insider: Insider;
  /** Of the engine that is sent to. */
  readonly publicKey: Uint8Array;
  /** Of the engine's peer at the other end of the tunnel. */
  readonly peerPrivateKey: Uint8Array;
  readonly unixMs: () => number;
}

type Maker = () => Uint8Array;

/** Thread: the fuzzer's. */
export class Mix {
  readonly #options: MixOptions;
  readonly #chance: Chance;
  readonly #random: Uint8Array;
  readonly #scratch = new Uint8Array(DATAGRAM_BYTES_MAX);
  readonly #initiations: readonly Uint8Array[];
  readonly #mac1Key: Uint8Array;
  readonly #friends: Uint8Array[] = [];
  readonly #makers: readonly { readonly name: string; readonly make: Maker }[];
  /** Receiver indices of the engine's live sessions. */
  indexes: readonly number[] = [];
  /** The last one is the insider's: its tickets are for the socket that gets answers. */
  isInsiders = false;
  /** How many of each kind. */
  readonly made: Record<string, number> = {};

  constructor(options: MixOptions) {
    this.#options = options;
    this.#chance = options.chance;
    this.#random = this.#chance.fill(new Uint8Array(RANDOM_BYTES));
    this.#mac1Key = mac1Key(options.publicKey);
    this.#initiations = Array.from({ length: MADE }, () => this.#peerInitiation());
    // biome-ignore format: a table
    const kinds: readonly (readonly [name: string, weight: number, make: Maker])[] = [
      ["random", 180, () => this.#bytes(this.#chance.size(0, SMALL_BYTES))],
      ["randomLong", 3, () => this.#bytes(this.#chance.below(DATAGRAM_BYTES_MAX + 1))],
      ["anyType", 200, () => this.#anyType()],
      ["dataUnknown", 120, () => this.#data(this.#chance.next())],
      ["dataForged", 150, () => this.#data(this.#anIndex())],
      ["dataShort", 20, () => this.#data(this.#anIndex()).subarray(0, this.#chance.below(33))],
      ["initiationRandom", 40, () => this.#handshake(INITIATION, INITIATION.fields.mac1)],
      ["initiationDamaged", 60, () => this.#damaged()],
      ["response", 50, () => this.#handshake(RESPONSE, RESPONSE.fields.mac1)],
      ["cookie", 40, () => this.#handshake(COOKIE, null)],
      ["strange", 60, () => this.#strange()],
      ["insiderStrange", 60, () => options.insider.strange()],
      ["insiderReal", 30, () => this.#asInsider(options.insider.real())],
      ["insiderWrong", 30, () => this.#asInsider(options.insider.wrong())],
      ["insiderReplayed", 30, () => this.#asInsider(options.insider.again())],
      ["insiderDamaged", 60, () => this.#asInsider(options.insider.damaged())],
      ["friendInitiation", 1, () => this.#friendInitiation()],
      ["friendData", 40, () => this.#friendData()],
      ["friendInner", 40, () => this.#friendInner()],
      ["friendFrame", 20, () => this.#friendFrame()],
      ["friendReplayed", 30, () => this.#friendOld()],
      ["friendDamaged", 60, () => this.#mutated(this.#friendOld())],
    ];
    this.#makers = kinds.flatMap(([name, weight, make]) => Array(weight).fill({ name, make }));
    for (const [name] of kinds) this.made[name] = 0;
  }

  /** The next datagram. Borrows: valid until the next call. */
  next(): Uint8Array {
    const { name, make } = this.#chance.pick(this.#makers);
    this.made[name]!++;
    this.isInsiders = false;
    return make();
  }

  /** From anywhere, now and then: there its ticket is nobody's. */
  #asInsider(datagram: Uint8Array): Uint8Array {
    this.isInsiders = !this.#chance.once(8);
    return datagram;
  }

  #bytes(length: number): Uint8Array {
    const from = this.#chance.below(RANDOM_BYTES - length);
    return this.#random.subarray(from, from + length);
  }

  /** Random bytes that may be written to. */
  #copied(length: number): Uint8Array {
    const out = this.#scratch.subarray(0, length);
    out.set(this.#bytes(length));
    return out;
  }

  /** A random part that a session has, so that the table is asked; or any. */
  #anIndex(): number {
    return this.indexes.length === 0 ? this.#chance.next() : this.#chance.pick(this.indexes);
  }

  /** Every type in turn, with a length that some type has, or one beside it. */
  #anyType(): Uint8Array {
    const right = this.#chance.pick([INITIATION.bytes, RESPONSE.bytes, COOKIE.bytes, 32, 4, 8]);
    const out = this.#copied(Math.max(1, right + this.#chance.below(5) - 2));
    out[0] = this.#chance.below(256);
    const reserved = this.#chance.once(4) ? 1 << this.#chance.below(24) : 0;
    for (let i = 1; i < Math.min(4, out.length); i++) out[i] = reserved >>> (8 * (i - 1));
    return out;
  }

  /** Data whose tag is forged: random bytes behind a header. */
  #data(index: number): Uint8Array {
    const out = this.#copied(this.#chance.pick(FORGED));
    const view = new DataView(out.buffer);
    view.setUint32(0, this.#chance.once(16) ? 8 : 4, true);
    view.setUint32(4, index, true);
    const low = this.#chance.once(4) ? this.#chance.next() : this.#chance.below(100_000);
    view.setBigUint64(8, this.#chance.once(50) ? 2n ** 64n - 1n : BigInt(low), true);
    return out;
  }

  /** Random bytes of a message's type and length; `mac1`: a valid one is written there. */
  #handshake(layout: MessageLayout, mac1: Range | null): Uint8Array {
    const out = this.#copied(layout.bytes);
    writeU32(out, { at: 0, bytes: 4 }, layout.type);
    if (layout !== INITIATION && this.#chance.once(2)) {
      writeU32(out, layout.fields.receiverIndex!, this.#anIndex());
    }
    if (mac1 !== null && !this.#chance.once(4)) this.#writeMac1(out, mac1);
    return out;
  }

  /** INTRO, WHO, HERE or CHALLENGE, right but for tag and seal. */
  #strange(): Uint8Array {
    const isIntro = !this.#chance.once(4);
    const out = this.#copied(isIntro ? INTRO_BYTES : CHALLENGE_BYTES);
    writeU32(out, { at: 0, bytes: 4 }, isIntro ? INTRO_TYPE : INDEX_TYPE);
    out[INTRO.kind.at] = isIntro ? this.#chance.pick(Object.values(INTRO_KIND)) : CHALLENGE_KIND;
    out[INTRO.epoch.at] = 1 + this.#chance.below(3);
    out.fill(0, INTRO.slot.at, INTRO.ticket.at);
    return out;
  }

  #writeMac1(message: Uint8Array, range: Range): void {
    field(message, range).set(mac(this.#mac1Key, before(message, range)));
  }

  /** What the tunnel's own peer would send. */
  #peerInitiation(): Uint8Array {
    return createInitiation({
      local: staticKeys(this.#options.peerPrivateKey),
      remotePublicKey: this.#options.publicKey,
      ephemeralSeed: this.#chance.fill(new Uint8Array(32)),
      senderIndex: this.#chance.next(),
      timestamp: tai64n(this.#options.unixMs() + 1e9),
      mac,
    }).datagram;
  }

  /**
   * The same with a bit flipped in what the handshake authenticates, under a mac1 that is right or
   * not. Never whole: it would move the tunnel's endpoint to us.
   */
  #damaged(): Uint8Array {
    const { fields } = INITIATION;
    const out = this.#scratch.subarray(0, INITIATION.bytes);
    out.set(this.#chance.pick(this.#initiations));
    const from = fields.ephemeral.at;
    out[from + this.#chance.below(fields.mac1.at - from)]! ^= 1 << this.#chance.below(8);
    if (this.#chance.once(2)) this.#writeMac1(out, fields.mac1);
    return out;
  }

  /** A valid one whose answer nobody takes. */
  #friendInitiation(): Uint8Array {
    const { friend, unixMs } = this.#options;
    return friend.waits ? this.#friendOld() : this.#keep(friend.initiation(unixMs(), false));
  }

  #keep(datagram: Uint8Array): Uint8Array {
    if (this.#friends.length < KEPT) this.#friends.push(datagram);
    else this.#friends[this.#chance.below(KEPT)] = datagram;
    return datagram;
  }

  /** The friend's, with inner bytes that are anything; a keepalive now and then. */
  #friendData(): Uint8Array {
    const length = this.#chance.once(8) ? 0 : PADDING_BYTES * (1 + this.#chance.below(93));
    const plain = this.#copied(length);
    const first = this.#chance.below(3);
    if (length > 0 && first < 2) plain[0] = first === 0 ? 0 : this.#chance.pick([0x45, 0x60, 0x4f]);
    return this.#friendMessage(plain);
  }

  /** The friend's, with an inner packet that is right or nearly so; it may reach the TUN device. */
  #friendInner(): Uint8Array {
    return this.#friendMessage(innerPacket(this.#chance));
  }

  /** A control frame with a whole header, of a kind that there is or not, in zeros. */
  #friendFrame(): Uint8Array {
    const body = this.#bytes(this.#chance.size(0, FRAME_BODY_BYTES));
    const frame = encodeFrame(this.#chance.below(FRAME_TYPES), body);
    const padded = Math.ceil(frame.length / PADDING_BYTES) * PADDING_BYTES;
    const plain = this.#scratch.subarray(0, padded).fill(0);
    plain.set(frame);
    return this.#friendMessage(plain);
  }

  #friendMessage(plain: Uint8Array): Uint8Array {
    const made = this.#options.friend.data(plain);
    return made === null ? this.#bytes(DATA_BYTES_MIN) : this.#keep(made);
  }

  #friendOld(): Uint8Array {
    return this.#friends.length === 0
      ? this.#bytes(DATA_BYTES_MIN)
      : this.#chance.pick(this.#friends);
  }

  /** One change: a bit, a piece less, a piece more, a reserved byte. */
  #mutated(whole: Uint8Array): Uint8Array {
    const more = this.#chance.below(64);
    const out = this.#copied(whole.length + more);
    out.set(whole);
    switch (this.#chance.below(4)) {
      case 0:
        out[this.#chance.below(whole.length)]! ^= 1 << this.#chance.below(8);
        return out.subarray(0, whole.length);
      case 1:
        return out.subarray(0, this.#chance.below(whole.length));
      case 2:
        out[1 + this.#chance.below(3)] = 1 + this.#chance.below(255);
        return out.subarray(0, whole.length);
      default:
        return out;
    }
  }
}
