/**
 * control-pair — two real controls over arenas of their own, on virtual time, joined by a wire that
 * a test can cut, watch and write to. What I/O threads would say of a session is said here.
 */
import assert from "node:assert/strict";
import { Control } from "../../src/control/control.ts";
import { staticKeys } from "../../src/control/handshake/noise.ts";
import type { AesFound, Cipher } from "../../src/control/handshake/suites.ts";
import type { Peer } from "../../src/control/peers/peer.ts";
import type { Held, SessionRef } from "../../src/control/sessions/sessions.ts";

import { TIMING } from "../../src/control/sessions/timers.ts";
import type { World } from "../../src/control/world.ts";
import type { Say } from "../../src/log.ts";
import { Counters, controlBlock } from "../../src/memory/counters.ts";
import { DROP, EVENT } from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { Producer } from "../../src/memory/queue.ts";
import { type Arena, makeArena } from "../../src/memory/region.ts";
import type { Mac } from "../../src/noise/mac.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { nextTai64n } from "../../src/wire/tai64n.ts";
import { fixed, fixedBytes, mac } from "./noise-parties.ts";

const START_MS = 10_000;
const UNIX_MS = Date.UTC(2026, 0, 1);
const MTU = 1_420;
const NO_LOCAL = new Uint8Array(0);
/** Rounds of promises after a change; each settles in a few. */
const TURNS = 20;

export interface EndOptions {
  readonly cipher: Cipher;
  readonly aes?: AesFound;
  readonly mac?: Mac;
  /** Most peers; 2 unless given. */
  readonly peers?: number;
}

/** One end: a control whose only peer is the other end. */
export class End {
  /** The kernel is to follow. */
  onRoutes: () => void = () => {};
  readonly name: "a" | "b";
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly address: Uint8Array;
  /** Messages sent, oldest first. */
  readonly sent: Uint8Array[] = [];
  /** What it said for the log. */
  readonly said: Parameters<Say>[] = [];
  arena!: Arena;
  control!: Control;
  dueMs = Number.POSITIVE_INFINITY;
  /** What taking or leaving the port waits for, or fails with. */
  moving: Promise<void> = Promise.resolve();
  /** There is a port to send from. */
  #open = false;
  #draws = 0;

  constructor(name: "a" | "b") {
    this.name = name;
    this.privateKey = fixed(`pair ${name}`);
    this.publicKey = staticKeys(this.privateKey).publicKey;
    this.address = makeSockaddr(Uint8Array.of(192, 0, 2, name === "a" ? 1 : 2), 51_820);
  }

  /** A process begins: nothing is known. */
  async start(pair: Pair, { cipher, aes, peers = 2 }: EndOptions): Promise<void> {
    const other = this === pair.a ? pair.b : pair.a;
    this.arena = makeArena({ ioThreads: 1, workers: 0, peers, routes: 16 });
    writeMtu(this.arena, MTU);
    this.control = new Control(
      {
        arena: this.arena,
        timing: TIMING,
        cipher,
        aes: aes ?? { usable: true, faster: true },
        listenPort: 1,
        fwmark: 0,
        keyFixed: false,
      },
      this.#world(pair, other),
    );
    await this.control.apply({
      privateKey: this.privateKey,
      peers: [{ publicKey: other.publicKey, endpoint: { host: "other", port: 51_820 } }],
    });
    await this.control.setUp(true);
    for (let i = 0; i < TURNS; i++) await Promise.resolve();
  }

  get peer(): Peer {
    const [peer] = this.control.roster.peers();
    assert(peer !== undefined);
    return peer;
  }

  get held(): Held {
    return this.control.facts(this.peer).held;
  }

  get current(): SessionRef | null {
    return this.held.current;
  }

  count(name: keyof typeof DROP): number {
    return new Counters(this.arena, controlBlock(this.arena)).get(DROP[name]);
  }

  /** Types of the messages that it has sent since this was asked last. */
  types(): number[] {
    return this.sent.splice(0).map((datagram) => datagram[0]!);
  }

  /** Something authentic arrives on the session that it answered. */
  confirm(): void {
    const { entry } = this.peer;
    const { next } = this.held;
    if (next === null) return;
    const events = new Producer(this.arena, "events", 0);
    assert(events.put(EVENT.confirmed, entry, next.session, next.generation, 0));
    this.control.hear();
  }

  #world(pair: Pair, other: End): World {
    return {
      bootMs: () => pair.nowMs,
      unixMs: () => UNIX_MS + pair.nowMs,
      random: () => 0,
      randomBytes: (bytes) => fixedBytes(`${this.name} ${this.#draws++}`, bytes),
      mac,
      sourceHash: (_, high, low) => high ^ low,
      openClock: () => ({
        next: (last, unixMs) => nextTai64n(last, unixMs),
        forget: () => {},
        close: () => {},
      }),
      inside: (to) => pair.isInside(to),
      send: (datagram) => {
        if (!this.#open) return false;
        const copy = Uint8Array.from(datagram);
        this.sent.push(copy);
        if (pair.carries(copy)) pair.waiting.push({ to: other, datagram: copy });
        return true;
      },
      isUnknownNeighbour: () => false,
      signal: () => {},
      wakeAt: (dueMs) => {
        this.dueMs = dueMs;
      },
      pause: async () => {},
      resolve: async () => other.address,
      listen: async (port) => {
        await this.moving;
        this.#open = port !== null;
        return port ?? 0;
      },
      setMark: () => {},
      setMtu: () => {},
      onRoutes: () => this.onRoutes(),
      logKeys: null,
      say: (...words) => void this.said.push(words),
    };
  }
}

export class Pair {
  readonly a = new End("a");
  readonly b = new End("b");
  readonly waiting: { readonly to: End; readonly datagram: Uint8Array }[] = [];
  nowMs = START_MS;
  /** Which messages get through. */
  carries: (datagram: Uint8Array) => boolean = () => true;
  /** What the kernel leads into the tunnel. */
  isInside: (to: Uint8Array) => boolean = () => false;

  static async make(a: EndOptions, b: EndOptions): Promise<Pair> {
    const pair = new Pair();
    await pair.a.start(pair, a);
    await pair.b.start(pair, b);
    return pair;
  }

  /** Time goes on: messages arrive at once, sessions are confirmed, alarms ring. */
  run(forMs: number): void {
    const endMs = this.nowMs + forMs;
    for (;;) {
      this.#deliver();
      const dueMs = Math.min(this.a.dueMs, this.b.dueMs);
      if (dueMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, dueMs);
      for (const end of [this.a, this.b]) {
        if (end.dueMs > this.nowMs) continue;
        end.dueMs = Number.POSITIVE_INFINITY;
        end.control.tick();
      }
    }
    this.nowMs = endMs;
  }

  /** `from` begins a handshake, and what follows of it at once happens. */
  call(from: End): void {
    assert.equal(from.control.rekey(null), 1);
    this.run(1);
  }

  /** What somebody on the network sends to `to` under the other end's address. */
  inject(to: End, datagram: Uint8Array): void {
    const from = to === this.a ? this.b : this.a;
    to.control.receive(datagram, from.address, NO_LOCAL);
    this.run(1);
  }

  /** Each is told what the other's hello would say. */
  hello(...to: readonly End[]): void {
    for (const end of to) {
      const other = end === this.a ? this.b : this.a;
      end.control.suites.learn(end.peer, other.control.suites.offered, this.nowMs);
    }
  }

  #deliver(): void {
    for (let one = this.waiting.shift(); one !== undefined; one = this.waiting.shift()) {
      const from = one.to === this.a ? this.b : this.a;
      one.to.control.receive(one.datagram, from.address, NO_LOCAL);
      // The initiator greets: its first packet confirms the session at the other end.
      if (one.datagram[0] === 2 || one.datagram[0] === 6) from.confirm();
    }
  }
}
