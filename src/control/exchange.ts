/**
 * exchange — handshake messages in and out: what arrives on control's sockets, what peers need.
 *
 *   datagram ── mac1 ── es ── known peer? ── ss, timestamp ── newer? ── response, next session
 *   response ── ours? ── keys ── current session ── staged packets or a keepalive
 *
 * Everything here comes from strangers until it has authenticated: each step is cheaper than the
 * next, and each refusal is counted. Thread: control.
 */
import type { Counters } from "../memory/counters.ts";
import { COMMAND, COUNT, DROP } from "../memory/layout.ts";
import type { PeerEntries } from "../memory/peers.ts";
import { messageKind, RESPONSE, readU32 } from "../wire/handshake.ts";
import { sockaddrFamily } from "../wire/sockaddr.ts";
import { compareTai64n, nextTai64n } from "../wire/tai64n.ts";
import {
  beginInitiation,
  consumeResponse,
  createInitiation,
  createResponse,
  finishInitiation,
  type Mac,
  type PendingInitiation,
  type ResponderState,
  type StaticKeys,
  wipe,
  wipeKeys,
} from "./noise.ts";
import type { Peer } from "./peer.ts";
import type { SessionKeeper } from "./sessions.ts";

/** Initiations of one peer closer together than this are refused. Source: wireguard-go. */
const INITIATION_EVERY_MS = 20;

/** What exchange needs of the world. */
export interface World {
  readonly local: StaticKeys;
  readonly mac: Mac;
  readonly keeper: SessionKeeper;
  readonly entries: PeerEntries;
  readonly counters: Counters;
  /** 32 random bytes. */
  readonly seed: () => Uint8Array;
  /** Unix time in milliseconds. */
  readonly unixMs: () => number;
  readonly send: (datagram: Uint8Array, to: Uint8Array, local: Uint8Array) => boolean;
  /** COMMAND to the I/O thread that owns the peer. */
  readonly command: (peer: Peer, kind: number) => void;
}

const NO_LOCAL = new Uint8Array(0);

export class Exchange {
  readonly #world: World;
  readonly #byKey = new Map<string, Peer>();
  /** Peers whose initiation is on its way, by its sender index. */
  readonly #bySender = new Map<number, Peer>();

  constructor(world: World) {
    this.#world = world;
  }

  addPeer(peer: Peer): void {
    this.#byKey.set(keyText(peer.config.publicKey), peer);
  }

  /** Sends a fresh initiation; the one before it is forgotten. */
  initiate(peer: Peer, nowMs: number): void {
    const world = this.#world;
    this.#forgetInitiation(peer, nowMs);
    const to = world.entries.endpoint(peer.index);
    if (sockaddrFamily(to) === 0) {
      world.counters.add(DROP.noEndpoint, 1);
      return;
    }
    const senderIndex = world.keeper.reserveIndex(peer.owner);
    if (senderIndex < 0) {
      world.counters.add(DROP.noIndex, 1);
      return;
    }
    peer.lastSentTimestamp = nextTai64n(peer.lastSentTimestamp, world.unixMs());
    const ephemeralSeed = world.seed();
    const { datagram, state } = createInitiation({
      local: world.local,
      remotePublicKey: peer.config.publicKey,
      staticStatic: peer.staticStatic,
      ephemeralSeed,
      senderIndex,
      timestamp: peer.lastSentTimestamp,
      mac: world.mac,
    });
    ephemeralSeed.fill(0);
    peer.initiation = state;
    this.#bySender.set(senderIndex, peer);
    if (world.send(datagram, to, NO_LOCAL)) world.counters.add(COUNT.handshakesInitiated, 1);
  }

  /** Takes one datagram from control's socket. Borrows: `datagram`. */
  receive(datagram: Uint8Array, from: Uint8Array, local: Uint8Array, nowMs: number): void {
    const message = messageKind(datagram);
    if (message === null || message.suite !== 0) {
      this.#world.counters.add(DROP.badType, 1);
    } else if (message.kind === "initiation") {
      this.#initiation(datagram, from, local, nowMs);
    } else if (message.kind === "response") {
      this.#response(datagram, from, nowMs);
    } else {
      this.#world.counters.add(DROP.cookieUnexpected, 1);
    }
  }

  /** Zeroes the state of an initiation that will not be answered any more. */
  forget(peer: Peer, nowMs: number): void {
    this.#forgetInitiation(peer, nowMs);
  }

  #initiation(datagram: Uint8Array, from: Uint8Array, local: Uint8Array, nowMs: number): void {
    const { counters, mac, local: keys } = this.#world;
    const begun = beginInitiation({ local: keys, datagram, mac });
    if (!begun.ok) {
      counters.add(DROP[begun.reason], 1);
      return;
    }
    const peer = this.#byKey.get(keyText(begun.pending.remotePublicKey));
    if (peer === undefined) {
      wipe(begun.pending);
      counters.add(DROP.handshakeUnknownPeer, 1);
      return;
    }
    const state = this.#authenticate(peer, begun.pending, nowMs);
    if (state !== null) this.#respond(peer, state, from, local, nowMs);
  }

  /** The second half of an initiation, and its timestamp. */
  #authenticate(peer: Peer, pending: PendingInitiation, nowMs: number): ResponderState | null {
    const { counters } = this.#world;
    const finished = finishInitiation(pending, peer.staticStatic);
    if (!finished.ok) {
      counters.add(DROP[finished.reason], 1);
      return null;
    }
    const last = peer.lastTimestamp;
    const replayed = last !== null && compareTai64n(finished.timestamp, last) <= 0;
    if (replayed || nowMs - peer.lastInitiationMs < INITIATION_EVERY_MS) {
      counters.add(replayed ? DROP.handshakeReplayed : DROP.handshakeRate, 1);
      wipe(finished.state);
      return null;
    }
    peer.lastTimestamp = finished.timestamp;
    peer.lastInitiationMs = nowMs;
    return finished.state;
  }

  #respond(
    peer: Peer,
    state: ResponderState,
    from: Uint8Array,
    local: Uint8Array,
    nowMs: number,
  ): void {
    const world = this.#world;
    const senderIndex = world.keeper.reserveIndex(peer.owner);
    if (senderIndex < 0) {
      world.counters.add(DROP.noIndex, 1);
      wipe(state);
      return;
    }
    const { remoteIndex } = state;
    const ephemeralSeed = world.seed();
    const { datagram, keys } = createResponse({
      state,
      presharedKey: peer.config.presharedKey,
      ephemeralSeed,
      senderIndex,
      mac: world.mac,
    });
    ephemeralSeed.fill(0);
    const made = world.keeper.create(
      { peer, localIndex: senderIndex, remoteIndex, initiator: false, keys },
      nowMs,
    );
    wipeKeys(keys);
    if (made === null) {
      world.keeper.releaseIndex(senderIndex, nowMs);
      world.counters.add(DROP.noIndex, 1);
      return;
    }
    world.keeper.useAnswered(peer, made, nowMs);
    world.entries.setEndpoint(peer.index, from);
    peer.timers.handshakeReceived(nowMs);
    if (world.send(datagram, from, local)) world.counters.add(COUNT.handshakesAnswered, 1);
  }

  #response(datagram: Uint8Array, from: Uint8Array, nowMs: number): void {
    const world = this.#world;
    const index = readU32(datagram, RESPONSE.fields.receiverIndex);
    const peer = this.#bySender.get(index);
    const state = peer?.initiation ?? null;
    if (peer === undefined || state === null || state.senderIndex !== index) {
      world.counters.add(DROP.handshakeInvalid, 1);
      return;
    }
    const result = consumeResponse({
      local: world.local,
      state,
      presharedKey: peer.config.presharedKey,
      datagram,
      mac: world.mac,
    });
    if (!result.ok) {
      world.counters.add(DROP[result.reason], 1);
      return;
    }
    this.#bySender.delete(index);
    peer.initiation = null;
    const { remoteIndex, keys } = result;
    const made = world.keeper.create(
      { peer, localIndex: index, remoteIndex, initiator: true, keys },
      nowMs,
    );
    wipeKeys(keys);
    if (made === null) {
      world.keeper.releaseIndex(index, nowMs);
      world.counters.add(DROP.noIndex, 1);
      return;
    }
    world.keeper.useInitiated(peer, made, nowMs);
    world.entries.setEndpoint(peer.index, from);
    peer.timers.handshakeDone(nowMs);
    world.command(peer, COMMAND.greet);
  }

  #forgetInitiation(peer: Peer, nowMs: number): void {
    if (peer.initiation === null) return;
    this.#bySender.delete(peer.initiation.senderIndex);
    this.#world.keeper.releaseIndex(peer.initiation.senderIndex, nowMs);
    wipe(peer.initiation);
    peer.initiation = null;
  }
}

const keyText = (key: Uint8Array): string => Buffer.from(key).toString("base64");
