/**
 * rooms — control's rooms, opened in their order, each with what it needs of those above it.
 *
 *     peers ── reach ── sessions ── handshake
 *         └── strangers      └── frames
 *
 * Thread: control.
 */
import { Counters, controlBlock } from "../memory/counters.ts";
import { COMMAND } from "../memory/layout.ts";
import { PeerEntries } from "../memory/peers.ts";
import type { Arena } from "../memory/region.ts";
import { makeReceiverIndexKey } from "../wire/receiver-index.ts";
import { Frames } from "./frames/frames.ts";
import { Exchange } from "./handshake/exchange.ts";
import { type AesFound, type Cipher, Suites } from "./handshake/suites.ts";
import type { Network } from "./network/network.ts";
import type { Peer } from "./peers/peer.ts";
import { Roster } from "./peers/roster.ts";
import { admitsOutside } from "./reach/admits.ts";
import { Endpoints } from "./reach/endpoints.ts";
import { Commands } from "./sessions/commands.ts";
import { News } from "./sessions/news.ts";
import { SessionKeeper } from "./sessions/sessions.ts";
import type { Timing } from "./sessions/timers.ts";
import type { World } from "./world.ts";

export interface RoomsOptions {
  readonly arena: Arena;
  readonly timing: Timing;
  readonly cipher: Cipher;
  readonly aes: AesFound;
  /** The peer is to be looked at then, at the latest. */
  readonly dueBy: (peer: Peer, dueMs: number) => void;
  /** Null: the host is a member of no network. */
  readonly network: () => Network | null;
}

/** COMMAND to the I/O thread of the peer, and to those that hold packets for it. */
export type TellsPeer = (peer: Peer, kind: number) => void;

export interface Rooms {
  readonly arena: Arena;
  readonly counters: Counters;
  readonly entries: PeerEntries;
  readonly roster: Roster;
  readonly endpoints: Endpoints;
  readonly commands: Commands;
  readonly command: TellsPeer;
  readonly keeper: SessionKeeper;
  readonly news: News;
  readonly suites: Suites;
  readonly exchange: Exchange;
  readonly frames: Frames;
}

/** What all rooms share, and commands to I/O threads. */
const openBase = (arena: Arena, world: World) => {
  const counters = new Counters(arena, controlBlock(arena));
  const entries = new PeerEntries(arena, admitsOutside(world, counters));
  const commands = new Commands(arena, counters, world.signal);
  const command: TellsPeer = (peer, kind) => commands.tell(peer.owner, kind, peer.entry);
  const random32 = (): number => Buffer.from(world.randomBytes(4)).readUInt32LE();
  return { arena, counters, entries, commands, command, random32 };
};

export const openRooms = ({ dueBy, network, ...options }: RoomsOptions, world: World): Rooms => {
  const { arena, timing, cipher, aes } = options;
  const base = openBase(arena, world);
  const { entries, command } = base;
  const roster = new Roster({ arena, entries });
  const keeper: SessionKeeper = new SessionKeeper({
    ...base,
    receiverIndexKey: makeReceiverIndexKey(world.randomBytes(8)),
    timing,
    random: world.random,
    // Something authentic came on a session that we answered.
    confirmed: (peer, nowMs) => {
      const held = keeper.of(peer);
      held.timers.handshakeDone(nowMs);
      suites.used(peer, nowMs);
      held.lastHandshakeUnixMs = world.unixMs();
      command(peer, COMMAND.release);
    },
  });
  const endpoints = new Endpoints({
    world,
    entries,
    askEveryMs: timing.askEveryMs,
    calledMs: (peer, nowMs) => keeper.of(peer).timers.attemptedMs(nowMs),
    calling: (peer, to) => network()?.calling(peer, to) ?? null,
    onKnown: (peer) => {
      if (keeper.of(peer).timers.attempting) exchange.initiate(peer, world.bootMs());
    },
  });
  const suites: Suites = new Suites({
    cipher,
    aes,
    sessionOf: (peer) => keeper.of(peer).current,
    renewAt: (peer, dueMs) => {
      keeper.of(peer).timers.renewAt(dueMs);
      dueBy(peer, dueMs);
    },
  });
  const news = new News(entries, keeper, world.say);
  const exchange: Exchange = new Exchange({
    ...base,
    mac: world.mac,
    suites,
    keeper,
    endpoints,
    find: (publicKey) =>
      roster.find(publicKey) ?? (network()?.expects(publicKey) ? "expected" : undefined),
    admit: (publicKey) => (network()?.findPeer(publicKey) ?? undefined) as Peer | undefined,
    seed: () => world.randomBytes(32),
    unixMs: world.unixMs,
    send: world.send,
    logKeys: world.logKeys,
    tell: (peer, text) => news.handshake(peer, text),
  });
  const frames = new Frames({
    ...base,
    keeper,
    suites,
    say: world.say,
    rooms: {
      network: (peer, { type, body }) => {
        network()?.frame(peer, type, body);
        return null;
      },
    },
  });
  return { ...base, roster, endpoints, keeper, news, suites, exchange, frames };
};
