/** service-parts — members of a network, an index in memory, and the wire between, for tests. */
import { randomBytes } from "node:crypto";
import { Callee } from "../../src/directory/callee.ts";
import { type CallerCount, Callers } from "../../src/directory/callers.ts";
import { makeCard } from "../../src/directory/card.ts";
import type { DirectoryCount } from "../../src/directory/counts.ts";
import { Lists } from "../../src/directory/lists.ts";
import { PairChecker } from "../../src/directory/pairs.ts";
import { Records } from "../../src/directory/records.ts";
import { Service } from "../../src/directory/service.ts";
import type { ServiceCount } from "../../src/directory/service-counts.ts";
import { mac } from "../../src/index-node/hashes.ts";
import {
  CERTIFICATE_FLAG,
  decodeCertificate,
  encodeCertificate,
} from "../../src/members/certificate.ts";
import {
  type Definition,
  decodeDefinition,
  encodeDefinition,
  firstChain,
} from "../../src/members/definition.ts";
import { memberId } from "../../src/members/member-id.ts";
import { encodeRecord } from "../../src/members/record.ts";
import {
  decodeList,
  encodeList,
  type RevocationList,
  revokedId,
} from "../../src/members/revocation-list.ts";
import { signingPair } from "../../src/members/sign.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { channelKind, PROOF, PURPOSE } from "../../src/wire/channel.ts";
import { NO_STANDING } from "../../src/wire/digests.ts";
import { encodeReport, type Report } from "../../src/wire/index-messages.ts";
import { decodePair, type Pair } from "../../src/wire/intro.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { prefix } from "./members-parts.ts";

export const NOW_S = 1_800_000_000;
const DAY_S = 86_400;
const RATE = { perSecond: 100_000, burst: 100_000 };
export const random = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));

const must = <Value>(decoded: { ok: true; value: Value } | { ok: false; why: string }): Value => {
  if (decoded.ok) return decoded.value;
  throw new Error(decoded.why);
};

/** An authority and what it signs. */
export class Lab {
  /** When it is. */
  readonly nowS: number;
  readonly pair = signingPair(random(32));
  readonly definition: Definition;

  constructor(nowS = NOW_S) {
    this.nowS = nowS;
    this.definition = this.define(1);
  }

  get networkId(): Uint8Array {
    return this.definition.networkId;
  }

  define(sequence: number): Definition {
    const cidrs = [prefix("10.66.0.0/16")];
    const fields = { name: "lab", sequence, issuedS: this.nowS - DAY_S + sequence, cidrs };
    const { publicKey, secretKey } = this.pair;
    return must(decodeDefinition(encodeDefinition(fields, firstChain(publicKey), secretKey)));
  }

  list(sequence: number, revoked: readonly Member[] = [], more = 0): RevocationList {
    const fields = {
      ...{ sequence, issuedS: this.nowS, nextUpdateS: this.nowS + DAY_S, epoch: sequence },
      ...{ secretCheck: new Uint8Array(32), authority: 0 },
    };
    const ids = [
      ...revoked.map(({ signing }) => revokedId(signing.publicKey)),
      ...Array.from({ length: more }, () => random(16)),
    ];
    const entries = ids.map((id) => ({ id, issuedBeforeS: this.nowS }));
    return must(decodeList(encodeList(fields, entries, this.networkId, this.pair.secretKey)));
  }
}

/** A member with its keys; `pair()` is what it shows. */
export class Member {
  readonly lab: Lab;
  readonly seed: Uint8Array;
  readonly signing: ReturnType<typeof signingPair>;
  readonly identity: ReturnType<typeof identityFromSeed>;
  readonly number: number;
  readonly flags: number;

  constructor(lab: Lab, number: number, flags = 0, seed = random(32)) {
    this.lab = lab;
    this.number = number;
    this.flags = flags;
    this.seed = seed;
    this.signing = signingPair(seed);
    this.identity = identityFromSeed(seed);
  }

  get id(): number {
    return memberId(this.signing.publicKey);
  }

  certificate(notAfterS = this.lab.nowS + 90 * DAY_S, by = this.lab.pair): Uint8Array {
    return encodeCertificate(
      {
        ...{ flags: this.flags, serial: this.number, name: `m${this.number}`, routes: [] },
        ...{ nodeKey: this.signing.publicKey, handshakeKey: this.identity.publicKey },
        ...{ notBeforeS: this.lab.nowS - DAY_S, notAfterS, groups: [] },
        addresses: [Uint8Array.of(10, 66, this.number >> 8, this.number & 255)],
        signer: { by: "authority", authority: 0 },
      },
      this.lab.networkId,
      by.secretKey,
    );
  }

  pair(sequence = 1, certificate = this.certificate(), issuedS = this.lab.nowS): Pair {
    const { hash } = must(decodeCertificate(certificate));
    const record = encodeRecord(
      {
        ...{ epoch: 1, nodeKey: this.signing.publicKey, certificateHash: hash },
        ...{ sequence: this.lab.nowS * 1_000 + sequence, issuedS, expiresS: issuedS + DAY_S },
      },
      { startId: new Uint8Array(16), suites: 1, candidates: [], announced: [] },
      {
        ...{ networkId: this.lab.networkId, secretKey: this.signing.secretKey },
        ...{ recordKey: new Uint8Array(32), nonce: random(24) },
      },
    );
    return { certificate, record };
  }
}

export const enroller = (lab: Lab, number: number): Member =>
  new Member(lab, number, CERTIFICATE_FLAG.enrol);

export const NOTHING_KNOWN = { list: NO_STANDING, definition: NO_STANDING, epoch: 0 };
export const report = (pair: Pair | null, more: Partial<Report> = {}): Uint8Array =>
  encodeReport({ others: false, sequence: 1, standings: NOTHING_KNOWN, pair, ...more });

/** What came to whom. */
export interface Passing {
  readonly bytes: number;
  readonly toIndex: boolean;
}

type IndexCount = CallerCount | ServiceCount | DirectoryCount;

/** An index node for some networks, without sockets. */
export class Index {
  nowMs = 10_000;
  readonly sockaddr = makeSockaddr(Uint8Array.of(192, 0, 2, 200), 4_740);
  readonly counts = new Map<IndexCount, number>();
  readonly services = new Map<Lab, Service>();
  readonly records = new Map<Lab, Records>();
  readonly lists = new Map<Lab, Lists>();
  readonly callers: Callers;
  readonly clients: Client[] = [];
  readonly wire: (() => void)[] = [];
  readonly passed: Passing[] = [];
  readonly dht: { id: number; bytes: Uint8Array }[] = [];
  /** Others that store do not answer. */
  isSilentElsewhere = false;
  /** Questions that others were asked. */
  lookedUp = 0;

  constructor(labs: readonly Lab[], callersMax = 100, joinersMax = 2) {
    const seed = random(32);
    const signing = signingPair(seed);
    const us = identityFromSeed(seed);
    const keys = { nodeKey: signing.publicKey, handshakeKey: us.publicKey };
    const networks = labs.map(({ networkId }) => ({
      networkId,
      card: makeCard(networkId, keys, signing.secretKey),
    }));
    const of = (networkId: Uint8Array): Service =>
      this.services.get(labs.find((lab) => Buffer.compare(lab.networkId, networkId) === 0)!)!;
    this.callers = new Callers({
      us,
      networks: () => networks,
      mayKnock: () => true,
      mayAnswer: () => true,
      open: (caller, payload, nowMs) => of(caller.networkId).open(caller, payload, nowMs),
      message: (caller, type, plain, nowMs) =>
        of(caller.networkId).message(caller, type, plain, nowMs),
      onGone: (caller) => of(caller.networkId).gone(caller),
      mac,
      randomBytes: random,
      send: (datagram, to) => this.#toClient(datagram, to),
      count: (what, amount) => this.count(what, amount),
      sources: { take: () => true },
      rates: { cards: RATE, opens: RATE, source: RATE, messages: { perSecond: 500, burst: 500 } },
      callersMax,
      joinersMax,
    });
    for (const lab of labs) this.#serve(lab);
  }

  #serve(lab: Lab): void {
    const lists = new Lists(lab.definition, null);
    const checker = new PairChecker({
      definition: () => lists.definition,
      list: () => lists.list,
      clock: {
        nowMs: () => NOW_S * 1_000 + this.nowMs,
        certificateS: () => NOW_S + Math.floor(this.nowMs / 1_000),
        trusted: true,
      },
    });
    const records = new Records({ checker, count: (what, amount) => this.count(what, amount) });
    this.lists.set(lab, lists);
    this.records.set(lab, records);
    const service = new Service({
      ...{ lists, records, onGuest: () => undefined, onLists: () => undefined },
      say: (caller, message) => this.callers.say(caller, message),
      dismiss: (caller) => this.callers.dismiss(caller),
      lookUp: (target, answer) => {
        const found = records.get(target);
        if (found === null) this.lookedUp++;
        if (found !== null || !this.isSilentElsewhere) answer(found && decodePair(found.bytes));
      },
      directory: ({ id }, bytes) => {
        this.dht.push({ id, bytes: bytes.slice() });
        return true;
      },
      number: () => Math.floor(Math.random() * 2 ** 53),
      count: (what, amount = 1) => this.count(what, amount),
    });
    this.services.set(lab, service);
  }

  count(what: IndexCount, amount = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + amount);
  }

  counted(what: IndexCount): number {
    return this.counts.get(what) ?? 0;
  }

  #toClient(datagram: Uint8Array, to: Uint8Array): boolean {
    this.passed.push({ bytes: datagram.length, toIndex: false });
    const client = this.clients.find((one) => Buffer.compare(one.sockaddr, to) === 0);
    if (client !== undefined) this.wire.push(() => client.take(datagram));
    return true;
  }

  /** A datagram from there, now. */
  bring(datagram: Uint8Array, from: Uint8Array): void {
    this.passed.push({ bytes: datagram.length, toIndex: true });
    const kind = channelKind(datagram);
    if (kind !== null) this.callers.datagram(kind, datagram, from, Uint8Array.of(0), this.nowMs);
  }

  run(ms: number, stepMs = 10): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs += stepMs) {
      for (const client of this.clients) client.callee.tick(this.nowMs);
      for (const service of this.services.values()) service.tick(this.nowMs);
      while (this.wire.length > 0) this.wire.shift()!();
    }
  }
}

/** A caller of the index. */
export class Client {
  static #next = 1;
  readonly sockaddr: Uint8Array;
  readonly callee: Callee;
  readonly heard: Uint8Array[] = [];
  readonly index: Index;
  opened = 0;
  sent = 0;
  payload: Uint8Array;
  onMessage: (plain: Uint8Array) => void = () => undefined;

  constructor(
    index: Index,
    lab: Lab,
    keys: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array },
    payload: Uint8Array,
    purpose: number = PURPOSE.member,
  ) {
    const n = Client.#next++;
    this.index = index;
    this.payload = payload;
    this.sockaddr = makeSockaddr(Uint8Array.of(198, 18, n >> 8, n & 255), 40_000 + n);
    this.callee = new Callee({
      ...{ networkId: lab.networkId, sockaddr: index.sockaddr, nodeKey: null, us: keys, purpose },
      proof: () => ({ proof: PROOF.none, low: 0, key: null }),
      payload: () => this.payload,
      random: Math.random,
      randomBytes: random,
      send: (datagram) => {
        this.sent += datagram.length;
        index.wire.push(() => index.bring(datagram, this.sockaddr));
        return true;
      },
      onOpen: (answer) => {
        this.opened++;
        this.heard.push(answer.slice());
      },
      onMessage: (_, plain) => {
        this.heard.push(plain.slice());
        this.onMessage(plain);
      },
      onOther: () => undefined,
    });
    index.clients.push(this);
  }

  /** Opens a channel as this member. */
  static of(index: Index, member: Member, more: Partial<Report> = {}): Client {
    const payload = report(member.pair(), more);
    return new Client(index, member.lab, member.identity, payload).call();
  }

  call(): this {
    this.callee.call(this.index.nowMs);
    return this;
  }

  take(datagram: Uint8Array): void {
    const kind = channelKind(datagram);
    if (kind !== null && this.callee.takes(kind, datagram, this.index.sockaddr)) {
      this.callee.datagram(kind, datagram, this.index.nowMs);
    }
  }

  /** Kinds of what came, in order. */
  get kinds(): number[] {
    return this.heard.map(([kind = 0]) => kind);
  }

  last(kind: number): Uint8Array | undefined {
    return this.heard.findLast(([first]) => first === kind);
  }
}

/** What a program needs to call as a member. */
export const callerFile = (member: Member) => {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  return {
    networkId: hex(member.lab.networkId),
    privateKey: hex(member.identity.privateKey),
    publicKey: hex(member.identity.publicKey),
    payload: hex(report(member.pair())),
  };
};
