/**
 * changes — a running engine becomes what it is asked to be: keys, port, peers, prefixes.
 *
 *     check, make room, port, MTU     may fail: then nothing has changed
 *     mark, key, peers, prefixes      cannot
 *
 * Changes are made one after the other, each whole or not at all. Thread: control.
 */
import { shortKey } from "../log.ts";
import type { Change, PeerChange } from "../schema/change.ts";
import { changeWords } from "../schema/change-words.ts";
import { EngineError } from "../schema/errors.ts";
import { sameKey } from "../schema/identity.ts";
import { staticKeys } from "./handshake/noise.ts";
import type { Self } from "./handshake/self.ts";
import { PeerChanges, type PeerChangesOptions, type Sayer } from "./peer-changes.ts";
import type { Peer } from "./peers/peer.ts";
import { CookieChecker } from "./strangers/cookie.ts";
import { Limiter } from "./strangers/limiter.ts";
import { Load } from "./strangers/load.ts";
import type { World } from "./world.ts";

/** A change waits for entries of removed peers: milliseconds; in all this often and long. */
const ROOM_TRIES = 100;
const ROOM_MS = 20;
/** Tuning: settings and peers of one change that a line tells; the rest by number. */
const SHOWN_WORDS = 8;
/** Tuning: an initiation within 20 ms of the one before is taken for the same flood. */
const AGAIN_MS = 50;

export interface ChangesOptions extends Omit<PeerChangesOptions, "self"> {
  readonly world: World;
  readonly listenPort: number;
  /** The port that was asked for, where it is another. */
  readonly wantedPort?: number;
  readonly fwmark: number;
  /** The tunnel's, now. Units: bytes. */
  readonly mtu: () => number;
  /** The key comes from an ed25519 identity: no other may be set (security.md 32). */
  readonly keyFixed: boolean;
}

export class Changes {
  readonly #options: ChangesOptions;
  readonly #peers: PeerChanges;
  /** A change waits, having been checked: what it found has to stay so. */
  #waiting = false;
  #self: Self | null = null;
  #listenPort: number;
  /** The port that was asked for; 0: the kernel chose. */
  #wantedPort: number;
  #fwmark: number;
  /** The port was not to be had when the interface was set up. */
  #deaf = false;
  #open = false;
  /** The port was taken or left in this turn, or that was tried. */
  #moved = false;
  /** There was a change. */
  #begun = false;
  #last: Promise<void> = Promise.resolve();

  constructor(options: ChangesOptions) {
    this.#options = options;
    this.#peers = new PeerChanges({ ...options, self: () => this.#self?.keys.publicKey ?? null });
    this.#listenPort = options.listenPort;
    this.#wantedPort = options.wantedPort ?? options.listenPort;
    this.#fwmark = options.fwmark;
  }

  /** Our keys; null: there is no private key. */
  get self(): Self | null {
    return this.#self;
  }

  get listenPort(): number {
    return this.#listenPort;
  }

  /** The port that was asked for; 0: the kernel chose `listenPort`. */
  get wantedPort(): number {
    return this.#wantedPort;
  }

  get fwmark(): number {
    return this.#fwmark;
  }

  /** The interface is up, and the port is ours and stays the same: answers come to it. */
  get open(): boolean {
    return this.#open;
  }

  /**
   * What a file says, a command, or `wg`. Errors: EngineError LIMIT, KEY_FIXED, NETWORK_PEER,
   * PORT_TAKEN, SOCKET_FAILED, TUN_FAILED.
   */
  apply(change: Change, by: Sayer): Promise<void> {
    return this.#inTurn(async () => {
      this.#waiting = true;
      try {
        await this.#apply(this.#peers.allowed(change, by), by);
      } finally {
        this.#waiting = false;
        this.#peers.catchUp();
      }
    });
  }

  /** A change waits: nobody is admitted meanwhile. */
  get busy(): boolean {
    return this.#waiting;
  }

  /** A peer of the network comes; null: not now, or never (peer-changes.ts). */
  admit(change: PeerChange): Peer | null {
    return this.#waiting ? null : this.#peers.admit(change);
  }

  /** It changes, at the latest when a change that waits is done; false: never. */
  amend(peer: Peer, change: PeerChange): boolean {
    return this.#waiting ? this.#peers.amendLater(peer, change) : this.#peers.amend(peer, change);
  }

  /** It goes, at once. False: it is no peer of the network. */
  dismiss(peer: Peer): boolean {
    return this.#peers.dismiss(peer);
  }

  /** I/O threads have what was gathered. Returns when to call again; infinity: no need. */
  published(): number {
    return this.#peers.published();
  }

  /** Takes the port again (up), or leaves it (down). Errors: EngineError PORT_TAKEN. */
  listen(up: boolean): Promise<void> {
    return this.#inTurn(async () => {
      this.#deaf = up;
      const port = await this.#take(up ? this.#listenPort : null, up);
      this.#deaf = false;
      if (up) this.#listenPort = port;
    });
  }

  /** Takes all peers and keys away. */
  end(): void {
    for (const peer of [...this.#options.roster.peers()]) this.#peers.remove(peer);
    this.#wipeSelf();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work).finally(() => this.#followPort());
    this.#last = done.catch(() => {});
    return done;
  }

  /** Handshakes begin that are wanted since the port is there, or were lost with the former one. */
  #followPort(): void {
    if (!this.#moved) return;
    this.#moved = false;
    const { roster, hands, world } = this.#options;
    for (const peer of roster.peers()) hands.again(peer, world.bootMs() + AGAIN_MS);
    hands.settle(true);
  }

  async #apply(change: Change, by: Sayer): Promise<void> {
    const { world, roster, keyFixed } = this.#options;
    const { privateKey, listenPort, fwmark, mtu } = change;
    if (privateKey !== undefined && keyFixed && this.#self !== null) {
      if (!sameKey(privateKey, this.#self.keys.privateKey)) throw new EngineError("KEY_FIXED");
    }
    roster.check(change);
    const words = this.#words(change);
    await this.#makeRoom(change);
    const before = this.#listenPort;
    const wanted = this.#wantedPort;
    if (listenPort !== undefined) await this.#move(listenPort);
    try {
      if (mtu !== undefined) world.setMtu(mtu);
    } catch (error) {
      // The port that was ours a moment ago; should it be gone already, the new one stays.
      await this.#move(before).then(
        () => {
          this.#wantedPort = wanted;
        },
        () => {},
      );
      throw error;
    }
    // From here on nothing fails.
    if (fwmark !== undefined && fwmark !== this.#fwmark) {
      this.#fwmark = fwmark;
      world.setMark(fwmark);
    }
    if (privateKey !== undefined) this.#become(privateKey);
    this.#peers.make(change, by);
    this.#tell(words);
  }

  /** The change with which an engine begins is no news. */
  #words(change: Change): string[] {
    const first = !this.#begun;
    this.#begun = true;
    if (first) return [];
    const { roster, mtu } = this.#options;
    return changeWords(change, {
      privateKey: this.#self?.keys.privateKey ?? null,
      listenPort: this.#listenPort,
      fwmark: this.#fwmark,
      mtu: mtu(),
      peers: roster.size,
      called: shortKey,
      peer: (publicKey) => {
        const peer = roster.find(publicKey);
        return peer && { ...peer, allowedIps: roster.allowed.of(peer) };
      },
    });
  }

  #tell(words: readonly string[]): void {
    if (words.length === 0) return;
    const more = words.length - SHOWN_WORDS;
    const what = words.slice(0, SHOWN_WORDS).join("; ");
    this.#options.world.say("info", "changed", {
      what: more > 0 ? `${what}; and ${more} more` : what,
    });
  }

  /** 0: any port. Errors: EngineError PORT_TAKEN, SOCKET_FAILED; the old port stays then. */
  async #move(listenPort: number): Promise<void> {
    if (listenPort === 0 || listenPort !== this.#listenPort || this.#deaf) {
      this.#listenPort = await this.#take(listenPort, this.#open || this.#deaf);
      this.#deaf = false;
    }
    this.#wantedPort = listenPort;
  }

  /** Returns the port. Errors: EngineError PORT_TAKEN, SOCKET_FAILED; all is as it was then. */
  async #take(port: number | null, opens: boolean): Promise<number> {
    const before = this.#open;
    this.#open = false;
    this.#moved = true;
    try {
      const taken = await this.#options.world.listen(port);
      this.#open = opens;
      return taken;
    } catch (error) {
      this.#open = before;
      throw error;
    }
  }

  /** Errors: EngineError LIMIT, when I/O threads hold the entries of removed peers for too long. */
  async #makeRoom(change: Change): Promise<void> {
    const { roster, hands, world } = this.#options;
    const wanted = roster.entriesFor(change);
    for (let tries = 0; !roster.hasRoom(wanted); tries++) {
      if (tries === ROOM_TRIES) {
        throw new EngineError("LIMIT", { what: "peers", count: roster.limit });
      }
      hands.settle(true);
      if (tries > 0) await world.pause(ROOM_MS);
    }
  }

  /** A new key ends all sessions. Null: no key. */
  #become(privateKey: Uint8Array | null): void {
    const { world, roster, exchange, hands } = this.#options;
    if (sameKey(privateKey, this.#self?.keys.privateKey ?? null)) return;
    for (const peer of roster.peers()) {
      hands.forget(peer);
      exchange.forgetProduct(peer);
    }
    this.#wipeSelf();
    if (privateKey === null) return;
    const keys = staticKeys(Uint8Array.from(privateKey));
    const { mac, randomBytes, sourceHash, isUnknownNeighbour } = world;
    const cookies = new CookieChecker({ publicKey: keys.publicKey, mac, random: randomBytes });
    const limiter = new Limiter(sourceHash);
    const { onLoad } = hands;
    const load = new Load({ checker: cookies, limiter, isUnknownNeighbour, onLoad });
    this.#self = { keys, load, cookies, clock: world.openClock(keys.publicKey) };
    exchange.become(this.#self);
    const twin = roster.find(keys.publicKey);
    if (twin !== undefined) this.#peers.remove(twin);
    for (const peer of roster.peers()) hands.step(peer);
  }

  #wipeSelf(): void {
    this.#options.exchange.become(null);
    this.#self?.keys.privateKey.fill(0);
    this.#self?.cookies.wipe();
    this.#self?.clock.close();
    this.#self = null;
  }
}
