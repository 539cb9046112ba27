/**
 * swaps — what packets notice while 100,000 prefixes change hands.
 *
 *   npm run bench:swaps -- [--seconds 4] [--json] [--check]
 *
 * Packets go one by one through an I/O thread (swaps-io.ts) whose routes lead to next-hop groups.
 * Nothing changes; then all prefixes go from one group to another, which fills and publishes a
 * table each time, as fast as readers let it; then the group's active peer changes, which is one
 * store. Told is what one of 10,000 packets exceeds, and the longest: interrupts are in it, of
 * which there are some when nothing changes. `--check`: exit code 1 when the former is a
 * millisecond: a publication that stopped packets would be seen in it.
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
import { describeMachine } from "../test/lab/machine.ts";
import { runMain } from "../test/lab/main.ts";
import { exitCode, type Figure, figureTable } from "./bounds.ts";
import { addressIn, makePrefix } from "./prefixes.ts";
import type { SwapsReport, SwapsTask } from "./swaps-io.ts";

const PREFIXES = 100_000;
const TARGETS = 65_536;
const PEERS = 2;
/** A packet may wait this long. */
const MOST_US = 1_000;
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

/** The thread, and how to end the phase that is on and begin another. */
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
  return async (number: number): Promise<SwapsReport> => {
    const told = once(io, "message");
    phase.fill(number);
    return ((await told) as [SwapsReport])[0];
  };
};

/** All phases, of so many seconds each. */
const measure = async (seconds: number) => {
  const stage = setUp();
  const { arena, groups, hops } = stage;
  const cidrs = Array.from({ length: PREFIXES }, (_, i) => makePrefix("mixed", 4, i));
  const tables = hops.map((entry) => cidrs.map((cidr): RouteEntry => ({ cidr, owner: { entry } })));
  const publisher = new RoutePublisher(arena);
  assert(publisher.publish(tables[0]!));
  const next = start(stage, cidrs);
  const isOn = (): (() => boolean) => {
    const end = performance.now() + 1_000 * seconds;
    return () => performance.now() < end;
  };
  await sleep(1_000 * WARM_S);
  await next(2);
  await sleep(1_000 * seconds);
  const still = await next(3);
  let swaps = 0;
  for (const on = isOn(); on(); ) {
    if (publisher.publish(tables[(swaps + 1) % 2]!)) swaps++;
    else await sleep(POLL_MS);
  }
  const swapped = await next(4);
  let failovers = 0;
  for (const on = isOn(); on(); failovers++) {
    for (const hop of hops) groups.setActive(hop, failovers % PEERS);
    await sleep(FAIL_OVER_MS);
  }
  const failedOver = await next(END);
  for (const { to, lost } of [swapped, failedOver]) assert(lost === 0 && to.every((n) => n > 0));
  return { swaps, failovers, rows: { still, swapped, failedOver } };
};

const rare = (name: string, { rareUs, packets }: SwapsReport): Figure => ({
  name: `${name}: one of 10,000, of ${packets} packets`,
  ...{ value: rareUs, unit: "µs", most: MOST_US },
});

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "4" },
      json: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
    },
  });
  const seconds = Number(values.seconds);
  if (!(seconds >= 1 && seconds <= 60)) throw new LabError("--seconds is a number, 1 to 60.");
  const measured = await measure(seconds);
  const { swaps, failovers, rows } = measured;
  const figures = [
    rare("nothing changes", rows.still),
    rare(`${swaps} publications of ${PREFIXES} prefixes`, rows.swapped),
    rare(`${failovers} failovers`, rows.failedOver),
    ...Object.entries(rows).flatMap(([name, { medianUs, longestUs, pauses }]): Figure[] => [
      { name: `${name}, median`, value: medianUs, unit: "µs" },
      { name: `${name}, longest`, value: longestUs, unit: "µs" },
      { name: `${name}, of a millisecond and more`, value: pauses, unit: "packets" },
    ]),
  ];
  if (values.json) {
    const machine = describeMachine(process.execPath);
    process.stdout.write(`${JSON.stringify({ machine, ...measured }, null, 2)}\n`);
  } else process.stdout.write(`${figureTable(figures)}\n`);
  return exitCode(figures, values.check);
};

void runMain(main);
