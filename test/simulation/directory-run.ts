/**
 * directory-run — what the directory takes: all start within ten seconds and publish; some are
 * looked for; all rest; the first two storers die, and some are looked for again.
 */
import { PairChecker } from "../../src/directory/pairs.ts";
import { Records } from "../../src/directory/records.ts";
import type { DiscoveryStore } from "../../src/directory/store.ts";
import { addressTarget, nodeTarget } from "../../src/directory/targets.ts";
import { TwinDirectory } from "../../src/directory/twin.ts";
import { sameBytes } from "../../src/members/bytes.ts";
import type { Pair } from "../../src/wire/intro.ts";
import { counter, pairOf } from "./directory-fleet.ts";
import type { VirtualTime } from "./directory-time.ts";
import { makeWorld, type World, type WorldOptions } from "./directory-world.ts";
import { addressOf, DEFINITION, identityOf } from "./members-fleet.ts";

const START_MS = 10_000;
const REST_MS = 600_000;
const GETS = 300;
const GETS_AFTER = 100;

/** Units: milliseconds, bytes. */
export interface Measured {
  readonly nodes: number;
  readonly storers: number;
  /** From the last start until the last record is stored. */
  readonly convergeMs: number;
  readonly putMs: readonly number[];
  readonly getMs: readonly number[];
  readonly found: number;
  readonly asked: number;
  /** With the first two storers dead. */
  readonly afterMs: readonly number[];
  readonly afterFound: number;
  readonly afterAsked: number;
  /** While all publish, and at rest: bytes a second, sent and received, median and most. */
  readonly publishBytes: { readonly member: number; readonly storer: number };
  readonly restBytes: { readonly member: number; readonly storer: number };
  readonly bytesANode: number;
  readonly cpuMsAPut: number;
  readonly cpuMsAGet: number;
  /** All that every node counted that nobody should: 0. */
  readonly wrong: number;
}

const WRONG = ["malformed", "commandRefused", "failed", "tooLong", "pairInvalid"] as const;

const memory = (): number => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

interface Stage {
  readonly time: VirtualTime;
  readonly world: World;
  /** By number of the node. */
  readonly stores: readonly DiscoveryStore[];
  readonly pairs: readonly Pair[];
}

/** All start and publish. */
const publish = async (stage: Stage, begin: (number: number) => void) => {
  const { time, world, stores, pairs } = stage;
  const putMs: number[] = [];
  let lastMs = 0;
  const all = stores.map((store, i) => {
    const startMs = world.random.between(0, START_MS);
    lastMs = Math.max(lastMs, startMs);
    return new Promise<void>((resolve) => {
      time.timer.after(startMs, () => {
        begin(i);
        const beganMs = time.nowMs;
        void store.put(pairs[i]!).then((storers) => {
          if (storers > 0) putMs.push(time.nowMs - beganMs);
          resolve();
        });
      });
    });
  });
  await time.until(Promise.all(all));
  return { putMs, convergeMs: time.nowMs - lastMs };
};

/** Some are looked for, one after the other, half of them by address. */
const look = async ({ time, world, stores, pairs }: Stage, times: number, from: number) => {
  const ms: number[] = [];
  let found = 0;
  for (let i = 0; i < times; i++) {
    const wanted = world.random.below(stores.length);
    const { networkId } = DEFINITION;
    const { target } =
      i % 2 === 0
        ? nodeTarget(networkId, identityOf(wanted).signing.publicKey)
        : addressTarget(networkId, addressOf(wanted));
    const asking = from + world.random.below(stores.length - from);
    const beganMs = time.nowMs;
    const pair = await time.until(stores[asking]!.get(target));
    ms.push(time.nowMs - beganMs);
    if (pair !== null && sameBytes(pair.record, pairs[wanted]!.record)) found++;
  }
  return { ms, found };
};

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** Bytes a second since the last time. */
const traffic = ({ nodes }: World, storers: number, ms: number) => {
  const each = nodes.map(({ port }) => {
    const bytes = port.sentBytes + port.gotBytes;
    port.sentBytes = 0;
    port.gotBytes = 0;
    return (bytes * 1_000) / ms;
  });
  return { member: median(each.slice(storers)), storer: median(each.slice(0, storers)) };
};

export const measure = async (time: VirtualTime, options: WorldOptions): Promise<Measured> => {
  const { nodes: count, storers } = options;
  const pairs = Array.from({ length: count }, (_, i) => pairOf(identityOf(i)));
  const before = memory();
  const world = makeWorld(time, options);
  const stores = world.nodes.map(({ store }) => store);
  const stage: Stage = { time, world, stores, pairs };
  for (let i = 0; i < storers; i++) stores[i] && world.nodes[i]!.store.setStorers(world.names);
  const began = cpuMs();
  const put = await publish(stage, (i) => world.nodes[i]!.store.setStorers(world.names));
  const published = cpuMs();
  const publishBytes = traffic(world, storers, time.nowMs);
  const got = await look(stage, GETS, Math.min(storers, count - 1));
  const looked = cpuMs();
  // Who looked has its engine for half a minute more.
  await time.run(60_000);
  traffic(world, storers, 1);
  await time.run(REST_MS);
  const restBytes = traffic(world, storers, REST_MS);
  const bytesANode = (memory() - before) / count;
  for (const { port } of world.nodes.slice(0, 2)) port.isUp = false;
  const after = await look(stage, GETS_AFTER, Math.min(storers, count - 1));
  const wrong = world.nodes.reduce(
    (sum, { counted }) => sum + WRONG.reduce((all, what) => all + (counted.get(what) ?? 0), 0),
    0,
  );
  return {
    nodes: count,
    storers,
    convergeMs: put.convergeMs,
    putMs: put.putMs,
    getMs: got.ms,
    found: got.found,
    asked: GETS,
    afterMs: after.ms,
    afterFound: after.found,
    afterAsked: GETS_AFTER,
    publishBytes,
    restBytes,
    bytesANode,
    cpuMsAPut: (published - began) / count,
    cpuMsAGet: (looked - published) / GETS,
    wrong,
  };
};

/** The same with the twin, whose nodes have no traffic and no storers that could die. */
export const measureTwin = async (time: VirtualTime, options: WorldOptions): Promise<Measured> => {
  const { nodes: count, storers } = options;
  const pairs = Array.from({ length: count }, (_, i) => pairOf(identityOf(i)));
  const world = makeWorld(time, { ...options, nodes: 0 });
  const before = memory();
  const { count: add, counted } = counter();
  const records = new Records({ checker: new PairChecker(world.law), count: add });
  const { timer } = time;
  const shared = { records, timer, count: add, tripMs: world.tripMs, storers: () => storers };
  const directory = new TwinDirectory(shared);
  const stores = Array.from({ length: count }, () => directory.member());
  const stage: Stage = { time, world, stores, pairs };
  const began = cpuMs();
  const put = await publish(stage, () => {});
  const published = cpuMs();
  const got = await look(stage, GETS, 0);
  const looked = cpuMs();
  const bytesANode = (memory() - before) / count;
  return {
    nodes: count,
    storers,
    ...put,
    getMs: got.ms,
    found: got.found,
    asked: GETS,
    afterMs: [],
    afterFound: 0,
    afterAsked: 0,
    publishBytes: { member: 0, storer: 0 },
    restBytes: { member: 0, storer: 0 },
    bytesANode,
    cpuMsAPut: (published - began) / count,
    cpuMsAGet: (looked - published) / GETS,
    wrong: WRONG.reduce((all, what) => all + (counted.get(what) ?? 0), 0),
  };
};
