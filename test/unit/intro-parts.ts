/**
 * intro-parts — members with real certificates and records, each with its Intro, on a wire that a
 * test can watch, cut and write to. Time is virtual; what arrives is delivered in order.
 */
import { type EpochKeys, type EpochSecret, Epochs } from "../../src/control/network/epochs.ts";
import { Intro, type IntroCount } from "../../src/control/network/intro.ts";
import type { StrangeRates } from "../../src/control/network/strange-budgets.ts";
import type { KeyPair } from "../../src/control/network/strange-seal.ts";
import { certificateProblem, decodeCertificate } from "../../src/members/certificate.ts";
import { decodeRecord, encodeRecord, recordSigned } from "../../src/members/record.ts";
import { derive } from "../../src/members/secret.ts";
import { shortHash } from "../../src/members/sign.ts";
import type { Mac } from "../../src/noise/mac.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import type { Pair } from "../../src/wire/intro.ts";
import { makeSockaddr, sameSockaddr } from "../../src/wire/sockaddr.ts";
import {
  AUTHORITY,
  BORN_S,
  certificateOf,
  DAY_S,
  DEFINITION,
  pairOf,
  seedOf,
} from "./members-parts.ts";
import { fixed, fixedBytes, mac } from "./noise-parties.ts";

export const START_MS = 10_000;
export const SECRETS: readonly EpochSecret[] = [
  { epoch: 3, secret: fixed("secret 3") },
  { epoch: 2, secret: fixed("secret 2") },
];
/** How long a run of deliveries may be. */
const DELIVERIES_MOST = 1_000;
const NO_LOCAL = new Uint8Array(0);

/** A member's keys, and what it shows. */
export interface Shows {
  readonly keys: KeyPair;
  readonly pair: Pair;
}

/** The member whose seed is made of this number, signed by the authority unless told otherwise. */
export const showsOf = (number: number, by = AUTHORITY): Shows => {
  const { publicKey, secretKey } = pairOf(number);
  const keys = identityFromSeed(seedOf(number));
  const fields = { nodeKey: publicKey, handshakeKey: keys.publicKey, serial: number };
  const certificate = certificateOf({ ...fields, name: `node-${number}` }, by);
  const head = {
    epoch: 3,
    nodeKey: publicKey,
    certificateHash: shortHash(certificate.subarray(0, -64)),
    sequence: 1,
    issuedS: BORN_S,
    expiresS: BORN_S + DAY_S,
  };
  const content = { startId: fixedBytes("start", 16), suites: 3, candidates: [], announced: [] };
  const record = encodeRecord(head, content, {
    networkId: DEFINITION.networkId,
    secretKey,
    recordKey: derive(SECRETS[0]!.secret, "record"),
    nonce: fixedBytes(`nonce ${number}`, 24),
  });
  return { keys, pair: { certificate, record } };
};

/** A datagram on the wire. */
export interface Flying {
  readonly datagram: Uint8Array;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

export interface NodeOptions {
  readonly secrets?: readonly EpochSecret[];
  readonly rates?: StrangeRates;
  readonly shows?: Shows;
  readonly isUnknownNeighbour?: (to: Uint8Array, local: Uint8Array) => boolean;
}

/** A member: its Intro, and what happened to it. */
export interface Node {
  readonly number: number;
  readonly address: Uint8Array;
  readonly shows: Shows;
  readonly intro: Intro<object>;
  readonly counts: Map<IntroCount, number>;
  /** Who showed itself and was taken: handshake keys in hex, and the way it came. */
  readonly introduced: string[];
  /** Handles whose message 1 was to go again. */
  readonly again: object[];
  /** Node keys in hex that are revoked here. */
  readonly revoked: Set<string>;
  /** How often a pair was verified. */
  verified: number;
  secrets: readonly EpochSecret[];
  /** It has no session with a member. */
  alone: boolean;
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Is this pair one of a member? As the network does, but for clocks. */
const isMember = ({ certificate, record }: Pair, revoked: ReadonlySet<string>): string | null => {
  const decoded = decodeCertificate(certificate);
  const view = decodeRecord(record);
  if (!decoded.ok || !view.ok) return null;
  if (revoked.has(hex(decoded.value.nodeKey))) return null;
  if (certificateProblem(decoded.value, DEFINITION) !== null) return null;
  if (!recordSigned(view.value, DEFINITION.networkId)) return null;
  return hex(view.value.nodeKey) === hex(decoded.value.nodeKey)
    ? hex(decoded.value.handshakeKey)
    : null;
};

/** All of them, and what is under way between them. */
export class Wire {
  readonly nodes: Node[] = [];
  readonly flying: Flying[] = [];
  /** Everything that was sent, oldest first. */
  readonly sent: Flying[] = [];
  nowMs = START_MS;
  /** False: it is lost. */
  carries: (flying: Flying) => boolean = () => true;
  #draws = 0;

  /** A member comes, at 10.0.0.NUMBER. */
  join(number: number, options: NodeOptions = {}): Node {
    const address = makeSockaddr(Uint8Array.of(10, 0, 0, number), 51_820);
    const shows = options.shows ?? showsOf(number);
    const counts = new Map<IntroCount, number>();
    const [introduced, again]: [string[], object[]] = [[], []];
    const revoked = new Set<string>();
    const node = { verified: 0, secrets: options.secrets ?? SECRETS, alone: true };
    const intro = new Intro<object>(
      {
        world: {
          random: () => 0.5,
          randomBytes: (bytes) => fixedBytes(`random ${number} ${this.#draws++}`, bytes),
          mac,
          sendDatagram: (datagram, to) => this.#send({ datagram, from: address, to }),
          isUnknownNeighbour: options.isUnknownNeighbour ?? (() => false),
          callAgain: (handle) => again.push(handle),
          count: (what, amount) => counts.set(what, (counts.get(what) ?? 0) + amount),
        },
        own: () => shows.pair,
        handshakeKey: shows.keys,
        secrets: () => node.secrets,
        alone: () => node.alone,
        introduced: (shown, _from, way) => {
          made.verified++;
          const key = isMember(shown, revoked);
          if (key === null) return null;
          introduced.push(`${way} ${key}`);
          return {};
        },
      },
      options.rates,
    );
    const made = Object.assign(node, {
      ...{ number, address, shows, intro, counts, introduced, again, revoked },
    });
    this.nodes.push(made);
    return made;
  }

  /** Delivers what is under way, and what comes of it. */
  deliver(): void {
    for (let i = 0; this.flying.length > 0; i++) {
      if (i > DELIVERIES_MOST) throw new Error("it does not end");
      const flying = this.flying.shift()!;
      if (this.carries(flying)) this.bring(flying);
    }
  }

  /** One datagram arrives where it is sent to, from whom it says. */
  bring({ datagram, from, to }: Flying): void {
    const receiver = this.nodes.find(({ address }) => sameSockaddr(address, to));
    receiver?.intro.datagram(datagram, from, NO_LOCAL, this.nowMs);
  }

  /** Time passes; all that is due is done and delivered. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    this.deliver();
    for (let i = 0; ; i++) {
      if (i > DELIVERIES_MOST) throw new Error("it does not end");
      const dueMs = Math.min(...this.nodes.map(({ intro }) => intro.dueMs));
      if (dueMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, dueMs);
      for (const { intro } of this.nodes) if (intro.dueMs <= this.nowMs) intro.tick(this.nowMs);
      this.deliver();
    }
    this.nowMs = endMs;
  }

  #send(flying: Flying): boolean {
    const copy = { ...flying, datagram: flying.datagram.slice(), to: flying.to.slice() };
    this.flying.push(copy);
    this.sent.push(copy);
    return true;
  }
}

/** Keys of one secret. */
export const keysOf = (secret: EpochSecret): EpochKeys => {
  const epochs = new Epochs();
  epochs.hold([secret]);
  return epochs.newest!;
};

/** The datagram, changed: with a good tag where its type has one, as of one with the secret. */
export const withTag = (datagram: Uint8Array, keys: EpochKeys, by: Mac = mac): Uint8Array => {
  const at = datagram[0] === 10 ? 40 : 56;
  if (datagram.length < at + 16) return datagram;
  const all = Uint8Array.from([...datagram.subarray(0, at), ...datagram.subarray(at + 16)]);
  datagram.set(by(keys.intro, all), at);
  return datagram;
};

/** Who calls whom: an INTRO for the message 1 that is going. */
export const call = (wire: Wire, from: Node, to: Node, handle: object = {}): object => {
  from.intro.introduce(handle, to.shows.keys.publicKey, to.address, wire.nowMs);
  return handle;
};

/** "introduced" of a node by another, as it is written down. */
export const by = (way: "intro" | "here", node: Node): string =>
  `${way} ${hex(node.shows.keys.publicKey)}`;
