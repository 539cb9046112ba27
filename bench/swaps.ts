/**
 * swaps — do packets pause while 100,000 prefixes change hands?
 *
 *   npm run bench:swaps -- [--seconds 10] [--json] [--check]
 *
 * Packets go one by one through an I/O thread (swaps-io.ts) whose routes lead to next-hop groups.
 * In turn, five times: nothing changes; a table is filled and published that nobody reads, again
 * and again; all prefixes go from one group to the other and back, as fast as readers let it, which
 * is the same work; and the active peer of both changes each millisecond, which is one store.
 *
 * On a machine that interrupts everybody now and then, some packets take a millisecond in any case.
 * So each of these is held against the stores: did one fall into it? A publication that stopped
 * packets would have such a packet with each; chance puts some there, which is told beside it.
 * `--check`: exit code 1 when more than one in a hundred has.
 */
import assert from "node:assert";
import { once } from "node:events";
import { extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { addon } from "../src/io/native/addon.ts";
import { Groups } from "../src/memory/groups.ts";
import { SUITE } from "../src/memory/layout.ts";
import { writeMtu } from "../src/memory/mtu.ts";
import { PeerEntries } from "../src/memory/peers.ts";
import { makeArena, regionTables, shareOf } from "../src/memory/region.ts";
import { type RouteEntry, RoutePublisher } from "../src/memory/routes.ts";
import { Sessions } from "../src/memory/sessions.ts";
import type { Cidr } from "../src/wire/cidr.ts";
import { LabError } from "../test/lab/lab.ts";
import { runMain } from "../test/lab/main.ts";
import { median } from "../test/lab/statistics.ts";
import { type Figure, TELLING, tell } from "./bounds.ts";
import { addressIn, makePrefix } from "./prefixes.ts";
import type { SwapsReport, SwapsTask } from "./swaps-io.ts";

const PREFIXES = 100_000;
const TARGETS = 65_536;
const PEERS = 2;
const PHASES = ["nothing", "elsewhere", "publications", "failovers"] as const;
const ROUNDS = 5;
/** Of publications, those with a packet of a millisecond in them. */
const MOST_PCT = 1;
/** Before what is measured: V8 compiles. */
const WARM_S = 2;
const FAIL_OVER_MS = 1;
const POLL_MS = 1;
const END = 0;

const setUp = () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: PEERS, routes: PREFIXES });
  const { bases, counts } = regionTables(arena);
  addon.attach(arena.u8, bases, counts);
  writeMtu(arena, 1_420);
  const [sessions, entries, groups] = [
    new Sessions(arena),
    new PeerEntries(arena),
    new Groups(arena),
  ];
  for (let peer = 0; peer < PEERS; peer++) {
    const [session, key] = [sessions.take(), new Uint8Array(32).fill(peer)];
    sessions.fill(session, {
      ...{ peer, localIndex: 8 * (peer + 1), remoteIndex: 8, suite: SUITE.aes256gcm },
      ...{ initiator: true, owner: 0, rejectAtMs: Number.POSITIVE_INFINITY, rejectAt: 2n ** 36n },
      ...{ sendKey: key, receiveKey: key },
    });
    entries.setCurrent(peer, session);
  }
  const hops = [groups.take(), groups.take()] as const;
  for (const [i, hop] of hops.entries()) {
    for (let peer = 0; peer < PEERS; peer++) groups.entitle(hop, peer);
    groups.setActive(hop, i);
  }
  return { arena, groups, hops };
};

type Stage = ReturnType<typeof setUp>;

/** The thread: how to end the phase that is on and begin another, and how to end it. */
const start = ({ arena }: Stage, cidrs: readonly Cidr[]) => {
  const targets = Uint32Array.from(
    { length: TARGETS },
    (_, i) => addressIn(cidrs[(i * 7_919) % PREFIXES]!)[0]!,
  );
  const phase = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  const [wake, controlWake] = [addon.eventOpen(), addon.eventOpen()];
  const workerData: SwapsTask = {
    ...{ share: shareOf(arena), peers: PEERS, targets, wake, controlWake, phase },
  };
  const io = new Worker(new URL(`./swaps-io${extname(import.meta.filename)}`, import.meta.url), {
    workerData,
  });
  const next = async (number: number): Promise<SwapsReport> => {
    const told = once(io, "message");
    phase.fill(number);
    return ((await told) as [SwapsReport])[0];
  };
  const end = async (): Promise<void> => {
    const ended = once(io, "exit");
    phase.fill(END);
    await ended;
  };
  return { next, end };
};

/** What one phase has done, beside what its packets met. */
interface Row extends SwapsReport {
  /** Publications or failovers, and when; boot clock. Units: ms. */
  readonly stores: readonly number[];
  readonly ms: number;
}

type Rows = Record<(typeof PHASES)[number], Row[]>;

/** Does `store` until the time is over; `store` returns whether it did. */
const repeat = async (ms: number, everyMs: number, store: () => boolean): Promise<number[]> => {
  const stores: number[] = [];
  for (const end = addon.bootMs() + ms; addon.bootMs() < end; ) {
    const done = store();
    if (done) stores.push(addon.bootMs());
    if (!done || everyMs > 0) await sleep(Math.max(everyMs, POLL_MS));
  }
  return stores;
};

/** All phases, one after the other, so often; `seconds` in all for each. */
const measure = async (seconds: number): Promise<Rows> => {
  const stage = setUp();
  const { arena, groups, hops } = stage;
  const cidrs = Array.from({ length: PREFIXES }, (_, i) => makePrefix("mixed", 4, i));
  const tables = hops.map((entry) => cidrs.map((cidr): RouteEntry => ({ cidr, owner: { entry } })));
  const [publisher, elsewhere] = [arena, setUp().arena].map((one) => new RoutePublisher(one));
  assert(publisher!.publish(tables[0]!));
  const { next, end } = start(stage, cidrs);
  let turn = 0;
  const publish = (by: RoutePublisher) => () => by.publish(tables[++turn % 2]!);
  const failOver = (): boolean => {
    turn++;
    for (const hop of hops) groups.setActive(hop, turn % PEERS);
    return true;
  };
  const ms = (1_000 * seconds) / ROUNDS;
  const acts = {
    nothing: () => sleep(ms).then(() => []),
    elsewhere: () => repeat(ms, 0, publish(elsewhere!)),
    publications: () => repeat(ms, 0, publish(publisher!)),
    failovers: () => repeat(ms, FAIL_OVER_MS, failOver),
  };
  const rows: Rows = { nothing: [], elsewhere: [], publications: [], failovers: [] };
  await sleep(1_000 * WARM_S);
  await next(2);
  for (let round = 0; round < ROUNDS; round++) {
    for (const phase of PHASES) {
      const began = addon.bootMs();
      const stores = await acts[phase]();
      const report = await next(3 + PHASES.length * round + PHASES.indexOf(phase));
      rows[phase].push({ ...report, stores, ms: addon.bootMs() - began });
    }
  }
  await end();
  for (const { lost } of Object.values(rows).flat()) assert(lost === 0);
  for (const { to } of rows.failovers) assert(to.every((count) => count > 0));
  return rows;
};

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

/** Of a phase's stores, those during which a packet paused, and as many as chance would have. */
const during = (rows: readonly Row[]): { readonly met: number; readonly byChance: number } => {
  const met = rows.flatMap(({ pauses, stores }) =>
    stores.filter((atMs) => pauses.some(([from, to]) => atMs >= from && atMs <= to + POLL_MS)),
  );
  const byChance = rows.map(({ pauses, stores, ms }) => {
    const shares = pauses.map(([from, to]) => (to - from + POLL_MS) / ms);
    return stores.length * sum(shares);
  });
  return { met: met.length, byChance: sum(byChance) };
};

const figuresOf = (phase: keyof Rows, rows: readonly Row[]): Figure[] => {
  const packets = sum(rows.map((row) => row.packets));
  const perMinute = rows.map(({ pauses, ms }) => (60_000 * pauses.length) / ms);
  const stores = sum(rows.map((row) => row.stores.length));
  const { met, byChance } = during(rows);
  const spread = `, a minute (${perMinute.map((one) => one.toFixed(0)).join(", ")})`;
  const name = phase === "elsewhere" ? "publications that nobody reads" : phase;
  const title = stores === 0 ? name : `${stores} ${name}`;
  const pauses = { value: sum(perMinute) / rows.length, unit: "packets" };
  const share = { value: (100 * met) / stores, unit: "%", most: MOST_PCT };
  return [
    { name: `${title}: packets`, value: packets, unit: "packets" },
    { name: `${name}: median`, value: median(rows.map((row) => row.medianUs)), unit: "µs" },
    { name: `${name}: one of 10,000`, value: median(rows.map((row) => row.rareUs)), unit: "µs" },
    { name: `${name}: a millisecond and more${spread}`, ...pauses },
    { name: `${name}: longest`, value: Math.max(...rows.map((r) => r.longestUs)), unit: "µs" },
    ...(phase === "publications" || phase === "failovers"
      ? [
          { name: `${name} with such a packet in them, of all`, ...share },
          { name: `${name}: as many by chance`, value: (100 * byChance) / stores, unit: "%" },
        ]
      : []),
  ];
};

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "10" },
      ...TELLING,
    },
  });
  const seconds = Number(values.seconds);
  if (!(seconds >= 1 && seconds <= 600)) throw new LabError("--seconds is a number, 1 to 600.");
  const rows = await measure(seconds);
  const figures = PHASES.flatMap((phase) => figuresOf(phase, rows[phase]));
  return tell(figures, values, { rows });
};

void runMain(main);
