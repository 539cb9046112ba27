/**
 * exchange — handshake messages in and out: what arrives on control's sockets, what peers need.
 *
 *   initiation ── mac1 ── load ── es ── known peer? ── ss, timestamp ── newer? ── response
 *   response ── ours? ── mac1 ── load ── keys ── current session ── staged packets or a keepalive
 *   cookie ── answers our last message? ── that message again, once, with mac2
 *
 * Everything here comes from strangers until it has authenticated: each step is cheaper than the
 * next, and each refusal is counted. Thread: control.
 */
import type { Counters } from "../../memory/counters.ts";
import { COMMAND, COUNT, DROP } from "../../memory/layout.ts";
import type { PeerEntries } from "../../memory/peers.ts";
import type { Mac } from "../../noise/mac.ts";
import { CHACHA20_POLY1305, SUITES, type Suite } from "../../noise/transcript.ts";
import { INITIATION, messageKind, RESPONSE, readU32 } from "../../wire/handshake.ts";
import { sockaddrFamily } from "../../wire/sockaddr.ts";
import type { Peer } from "../peers/peer.ts";
import type { Endpoints } from "../reach/endpoints.ts";
import type { SessionKeeper } from "../sessions/sessions.ts";
import type { Verdict } from "../strangers/load.ts";
import { CookiesHeld } from "./cookies-held.ts";
import type { HandshakeSecrets } from "./key-log.ts";
import {
  beginInitiation,
  type ConsumedInitiation,
  consumeResponse,
  createInitiation,
  createResponse,
  finishInitiation,
  type InitiatorState,
  macValid,
  type PendingInitiation,
  type ResponderState,
  staticStatic,
  wipe,
  wipeKeys,
} from "./noise.ts";
import { Remembered } from "./remembered.ts";
import type { Self } from "./self.ts";
import type { Suites } from "./suites.ts";

/** The kernel chooses where it leaves from. */
const NO_LOCAL = new Uint8Array(0);

/** What exchange needs of the rest. */
export interface Surroundings {
  readonly mac: Mac;
  readonly keeper: SessionKeeper;
  readonly suites: Suites;
  readonly endpoints: Endpoints;
  readonly entries: PeerEntries;
  readonly counters: Counters;
  /** The peer with this public key; "expected": a member who is one when it proves itself. */
  readonly find: (publicKey: Uint8Array) => Peer | "expected" | undefined;
  /** An expected one did. Undefined: there is no room. */
  readonly admit: (publicKey: Uint8Array) => Peer | undefined;
  /** 32 random bytes. */
  readonly seed: () => Uint8Array;
  /** Unix time in milliseconds. */
  readonly unixMs: () => number;
  readonly send: (datagram: Uint8Array, to: Uint8Array, local: Uint8Array) => boolean;
  readonly logKeys: ((secrets: HandshakeSecrets) => void) | null;
  /** COMMAND to the I/O threads that it concerns. */
  readonly command: (peer: Peer, kind: number) => void;
  /** A step was taken, for the log. */
  readonly tell: (peer: Peer, text: string) => void;
}

export class Exchange {
  readonly #world: Surroundings;
  readonly #remembered = new Remembered();
  readonly #cookies: CookiesHeld;
  /** Our initiations that wait for an answer. */
  readonly #initiations = new WeakMap<Peer, InitiatorState>();
  #self: Self | null = null;
  /** Peers whose initiation is on its way, by its sender index. */
  readonly #bySender = new Map<number, Peer>();

  constructor(surroundings: Surroundings) {
    this.#world = surroundings;
    this.#cookies = new CookiesHeld(surroundings.mac);
  }

  /** From now on with these keys; null: no handshake is possible. */
  become(self: Self | null): void {
    this.#self = self;
  }

  /** Forgets the peer and all that was under way with it. */
  removePeer(peer: Peer): void {
    this.forget(peer);
    this.#remembered.forget(this.#self, peer);
  }

  /** The product of our static keys: ours will be another. */
  forgetProduct(peer: Peer): void {
    this.#remembered.forgetProduct(peer);
  }

  /** Sends a fresh initiation; the one before it is forgotten. */
  initiate(peer: Peer, nowMs: number): void {
    const world = this.#world;
    const self = this.#self;
    this.#forgetInitiation(peer);
    const product = self === null ? null : this.#remembered.product(self, peer);
    if (self === null || product === null) {
      world.counters.add(DROP.noKey, 1);
      return;
    }
    const to = world.entries.endpoint(peer.entry);
    if (sockaddrFamily(to) === 0) {
      world.counters.add(DROP.noEndpoint, 1);
      return;
    }
    const senderIndex = world.keeper.reserveIndex(peer.owner);
    if (senderIndex < 0) {
      world.counters.add(DROP.noIndex, 1);
      return;
    }
    const timestamp = this.#remembered.nextTimestamp(self, peer, world.unixMs());
    const suite = world.suites.next(peer);
    const ephemeralSeed = world.seed();
    const { datagram, state } = createInitiation({
      suite,
      local: self.keys,
      remotePublicKey: peer.publicKey,
      staticStatic: product,
      ephemeralSeed,
      senderIndex,
      timestamp,
      mac: world.mac,
    });
    this.#logKeys(self, peer, suite, ephemeralSeed);
    ephemeralSeed.fill(0);
    this.#initiations.set(peer, state);
    this.#bySender.set(senderIndex, peer);
    const local = world.entries.local(peer.entry);
    this.#cookies.sign(peer, datagram, to, local, nowMs);
    this.#send(datagram, to, local, COUNT.handshakesInitiated);
    world.tell(peer, "handshake sent");
  }

  /** The initiation that is on its way to the peer goes there, too, as it was. False: none is. */
  callAgain(peer: Peer, to: Uint8Array): boolean {
    const index = this.#initiations.get(peer)?.senderIndex;
    const sent = this.#cookies.last(peer);
    if (index === undefined || sent === null || sent.index !== index) return false;
    return this.#world.send(sent.datagram, to, NO_LOCAL);
  }

  /**
   * Takes one datagram from control's socket. Returns the peer with which a session was made, whose
   * timers have changed. Borrows: `datagram`, `from`, `local`.
   */
  receive(datagram: Uint8Array, from: Uint8Array, local: Uint8Array, nowMs: number): Peer | null {
    const message = messageKind(datagram);
    const { counters, suites } = this.#world;
    if (message === null || !suites.takes(message.suite)) {
      counters.add(message === null ? DROP.badType : DROP.suiteRefused, 1);
      return null;
    }
    const self = this.#self;
    if (self === null) counters.add(DROP.noKey, 1);
    else if (message.kind === "initiation") {
      return this.#initiation(self, SUITES[message.suite], datagram, from, local, nowMs);
    } else if (message.kind === "response") {
      return this.#response(self, datagram, from, local, nowMs);
    } else this.#cookie(datagram, nowMs);
    return null;
  }

  /** Zeroes the state of an initiation that will not be answered any more. */
  forget(peer: Peer): void {
    this.#world.suites.settled(peer);
    this.#forgetInitiation(peer);
    this.#cookies.settle(peer);
  }

  #initiation(
    self: Self,
    suite: Suite,
    datagram: Uint8Array,
    from: Uint8Array,
    local: Uint8Array,
    nowMs: number,
  ): Peer | null {
    const { counters, mac } = this.#world;
    const { keys, load } = self;
    if (!macValid(datagram, INITIATION.fields.mac1, keys.mac1Key, mac)) {
      counters.add(DROP.macInvalid, 1);
      return null;
    }
    const verdict = load.initiation(datagram, from, local, nowMs);
    if (verdict === "cookieAsked") {
      this.#world.send(self.cookies.reply(datagram, from, nowMs), from, local);
    }
    if (!this.#admitted(verdict)) return null;
    const begun = beginInitiation({ suite, local: keys, datagram, mac });
    if (!begun.ok) {
      counters.add(DROP[begun.reason], 1);
      return null;
    }
    const { remotePublicKey } = begun.pending;
    const known = this.#world.find(remotePublicKey);
    if (known === undefined) {
      wipe(begun.pending);
      counters.add(DROP.handshakeUnknownPeer, 1);
      return null;
    }
    const finished = this.#finish(self, known, begun.pending);
    if (finished === null) return null;
    // Anybody can name somebody's key: who becomes a peer has proved that it is its own.
    const peer = known === "expected" ? this.#world.admit(remotePublicKey) : known;
    const refused = peer ? this.#refusal(peer, finished, nowMs) : "handshakeUnknownPeer";
    if (peer === undefined || refused !== null) {
      counters.add(DROP[refused ?? "handshakeUnknownPeer"], 1);
      wipe(finished.state);
      return null;
    }
    return this.#respond(self, peer, finished.state, from, local, nowMs) ? peer : null;
  }

  /** The second half of an initiation: null: its sender does not have the key that it named. */
  #finish(self: Self, known: Peer | "expected", pending: PendingInitiation) {
    const isPeer = known !== "expected";
    const product = isPeer
      ? this.#remembered.product(self, known)
      : staticStatic(self.keys, pending.remotePublicKey);
    const finished = product === null ? null : finishInitiation(pending, product);
    if (!isPeer) product?.fill(0);
    if (finished?.ok) return finished;
    wipe(pending);
    this.#world.counters.add(DROP[finished?.reason ?? "handshakeInvalid"], 1);
    return null;
  }

  #refusal(peer: Peer, { state, timestamp }: ConsumedInitiation, nowMs: number) {
    this.#world.suites.called(peer, state.suite);
    return this.#remembered.refusal(peer, timestamp, nowMs);
  }

  #respond(
    self: Self,
    peer: Peer,
    state: ResponderState,
    from: Uint8Array,
    local: Uint8Array,
    nowMs: number,
  ): boolean {
    const world = this.#world;
    const { keeper } = world;
    const senderIndex = keeper.hasRoom(peer, nowMs) ? keeper.reserveIndex(peer.owner) : -1;
    if (senderIndex < 0) {
      world.counters.add(DROP.noIndex, 1);
      wipe(state);
      return false;
    }
    const { remoteIndex, suite } = state;
    const ephemeralSeed = world.seed();
    const { datagram, keys } = createResponse({
      state,
      presharedKey: peer.presharedKey,
      ephemeralSeed,
      senderIndex,
      mac: world.mac,
    });
    this.#logKeys(self, peer, suite, ephemeralSeed);
    ephemeralSeed.fill(0);
    const made = world.keeper.create(
      { peer, localIndex: senderIndex, remoteIndex, initiator: false, suite: suite.id, keys },
      nowMs,
    );
    wipeKeys(keys);
    if (made === null) {
      world.keeper.releaseIndex(senderIndex);
      world.counters.add(DROP.noIndex, 1);
      return false;
    }
    world.keeper.useAnswered(peer, made, nowMs);
    keeper.of(peer).timers.handshakeReceived(nowMs);
    // It may be a copy: the peer is there when something came in the session (security.md 40).
    this.#cookies.sign(peer, datagram, from, local, nowMs);
    this.#send(datagram, from, local, COUNT.handshakesAnswered);
    world.tell(peer, "handshake answered");
    return true;
  }

  #response(
    self: Self,
    datagram: Uint8Array,
    from: Uint8Array,
    local: Uint8Array,
    nowMs: number,
  ): Peer | null {
    const world = this.#world;
    const index = readU32(datagram, RESPONSE.fields.receiverIndex);
    const peer = this.#bySender.get(index);
    const state = peer && this.#initiations.get(peer);
    if (peer === undefined || state === undefined || state.senderIndex !== index) {
      world.counters.add(DROP.handshakeInvalid, 1);
      return null;
    }
    if (!macValid(datagram, RESPONSE.fields.mac1, self.keys.mac1Key, world.mac)) {
      world.counters.add(DROP.macInvalid, 1);
      return null;
    }
    if (!this.#admitted(self.load.response(datagram, from, nowMs))) return null;
    const result = consumeResponse({
      local: self.keys,
      state,
      presharedKey: peer.presharedKey,
      datagram,
      mac: world.mac,
    });
    if (!result.ok) {
      world.counters.add(DROP[result.reason], 1);
      return null;
    }
    this.#bySender.delete(index);
    this.#initiations.delete(peer);
    this.#cookies.settle(peer);
    const { remoteIndex, keys } = result;
    const { suite } = state;
    const made = world.keeper.create(
      { peer, localIndex: index, remoteIndex, initiator: true, suite: suite.id, keys },
      nowMs,
    );
    wipeKeys(keys);
    if (made === null) {
      world.keeper.releaseIndex(index);
      world.counters.add(DROP.noIndex, 1);
      return null;
    }
    world.counters.add(COUNT.responsesTaken, 1);
    // First where it is: what waits for the session goes there.
    world.endpoints.heard(peer, from, local, nowMs);
    world.keeper.useInitiated(peer, made, nowMs);
    const held = world.keeper.of(peer);
    held.timers.handshakeDone(nowMs);
    world.suites.used(peer, nowMs);
    held.lastHandshakeUnixMs = world.unixMs();
    world.command(peer, COMMAND.greet);
    return peer;
  }

  /** A cookie reply: the message that it answers goes out again, once, with mac2. */
  #cookie(datagram: Uint8Array, nowMs: number): void {
    const world = this.#world;
    const taken = this.#cookies.take(datagram, nowMs);
    if (taken === null) {
      world.counters.add(DROP.cookieUnexpected, 1);
      return;
    }
    const { peer, sent } = taken;
    world.counters.add(COUNT.cookiesTaken, 1);
    world.tell(peer, "cookie taken");
    if (sent.again) return;
    sent.again = true;
    world.send(sent.datagram, sent.to, sent.local);
  }

  #send(datagram: Uint8Array, to: Uint8Array, local: Uint8Array, count: number): void {
    const { send, counters } = this.#world;
    counters.add(send(datagram, to, local) ? count : DROP.sendRefused, 1);
  }

  /** Wireshark reads the handshakes of WireGuard; the secrets of others are nobody's business. */
  #logKeys({ keys }: Self, peer: Peer, suite: Suite, localEphemeralPrivate: Uint8Array): void {
    if (suite !== CHACHA20_POLY1305) return;
    this.#world.logKeys?.({
      localStaticPrivate: keys.privateKey,
      remoteStaticPublic: peer.publicKey,
      localEphemeralPrivate,
      presharedKey: peer.presharedKey,
    });
  }

  /** Counts what load decided; true: look into the message. */
  #admitted(verdict: Verdict): boolean {
    const { counters } = this.#world;
    if (verdict === "pass") return true;
    if (verdict === "passVerified") {
      counters.add(COUNT.handshakesVerified, 1);
      return true;
    }
    counters.add(DROP[verdict], 1);
    return false;
  }

  #forgetInitiation(peer: Peer): void {
    const initiation = this.#initiations.get(peer);
    if (initiation === undefined) return;
    this.#initiations.delete(peer);
    this.#bySender.delete(initiation.senderIndex);
    this.#world.keeper.releaseIndex(initiation.senderIndex);
    wipe(initiation);
  }
}
