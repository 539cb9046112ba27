/**
 * looks — at each peer when it is due: what its timers say is done, and what waits for I/O threads
 * is handed over.
 *
 *     something happened ──▶ step() ──╮
 *     the alarm ──▶ tick() ───────────┴──▶ timers ──▶ act() ──▶ due again at …
 *
 * Nobody walks over all peers: who sleeps costs nothing (due.ts). Thread: control.
 */
import { COMMAND } from "../memory/layout.ts";
import { Alarm } from "./alarm.ts";
import { Due } from "./due.ts";
import type { Peer } from "./peers/peer.ts";
import type { Rooms } from "./rooms.ts";
import type { Action } from "./sessions/timers.ts";
import type { World } from "./world.ts";

/** How often what waits for I/O threads is looked at: entries, routes, commands, frames. */
const SETTLE_MS = 20;

export interface LooksHooks {
  /** The port is ours, and answers come to it. */
  readonly isOpen: () => boolean;
  /** The peer was looked at, or all with it has ended. */
  readonly onLooked: (peer: Peer) => void;
  /** I/O threads have all routes. Returns when to call it again; infinity: no need. */
  readonly onPublished: () => number;
}

export class Looks {
  readonly #rooms: Rooms;
  readonly #alarm: Alarm;
  readonly #due = new Due<Peer>();
  readonly #isOpen: () => boolean;
  readonly #onPublished: () => number;
  readonly #onLooked: (peer: Peer) => void;
  /** The interface is up; while it is down, everybody rests. */
  up = false;

  constructor(rooms: Rooms, world: World, { isOpen, onLooked, onPublished }: LooksHooks) {
    this.#rooms = rooms;
    this.#onPublished = onPublished;
    this.#onLooked = onLooked;
    this.#isOpen = isOpen;
    this.#alarm = new Alarm(world);
  }

  /** Whoever else is due: the alarm rings by then. */
  ringBy(dueMs: number): void {
    this.#alarm.ringBy(dueMs);
  }

  /** The peer is to be looked at then, at the latest. */
  dueBy(peer: Peer, dueMs: number): void {
    this.#due.setBy(peer, dueMs);
    this.#alarm.ringBy(dueMs);
  }

  /** Something happened that its timers have to know. */
  dueAgain(peer: Peer, nowMs: number): void {
    this.dueBy(peer, this.#nextMs(peer, nowMs));
  }

  /** The alarm: steps the peers that are due, then sleeps until the earliest next. */
  tick(nowMs: number): void {
    this.#alarm.rung();
    for (const peer of this.#due.take(nowMs)) this.#look(peer, nowMs);
    this.#alarm.ringBy(this.#due.firstMs);
    this.settle(nowMs);
  }

  step(peer: Peer, nowMs: number): void {
    this.#look(peer, nowMs);
    this.#alarm.ringBy(this.#due.firstMs);
  }

  /** Hands over entries, routes, commands and frames that wait for I/O threads. */
  settle(nowMs: number, atOnce = false): void {
    const { commands, keeper, frames, roster } = this.#rooms;
    const told = commands.flush();
    const waiting = keeper.sweep(nowMs);
    for (const peer of frames.ready()) this.step(peer, nowMs);
    const settled = roster.settle(nowMs, atOnce);
    const againMs = roster.published ? this.#onPublished() : Number.POSITIVE_INFINITY;
    if (againMs !== Number.POSITIVE_INFINITY) this.#alarm.ringBy(againMs);
    if (!settled || waiting || !told || frames.waits) this.#alarm.ringBy(nowMs + SETTLE_MS);
  }

  /** Ends what is under way with a peer, what waits for it included. */
  forget(peer: Peer, nowMs: number): void {
    this.end(peer, nowMs);
    this.#rooms.command(peer, COMMAND.discard);
  }

  /** Ends sessions and handshakes with a peer; it is due no more until something happens. */
  end(peer: Peer, nowMs: number): void {
    const { exchange, keeper, frames, news } = this.#rooms;
    exchange.forget(peer);
    keeper.forget(peer, nowMs);
    frames.forget(peer);
    keeper.rest(peer);
    news.forget(peer);
    this.#due.set(peer, Number.POSITIVE_INFINITY);
    this.#onLooked(peer);
  }

  /** When to look at the peer again. */
  #nextMs(peer: Peer, nowMs: number): number {
    const { keeper, frames } = this.#rooms;
    const { timers } = keeper.of(peer);
    return Math.min(timers.nextDueMs(nowMs), Math.max(nowMs, frames.dueMs(peer)));
  }

  #look(peer: Peer, nowMs: number): void {
    this.#serve(peer, nowMs);
    this.#due.set(peer, this.#nextMs(peer, nowMs));
    this.#onLooked(peer);
  }

  /** Does what is due. */
  #serve(peer: Peer, nowMs: number): void {
    const { keeper, entries, frames, news } = this.#rooms;
    const held = keeper.of(peer);
    // An attempt that is lost before the port is there would be an attempt all the same.
    if (!this.up || !this.#isOpen()) {
      held.timers.rest();
      return;
    }
    keeper.follow(peer, nowMs);
    const { current, timers } = held;
    const session = current === null ? null : keeper.seen(current);
    const persistentKeepaliveMs = peer.persistentKeepaliveS * 1_000;
    const times = entries.times(peer.entry);
    const actions = timers.step({ ...times, session, persistentKeepaliveMs }, nowMs);
    for (const action of actions) this.#act(peer, action, nowMs);
    frames.step(peer, nowMs);
    news.look(peer, nowMs);
  }

  #act(peer: Peer, action: Action, nowMs: number): void {
    const { endpoints, exchange, keeper, suites, command } = this.#rooms;
    switch (action) {
      case "initiate":
        endpoints.ask(peer);
        exchange.initiate(peer, nowMs);
        break;
      case "renew":
        if (!suites.upgrades(peer)) break;
        exchange.initiate(peer, nowMs);
        keeper.of(peer).timers.handshakeSent(nowMs);
        break;
      case "keepalive":
        command(peer, COMMAND.keepalive);
        break;
      case "expire":
        keeper.stopUsing(peer);
        break;
      case "giveUp":
        exchange.forget(peer);
        command(peer, COMMAND.discard);
        endpoints.reset(peer);
        break;
      case "zero":
        exchange.forget(peer);
        keeper.forget(peer, nowMs);
        break;
    }
  }
}
