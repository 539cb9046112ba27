/**
 * actions — what is done when a peer's timers say so. Thread: control.
 */
import { COMMAND } from "../memory/layout.ts";
import type { Exchange } from "./handshake/exchange.ts";
import type { Suites } from "./handshake/suites.ts";
import type { Peer } from "./peers/peer.ts";
import type { Endpoints } from "./reach/endpoints.ts";
import type { SessionKeeper } from "./sessions/sessions.ts";
import type { Action } from "./sessions/timers.ts";

/** Those who do it. */
export interface Doers {
  readonly endpoints: Endpoints;
  readonly exchange: Exchange;
  readonly keeper: SessionKeeper;
  readonly suites: Suites;
  /** COMMAND to the I/O thread of the peer. */
  readonly command: (peer: Peer, kind: number) => void;
}

export const act = (doers: Doers, peer: Peer, action: Action, nowMs: number): void => {
  const { endpoints, exchange, keeper, suites, command } = doers;
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
};
