/**
 * machine — a host in a simulation: keys, clocks, a disk, and one life of the engine after another.
 */
import type { ControlOptions, PeerFacts } from "../../src/control/control.ts";
import { staticKeys } from "../../src/control/handshake/noise.ts";
import type { Peer } from "../../src/control/peers/peer.ts";
import type { World } from "../../src/control/world.ts";
import { addon } from "../../src/io/native/addon.ts";
import type { Change, PeerChange } from "../../src/schema/change.ts";
import { compareTai64n, nextTai64n } from "../../src/wire/tai64n.ts";
import { MTU } from "./io-actor.ts";
import type { Ledger } from "./ledger.ts";
import { Life } from "./life.ts";
import type { Network, Receiver } from "./network.ts";
import { addressOf, type Flow, makeFrame, payloadRoom } from "./packets.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";
import { type Path, PathIndex, type Place } from "./stage.ts";
import { Strangers } from "./strangers.ts";

/** Somewhere in 2025. */
const UNIX_MS = 1_750_000_000_000;
/** Types of cookie replies, of both suites. */
const COOKIES: readonly (number | undefined)[] = [3, 7];
/** A name server answers within this long. */
const RESOLVE_MS = 500;
/** A port is taken, or left, after this long. */
const LISTEN_MS = 2;

export interface MachineOptions {
  readonly id: number;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly network: Network;
  readonly ledger: Ledger;
  readonly place: Place;
  readonly ioThreads: number;
  /** Entries of the peers region. */
  readonly peers: number;
  readonly count: (what: string, amount?: number) => void;
  readonly trace: (text: string) => void;
  /** Something was promised: let it come true before time goes on. */
  readonly onPromise: () => void;
  readonly onError: (error: unknown) => void;
}

/** What is configured of a peer; both ends have to agree on the preshared key. */
export interface PeerSettings {
  presharedKey: Uint8Array | null;
  keepaliveS: number;
}

/** "auto" mostly, on a CPU that mostly has AES. */
const anySuites = (random: Random): Machine["suites"] => {
  const cipher = random.pick(["auto", "auto", "auto", "chacha20poly1305", "aes256gcm"] as const);
  const usable = cipher === "aes256gcm" || random.chance(0.85);
  return { cipher, aes: { usable, faster: usable && random.chance(0.85) } };
};

/** Does a message of one reach the other's ears in some suite that both take? */
export const canSpeak = (one: Machine, other: Machine): boolean => {
  const takes = ({ suites: { cipher, aes } }: Machine): readonly boolean[] => [
    cipher !== "aes256gcm",
    cipher !== "chacha20poly1305" && aes.usable,
  ];
  const [ours, theirs] = [takes(one), takes(other)];
  return ours.some((taken, suite) => taken && theirs[suite]);
};

export class Machine implements Receiver {
  readonly id: number;
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
  /** By peer, also while it is removed. */
  readonly peers = new Map<number, PeerSettings>();
  readonly removed = new Set<number>();
  readonly #options: MachineOptions;
  readonly #paths: PathIndex;
  readonly #strangers = new Strangers();
  #machines: readonly Machine[] = [];
  #life: Life | null = null;
  /** There is a port to send from, and to hear. */
  #open = false;
  /** Until when it sleeps, and since when. */
  #asleep = { fromMs: 0, untilMs: 0 };
  #bootMs: number;
  #bootedMs = 0;
  #unixMs = UNIX_MS;
  /** Its `cipher`, and what its CPU is good for: chosen anew at some restarts. */
  suites: Pick<ControlOptions, "cipher" | "aes">;
  changed = false;
  /** Its disk was lost once. */
  forgot = false;
  /** The greatest timestamp sent, as kept on disk. */
  #sentClock: Uint8Array | null = null;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.id = options.id;
    this.#paths = new PathIndex(options.place);
    this.suites = anySuites(options.random);
    this.privateKey = options.random.bytes(32);
    this.publicKey = staticKeys(Uint8Array.from(this.privateKey)).publicKey;
    this.#bootMs = 1_000 + options.random.below(1e6);
  }

  /** Gets to know all machines, itself among them. */
  meet(machines: readonly Machine[]): void {
    this.#machines = machines;
    for (const { id } of machines) {
      if (id !== this.id) this.peers.set(id, { presharedKey: null, keepaliveS: 0 });
    }
  }

  get life(): Life | null {
    return this.#life;
  }

  /** Has it a session with an engine that said hello? */
  knows(other: Machine): boolean {
    return this.factsOf(other)?.isEngine === true && this.factsOf(other)!.held.current !== null;
  }

  get awake(): boolean {
    return this.#options.schedule.nowMs >= this.#asleep.untilMs;
  }

  // -------------------------------------------------------------------------------------------
  // Clocks

  readonly bootMs = (): number => this.#options.schedule.nowMs - this.#bootedMs + this.#bootMs;

  readonly unixMs = (): number => Math.floor(this.#options.schedule.nowMs + this.#unixMs);

  jumpBoot(byMs: number): void {
    this.#bootMs += byMs;
  }

  jumpUnix(byMs: number): void {
    this.#unixMs += byMs;
  }

  /** Nothing of it runs until then; its boot clock goes on. */
  sleep(forMs: number): void {
    const { nowMs } = this.#options.schedule;
    this.#asleep = { fromMs: nowMs, untilMs: nowMs + forMs };
  }

  /** Does it then, or when the machine is awake again. */
  readonly after = (delayMs: number, act: () => void): void => {
    this.#options.schedule.after(delayMs, () => {
      if (this.awake) act();
      else this.#options.schedule.at(this.#asleep.untilMs, act);
    });
  };

  /** A timer does not count while the machine sleeps. */
  #alarm(delayMs: number, ring: () => void): void {
    const { schedule } = this.#options;
    schedule.after(delayMs, () => {
      const { fromMs, untilMs } = this.#asleep;
      if (this.awake) ring();
      else schedule.at(untilMs + Math.max(0, schedule.nowMs - fromMs), ring);
    });
  }

  // -------------------------------------------------------------------------------------------
  // Lives

  boot(): void {
    const { random, onError, onPromise, trace } = this.#options;
    trace(`${this.id} begins`);
    const life = new Life({
      ...this.#options,
      suites: this.suites,
      after: this.after,
      alarm: (delayMs, ring) => this.#alarm(delayMs, ring),
      bootMs: this.bootMs,
      world: this.#world(random),
      onWritten: (frame) => this.#onWritten(frame),
      onSent: (datagram, path) => this.#onSent(datagram, path),
    });
    this.#life = life;
    this.#open = true;
    onPromise();
    const privateKey = Uint8Array.from(this.privateKey);
    const here = [...this.peers.keys()].filter((peer) => !this.removed.has(peer));
    const peers = here.map((peer) => this.peerChange(peer));
    life.begin({ privateKey, peers }).catch(onError);
  }

  /** Ends the engine. `forgets`: the disk is lost too, and the boot clock begins anew. */
  halt(crash: boolean, forgets: boolean, reboots: boolean): void {
    const life = this.#life;
    if (life === null) return;
    this.#options.trace(`${this.id} ${crash ? "crashes" : "stops"}`);
    for (const [what, amount] of Object.entries(life.counts())) this.#options.count(what, amount);
    life.end(crash);
    this.#life = null;
    if (forgets) {
      this.#sentClock = null;
      this.forgot = true;
    }
    if (!reboots) return;
    this.#bootMs = 1_000;
    this.#bootedMs = this.#options.schedule.nowMs;
  }

  change(change: Change): void {
    if (this.#life === null) return;
    this.#options.onPromise();
    this.#life.control.apply(change).catch(this.#options.onError);
  }

  setUp(up: boolean): void {
    if (this.#life === null) return;
    this.#options.onPromise();
    this.#life.control.setUp(up).catch(this.#options.onError);
  }

  /** Another machine as it is configured, and what is going on with it. */
  peerOf = (other: Machine): Peer | undefined => this.#life?.control.roster.find(other.publicKey);

  factsOf(other: Machine): PeerFacts | undefined {
    const peer = this.peerOf(other);
    return peer && this.#life?.control.facts(peer);
  }

  /** Another setting, or another CPU: the next life has it. */
  changeSuites(): void {
    this.suites = anySuites(this.#options.random);
    this.changed = true;
  }

  /** Up, with every peer as it is configured. */
  mend(): void {
    this.setUp(true);
    this.change({ peers: [...this.peers.keys()].map((peer) => this.peerChange(peer)) });
  }

  stopKeepalives(): void {
    for (const settings of this.peers.values()) settings.keepaliveS = 0;
    this.mend();
  }

  /** A peer as it is configured. */
  peerChange(peer: number): PeerChange {
    const { presharedKey, keepaliveS } = this.peers.get(peer)!;
    return {
      publicKey: this.#machines[peer]!.publicKey,
      presharedKey,
      endpoint: { host: `machine-${peer}`, port: 1 },
      persistentKeepaliveS: keepaliveS,
      replaceAllowedIps: true,
      allowedIps: [
        { version: 4, bytes: addressOf(4, peer), prefixLength: 32 },
        { version: 6, bytes: addressOf(6, peer), prefixLength: 128 },
      ],
    };
  }

  #world(random: Random): ConstructorParameters<typeof Life>[0]["world"] {
    const { network, trace, onPromise } = this.#options;
    const mac: World["mac"] = (key, data) => {
      const out = new Uint8Array(16);
      addon.blake2sMac(out, key, data);
      return out;
    };
    const promise = <Value>(delayMs: number, make: () => Value): Promise<Value> =>
      new Promise((resolve) => {
        this.after(delayMs, () => {
          onPromise();
          resolve(make());
        });
      });
    return {
      bootMs: this.bootMs,
      unixMs: this.unixMs,
      random: random.fraction,
      randomBytes: random.bytes,
      mac,
      sourceHash: (family, high, low) => Math.imul(family ^ high ^ low, 0x9e37_79b1) >>> 0,
      openClock: () => ({
        next: (last) => this.#timestamp(last),
        forget: () => {},
        close: () => {},
      }),
      send: (datagram, to) => this.#sendMessage(datagram, to),
      isUnknownNeighbour: (to) => this.#isStranger(this.#paths.find(to)),
      pause: (ms) => promise(ms, () => undefined),
      resolve: ({ host }) =>
        promise(random.fraction() * RESOLVE_MS, () =>
          random.chance(0.1)
            ? "no answer"
            : network.pathTo(this.id, Number(host.slice("machine-".length))).address,
        ),
      inside: () => false,
      listen: (port) =>
        promise(LISTEN_MS, () => {
          this.#open = port !== null;
          return port ?? 0;
        }),
      setMark: () => {},
      setMtu: () => {},
      onRoutes: () => {},
      logKeys: null,
      say: (_level, text) => trace(`${this.id} says: ${text}`),
    };
  }

  /** Later than all that the disk knows. */
  #timestamp(last: Uint8Array | null): Uint8Array {
    const kept = this.#sentClock;
    const later = last === null || (kept !== null && compareTai64n(kept, last) > 0) ? kept : last;
    this.#sentClock = nextTai64n(later, this.unixMs());
    return this.#sentClock;
  }

  // -------------------------------------------------------------------------------------------
  // Packets and datagrams

  /**
   * Programs of this host send payloads of `bytes` to a machine, as one frame. `owner`: whose inner
   * source address they use.
   */
  write(to: number, bytes: readonly number[], owner: number = this.id): void {
    const { ledger, random, schedule, trace } = this.#options;
    if (this.#life === null || !this.awake) return;
    const version = random.chance(0.5) ? 4 : 6;
    const flow: Flow = {
      version,
      protocol: random.chance(0.5) ? 6 : 17,
      source: addressOf(version, owner),
      destination: addressOf(version, to),
    };
    const room = payloadRoom(flow, MTU);
    const payloads = bytes.map((size) =>
      ledger.write(this.id, to, Math.min(size, room), schedule.nowMs, owner !== this.id),
    );
    trace(`${this.id} writes ${payloads.length} packets to ${to}`);
    this.#life.takeFrame(makeFrame(flow, payloads, random), random.below(8));
  }

  arrive(datagram: Buffer, path: Path): void {
    const hears = this.#life !== null && this.awake && this.#open;
    if (!hears) this.#options.count("arrived at nobody");
    else this.#life!.takeDatagram(datagram, path);
  }

  arriveInside(datagram: Buffer, path: Path): void {
    if (this.#life !== null && this.awake) this.#life.takeInside(datagram, path);
  }

  #onWritten(frame: Buffer): void {
    const { ledger, trace } = this.#options;
    for (const { from, sequence } of ledger.written(this.id, frame)) {
      trace(`${this.id} gets packet ${sequence} of ${from}`);
    }
  }

  #onSent(datagram: Buffer, path: Path): void {
    const { ledger, network } = this.#options;
    const peers = path.peer < this.#machines.length ? [this.#machines[path.peer]!] : this.#machines;
    const key = this.#life!.keyOf(
      datagram,
      peers.map(({ publicKey }) => publicKey),
    );
    ledger.sealed(key, datagram);
    if (this.#open) network.send(path, datagram);
  }

  /** The last place is nobody's. */
  #isStranger(path: Path | undefined): boolean {
    return path?.peer === this.#machines.length;
  }

  #reply(): void {
    try {
      this.#strangers.reply(this.bootMs());
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #sendMessage(datagram: Uint8Array, to: Uint8Array): boolean {
    const path = this.#paths.find(to);
    if (path === undefined) {
      this.#options.onError(new Error("control sent to an address that is nobody's"));
      return false;
    }
    if (!this.#open) {
      this.#options.count("called without a port");
      return false;
    }
    if (this.#isStranger(path) && COOKIES.includes(datagram[0])) this.#reply();
    this.#options.trace(`${this.id} sends message ${datagram[0]} to ${path.peer}`);
    this.#options.network.send(path, Buffer.from(datagram));
    return true;
  }
}
