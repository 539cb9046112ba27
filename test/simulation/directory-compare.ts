/**
 * directory-compare — the directory and its twin do the same, step by step, and what they say is
 * compared: records that are new, old, forged, expired, of somebody revoked; members that are found
 * by key, address and prefix; time that passes.
 */
import { PairChecker } from "../../src/directory/pairs.ts";
import { Records } from "../../src/directory/records.ts";
import {
  addressTarget,
  nodeTarget,
  prefixTarget,
  type Target,
} from "../../src/directory/targets.ts";
import { TwinDirectory } from "../../src/directory/twin.ts";
import type { Pair } from "../../src/wire/intro.ts";
import { counter, pairOf } from "./directory-fleet.ts";
import type { VirtualTime } from "./directory-time.ts";
import { makeWorld, type World, type WorldOptions } from "./directory-world.ts";
import { addressOf, BORN_S, DEFINITION, identityOf, listOf, routeOf } from "./members-fleet.ts";

/** Members that are published and looked for: few, so that they meet again. */
const CAST = 40;

export interface Compared {
  readonly steps: number;
  /** Look-ups that found somebody, and puts that somebody stored. */
  readonly found: number;
  readonly stored: number;
  readonly refused: number;
  /** Where the two differ. */
  readonly different: readonly string[];
  /** The same for the same run. */
  readonly trace: string;
}

/** What somebody publishes, right or wrong. */
const makePut = (
  { random }: World,
  nowMs: number,
): { readonly who: number; readonly pair: Pair } => {
  const who = random.below(CAST);
  const identity = identityOf(who);
  const atMs = nowMs + random.below(1_000);
  const what = random.below(10);
  if (what === 0) return { who, pair: pairOf(identity, { atMs: nowMs + 400_000 }) };
  if (what === 1) {
    return { who, pair: pairOf(identity, { atMs, secretKey: identityOf(CAST).signing.secretKey }) };
  }
  if (what === 2) return { who, pair: pairOf(identity, { atMs: Math.max(0, nowMs - 500_000) }) };
  const expiresS = BORN_S + Math.ceil(nowMs / 1_000) + 200;
  return { who, pair: pairOf(identity, { atMs, ...(what === 3 && { expiresS }) }) };
};

const makeTarget = ({ random }: World): Target => {
  const who = random.below(CAST + 2);
  const { networkId } = DEFINITION;
  const kind = random.below(3);
  if (kind === 0) return nodeTarget(networkId, identityOf(who).signing.publicKey);
  return kind === 1
    ? addressTarget(networkId, addressOf(who))
    : prefixTarget(networkId, routeOf(who));
};

const textOf = (pair: Pair | null): string =>
  pair === null ? "nobody" : Buffer.from(pair.record.subarray(54, 62)).toString("hex");

export const compare = async (
  time: VirtualTime,
  options: WorldOptions & { readonly steps: number },
): Promise<Compared> => {
  const world = makeWorld(time, options);
  const { nodes, random, law } = world;
  for (const { store } of nodes) store.setStorers(world.names);
  const { count } = counter();
  const records = new Records({ checker: new PairChecker(law), count });
  const twins = new TwinDirectory({
    records,
    timer: time.timer,
    count,
    tripMs: () => 1,
    storers: () => options.storers,
  });
  const twin = twins.member();
  await time.run(5_000);
  const different: string[] = [];
  const trace: string[] = [];
  let [found, stored, refused] = [0, 0, 0];
  for (let step = 0; step < options.steps; step++) {
    await time.run(random.below(5_000));
    if (step === options.steps >> 1) {
      const revoked = [1, 2, 3].map((who) => ({ identity: identityOf(who), beforeS: BORN_S }));
      law.currentList = listOf(2, revoked, BORN_S);
    }
    const by = nodes[random.below(nodes.length)]!;
    const said: string[] = [];
    if (random.chance(0.4)) {
      const { pair } = makePut(world, time.nowMs);
      // It takes its way; the other is told at the same moment, so that neither is ahead.
      for (const store of [by.store, twin]) {
        said.push((await time.until(store.put(pair))) > 0 ? "stored" : "refused");
      }
      if (said[0] === "stored") stored++;
      else refused++;
    } else {
      const { target } = makeTarget(world);
      for (const store of [by.store, twin]) said.push(textOf(await time.until(store.get(target))));
      if (said[0] !== "nobody") found++;
    }
    trace.push(`${time.nowMs} ${by.name} ${said[0]}`);
    if (said[0] !== said[1]) different.push(`step ${step}: ${said[0]}, and the twin: ${said[1]}`);
  }
  return { steps: options.steps, found, stored, refused, different, trace: trace.join("\n") };
};
