/**
 * routes — nanoseconds per look-up and milliseconds per publication of the route table.
 *
 * `npm run bench:routes`; under another Node: `PATH_OF_NODE dist/bench/routes.js`. Medians.
 *
 * Tables are those of prefixes.ts. Addresses lie in the table's prefixes: `rising` in order,
 * `random` not.
 */
import assert from "node:assert";
import { AllowedIps, type Owner } from "../src/control/allowed-ips.ts";
import { SLOT_BYTES } from "../src/memory/layout.ts";
import { type Arena, makeArena, wordOf } from "../src/memory/region.ts";
import { publishRoutes } from "../src/memory/routes.ts";
import type { Cidr } from "../src/wire/cidr.ts";
import { describeMachine } from "./machine.ts";
import { addressIn, makePrefix, randomWord, SHAPES, type Shape, type Version } from "./prefixes.ts";
import { RouteLookup } from "./route-lookup.ts";
import { median } from "./statistics.ts";

const SIZES = [1_000, 10_000, 100_000, 262_144] as const;
/** Look-ups of one round: short, so that few are cut in two when the machine has more to do. */
const ADDRESSES = 65_536;
const ROUNDS = 25;
const REPEATS = 7;
const PEERS = 1_000;

/** Median nanoseconds a look-up. */
const timeOf = (round: () => void): number => {
  const rounds: number[] = [];
  round();
  for (let i = 0; i < ROUNDS; i++) {
    const start = performance.now();
    round();
    rounds.push(((performance.now() - start) * 1e6) / ADDRESSES);
  }
  return median(rounds);
};

interface Times {
  readonly rising: number;
  readonly random: number;
}

const lookUps = (arena: Arena, version: Version, cidrs: readonly Cidr[]): Times => {
  const addresses = Array.from({ length: ADDRESSES }, () =>
    addressIn(cidrs[randomWord() % cidrs.length]!),
  );
  const first = wordOf(arena, "slots", SLOT_BYTES, 0);
  const put = (list: readonly number[][]): void => {
    for (const [i, words] of list.entries()) arena.u32.set(words, first + 4 * i);
  };
  const table = new RouteLookup(arena);
  const results = new Uint8Array(4 * ADDRESSES);
  const round = (): void => table.findAll(version, first, ADDRESSES, results);
  put(addresses);
  const random = timeOf(round);
  assert(results.some((byte) => byte !== 0));
  put(
    addresses.toSorted((a, b) => {
      const i = a.findIndex((word, place) => word !== b[place]);
      return i < 0 ? 0 : a[i]! - b[i]!;
    }),
  );
  return { rising: timeOf(round), random };
};

interface Filled {
  readonly allowed: AllowedIps<Owner>;
  readonly cidrs: readonly Cidr[];
}

const fill = (version: Version, shape: Shape, size: number): Filled => {
  const owners = Array.from({ length: PEERS }, (_, index) => ({ index }));
  const cidrs = Array.from({ length: size }, (_, i) => makePrefix(shape, version, i));
  const allowed = new AllowedIps<Owner>();
  for (const [i, cidr] of cidrs.entries()) allowed.give(owners[i % PEERS]!, cidr);
  return { allowed, cidrs };
};

/** Median milliseconds of some work, done `times` times. */
const millisecondsOf = (times: number, work: () => void): number =>
  median(
    Array.from({ length: times }, () => {
      const start = performance.now();
      work();
      return performance.now() - start;
    }),
  );

const line = (cells: readonly string[]): void => {
  const [name = "", ...rest] = cells;
  process.stdout.write(`${name.padEnd(22)}${rest.map((cell) => cell.padStart(12)).join("")}\n`);
};

const main = (): void => {
  const machine = describeMachine(process.execPath);
  process.stdout.write(`${machine.cpu}, ${machine.cores} cores, node ${machine.node}, `);
  process.stdout.write(`commit ${machine.commit}; medians of ${ROUNDS} rounds\n\n`);
  line(["table", "rising ns", "random ns", "publish ms", "give ms"]);
  for (const version of [4, 6] as const) {
    for (const shape of SHAPES) {
      for (const size of SIZES) {
        const arena = makeArena({ ioThreads: 1, workers: 0, peers: 1, routes: 262_144 });
        const { allowed, cidrs } = fill(version, shape, size);
        const published = millisecondsOf(REPEATS, () => publishRoutes(arena, allowed.entries()));
        const owner = { index: 0 };
        const given = millisecondsOf(REPEATS, () => {
          const fresh = new AllowedIps<Owner>();
          for (const cidr of cidrs) fresh.give(owner, cidr);
        });
        const times = lookUps(arena, version, cidrs);
        line([
          `IPv${version} ${shape} ${size}`,
          ...[times.rising, times.random].map((ns) => ns.toFixed(0)),
          ...[published, given].map((ms) => ms.toFixed(2)),
        ]);
      }
    }
  }
};

main();
