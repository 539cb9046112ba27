/**
 * life — one incarnation of a machine: an arena, the real Control and real I/O threads over it.
 *
 * It begins with a configuration and ends by a stop or a crash; what it was told or promised after
 * that reaches nobody.
 */
import { Control, type ControlOptions } from "../../src/control/control.ts";
import { takePassed } from "../../src/control/host/datagrams.ts";
import { TIMING } from "../../src/control/sessions/timers.ts";
import type { World } from "../../src/control/world.ts";
import { addon } from "../../src/io/native/addon.ts";
import { setPortOpen } from "../../src/memory/connected.ts";
import { controlBlock, sumCounters } from "../../src/memory/counters.ts";
import { ENGINE, HAND_OVER, IO, PEER, SESSION, SLOTS_PER_IO } from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { PEER_FIELD, peerWord } from "../../src/memory/peers.ts";
import { type Arena, fieldWord, makeArena, regionTables, wordOf } from "../../src/memory/region.ts";
import { SESSION_FIELD, sessionWord } from "../../src/memory/sessions.ts";
import { setTunIndex } from "../../src/memory/underlay.ts";
import type { Change } from "../../src/schema/change.ts";
import { RANDOM_MASK } from "../../src/wire/receiver-index.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { IoActor, type Keeper, LASTS_MS, LOOPBACK_INDEX, MTU } from "./io-actor.ts";
import { Violation } from "./ledger.ts";
import type { Path } from "./stage.ts";
import { watchStores } from "./stores.ts";

const ROUTES = 64;
/** Message types. */
const DATA = [4, 8];
const ZEROES = Buffer.alloc(4 * (RANDOM_MASK + 1));
/** Between so many stores of control, one another, an I/O thread has a turn. */
const STORES_A_TURN = 4;
/** When an I/O thread has surely handed on what it was given. */
const PASSED_MS = LASTS_MS + 10;

export type LifeOptions = Omit<Keeper, "arena" | "alive" | "attach" | "onBell"> & {
  readonly onError: (error: unknown) => void;
  readonly peers: number;
  readonly suites: Pick<ControlOptions, "cipher" | "aes">;
  /** What control needs of the world, but for what a life itself is. */
  readonly world: Omit<World, "signal" | "wakeAt">;
  /** Milliseconds of the boot clock to a delay; calls back once. */
  readonly alarm: (delayMs: number, ring: () => void) => void;
};

let attached: Arena | null = null;

export class Life {
  readonly arena: Arena;
  readonly control: Control;
  readonly #options: LifeOptions;
  #ios: readonly IoActor[] = [];
  readonly #tables: ReturnType<typeof regionTables>;
  #alive = true;
  #alarm = 0;
  #heard = true;
  #storesLeft = 0;

  constructor(options: LifeOptions) {
    const { peers, ioThreads, world } = options;
    this.#options = options;
    this.arena = makeArena({ ioThreads, workers: 0, peers, routes: ROUTES });
    this.#tables = regionTables(this.arena);
    writeMtu(this.arena, MTU);
    setPortOpen(this.arena, true);
    const engine = wordOf(this.arena, "engine", ENGINE.size, 0);
    this.arena.u32[engine + fieldWord(ENGINE.fields.handOver)] = HAND_OVER.inline;
    this.control = new Control(
      {
        arena: watchStores(this.arena, () => this.#beforeStore()),
        timing: TIMING,
        ...options.suites,
        listenPort: 1,
        fwmark: 0,
        keyFixed: false,
      },
      {
        ...world,
        send: (datagram, to, local) => this.#alive && world.send(datagram, to, local),
        signal: (thread) => {
          if (this.#alive) this.#ios[thread]!.wake();
        },
        wakeAt: (dueMs) => this.#wakeAt(dueMs),
      },
    );
    this.#attach();
    const keeper: Keeper = {
      ...options,
      arena: this.arena,
      alive: () => this.#alive,
      attach: () => this.#attach(),
      after: (delayMs, act) => options.after(delayMs, () => this.#alive && act()),
      onBell: () => this.#onBell(),
    };
    this.#ios = Array.from({ length: ioThreads }, (_, thread) => new IoActor(keeper, thread));
  }

  /** Control is about to store something: an I/O thread may have a turn before it does. */
  #beforeStore(): void {
    if (this.#storesLeft-- > 0) return;
    const { random, count, onError } = this.#options;
    this.#storesLeft = random.below(2 * STORES_A_TURN);
    if (!this.#alive || this.#ios.length === 0 || this.#isWritingEndpoint()) return;
    count("turns between two stores");
    try {
      random.pick(this.#ios).cutIn();
    } catch (error) {
      onError(error);
    }
  }

  /** I/O threads wait for that (io_way.c), and here control goes on only after their turn. */
  #isWritingEndpoint(): boolean {
    const { u32, layout } = this.arena;
    for (let peer = 0; peer < layout.count.peers; peer++) {
      if (u32[peerWord(this.arena, peer) + PEER_FIELD.endpointLock]! & 1) return true;
    }
    return false;
  }

  /** The configuration, then the interface goes up. */
  async begin(change: Change): Promise<void> {
    await this.control.apply(change);
    await this.control.setUp(true);
  }

  /** A stop zeroes keys; a crash does nothing any more. */
  end(crash: boolean): void {
    if (!crash) this.control.stop();
    this.#alive = false;
    for (const io of this.#ios) io.close();
  }

  /** A frame was written to the TUN device; `queue` is any number. */
  takeFrame(frame: Buffer, queue: number): void {
    this.#ios[queue % this.#ios.length]!.takeFrame(frame);
  }

  /** As the kernel's program sorts them (wire/bpf.ts), or as behind data, by way of I/O. */
  takeDatagram(datagram: Buffer, path: Path): void {
    const { random } = this.#options;
    const data = datagram.length >= 8 && DATA.includes(datagram.readUInt32LE(0));
    if (data || random.chance(0.05)) {
      const index = data ? datagram.readUInt32LE(4) : random.below(8);
      this.#ios[(index & 7) % this.#ios.length]!.takeDatagram(datagram, path);
      this.#options.after(PASSED_MS, () => this.#alive && this.#receivePassed());
      return;
    }
    this.#later(3, () => this.#receive(datagram, path.address));
  }

  /** One that comes out of the tunnel itself, to the port. */
  takeInside(datagram: Buffer, path: Path): void {
    const data = datagram.length >= 8 && DATA.includes(datagram.readUInt32LE(0));
    if (data) {
      const owner = (datagram.readUInt32LE(4) & 7) % this.#ios.length;
      this.#ios[owner]!.takeInside(datagram, path);
      return;
    }
    const local = makeSockaddr(path.family === 4 ? new Uint8Array(4) : new Uint8Array(16), 0);
    new DataView(local.buffer).setUint32(path.family === 4 ? 8 : 24, LOOPBACK_INDEX, true);
    setTunIndex(this.arena, LOOPBACK_INDEX);
    this.control.receive(datagram, path.address, local);
    setTunIndex(this.arena, 0);
  }

  #receive(datagram: Uint8Array, from: Uint8Array): void {
    this.control.receive(datagram, from, new Uint8Array(0));
  }

  /** What I/O threads handed on, as control/datagrams.ts takes it. */
  #receivePassed(): void {
    const bytes = new Uint8Array(32 * 2_048);
    const meta = new Uint8Array(32 * 64);
    const got = addon.datagramReceive(this.#options.place.passOn[1], bytes, meta);
    for (let i = 0; i < got; i++) {
      const length = meta[64 * i]! | (meta[64 * i + 1]! << 8);
      takePassed(bytes.subarray(i * 2_048, i * 2_048 + length), this.control);
    }
  }

  /** Control wakes a moment later: for events, and for what was handed on. */
  #onBell(): void {
    if (!this.#heard) return;
    this.#heard = false;
    this.#later(3, () => {
      this.#heard = true;
      this.control.hear();
    });
  }

  #later(spreadMs: number, act: () => void): void {
    const delayMs = this.#options.random.fraction() * spreadMs;
    this.#options.after(delayMs, () => this.#alive && act());
  }

  /** As control/main.ts: the delay is known when it is set, and a suspend adds to it. */
  #wakeAt(dueMs: number): void {
    const alarm = ++this.#alarm;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(1, Math.ceil(dueMs - this.#options.bootMs()));
    this.#options.alarm(delayMs, () => {
      if (this.#alive && alarm === this.#alarm) this.control.tick();
    });
  }

  #attach(): void {
    if (attached === this.arena) return;
    attached = this.arena;
    addon.attach(this.arena.u8, this.#tables.bases, this.#tables.counts);
  }

  // -------------------------------------------------------------------------------------------
  // Looking into it

  /** The key that sealed a data message to one of these peers. */
  keyOf(datagram: Buffer, publicKeys: readonly Uint8Array[]): string {
    const { u32, u8, layout } = this.arena;
    const peers = publicKeys.map((key) => this.control.roster.find(key)?.entry);
    for (let session = 0; session < layout.count.sessions; session++) {
      const word = sessionWord(this.arena, session);
      if ((u32[word]! & 1) === 0 || !peers.includes(u32[word + SESSION_FIELD.peer])) continue;
      if (u32[word + SESSION_FIELD.remoteIndex] !== datagram.readUInt32LE(4)) continue;
      const key = word * 4 + SESSION.fields.sendKey.at;
      return Buffer.from(u8.subarray(key, key + 16)).toString("hex");
    }
    throw new Violation(`no session of ours sealed ${datagram.toString("hex", 0, 16)}`);
  }

  get sessionsInUse(): number {
    const { u32, layout } = this.arena;
    let inUse = 0;
    for (let session = 0; session < layout.count.sessions; session++) {
      if (u32[sessionWord(this.arena, session)]! & 1) inUse++;
    }
    return inUse;
  }

  counts(): Record<string, number> {
    const { counters, drops } = sumCounters(this.arena, 0, controlBlock(this.arena) + 1);
    return { ...counters, ...drops };
  }

  /** Slots that were not free when each I/O thread last ended a turn. */
  slotsHeld(): number {
    let held = 0;
    for (let thread = 0; thread < this.arena.limits.ioThreads; thread++) {
      const io = wordOf(this.arena, "ios", IO.size, thread);
      held += SLOTS_PER_IO - this.arena.u32[io + fieldWord(IO.fields.freeSlots)]!;
    }
    return held;
  }

  /** What is left of sessions that have ended, when all have: words that say what. */
  leftovers(): string[] {
    const { buffer, u32, layout, limits } = this.arena;
    const found: string[] = [];
    if (this.slotsHeld() > 0) found.push(`${this.slotsHeld()} slots`);
    if (this.sessionsInUse > 0) found.push(`${this.sessionsInUse} sessions`);
    for (let session = 0; session < layout.count.sessions; session++) {
      const start = sessionWord(this.arena, session) * 4 + 4;
      const held = Buffer.from(buffer, start, SESSION.size - 4);
      if (!held.equals(ZEROES.subarray(0, held.length))) found.push(`bytes of session ${session}`);
    }
    const indices = Buffer.from(
      buffer,
      layout.base.receiverIndices,
      4 * layout.count.receiverIndices,
    );
    if (!indices.equals(ZEROES)) found.push("receiver indices");
    for (let thread = 0; thread < limits.ioThreads; thread++) {
      const io = wordOf(this.arena, "ios", IO.size, thread);
      const head = u32[io + fieldWord(IO.fields.head)]!;
      const pending = (u32[io + fieldWord(IO.fields.tail)]! - head) | 0;
      if (pending > 0) found.push(`${pending} jobs of thread ${thread}`);
    }
    for (let peer = 0; peer < layout.count.peers; peer++) {
      const word = wordOf(this.arena, "peers", PEER.size, peer);
      if (u32[word + fieldWord(PEER.fields.current)] !== 0) found.push(`peer ${peer}'s session`);
    }
    return found;
  }
}
