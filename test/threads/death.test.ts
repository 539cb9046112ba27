/**
 * death — workers that are killed, that hang, or that pause in the middle of a job, before, after
 * and half-way through sealing or opening: nothing is sealed twice, nothing is delivered twice, and
 * nothing but the job that the dead thread held is lost (security.md 1 and 2).
 *
 * Every inbound run is sent twice, so that a window that forgot would show.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { addon } from "../../src/io/native/addon.ts";
import { DROP, ENGINE, JOB_KIND } from "../../src/memory/layout.ts";
import { fieldWord, wordOf } from "../../src/memory/region.ts";
import { WorkerPool } from "../../src/workers/pool.ts";
import { ORDER, STALL, type StallName } from "./orders.ts";
import {
  hasRoom,
  noncesUsedTwice,
  openRoom,
  postOpen,
  postSeal,
  type Room,
  receivedBytes,
  start,
  tick,
  WIRE_BYTES,
} from "./room.ts";

const WORKERS = 2;
const SEGMENTS = 16;
const COUNTERS = 2_000_000;
/** Runs of each round, of each direction. */
const RUNS = 300;
/** How far behind its first sending a run is sent again; far within the replay window. */
const AGAIN = 5;
const ROUND_MS = 20_000;

/** kill: ended at once. hang: found by its stillness, then ended. pause: goes on after 200 ms. */
type Fate = "kill" | "hang" | "pause";

// biome-ignore format: a table
const ROUNDS: readonly (readonly [fate: Fate, kind: "seal" | "open", where: StallName])[] = [
  ["kill", "seal", "before"],
  ["kill", "seal", "half"],
  ["kill", "seal", "after"],
  ["kill", "open", "half"],
  ["hang", "seal", "half"],
  ["hang", "open", "after"],
  ["pause", "seal", "before"],
  ["pause", "seal", "after"],
  ["pause", "open", "before"],
];

const PAUSE_MS = 200;

class Trial {
  readonly room: Room;
  readonly pool: WorkerPool;
  deaths = 0;
  #nextNumber = 0;
  readonly #again: number[] = [];

  constructor() {
    this.room = openRoom(WORKERS, COUNTERS);
    this.pool = new WorkerPool({
      arena: this.room.arena,
      ioWakes: [this.room.wake],
      onDeath: () => {
        this.deaths++;
        addon.eventSignal(this.room.wake);
      },
      filename: new URL(`./stalling${extension}`, import.meta.url).href,
    });
    start(this.room);
  }

  word(name: keyof typeof ORDER): number {
    return this.room.orders.first + ORDER[name];
  }

  /** Posts a run to seal, one to open, and one that was opened already. */
  #post(): void {
    if (hasRoom(this.room)) postSeal(this.room, SEGMENTS);
    if (hasRoom(this.room)) {
      this.#again.push(this.#nextNumber);
      postOpen(this.room, this.#nextNumber, SEGMENTS);
      this.#nextNumber += SEGMENTS;
    }
    if (this.#again.length > AGAIN && hasRoom(this.room)) {
      postOpen(this.room, this.#again.shift()!, SEGMENTS);
    }
  }

  /** Turns of the I/O thread, as io/main.ts has them, until `done` says so. */
  async turns(done: () => boolean, posts: boolean): Promise<void> {
    const { jobs, station } = this.room;
    const deadline = performance.now() + ROUND_MS;
    let reported = 0;
    while (!done()) {
      assert(performance.now() < deadline, "a round did not come to its end");
      if (posts) for (let i = 0; i < 4; i++) this.#post();
      tick(this.room);
      jobs.settle();
      const stuck = jobs.stuckTag();
      if (stuck !== 0 && stuck !== reported) {
        reported = stuck;
        void this.pool.replace(stuck);
      }
      const pending = station.poster.pending() > 0;
      if (pending && station.poster.fallAsleep()) addon.ioPoll(station.io, 2);
      if (pending) station.poster.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async stop(): Promise<void> {
    const { arena, station, wake } = this.room;
    const engine = wordOf(arena, "engine", ENGINE.size, 0);
    Atomics.store(arena.i32, engine + fieldWord(ENGINE.fields.stop), 1);
    await this.pool.stop();
    addon.ioClose(station.io);
    addon.close(wake);
  }
}

/** Lets one worker stall in the middle of a job, and meets it with its fate. */
const round = async (trial: Trial, [fate, kind, where]: (typeof ROUNDS)[number]): Promise<void> => {
  const { room, pool } = trial;
  const { i32 } = room.arena;
  const before = { ...room.tally, deaths: trial.deaths };
  Atomics.store(i32, trial.word("stalledTag"), 0);
  Atomics.store(i32, trial.word("kind"), JOB_KIND[kind]);
  Atomics.store(i32, trial.word("stall"), STALL[where]);
  await trial.turns(() => Atomics.load(i32, trial.word("stalledTag")) !== 0, true);
  const tag = Atomics.load(i32, trial.word("stalledTag"));
  if (fate === "kill") await pool.replace(tag);
  if (fate === "pause") {
    await pause(PAUSE_MS);
    Atomics.add(i32, trial.word("release"), 1);
    Atomics.notify(i32, trial.word("release"));
  }
  const posted = room.tally.posted + 3 * RUNS;
  await trial.turns(() => room.tally.posted >= posted, true);
  await trial.turns(() => room.station.poster.pending() === 0, false);
  const lost = fate === "pause" ? 0 : 1;
  assert.equal(room.tally.abandoned - before.abandoned, lost, `${fate}: jobs given up`);
  assert.equal(trial.deaths - before.deaths, lost, `${fate}: threads that ended`);
};

test("workers killed, hung and paused in the middle of jobs", async (t) => {
  const trial = new Trial();
  const { room } = trial;
  try {
    for (const row of ROUNDS) await round(trial, row);
    const { tally, station } = room;
    const twice = noncesUsedTwice(room);
    const { counters } = station;
    t.diagnostic(`${tally.posted} jobs; workers did ${tally.byWorkers}, this thread ${tally.byIo}`);
    t.diagnostic(`threads that ended: ${trial.deaths}; jobs given up: ${tally.abandoned}`);
    t.diagnostic(`sealed and opened again elsewhere: ${tally.sent} segments`);
    t.diagnostic(`delivered: ${tally.delivered}; replays refused: ${counters.get(DROP.replayed)}`);
    t.diagnostic(`nonces used twice: ${twice}`);
    t.diagnostic(`delivered twice: ${tally.deliveredTwice}`);
    assert.equal(twice, 0);
    assert.equal(tally.deliveredTwice, 0);
    assert.equal(tally.retired + tally.abandoned, tally.posted, "a job was lost");
    assert.equal(tally.delivered, room.deliveredNumbers.size);
    assert.equal(counters.get(DROP.openFailed), 0);
    assert(counters.get(DROP.replayed) > 0, "no replay was tried");
    assert.equal(receivedBytes(room), tally.delivered * WIRE_BYTES);
    assert.equal(station.slots.free, room.arena.layout.count.slots, "a slot was lost");
    assert(tally.byWorkers > 0 && tally.byIo > 0);
  } finally {
    await trial.stop();
  }
});

const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
