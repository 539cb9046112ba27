/**
 * members-index — an index node of a simulated network: the real network of an index node, with its
 * service, store and lists (index-node/network.ts), over the real table of callers. Its disk is in
 * memory, its directory the twin, and what it says may be made a lie of.
 *
 *     datagram ─▶ Callers ─▶ Service ─▶ say ─▶ lie ─▶ Callers ─▶ air
 *                               ╰── lookUp ─▶ records, then the twin
 */
import type { IndexPlace } from "../../src/control/network/world.ts";
import { type Caller, Callers } from "../../src/directory/callers.ts";
import { IndexNetwork, type OpenStorer } from "../../src/index-node/network.ts";
import { channelKind } from "../../src/wire/channel.ts";
import { decodePair } from "../../src/wire/intro.ts";
import { sockaddrHost } from "../../src/wire/sockaddr.ts";
import type { Resident } from "./members-air.ts";
import { BORN_S, DEFINITION, type Identity, identityOf } from "./members-fleet.ts";
import { mac, sockaddrOf } from "./members-places.ts";
import type { Stage } from "./members-stage.ts";
import { Random } from "./random.ts";

const RATE = { perSecond: 10_000, burst: 10_000 };
/** As index-node/node.ts and main.ts have it. */
const MESSAGES = { perSecond: 100, burst: 200 };
const IDLE_LOOK_MS = 5_000;
const WRITE_MS = 60_000;
const CALLERS_MAX = 32_768;
const JOINERS_MAX = 1_024;
const NO_LOCAL = new Uint8Array(0);
const NEVER = Number.POSITIVE_INFINITY;
/** What OPENED says when a liar says nothing in it. */
const NOTHING_SAID = Uint8Array.of(0);

/** What a liar does to what it says. */
export type Lie = (message: Uint8Array, to: Caller) => readonly Uint8Array[];

/** Identities from here on are those of index nodes, and so are places. */
const NUMBERS_FROM = 40_000;
const PLACES_FROM = 60_000;

/** Index nodes that are up. */
export const openIndexes = (stage: Stage, count: number): VirtualIndex[] =>
  Array.from({ length: count }, (_, i) => {
    const server = new VirtualIndex(stage, NUMBERS_FROM + i, PLACES_FROM + i);
    server.start();
    return server;
  });

const honest: Lie = (message) => [message];

/** What is there while it is up. */
interface Up {
  readonly network: IndexNetwork;
  readonly callers: Callers;
}

export class VirtualIndex implements Resident {
  readonly #stage: Stage;
  readonly identity: Identity;
  place: number;
  life = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Every message of type 10 goes through this. */
  lie: Lie = honest;
  /** Bytes of KNOCKs and OPENs that came, and of what answered them, by where they came from. */
  readonly #strangers = new Map<string, { in: number; out: number }>();
  readonly #disk = new Map<string, Uint8Array>();
  #up: Up | null = null;
  #alarmMs = NEVER;
  readonly #random: Random;

  constructor(stage: Stage, number: number, place: number) {
    this.#stage = stage;
    this.identity = identityOf(number);
    this.place = place;
    this.#random = new Random(stage.seed, place);
  }

  /** As the configuration of members has it. `named`: they know who it is. */
  at(named: boolean): IndexPlace {
    const nodeKey = named ? this.identity.signing.publicKey : null;
    const sockaddrs = [sockaddrOf(this.place)];
    return { name: `index-${this.identity.number}:1`, nodeKey, sockaddrs, problem: null };
  }

  get isUp(): boolean {
    return this.#up !== null;
  }

  get callers(): number {
    return this.#up?.callers.size ?? 0;
  }

  get listSequence(): number {
    return this.#up?.network.lists.list?.sequence ?? 0;
  }

  get #nowMs(): number {
    return this.#stage.time.nowMs + 1;
  }

  // -------------------------------------------------------------------------------------------
  // Life

  start(): void {
    const { air, directory } = this.#stage;
    this.life++;
    air.place(this, sockaddrHost(sockaddrOf(this.place)));
    const network = this.#openNetwork();
    const callers = this.#openCallers(network);
    this.#up = { network, callers };
    directory.came(this, network.records);
    network.serve({
      say: (caller, message) =>
        this.lie(message, caller)
          .map((one) => callers.say(caller, one))
          .some(Boolean),
      dismiss: (caller) => callers.dismiss(caller),
    });
    this.#each(IDLE_LOOK_MS, ({ callers: all }) => all.tick(this.#nowMs));
    this.#each(WRITE_MS, ({ network: one }) => one.write(true));
    this.#alarmMs = NEVER;
    this.#arm();
  }

  #openNetwork(): IndexNetwork {
    const { signing, handshakeKey } = this.identity;
    const { publicKey: nodeKey, secretKey } = signing;
    const { time } = this.#stage;
    return new IndexNetwork({
      definition: DEFINITION,
      signer: { nodeKey, secretKey, identity: { nodeId: null, seed: null, ...handshakeKey } },
      folder: {
        prepare: () => undefined,
        read: (_, name) => this.#disk.get(name) ?? null,
        write: (_, name, bytes) => this.#disk.set(name, bytes).has(name),
        writeLater: async (_, name, bytes) => this.#disk.set(name, bytes).has(name),
      },
      openStorer: this.#openStorer,
      unixMs: () => BORN_S * 1_000 + time.nowMs,
      randomBytes: (bytes) => this.#random.bytes(bytes),
      timer: time.timer,
      say: (sentence) => this.#stage.trace?.(`an index node says: ${sentence}`),
    });
  }

  /** The twin in place of dht-rpc: nobody says anything of type 14. */
  readonly #openStorer: OpenStorer = ({ records }) => {
    const { directory } = this.#stage;
    const twin = directory.member();
    return {
      guest: () => undefined,
      directory: () => false,
      lookUp: (target, answer) => {
        const found = records.get(target);
        if (found !== null) answer(decodePair(found.bytes));
        else if (directory.storers < 2) answer(null);
        else void twin.get(target).then(answer);
      },
      stop: () => twin.stop(),
    };
  };

  #openCallers(network: IndexNetwork): Callers {
    const { networkId, card } = network;
    return new Callers({
      us: this.identity.handshakeKey,
      networks: () => [{ networkId, card }],
      mayKnock: () => true,
      mayAnswer: () => true,
      open: (caller, payload, nowMs) => {
        const answer = network.service.open(caller, payload, nowMs);
        return answer && (this.lie(answer, caller)[0] ?? NOTHING_SAID);
      },
      message: (caller, type, plain, nowMs) => network.service.message(caller, type, plain, nowMs),
      onGone: (caller) => network.service.gone(caller),
      mac,
      randomBytes: (bytes) => this.#random.bytes(bytes),
      send: (datagram, to) => this.#send(datagram, to),
      count: (what, amount) => this.#stage.count(what, amount),
      sources: { take: () => true },
      rates: { cards: RATE, opens: RATE, source: RATE, messages: MESSAGES },
      callersMax: CALLERS_MAX,
      joinersMax: JOINERS_MAX,
    });
  }

  /** Does it again and again, in this life. */
  #each(ms: number, act: (up: Up) => void): void {
    const { life } = this;
    this.#stage.time.after(ms, () => {
      if (this.life !== life || this.#up === null) return;
      act(this.#up);
      this.#each(ms, act);
    });
  }

  /** The service has its alarm when it asks for it. */
  #arm(): void {
    const dueMs = this.#up?.network.dueMs(this.#nowMs) ?? NEVER;
    if (dueMs >= this.#alarmMs) return;
    this.#alarmMs = dueMs;
    const { life } = this;
    this.#stage.time.at(dueMs - 1, () => {
      if (this.life !== life || this.#alarmMs !== dueMs) return;
      this.#alarmMs = NEVER;
      this.#up?.network.tick(this.#nowMs);
      this.#arm();
    });
  }

  /** It is gone without a word; what it wrote is on its disk. */
  stop(): void {
    const up = this.#up;
    this.#up = null;
    this.#stage.directory.left(this);
    up?.callers.stop();
    up?.network.stop();
  }

  // -------------------------------------------------------------------------------------------
  // Datagrams

  #strange(address: Uint8Array): { in: number; out: number } {
    const key = Buffer.from(address).toString("hex");
    const known = this.#strangers.get(key) ?? { in: 0, out: 0 };
    this.#strangers.set(key, known);
    return known;
  }

  #send(datagram: Uint8Array, to: Uint8Array): boolean {
    const { air } = this.#stage;
    const other = air.at(to);
    const kind = channelKind(datagram);
    if (kind === "card" || kind === "opened") this.#strange(to).out += datagram.length;
    if (other === undefined) this.bytesOut += datagram.length + 28;
    else {
      const from = sockaddrOf(this.place);
      air.send(this, other, datagram.length, () => other.datagram(datagram, from));
    }
    return true;
  }

  datagram(bytes: Uint8Array, from: Uint8Array): void {
    const kind = channelKind(bytes);
    if (kind === "knock" || kind === "open") this.#strange(from).in += bytes.length;
    if (kind === null) this.#stage.count("indexJunk", 1);
    else this.#up?.callers.datagram(kind, bytes, from, NO_LOCAL, this.#nowMs);
    this.#arm();
  }

  /** Nobody was told more than it said, before its channel was open. */
  get isModest(): boolean {
    return [...this.#strangers.values()].every((one) => one.out <= one.in);
  }
}
