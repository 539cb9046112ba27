/** frames — one table of kinds: size, rate, members only, and the room that takes them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CheckedFrame, Frames } from "../../src/control/frames/frames.ts";
import { Suites } from "../../src/control/handshake/suites.ts";
import type { Peer } from "../../src/control/peers/peer.ts";
import { Roster } from "../../src/control/peers/roster.ts";
import { Commands } from "../../src/control/sessions/commands.ts";
import { SessionKeeper, type SessionRef } from "../../src/control/sessions/sessions.ts";
import { TIMING } from "../../src/control/sessions/timers.ts";
import { Counters, controlBlock } from "../../src/memory/counters.ts";
import type { ArrivedFrame } from "../../src/memory/frames.ts";
import { FramesToSend } from "../../src/memory/frames.ts";
import { COMMAND, COUNT, DROP, type DropName, FRAME_BYTES } from "../../src/memory/layout.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { Consumer } from "../../src/memory/queue.ts";
import { makeArena } from "../../src/memory/region.ts";
import {
  encodeFrame,
  encodeHello,
  FRAME_BODY_BYTES,
  FRAME_HEADER_BYTES,
  FRAME_KINDS,
  type FrameKind,
} from "../../src/wire/frames.ts";
import { makeReceiverIndexKey } from "../../src/wire/receiver-index.ts";

/** As a room of the network might have it; there is none yet. */
const SAMPLE: FrameKind = {
  type: 40,
  least: 8,
  most: FRAME_BODY_BYTES,
  perSecond: 200,
  burst: 64,
  members: true,
  room: "sample",
};
const NOBODYS: FrameKind = { ...SAMPLE, type: 41, members: false, room: "nobody's" };
const SESSION: SessionRef = {
  session: 1,
  generation: 5,
  localIndex: 1,
  bornMs: 0,
  initiator: true,
  suite: 0,
  mtu: 1_420,
};
const HELLO = encodeHello({ heard: true, answer: false, suites: 3, mtu: 1_420 });

/** Control's frames, and one peer with a session. */
const make = () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 2, routes: 1 });
  const entries = new PeerEntries(arena);
  const counters = new Counters(arena, controlBlock(arena));
  const roster = new Roster({ arena, entries });
  const taken: CheckedFrame[] = [];
  const random32 = (): number => 1;
  const keeper = new SessionKeeper({
    arena,
    entries,
    counters,
    receiverIndexKey: makeReceiverIndexKey(new Uint8Array(8)),
    timing: TIMING,
    random: () => 0,
    random32,
    confirmed: () => {},
  });
  const suites = new Suites({
    cipher: "auto",
    aes: { usable: true, faster: true },
    sessionOf: (peer) => keeper.of(peer).current,
    renewAt: () => {},
  });
  const frames = new Frames({
    arena,
    entries,
    counters,
    commands: new Commands(arena, counters, () => {}),
    keeper,
    suites,
    random32,
    say: () => {},
    kinds: [...Object.values(FRAME_KINDS), SAMPLE, NOBODYS],
    rooms: {
      sample: (_peer, frame) => {
        if (frame.body[0] === 255) return "frameInvalid";
        taken.push({ ...frame, body: frame.body.slice() });
        return null;
      },
    },
  });
  const peer = roster.add(new Uint8Array(32).fill(1), "live");
  keeper.of(peer).current = SESSION;
  entries.setCurrent(peer.entry, SESSION.session);
  return { arena, entries, counters, frames, suites, peer, taken };
};

const NOW_MS = 50_000;

const arrived = ({ entry }: Peer, bytes: Uint8Array): ArrivedFrame => {
  const { session, generation } = SESSION;
  return { peer: entry, session, generation, datagramBytes: 1_280, bytes };
};

/** Why a frame was dropped; null: it was taken. */
const fate = (
  { frames, peer, counters }: ReturnType<typeof make>,
  bytes: Uint8Array,
  nowMs = NOW_MS,
): DropName | null => {
  const names = Object.keys(DROP) as DropName[];
  const before = names.map((name) => counters.get(DROP[name]));
  const taken = counters.get(COUNT.framesTaken);
  frames.receive(peer, arrived(peer, bytes), nowMs);
  const dropped = names.filter((name, i) => counters.get(DROP[name]) > before[i]!);
  assert.equal(dropped.length + counters.get(COUNT.framesTaken) - taken, 1, dropped.join());
  return dropped[0] ?? null;
};

const sample = (bytes: number): Uint8Array => encodeFrame(40, new Uint8Array(bytes).fill(bytes));

test("the table: types once each, sizes that a frame can have, rates", () => {
  const kinds = Object.values<FrameKind>(FRAME_KINDS);
  assert.equal(new Set(kinds.map(({ type }) => type)).size, kinds.length);
  for (const { least, most, perSecond, burst } of kinds) {
    assert.ok(least <= most && most <= FRAME_BODY_BYTES);
    assert.ok(perSecond > 0 && burst > 0);
  }
  assert.equal(FRAME_HEADER_BYTES + FRAME_BODY_BYTES, FRAME_BYTES);
  const types = Object.entries<FrameKind>(FRAME_KINDS).map(([name, { type }]) => [name, type]);
  assert.deepEqual(Object.fromEntries(types), {
    hello: 1,
    probe: 2,
    answer: 3,
    digest: 7,
    want: 8,
    record: 9,
    revocations: 11,
    ack: 12,
    definition: 13,
    secret: 14,
    renew: 16,
    renewed: 21,
    echo: 19,
    goodbye: 20,
  });
  const strangers = kinds.filter(({ members }) => !members).map(({ type }) => type);
  assert.deepEqual(strangers, [1, 2, 3], "all others are taken of members alone");
});

test("a kind for members is taken from one, and from nobody else", () => {
  const end = make();
  const { entries, peer, taken } = end;
  assert.equal(fate(end, sample(100)), "frameMembers");
  entries.setFrameBudget(peer.entry, "member");
  assert.equal(fate(end, sample(FRAME_BODY_BYTES)), null);
  assert.equal(taken.length, 1);
  assert.deepEqual(taken[0], {
    type: 40,
    body: new Uint8Array(FRAME_BODY_BYTES).fill(FRAME_BODY_BYTES),
    datagramBytes: 1_280,
  });
  entries.setFrameBudget(peer.entry, "static");
  assert.equal(fate(end, sample(100)), "frameMembers");
});

test("each reason has its counter, and what is refused changes nothing", () => {
  const end = make();
  const { entries, peer } = end;
  entries.setFrameBudget(peer.entry, "member");
  assert.equal(fate(end, sample(7)), "frameInvalid", "shorter than its kind");
  assert.equal(fate(end, encodeFrame(2, new Uint8Array(237))), "frameInvalid", "longer");
  assert.equal(fate(end, encodeFrame(40, new Uint8Array(8).fill(255))), "frameInvalid", "its room");
  assert.equal(fate(end, encodeFrame(77, new Uint8Array(8))), "controlFrame", "no such kind");
  assert.equal(fate(end, encodeFrame(41, new Uint8Array(8))), "controlFrame", "nobody's room");
  assert.equal(fate(end, encodeFrame(1, new Uint8Array(6))), "frameInvalid", "hello, version 0");
  assert.equal(fate(end, Uint8Array.of(0, 1, 7, 0, 1)), "frameInvalid", "cut");
  const stale = { ...arrived(peer, sample(8)), generation: 6 };
  end.frames.receive(peer, stale, NOW_MS);
  end.frames.receive(undefined, stale, NOW_MS);
  assert.equal(end.counters.get(DROP.frameUnexpected), 2);
  assert.equal(end.taken.length, 0);
});

test("each kind has its rate, and one does not use up another's", () => {
  const end = make();
  end.entries.setFrameBudget(end.peer.entry, "member");
  const takenOf = (frame: Uint8Array, times: number, nowMs: number): number =>
    Array.from({ length: times }, () => fate(end, frame, nowMs)).filter((why) => why === null)
      .length;
  assert.equal(takenOf(sample(8), 200, NOW_MS), 64);
  assert.equal(fate(end, sample(8)), "frameRate");
  assert.equal(takenOf(HELLO, 20, NOW_MS), 5);
  assert.equal(takenOf(sample(8), 200, NOW_MS + 100), 20);
  assert.equal(takenOf(HELLO, 20, NOW_MS + 1_000), 1);
});

test("today's hello is the beginning of tomorrow's: the tail is not read", () => {
  for (const tail of [1, 8, 74, 230, FRAME_BODY_BYTES - 6]) {
    const end = make();
    const body = Uint8Array.from([...HELLO.subarray(FRAME_HEADER_BYTES), ...new Uint8Array(tail)]);
    body.fill(0xee, 6);
    assert.equal(fate(end, encodeFrame(FRAME_KINDS.hello.type, body)), null, `${tail} more`);
    assert.equal(end.frames.knows(end.peer), true);
    assert.equal(end.suites.of(end.peer), 3);
  }
});

test("a room says frames to engines alone; without an entry it is told so", () => {
  const end = make();
  const { arena, frames, peer, counters } = end;
  const body = new Uint8Array(FRAME_BODY_BYTES).fill(3);
  assert.equal(frames.say(peer, 40, body), false, "no hello yet");
  assert.equal(fate(end, HELLO), null);
  const commands = new Consumer(arena, "commands", 0);
  while (commands.next());
  assert.equal(frames.say(peer, 40, body), true);
  assert.ok(commands.next());
  assert.deepEqual([commands.kind, commands.peer], [COMMAND.frame, peer.entry]);
  const io = new FramesToSend(arena);
  assert.equal(io.datagramBytes(commands.session), 1_280);
  const at = arena.layout.base.slots;
  io.copy(commands.session, at);
  assert.deepEqual(arena.u8.slice(at, at + FRAME_BYTES), encodeFrame(40, body));
  assert.equal(counters.get(DROP.frameUnsent), 0);
  let more = 0;
  while (frames.say(peer, 40, body)) assert.ok(++more < 1_000);
  assert.equal(counters.get(DROP.frameUnsent), 1);
  assert.throws(() => frames.say(peer, 40, new Uint8Array(FRAME_BODY_BYTES + 1)), RangeError);
});
