/**
 * frames — control frames to and from peers: who may say what how often, and what follows.
 *
 *     I/O thread: opened, no replay, within the peer's budget ─▶ receive() ─▶ hello.ts, path-mtu.ts
 *     step(), on control's alarm ──▶ an entry of the frames region ──▶ I/O thread seals and sends
 *
 * Every peer is said one hello; all other frames go only to peers that said hello. Whatever comes
 * from a peer changes what is known of that peer, and of no other. What a kind of frame has to be,
 * how often it may come, from whom, and which room takes it: FRAME_KINDS of wire/frames.ts.
 *
 * Where an I/O thread has no entry free, its peers wait, and go on one after the other as entries
 * come free (`ready`). An answer to a probe does not wait: without one, the probe is sent again.
 *
 * Source: security.md 11 to 13; docs/PROTOCOL.md, "Control frames".
 */
import type { Say } from "../../log.ts";
import type { Counters } from "../../memory/counters.ts";
import { type ArrivedFrame, FrameEntries } from "../../memory/frames.ts";
import {
  COMMAND,
  COUNT,
  DROP,
  type DropName,
  PADDING_BYTES,
  SEGMENT_OVERHEAD_BYTES,
} from "../../memory/layout.ts";
import { readMtu } from "../../memory/mtu.ts";
import type { PeerEntries } from "../../memory/peers.ts";
import type { Arena } from "../../memory/region.ts";
import {
  decodeFrame,
  decodeHello,
  decodeProbe,
  encodeFrame,
  encodeHello,
  encodeProbe,
  FRAME_KINDS,
  type FrameKind,
} from "../../wire/frames.ts";
import { sameSockaddr } from "../../wire/sockaddr.ts";
import { largestPacket } from "../peers/largest.ts";
import { type Peer, peerCalled } from "../peers/peer.ts";
import { PerPeer } from "../peers/per-peer.ts";
import type { Commands } from "../sessions/commands.ts";
import type { SessionKeeper, SessionRef } from "../sessions/sessions.ts";
import { Bucket } from "../strangers/limiter.ts";
import { Hellos } from "./hello.ts";
import { FLOOR_BYTES, PathMtu } from "./path-mtu.ts";

/** Tuning: rounds of probes in a row that no engine would leave unanswered. */
const DEAF_ROUNDS = 3;

/** A frame that is as its kind has to be. */
export interface CheckedFrame {
  readonly type: number;
  /** Borrowed. */
  readonly body: Uint8Array;
  /** UDP payload that it came in. */
  readonly datagramBytes: number;
}

/** A room of control takes a frame. Returns why it is dropped, or null. */
export type TakeFrame = (peer: Peer, frame: CheckedFrame, nowMs: number) => DropName | null;

/** Control frames of one peer. */
export interface Talk {
  readonly hellos: Hellos;
  readonly path: PathMtu;
  /** What the peer may still send of each kind, by type. */
  readonly buckets: ReadonlyMap<number, Bucket>;
  /** The session that was used at the last look. */
  session: SessionRef | null;
  /** Where the path led when it was last looked at. */
  endpoint: Uint8Array;
  /** What the data path was told last. */
  pathMtu: number;
  /** When to call step(); infinity: at any look at the peer. */
  dueMs: number;
}

/** What hellos say of cipher suites is known elsewhere: masks of 1 << SUITE. */
export interface SuitesKnown {
  /** Ours. */
  readonly offered: number;
  /** A peer's; 0: not known to be an engine. */
  of(peer: Peer): number;
  learn(peer: Peer, mask: number, nowMs: number): void;
}

export interface FramesOptions {
  readonly arena: Arena;
  readonly entries: PeerEntries;
  readonly counters: Counters;
  readonly keeper: SessionKeeper;
  readonly commands: Commands;
  readonly suites: SuitesKnown;
  readonly random32: () => number;
  readonly say: Say;
  /** In place of FRAME_KINDS, with rooms for more of them: for tests. */
  readonly kinds?: readonly FrameKind[];
  readonly rooms?: Readonly<Record<string, TakeFrame>>;
}

/** Thread: control. */
export class Frames {
  readonly #options: FramesOptions;
  readonly #outgoing: FrameEntries;
  /** Of a peer with which there was no session yet: none. */
  readonly #talks = new PerPeer<Talk>((peer) => this.#begin(peer));
  /** Peers that wait for a free entry, by I/O thread, oldest first. */
  readonly #waiting: readonly Set<Peer>[];
  /** By type. */
  readonly #kinds: ReadonlyMap<number, FrameKind>;
  readonly #rooms: ReadonlyMap<string, TakeFrame>;

  constructor(options: FramesOptions) {
    const { arena, kinds = Object.values(FRAME_KINDS), rooms = {} } = options;
    this.#options = options;
    this.#kinds = new Map(kinds.map((kind) => [kind.type, kind]));
    this.#rooms = new Map<string, TakeFrame>([
      ["hello", (peer, frame, nowMs) => this.#hello(peer, frame, nowMs)],
      ["path", (peer, frame, nowMs) => this.#path(peer, frame, nowMs)],
      ...Object.entries(rooms),
    ]);
    this.#outgoing = new FrameEntries(arena);
    this.#waiting = Array.from({ length: arena.limits.ioThreads }, () => new Set<Peer>());
  }

  /** The peer has said hello: it is an engine. */
  knows(peer: Peer): boolean {
    return this.#talks.find(peer)?.hellos.heard != null;
  }

  /** Milliseconds to the peer and back, as probes found; null: not known. */
  rttMs(peer: Peer): number | null {
    return this.#talks.find(peer)?.path.rttMs ?? null;
  }

  /** Does any peer wait for an entry? */
  get waits(): boolean {
    return this.#waiting.some((peers) => peers.size > 0);
  }

  /** The peers that waited and for which there is an entry now: step() each before the next. */
  *ready(): Generator<Peer, void, undefined> {
    for (const [thread, peers] of this.#waiting.entries()) {
      let left = peers.size;
      for (const peer of peers) {
        if (left-- === 0 || !this.#outgoing.hasRoom(thread)) break;
        peers.delete(peer);
        yield peer;
      }
    }
  }

  /** The peer has no session any more: nothing of it waits. */
  forget(peer: Peer): void {
    this.#waiting[peer.owner]!.delete(peer);
  }

  /** When to call step() for the peer, at the latest; infinity: at any look at it. */
  dueMs(peer: Peer): number {
    const talk = this.#talks.find(peer);
    const hasSession = talk !== undefined && this.#options.entries.current(peer.entry) >= 0;
    return hasSession ? talk.dueMs : Number.POSITIVE_INFINITY;
  }

  /** Says and asks what is due. */
  step(peer: Peer, nowMs: number): void {
    const { entries, keeper } = this.#options;
    if (entries.current(peer.entry) < 0) return;
    const mtu = readMtu(this.#options.arena);
    const talk = this.#talks.of(peer);
    const { hellos, path, session } = talk;
    const { current } = keeper.of(peer);
    if (session !== current) hellos.renew();
    talk.session = current;
    const done = this.#say(peer, hellos, mtu, nowMs) && this.#measure(peer, talk, mtu, nowMs);
    if (done) this.#waiting[peer.owner]!.delete(peer);
    else this.#waiting[peer.owner]!.add(peer);
    talk.dueMs = done ? Math.min(hellos.dueMs(mtu), path.dueMs) : Number.POSITIVE_INFINITY;
  }

  /** Says hello when that is due. False: it has to wait. */
  #say(peer: Peer, hellos: Hellos, mtu: number, nowMs: number): boolean {
    const saying = hellos.next(nowMs, mtu);
    if (saying === null) return true;
    const hello = encodeHello({ ...saying, suites: this.#options.suites.offered, mtu });
    if (!this.#outgoing.hasRoom(peer.owner) || !this.#send(peer, hello)) return false;
    hellos.saying(nowMs, mtu);
    return true;
  }

  /**
   * Says a frame of another room to an engine, in its session. False: it is none, or there is no
   * room now, which is counted. Errors: RangeError when the body is too long.
   */
  say(peer: Peer, type: number, body: Uint8Array): boolean {
    return this.knows(peer) && this.#send(peer, encodeFrame(type, body));
  }

  /**
   * A frame that an I/O thread handed on; undefined: of a peer that is gone. It may change when to
   * call step(). Borrows: `frame.bytes`.
   */
  receive(peer: Peer | undefined, frame: ArrivedFrame, nowMs: number): void {
    const { counters, keeper } = this.#options;
    if (peer === undefined || !keeper.holds(peer, frame.session, frame.generation)) {
      counters.add(DROP.frameUnexpected, 1);
      return;
    }
    const checked = this.#check(peer, frame, nowMs);
    if (typeof checked === "string") counters.add(DROP[checked], 1);
    else {
      const refused = checked.take(peer, checked.frame, nowMs);
      counters.add(refused === null ? COUNT.framesTaken : DROP[refused], 1);
      this.step(peer, nowMs);
    }
  }

  /** Is it what a frame has to be? Cheapest first. Returns who takes it, or why nobody does. */
  #check(
    peer: Peer,
    { bytes, datagramBytes }: ArrivedFrame,
    nowMs: number,
  ): DropName | { take: TakeFrame; frame: CheckedFrame } {
    const raw = decodeFrame(bytes);
    if (raw === null) return "frameInvalid";
    const { type, body } = raw;
    const kind = this.#kinds.get(type);
    const take = kind && this.#rooms.get(kind.room);
    if (kind === undefined || take === undefined) return "controlFrame";
    const isMember = this.#options.entries.frameBudget(peer.entry) === "member";
    if (kind.members && !isMember) return "frameMembers";
    if (body.length < kind.least || body.length > kind.most) return "frameInvalid";
    if (!this.#talks.of(peer).buckets.get(type)!.take(nowMs)) return "frameRate";
    return { take, frame: { type, body, datagramBytes } };
  }

  /** Our own link does not take a datagram to the peer: when to call step() may change. */
  refused(peer: Peer, nowMs: number): void {
    const talk = this.#talks.find(peer);
    talk?.path.refused(this.#options.entries.refusedBytes(peer.entry), nowMs);
    if (talk !== undefined) this.step(peer, nowMs);
  }

  #begin(peer: Peer): Talk {
    const { entries, keeper, random32 } = this.#options;
    return {
      hellos: new Hellos(),
      path: new PathMtu(random32),
      buckets: new Map([...this.#kinds].map(([type, kind]) => [type, new Bucket(kind)])),
      session: keeper.of(peer).current,
      endpoint: entries.endpoint(peer.entry),
      pathMtu: 0,
      dueMs: Number.POSITIVE_INFINITY,
    };
  }

  #hello(peer: Peer, { body }: CheckedFrame, nowMs: number): DropName | null {
    const { counters, suites } = this.#options;
    const hello = decodeHello(body);
    if (hello === null) return "frameInvalid";
    const { hellos, path } = this.#talks.of(peer);
    counters.add(COUNT.hellosTaken, 1);
    const { heard } = hellos;
    if (heard === null) path.deafRounds = 0;
    hellos.take(hello);
    // A hello that only says again what it said asks for no other suite again.
    const isNews = heard === null || !hello.heard || hello.suites !== heard.suites;
    if (isNews || suites.of(peer) === 0) suites.learn(peer, hello.suites, nowMs);
    return null;
  }

  /** A probe is answered with the size that arrived. */
  #path(peer: Peer, { type, body, datagramBytes }: CheckedFrame, nowMs: number): DropName | null {
    const { counters } = this.#options;
    const { path, hellos } = this.#talks.of(peer);
    const isProbe = type === FRAME_KINDS.probe.type;
    const { id, bytes } = decodeProbe(isProbe ? "probe" : "answer", body);
    if (hellos.heard === null) {
      hellos.takeStrange();
      return "frameUnexpected";
    }
    if (!isProbe) {
      if (!path.answered(id, bytes, nowMs)) return "frameUnexpected";
      counters.add(COUNT.answersTaken, 1);
      return null;
    }
    if (bytes !== datagramBytes) return "frameInvalid";
    counters.add(COUNT.probesTaken, 1);
    this.#send(peer, encodeProbe({ kind: "answer", id, bytes }));
    return null;
  }

  /** The path to an engine. False: it has to wait, since a probe may be due. */
  #measure(peer: Peer, talk: Talk, ownMtu: number, nowMs: number): boolean {
    const { entries } = this.#options;
    const { path, hellos } = talk;
    const { heard } = hellos;
    if (heard === null) return true;
    if (!this.#outgoing.hasRoom(peer.owner)) return false;
    const endpoint = entries.endpoint(peer.entry);
    if (!sameSockaddr(endpoint, talk.endpoint)) path.moved();
    talk.endpoint = endpoint;
    const mtu = Math.min(ownMtu, Math.max(heard.mtu, FLOOR_BYTES));
    const { lastDataSentMs, lastReceivedMs } = entries.times(peer.entry);
    const probe = path.step({ lastDataSentMs, lastReceivedMs, mtu, ownMtu }, nowMs);
    if (probe !== null) {
      this.#send(peer, encodeProbe({ kind: "probe", ...probe }), probe.bytes);
    }
    if (path.deafRounds >= DEAF_ROUNDS) hellos.forget();
    if (path.mtu !== talk.pathMtu) this.#setPathMtu(peer, talk, path.mtu);
    return true;
  }

  #setPathMtu(peer: Peer, talk: Talk, found: number): void {
    const { arena, entries, counters, say } = this.#options;
    const before = largestPacket(arena, entries, peer);
    entries.setPathMtu(peer.entry, found);
    talk.pathMtu = found;
    const mtu = largestPacket(arena, entries, peer);
    if (mtu === before) return;
    counters.add(COUNT.pathMtuChanges, 1);
    say("info", "the path to a peer takes another MTU", { peer: peerCalled(peer), mtu });
  }

  /** Has the peer's I/O thread send a frame. False: it has no room, which is counted. */
  #send(peer: Peer, frame: Uint8Array, datagramBytes?: number): boolean {
    const { commands, counters } = this.#options;
    const padded = Math.ceil(frame.length / PADDING_BYTES) * PADDING_BYTES;
    const bytes = datagramBytes ?? padded + SEGMENT_OVERHEAD_BYTES;
    const entry = this.#outgoing.put(peer.owner, peer.entry, frame, bytes);
    if (entry >= 0 && commands.put(peer.owner, COMMAND.frame, peer.entry, entry)) return true;
    if (entry >= 0) this.#outgoing.giveBack(entry);
    counters.add(DROP.frameUnsent, 1);
    return false;
  }
}
