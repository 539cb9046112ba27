/**
 * frames — control frames to and from peers: who may say what how often, and what follows.
 *
 *     I/O thread: opened, no replay, within the peer's budget ──▶ take() ──▶ hello.ts, path-mtu.ts
 *     step(), on control's alarm ──▶ an entry of the frames region ──▶ I/O thread seals and sends
 *
 * Every peer is said one hello; all other frames go only to peers that said hello. Whatever comes
 * from a peer changes what is known of that peer, and of no other.
 *
 * Where an I/O thread has no entry free, its peers wait, and go on one after the other as entries
 * come free (`ready`). An answer to a probe does not wait: without one, the probe is sent again.
 *
 * Source: security.md 11 to 13; docs/PROTOCOL.md, "Control frames".
 */
import type { Say } from "../../log.ts";
import type { Counters } from "../../memory/counters.ts";
import { FrameEntries, type PassedFrame } from "../../memory/frames.ts";
import {
  COMMAND,
  COUNT,
  DROP,
  PADDING_BYTES,
  SEGMENT_OVERHEAD_BYTES,
} from "../../memory/layout.ts";
import { readMtu } from "../../memory/mtu.ts";
import type { PeerEntries } from "../../memory/peers.ts";
import type { Arena } from "../../memory/region.ts";
import {
  decodeFrame,
  encodeHello,
  encodeProbe,
  type Hello,
  type Probe,
} from "../../wire/frames.ts";
import { sameSockaddr } from "../../wire/sockaddr.ts";
import { type Peer, peerCalled } from "../peers/peer.ts";
import type { Commands } from "../sessions/commands.ts";
import type { SessionKeeper, SessionRef } from "../sessions/sessions.ts";
import { Bucket } from "../strangers/limiter.ts";
import { Hellos } from "./hello.ts";
import { FLOOR_BYTES, PathMtu } from "./path-mtu.ts";

/** Tuning: how often one peer may send each kind of frame, and how many at once. */
const RATES = {
  hello: { perSecond: 1, burst: 5 },
  probe: { perSecond: 20, burst: 10 },
  answer: { perSecond: 20, burst: 10 },
} as const;
/** Tuning: rounds of probes in a row that no engine would leave unanswered. */
const DEAF_ROUNDS = 3;

/** Control frames of one peer. */
export interface Talk {
  readonly hellos: Hellos;
  readonly path: PathMtu;
  /** What the peer may still send. */
  readonly buckets: Readonly<Record<keyof typeof RATES, Bucket>>;
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
}

/** Thread: control. */
export class Frames {
  readonly #options: FramesOptions;
  readonly #outgoing: FrameEntries;
  /** Of a peer with which there was no session yet: none. */
  readonly #talks = new WeakMap<Peer, Talk>();
  /** Peers that wait for a free entry, by I/O thread, oldest first. */
  readonly #waiting: readonly Set<Peer>[];

  constructor(options: FramesOptions) {
    const { arena } = options;
    this.#options = options;
    this.#outgoing = new FrameEntries(arena);
    this.#waiting = Array.from({ length: arena.limits.ioThreads }, () => new Set<Peer>());
  }

  /** The peer has said hello: it is an engine. */
  knows(peer: Peer): boolean {
    return this.#talks.get(peer)?.hellos.heard != null;
  }

  /** Milliseconds to the peer and back, as probes found; null: not known. */
  rttMs(peer: Peer): number | null {
    return this.#talks.get(peer)?.path.rttMs ?? null;
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
    const talk = this.#talks.get(peer);
    const hasSession = talk !== undefined && this.#options.entries.current(peer.index) >= 0;
    return hasSession ? talk.dueMs : Number.POSITIVE_INFINITY;
  }

  /** Says and asks what is due. */
  step(peer: Peer, nowMs: number): void {
    const { entries, keeper } = this.#options;
    if (entries.current(peer.index) < 0) return;
    const mtu = readMtu(this.#options.arena);
    const talk = this.#talk(peer);
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
   * A frame that an I/O thread handed on; undefined: of a peer that is gone. Returns when to call
   * step(), at the latest. Borrows: `passed.bytes`.
   */
  take(peer: Peer | undefined, passed: PassedFrame, nowMs: number): number {
    if (
      peer === undefined ||
      !this.#options.keeper.holds(peer, passed.session, passed.generation)
    ) {
      this.#options.counters.add(DROP.frameUnexpected, 1);
      return Number.POSITIVE_INFINITY;
    }
    if (this.#takes(peer, passed, nowMs)) this.step(peer, nowMs);
    return this.dueMs(peer);
  }

  /** False: it was dropped. */
  #takes(peer: Peer, passed: PassedFrame, nowMs: number): boolean {
    const { counters } = this.#options;
    const frame = decodeFrame(passed.bytes);
    if (frame === null || frame.kind === "unknown") {
      counters.add(frame === null ? DROP.frameInvalid : DROP.controlFrame, 1);
      return false;
    }
    const talk = this.#talk(peer);
    if (!talk.buckets[frame.kind].take(nowMs)) {
      counters.add(DROP.frameRate, 1);
      return false;
    }
    if (frame.kind === "hello") this.#hello(peer, talk, frame, nowMs);
    else this.#probe(peer, talk, frame, passed.datagramBytes, nowMs);
    return true;
  }

  /** Our own link does not take a datagram to the peer. Returns when to call step(). */
  refused(peer: Peer, nowMs: number): number {
    const talk = this.#talks.get(peer);
    talk?.path.refused(this.#options.entries.refusedBytes(peer.index), nowMs);
    if (talk !== undefined) this.step(peer, nowMs);
    return this.dueMs(peer);
  }

  #talk(peer: Peer): Talk {
    const known = this.#talks.get(peer);
    if (known !== undefined) return known;
    const { entries, keeper, random32 } = this.#options;
    const talk: Talk = {
      hellos: new Hellos(),
      path: new PathMtu(random32),
      buckets: {
        hello: new Bucket(RATES.hello),
        probe: new Bucket(RATES.probe),
        answer: new Bucket(RATES.answer),
      },
      session: keeper.of(peer).current,
      endpoint: entries.endpoint(peer.index),
      pathMtu: 0,
      dueMs: Number.POSITIVE_INFINITY,
    };
    this.#talks.set(peer, talk);
    return talk;
  }

  #hello(peer: Peer, { hellos, path }: Talk, hello: Hello, nowMs: number): void {
    const { counters, suites } = this.#options;
    counters.add(COUNT.hellosTaken, 1);
    const { heard } = hellos;
    if (heard === null) path.deafRounds = 0;
    hellos.take(hello);
    // A hello that only says again what it said asks for no other suite again.
    const isNews = heard === null || !hello.heard || hello.suites !== heard.suites;
    if (isNews || suites.of(peer) === 0) suites.learn(peer, hello.suites, nowMs);
  }

  /** A probe is answered with the size that arrived. */
  #probe(peer: Peer, talk: Talk, frame: Probe, bytes: number, nowMs: number): void {
    const { counters } = this.#options;
    const { kind, id } = frame;
    if (talk.hellos.heard === null) {
      talk.hellos.takeStrange();
      counters.add(DROP.frameUnexpected, 1);
    } else if (kind === "answer") {
      const isOurs = talk.path.answered(id, frame.bytes, nowMs);
      counters.add(isOurs ? COUNT.answersTaken : DROP.frameUnexpected, 1);
    } else if (frame.bytes !== bytes) {
      counters.add(DROP.frameInvalid, 1);
    } else {
      counters.add(COUNT.probesTaken, 1);
      this.#send(peer, encodeProbe({ kind: "answer", id, bytes }));
    }
  }

  /** The path to an engine. False: it has to wait, since a probe may be due. */
  #measure(peer: Peer, talk: Talk, ownMtu: number, nowMs: number): boolean {
    const { entries } = this.#options;
    const { path, hellos } = talk;
    const { heard } = hellos;
    if (heard === null) return true;
    if (!this.#outgoing.hasRoom(peer.owner)) return false;
    const endpoint = entries.endpoint(peer.index);
    if (!sameSockaddr(endpoint, talk.endpoint)) path.moved();
    talk.endpoint = endpoint;
    const mtu = Math.min(ownMtu, Math.max(heard.mtu, FLOOR_BYTES));
    const { lastDataSentMs, lastReceivedMs } = entries.times(peer.index);
    const probe = path.step({ lastDataSentMs, lastReceivedMs, mtu, ownMtu }, nowMs);
    if (probe !== null) {
      this.#send(peer, encodeProbe({ kind: "probe", ...probe }), probe.bytes);
    }
    if (path.deafRounds >= DEAF_ROUNDS) hellos.forget();
    if (path.mtu !== talk.pathMtu) this.#setPathMtu(peer, talk, path.mtu);
    return true;
  }

  #setPathMtu(peer: Peer, talk: Talk, found: number): void {
    const { entries, counters, say } = this.#options;
    const before = entries.mtu(peer.index);
    entries.setPathMtu(peer.index, found);
    talk.pathMtu = found;
    const mtu = entries.mtu(peer.index);
    if (mtu === before) return;
    counters.add(COUNT.pathMtuChanges, 1);
    say("info", "the path to a peer takes another MTU", { peer: peerCalled(peer), mtu });
  }

  /** Has the peer's I/O thread send a frame. False: it has no room, which is counted. */
  #send(peer: Peer, frame: Uint8Array, datagramBytes?: number): boolean {
    const { commands, counters } = this.#options;
    const padded = Math.ceil(frame.length / PADDING_BYTES) * PADDING_BYTES;
    const bytes = datagramBytes ?? padded + SEGMENT_OVERHEAD_BYTES;
    const entry = this.#outgoing.put(peer.owner, frame, bytes);
    if (entry >= 0 && commands.put(peer.owner, COMMAND.frame, peer.index, entry)) return true;
    if (entry >= 0) this.#outgoing.giveBack(entry);
    counters.add(DROP.frameUnsent, 1);
    return false;
  }
}
