/**
 * members-node — one node of a simulated network: the real network room, and control as far as it
 * sees it: peers, sessions that come up by messages 1 and 2, an alarm, a disk.
 *
 * Handshakes have no cryptography; INTROs, records, lists and secrets do. A session is used up
 * after 180 s, renewed after 120 s when something is sent, and gone when its other end is.
 */
import { SlotSet } from "../../src/control/network/links.ts";
import { Network } from "../../src/control/network/network.ts";
import type {
  Handle,
  IndexPlace,
  NetworkWorld,
  OwnAddress,
} from "../../src/control/network/world.ts";
import type { PeerChange } from "../../src/schema/change.ts";
import type { Resident } from "./members-air.ts";
import { BORN_S, type Identity } from "./members-fleet.ts";
import { type NodeOptions, networkOptions } from "./members-options.ts";
import { mac, PORT, placeOf, sockaddrOf } from "./members-places.ts";
import { fits, type Session } from "./members-session.ts";
import type { Stage } from "./members-stage.ts";
import { Random } from "./random.ts";

const REKEY_MS = 120_000;
const REJECT_MS = 180_000;
const HELLO_MS = 1_000;
const HELLOS_MAX = 5;
const NEVER = Number.POSITIVE_INFINITY;
const NO_LOCAL = new Uint8Array(0);
/** UDP payload: messages 1 and 2, a hello in its frame, a keepalive, and what a frame adds. */
const BYTES = { first: 148, second: 92, hello: 48, keepalive: 32, frame: 32, head: 4 } as const;

export class VirtualNode implements NetworkWorld, Resident {
  readonly stage: Stage;
  readonly identity: Identity;
  place: number;
  options: NodeOptions;
  /** What its system's clock is ahead, in milliseconds. */
  clockMs = 0;
  network: Network | null = null;
  /** Counts its starts. */
  life = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** It says what it should not (members-mischief.ts). */
  lies = false;
  /** Hears of each frame that comes. */
  overhears: (type: number, body: Uint8Array) => void = () => {};
  readonly #disk = new Map<string, Uint8Array>();
  readonly #statics = new Set<Handle>();
  /** By number of the identity. */
  readonly #admitted = new SlotSet();
  readonly #sessions = new Map<Handle, Session>();
  /** Those before them, in which something may still come: two ends may call each other at once. */
  readonly #previous = new Map<Handle, Session>();
  /** Those that we answered and that are not confirmed. */
  readonly #next = new Map<Handle, Session>();
  /** Names of our messages 1, by whom they went to. */
  readonly #called = new Map<Handle, number>();
  #alarmMs = NEVER;
  #random: Random;

  constructor(stage: Stage, identity: Identity, place: number, options: NodeOptions = {}) {
    this.stage = stage;
    this.identity = identity;
    this.place = place;
    this.options = options;
    this.#random = new Random(stage.seed, place);
  }

  get isUp(): boolean {
    return this.network !== null;
  }

  get name(): string {
    return this.identity.certificate.name;
  }

  // -------------------------------------------------------------------------------------------
  // Life

  start(): void {
    const { identity, options, stage } = this;
    this.life++;
    this.#random = new Random(stage.seed, this.place + (this.life << 16));
    stage.air.place(this, placeOf(this.place));
    this.network = new Network(networkOptions(identity, stage, options), this);
  }

  /** It stops, and says so; or it is gone without a word. */
  stop(kindly: boolean): void {
    if (kindly) this.network?.stop();
    this.network = null;
    this.#sessions.clear();
    this.#previous.clear();
    this.#next.clear();
    this.#called.clear();
    this.#admitted.clear();
    this.#alarmMs = NEVER;
  }

  /** Its disk is another, empty one. */
  wipe(): void {
    this.#disk.clear();
  }

  /** A file of it is damaged. */
  damage(name: string): void {
    const bytes = this.#disk.get(name);
    if (bytes !== undefined)
      this.#disk.set(
        name,
        bytes.map((byte, i) => (i === 9 ? ~byte : byte)),
      );
  }

  /** It is somewhere else from now on. */
  move(place: number): void {
    this.stage.air.leave(placeOf(this.place));
    this.place = place;
    this.stage.air.place(this, placeOf(place));
    this.network?.addressesChanged();
  }

  /** A file names this key: it is no member's here. */
  keepStatic(identity: Identity): void {
    this.#statics.add(identity);
  }

  // -------------------------------------------------------------------------------------------
  // NetworkWorld

  readonly bootMs = (): number => this.stage.time.nowMs + 1;
  readonly unixMs = (): number => BORN_S * 1_000 + this.stage.time.nowMs + this.clockMs;
  readonly random = (): number => this.#random.fraction();
  readonly randomBytes = (bytes: number): Uint8Array => this.#random.bytes(bytes);
  readonly mac = mac;

  readonly wakeAt = (dueMs: number): void => {
    if (dueMs >= this.#alarmMs) return;
    this.#alarmMs = dueMs;
    if (dueMs === NEVER) return;
    const { life } = this;
    this.stage.time.at(dueMs - 1, () => {
      if (this.life !== life || this.#alarmMs !== dueMs) return;
      this.#alarmMs = NEVER;
      this.network?.tick();
    });
  };

  readonly sendDatagram = (datagram: Uint8Array, to: Uint8Array): boolean => {
    const { air } = this.stage;
    const other = air.at(to);
    if (other === undefined) this.bytesOut += datagram.length + 28;
    else {
      const from = sockaddrOf(this.place);
      air.send(this, other, datagram.length, () => other.datagram(datagram, from));
    }
    return true;
  };

  datagram(bytes: Uint8Array, from: Uint8Array): void {
    this.network?.datagram(bytes, from, NO_LOCAL);
  }

  readonly isUnknownNeighbour = (): boolean => false;

  readonly admit = (change: PeerChange): Handle => {
    const identity = this.stage.ledger.admitted(this, change);
    this.#admitted.add(identity.number);
    return identity;
  };

  readonly amend = (handle: Handle, change: PeerChange): boolean => {
    this.stage.ledger.admitted(this, change);
    return this.#admitted.has((handle as Identity).number);
  };

  readonly dismiss = (handle: Handle): void => {
    this.#admitted.remove((handle as Identity).number);
    if (this.#statics.has(handle)) return;
    this.#sessions.delete(handle);
    this.#previous.delete(handle);
    this.#next.delete(handle);
    this.#called.delete(handle);
  };

  readonly isStatic = (handle: Handle): boolean => this.#statics.has(handle);
  readonly isPeer = (identity: Identity): boolean => this.#admitted.has(identity.number);
  readonly hasSession = (handle: Handle): boolean => this.#sessions.get(handle)?.up === true;
  readonly lastUsedMs = (): number => 0;

  readonly endpoint = (handle: Handle): Uint8Array | null => {
    const session = this.#sessions.get(handle);
    return session === undefined ? null : sockaddrOf(session.other.place);
  };

  readonly addresses = (): readonly OwnAddress[] => [
    { kind: "local", sockaddr: sockaddrOf(this.place) },
  ];

  readonly bootstrap = () =>
    (this.options.bootstrap ?? []).map((sockaddr) => ({ sockaddr, nodeKey: null }));
  readonly indexes = (): readonly IndexPlace[] => this.options.indexes ?? [];
  readonly askIndexNames = (): void => this.network?.indexesMoved();
  openDirectory: NetworkWorld["openDirectory"] = () => this.stage.directory.open();
  readonly port = (): number => PORT;
  readonly count = (what: string, amount: number): void => this.stage.count(what, amount);

  readonly say = (level: string, text: string, facts: object = {}): void => {
    this.stage.trace?.(`${this.name} says ${level}: ${text} ${JSON.stringify(facts)}`);
  };

  readonly store = {
    read: (name: string): Uint8Array | null => this.#disk.get(name) ?? null,
    write: (name: string, bytes: Uint8Array): boolean => {
      this.#disk.set(name, bytes);
      return true;
    },
  };

  // -------------------------------------------------------------------------------------------
  // Handshakes

  readonly call = (handle: Handle, to: Uint8Array | null): void => {
    const place = this.network?.calling(handle, to) ?? null;
    if (place === null) return;
    const name = Math.floor(this.#random.fraction() * 2 ** 48);
    this.#called.set(handle, name);
    this.#first(place, name);
  };

  readonly callAgain = (handle: Handle, to: Uint8Array): void => {
    const name = this.#called.get(handle);
    if (name !== undefined) this.#first(to, name);
  };

  #first(place: Uint8Array, name: number): void {
    const other = this.stage.air.at(place);
    if (!(other instanceof VirtualNode)) this.bytesOut += BYTES.first + 28;
    else this.stage.air.send(this, other, BYTES.first, () => other.#answer(this, name));
  }

  /** Message 1 came. */
  #answer(from: VirtualNode, name: number): void {
    const { identity } = from;
    if (identity === this.identity || this.network === null) return;
    const isStatic = this.#statics.has(identity);
    const known = this.#admitted.has(identity.number) || isStatic;
    if (!known && this.network.findPeer(identity.publicKey) === null) return;
    // A copy has the time stamp of the first one.
    const sessions = [this.#sessions, this.#previous, this.#next];
    if (sessions.some((all) => all.get(identity)?.id === name)) return;
    // What a file has named may do so, whatever the network says of it.
    if (!isStatic) this.stage.ledger.spoke(this, from, "a handshake");
    this.#next.set(identity, this.#session(from, name));
    this.stage.air.send(this, from, BYTES.second, () => from.#answered(this, name));
  }

  /** Message 2 came: the session is there, and hello is said in it. */
  #answered(from: VirtualNode, name: number): void {
    const { identity } = from;
    if (this.#called.get(identity) !== name) return;
    this.#called.delete(identity);
    this.#begin(identity, this.#session(from, name));
  }

  #session(other: VirtualNode, id: number): Session {
    const { nowMs } = this.stage.time;
    const counts = { framesMs: 0, bytesMs: 0 };
    return { id, other, life: other.life, bornMs: nowMs, up: false, ...counts };
  }

  #begin(handle: Handle, session: Session): void {
    const before = this.#sessions.get(handle);
    if (before !== undefined) this.#previous.set(handle, before);
    // What was said of the other end holds, when it is still the same.
    session.up = before?.up === true && before.life === session.life;
    this.#sessions.set(handle, session);
    this.#expire(handle, session);
    this.#sayHello(handle, session, 0);
  }

  /** Said again while the other end was not heard. */
  #sayHello(handle: Handle, session: Session, times: number): void {
    const { time, air } = this.stage;
    const { life } = this;
    const heard = session.up;
    air.send(this, session.other, BYTES.hello, () =>
      session.other.#hello(this.identity, session.id, heard),
    );
    if (heard || times === HELLOS_MAX) return;
    time.after(HELLO_MS * 2 ** times, () => {
      const waits = this.life === life && this.#sessions.get(handle) === session && !session.up;
      if (waits) this.#sayHello(handle, session, times + 1);
    });
  }

  /** The session of a frame; null: it is of none that there is. */
  #sessionOf(handle: Handle, id: number): Session | null {
    const next = this.#next.get(handle);
    if (next?.id === id) {
      this.#next.delete(handle);
      this.#begin(handle, next);
    }
    for (const session of [this.#sessions.get(handle), this.#previous.get(handle)]) {
      if (session?.id === id) return session;
    }
    return null;
  }

  #hello(handle: Handle, id: number, heard: boolean): void {
    const session = this.#sessionOf(handle, id);
    const current = this.#sessions.get(handle);
    if (session === null || current === undefined) return;
    const isNew = !current.up;
    current.up = true;
    if (!heard) this.#sayHello(handle, current, 0);
    if (isNew) this.network?.sessionUp(handle);
  }

  #expire(handle: Handle, session: Session): void {
    const { life } = this;
    this.stage.time.at(session.bornMs + REJECT_MS, () => {
      if (this.life !== life || this.#sessions.get(handle) !== session) return;
      if (this.stage.time.nowMs < session.bornMs + REJECT_MS) this.#expire(handle, session);
      else {
        this.#sessions.delete(handle);
        this.network?.sessionDown(handle);
      }
    });
  }

  // -------------------------------------------------------------------------------------------
  // Frames

  readonly sendFrame = (handle: Handle, type: number, body: Uint8Array): boolean => {
    const session = this.#sessions.get(handle);
    if (session?.up !== true) return false;
    const { other, id } = session;
    this.#renew(session);
    const bytes = BYTES.frame + 16 * Math.ceil((BYTES.head + body.length) / 16);
    this.stage.air.send(this, other, bytes, () => other.#frame(this, id, type, body));
    return true;
  };

  /** A session that is used gets another in time, when both ends still have it. */
  #renew(session: Session): void {
    const { nowMs } = this.stage.time;
    const { other, id } = session;
    if (nowMs - session.bornMs < REKEY_MS) return;
    const theirs = other.#sessions.get(this.identity);
    const has = theirs?.id === id || other.#previous.get(this.identity)?.id === id;
    if (theirs === undefined || !has || !this.stage.air.isConnected(this, other)) return;
    session.bornMs = nowMs;
    theirs.bornMs = nowMs;
    const [ours, others] = [BYTES.first + BYTES.keepalive + 56, BYTES.second + 28];
    this.bytesOut += ours;
    this.bytesIn += others;
    other.bytesOut += others;
    other.bytesIn += ours;
  }

  #frame(from: VirtualNode, id: number, type: number, body: Uint8Array): void {
    const session = this.#sessionOf(from.identity, id);
    if (session === null || this.network === null) return;
    const { nowMs } = this.stage.time;
    this.overhears(type, body);
    if (!fits(session, body.length + BYTES.head, nowMs)) this.stage.count("frameRate", 1);
    else if (this.#admitted.has(from.identity.number)) {
      this.stage.ledger.spoke(this, from, `a frame of type ${type}`);
      this.network.frame(from.identity, type, body);
    } else this.stage.count("frameMembers", 1);
  }
}
