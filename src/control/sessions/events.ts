/**
 * events — what I/O threads tell control: somebody wants a session, uses one for the first time,
 * speaks from another address, or is sent what the link does not take; or a packet goes to nobody.
 */
import type { Counters } from "../../memory/counters.ts";
import { COUNT, EVENT } from "../../memory/layout.ts";
import type { PeerEntries } from "../../memory/peers.ts";
import { Consumer } from "../../memory/queue.ts";
import type { Arena } from "../../memory/region.ts";
import { sameSockaddr, sockaddrFamily } from "../../wire/sockaddr.ts";
import type { Peer } from "../peers/peer.ts";
import type { Roster } from "../peers/roster.ts";
import type { Endpoints } from "../reach/endpoints.ts";
import type { News } from "./news.ts";
import type { SessionKeeper } from "./sessions.ts";

/** Tuning: of one I/O thread at once; the others have their turn then. */
const EVENTS_A_WAKE = 4_096;

export interface EventsOptions {
  readonly arena: Arena;
  readonly roster: Roster;
  readonly entries: PeerEntries;
  readonly counters: Counters;
  readonly endpoints: Endpoints;
  readonly keeper: SessionKeeper;
  readonly news: News;
  // What follows is control's
  readonly confirmed: (peer: Peer, session: number, generation: number, nowMs: number) => void;
  readonly wanted: (peer: Peer, nowMs: number) => void;
  readonly tooLarge: (peer: Peer, nowMs: number) => void;
  /** A packet's destination leads to nobody. Units: 4 or 16 bytes. */
  readonly unknown: (address: Uint8Array) => void;
}

/** Of words in host order, as jobs have them. */
const innerAddress = (version: number, words: Uint8Array): Uint8Array =>
  Uint8Array.from({ length: version === 4 ? 4 : 16 }, (_, i) => words[(i | 3) - (i & 3)]!);

/** Thread: control. */
export class Events {
  readonly #options: EventsOptions;
  readonly #queues: readonly Consumer[];

  constructor(options: EventsOptions) {
    const { arena } = options;
    this.#options = options;
    const threads = Array.from({ length: arena.limits.ioThreads }, (_, thread) => thread);
    this.#queues = threads.map((thread) => new Consumer(arena, "events", thread));
  }

  /** Takes what waits. */
  hear(nowMs: number): void {
    for (const events of this.#queues) {
      for (let i = 0; i < EVENTS_A_WAKE && events.next(); i++) {
        if (events.kind === EVENT.unknown) {
          this.#options.unknown(innerAddress(events.peer, events.address));
          continue;
        }
        const peer = this.#options.roster.at(events.peer);
        if (peer !== undefined) this.#on(peer, events, nowMs);
      }
    }
  }

  #on(peer: Peer, event: Consumer, nowMs: number): void {
    const { kind, session, generation } = event;
    if (kind === EVENT.confirmed) {
      // Where it is comes first: what waited for the session goes there.
      this.#roamed(peer, event, nowMs);
      this.#options.confirmed(peer, session, generation, nowMs);
    } else if (kind === EVENT.roamed) this.#roamed(peer, event, nowMs);
    else if (kind === EVENT.wanted) this.#options.wanted(peer, nowMs);
    else if (kind === EVENT.tooLarge) this.#options.tooLarge(peer, nowMs);
  }

  #roamed(peer: Peer, event: Consumer, nowMs: number): void {
    const { entries, counters, news, endpoints, keeper } = this.#options;
    const { session, generation, address, local } = event;
    if (sockaddrFamily(address) === 0) return;
    if (!keeper.holds(peer, session, generation)) {
      endpoints.disbelieve(peer);
      return;
    }
    const before = entries.endpoint(peer.entry);
    if (!endpoints.heard(peer, address, local, nowMs)) return;
    // It asks another address of ours, or was nowhere.
    if (sameSockaddr(before, address) || sockaddrFamily(before) === 0) return;
    counters.add(COUNT.roamed, 1);
    news.look(peer, nowMs);
  }
}
