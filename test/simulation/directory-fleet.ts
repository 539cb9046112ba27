/**
 * directory-fleet — nodes of the directory for tests and simulations: members of the fleet
 * (members-fleet.ts), each with the real store, and the air between their channels.
 */
import type { DirectoryCount } from "../../src/directory/counts.ts";
import { DhtStore } from "../../src/directory/dht.ts";
import { type Name, nameOf } from "../../src/directory/names.ts";
import { type DirectoryClock, type Law, PairChecker } from "../../src/directory/pairs.ts";
import { Records, type RecordsOptions } from "../../src/directory/records.ts";
import type { Transport } from "../../src/directory/sockets.ts";
import type { Timer } from "../../src/directory/store.ts";
import type { Certificate } from "../../src/members/certificate.ts";
import type { Definition } from "../../src/members/definition.ts";
import { encodeRecord } from "../../src/members/record.ts";
import type { RevocationList } from "../../src/members/revocation-list.ts";
import { derive } from "../../src/members/secret.ts";
import type { Pair } from "../../src/wire/intro.ts";
import { BORN_S, DEFINITION, FIRST_LIST, type Identity, secretOf } from "./members-fleet.ts";

const RECORD_KEY = derive(secretOf(1), "record");
const LIFE_S = 86_400;
const NETWORK_ID = DEFINITION.networkId;

/** Protocol: what is around a message of the directory: channel, UDP and IPv4. */
export const AROUND_BYTES = 40 + 28;

export const nameOfMember = ({ signing }: Identity): Name => nameOf(signing.publicKey);

export interface Said {
  /** Milliseconds after the run's beginning. */
  readonly atMs?: number;
  readonly sequence?: number;
  readonly expiresS?: number;
  readonly certificate?: Certificate;
  /** Signs instead of the node. */
  readonly secretKey?: Uint8Array;
}

/** What a member shows of itself: a record with three candidates. */
export const pairOf = (identity: Identity, said: Said = {}): Pair => {
  const { atMs = 0, certificate = identity.certificate } = said;
  const issuedS = BORN_S + Math.floor(atMs / 1_000);
  const head = {
    epoch: 1,
    nodeKey: identity.signing.publicKey,
    certificateHash: certificate.hash,
    sequence: said.sequence ?? BORN_S * 1_000 + atMs,
    issuedS,
    expiresS: said.expiresS ?? issuedS + LIFE_S,
  };
  const candidates = [1, 2, 3].map((last) => ({
    kind: 1,
    address: Uint8Array.of(198, 51, 100, last),
    port: 51_820,
  }));
  const content = { startId: new Uint8Array(16), suites: 3, candidates, announced: [] };
  const secretKey = said.secretKey ?? identity.signing.secretKey;
  const keys = { networkId: NETWORK_ID, secretKey, recordKey: RECORD_KEY, nonce: Buffer.alloc(24) };
  return { certificate: certificate.bytes, record: encodeRecord(head, content, keys) };
};

/** By what all are judged: one list and one time for all. */
export class FleetLaw implements Law {
  currentList: RevocationList = FIRST_LIST;
  currentDefinition: Definition = DEFINITION;
  readonly clock: DirectoryClock;

  /** `nowMs`: since the run's beginning. */
  constructor(nowMs: () => number) {
    this.clock = {
      nowMs: () => BORN_S * 1_000 + nowMs(),
      certificateS: () => BORN_S + Math.floor(nowMs() / 1_000),
      trusted: true,
    };
  }

  readonly definition = (): Definition => this.currentDefinition;
  readonly list = (): RevocationList => this.currentList;
}

export type Counted = Map<DirectoryCount, number>;

/** How a message fares on its way: after how many milliseconds it comes; null: it is lost. */
export type Weather = (from: Name, to: Name) => number | null;

/** A channel's end, and what went through it. */
export interface Port extends Transport {
  isUp: boolean;
  sentBytes: number;
  gotBytes: number;
  sent: number;
}

/** Channels: everybody has one with everybody who is up. */
export class Air {
  readonly #ports = new Map<Name, Port>();
  readonly #timer: Timer;
  readonly #weather: Weather;

  constructor(timer: Timer, weather: Weather) {
    this.#timer = timer;
    this.#weather = weather;
  }

  port(name: Name): Port {
    const port: Port = {
      isUp: true,
      sentBytes: 0,
      gotBytes: 0,
      sent: 0,
      onMessage: () => {},
      send: (to, bytes) => this.#send(port, name, to, bytes),
    };
    this.#ports.set(name, port);
    return port;
  }

  #send(from: Port, name: Name, toName: Name, bytes: Uint8Array): boolean {
    const to = this.#ports.get(toName);
    if (to === undefined) return false;
    if (!from.isUp) return true;
    from.sent++;
    from.sentBytes += bytes.length + AROUND_BYTES;
    const delayMs = this.#weather(name, toName);
    const copy = Buffer.from(bytes);
    if (delayMs === null) return true;
    this.#timer.after(delayMs, () => {
      if (!to.isUp) return;
      to.gotBytes += copy.length + AROUND_BYTES;
      to.onMessage(name, copy);
    });
    return true;
  }
}

/** A node of the directory. */
export interface DirectoryNode {
  readonly identity: Identity;
  readonly name: Name;
  readonly port: Port;
  readonly records: Records;
  readonly store: DhtStore;
  readonly counted: Counted;
  /** What came after a look-up, newer than what it gave. */
  readonly found: Pair[];
}

export interface NodeOptions {
  readonly isStorer: boolean;
  readonly law: Law;
  readonly timer: Timer;
  readonly air: Air;
  /** Where it stores, when it is not honest. */
  readonly liar?: (options: RecordsOptions) => Records;
}

export const counter = (): { counted: Counted; count: (what: DirectoryCount) => void } => {
  const counted: Counted = new Map();
  return { counted, count: (what) => void counted.set(what, (counted.get(what) ?? 0) + 1) };
};

export const makeNode = (identity: Identity, options: NodeOptions): DirectoryNode => {
  const { isStorer, law, timer, air, liar } = options;
  const name = nameOfMember(identity);
  const { counted, count } = counter();
  const checker = new PairChecker(law);
  const records = liar?.({ checker, count }) ?? new Records({ checker, count });
  const port = air.port(name);
  const found: Pair[] = [];
  const onFound = (_: Uint8Array, pair: Pair): void => void found.push(pair);
  const all = { name, isStorer, records, transport: port, timer, count, onFound };
  return { identity, name, port, records, store: new DhtStore(all), counted, found };
};

/** Time of the machine. */
export const realTimer = (): Timer => {
  const startMs = performance.now();
  return {
    bootMs: () => performance.now() - startMs,
    after: (delayMs, act) => {
      const timeout = setTimeout(act, delayMs);
      return () => clearTimeout(timeout);
    },
  };
};
