/** directory-world — many nodes of the directory on virtual time: some store, all others ask. */
import type { Weather } from "./directory-fleet.ts";
import { Air, type DirectoryNode, FleetLaw, makeNode, nameOfMember } from "./directory-fleet.ts";
import type { VirtualTime } from "./directory-time.ts";
import { identityOf } from "./members-fleet.ts";
import { Random } from "./random.ts";

export interface WorldOptions {
  readonly nodes: number;
  readonly storers: number;
  readonly seed: number;
  /** Of 1: messages that are lost. */
  readonly loss: number;
}

/** One way, in milliseconds. */
const LEAST_MS = 5;
const MOST_MS = 45;

export interface World {
  readonly law: FleetLaw;
  readonly random: Random;
  /** Storers come first. */
  readonly nodes: readonly DirectoryNode[];
  readonly tripMs: () => number;
  /** All storers, by name. */
  readonly names: readonly string[];
}

export const makeWorld = (time: VirtualTime, options: WorldOptions): World => {
  const { nodes: count, storers, seed, loss } = options;
  const random = new Random(seed, 1);
  const air = new Random(seed, 2);
  const law = new FleetLaw(() => time.nowMs);
  const oneWay = (): number => air.between(LEAST_MS, MOST_MS);
  const weather: Weather = () => (air.chance(loss) ? null : oneWay());
  const between = new Air(time.timer, weather);
  const nodes = Array.from({ length: count }, (_, i) =>
    makeNode(identityOf(i), { isStorer: i < storers, law, timer: time.timer, air: between }),
  );
  const names = nodes.slice(0, storers).map(({ identity }) => nameOfMember(identity));
  return { law, random, nodes, names, tripMs: () => oneWay() + oneWay() };
};
