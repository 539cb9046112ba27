/**
 * members-calm — a network of any size under fair weather: it starts, comes together, rests, and
 * somebody is revoked. What it takes and what it costs.
 */
import { Air, type Weather } from "./members-air.ts";
import { SharedDirectory } from "./members-directory.ts";
import { BORN_S, identityOf, listOf, revocationsFile, SharedVerifier } from "./members-fleet.ts";
import { openIndexes } from "./members-index.ts";
import { Ledger, missing, Violation } from "./members-ledger.ts";
import { VirtualNode } from "./members-node.ts";
import type { NodeOptions } from "./members-options.ts";
import { sockaddrOf } from "./members-places.ts";
import type { Stage } from "./members-stage.ts";
import { Time } from "./members-time.ts";
import { Random } from "./random.ts";

export interface CalmOptions {
  readonly nodes: number;
  readonly seed: number;
  /** All have started within this. */
  readonly startMs: number;
  /** How long rest is measured. */
  readonly restMs: number;
  readonly loss: number;
  /** Index nodes, which are all that members know then; else each knows one other. */
  readonly indexes?: number;
  /** Called when all are together. */
  readonly together?: (nodes: readonly VirtualNode[]) => void;
  /** Called each 50 ms of virtual time until then: how many know all, and virtual time. */
  readonly progress?: (know: number, nowMs: number) => void;
}

/** What coming together took. */
export interface Meeting {
  /** From the last start until everybody knows everybody. */
  readonly togetherMs: number;
  /** Bytes in and out of a node until all were together. */
  readonly bytesToJoin: number;
  /** Of this process, so far. */
  readonly cpuMs: number;
}

export interface Calm extends Meeting {
  /** From publication until the last one has cut the revoked. */
  readonly cutMs: number;
  /** Bytes in and out of a node, in a day at rest. */
  readonly bytesADay: number;
  readonly neighbours: number;
  readonly neighboursMost: number;
  /** No answer to who had no channel was longer than what it answered. */
  readonly isModest: boolean;
  readonly counts: ReadonlyMap<string, number>;
}

const LIMIT_MS = 300_000;
const DAY_MS = 86_400_000;

const WEATHER: Weather = {
  loss: 0,
  duplicates: 0,
  leastMs: 2,
  mostMs: 60,
  jitterMs: 4,
};

/** An empty stage. */
export const openStage = (
  seed: number,
  weather: Weather,
  keeps: boolean,
  verifier: SharedVerifier,
) => {
  const time = new Time();
  const random = new Random(seed, 1);
  const counts = new Map<string, number>();
  const count = (what: string, amount: number): void =>
    void counts.set(what, (counts.get(what) ?? 0) + amount);
  const stage: Stage = {
    time,
    air: new Air(time, random, weather),
    ledger: new Ledger(() => time.nowMs),
    verifier,
    directory: new SharedDirectory(time, new Random(seed, 4), count),
    seed,
    count,
    keeps,
    trace: null,
  };
  return { stage, random, counts };
};

const bytesOf = (nodes: readonly VirtualNode[]): number =>
  nodes.reduce((sum, node) => sum + node.bytesIn + node.bytesOut, 0) / nodes.length;

const verifier = new SharedVerifier();

/** All start, and come together. */
const gather = async (options: CalmOptions) => {
  const { nodes: count, seed, startMs, loss, together, progress } = options;
  verifier.clear();
  const opened = openStage(seed, { ...WEATHER, loss }, count <= 200, verifier);
  const { stage, random } = opened;
  const { time, ledger } = stage;
  const cpuBefore = process.cpuUsage();
  const nodes: VirtualNode[] = [];
  const servers = openIndexes(stage, options.indexes ?? 0);
  const indexes = servers.map((server) => server.at(false));
  for (let i = 0; i < count; i++) {
    const identity = identityOf(i);
    ledger.signed(identity, identity.certificate);
    const known = i === 0 ? 1 : random.below(i);
    const bootstrap = indexes.length === 0 ? [sockaddrOf(known)] : [];
    const options: NodeOptions = { bootstrap, indexes };
    const node = new VirtualNode(stage, identity, i, options);
    nodes.push(node);
    time.at(random.between(0, startMs), () => node.start());
  }
  await time.pass(startMs + 1);
  // Who knows all is not looked at again, until the end.
  let at = 0;
  const isTogether = (): boolean => {
    while (at < count && missing(nodes[at]!, nodes) === null) at++;
    progress?.(at, time.nowMs);
    return at === count;
  };
  await time.pass(startMs + LIMIT_MS, isTogether);
  const togetherMs = time.nowMs - startMs;
  for (const node of nodes) {
    const lacks = missing(node, nodes);
    if (lacks !== null) throw new Violation(`${lacks.who.name} ${lacks.why} at ${node.name}`);
  }
  together?.(nodes);
  const cpuMs = (): number => {
    const { user, system } = process.cpuUsage(cpuBefore);
    return (user + system) / 1_000;
  };
  return { ...opened, nodes, servers, togetherMs, bytesToJoin: bytesOf(nodes), cpuMs };
};

/** A network that comes together, and no more. */
export const meet = async (options: CalmOptions): Promise<Meeting> => {
  const { togetherMs, bytesToJoin, cpuMs } = await gather(options);
  return { togetherMs, bytesToJoin, cpuMs: cpuMs() };
};

export const calm = async (options: CalmOptions): Promise<Calm> => {
  const gathered = await gather(options);
  const { stage, random, counts, nodes, servers, togetherMs, bytesToJoin, cpuMs } = gathered;
  const { time } = stage;
  await time.pass(time.nowMs + 120_000);
  const before = bytesOf(nodes);
  const fromMs = time.nowMs;
  await time.pass(fromMs + options.restMs);
  const bytesADay = ((bytesOf(nodes) - before) * DAY_MS) / Math.max(1, options.restMs);
  const cutMs = await revoke(stage, nodes, random);
  const degrees = nodes.map((node) => node.network?.parts.company.links.size ?? 0);
  return {
    togetherMs,
    cutMs,
    bytesADay,
    bytesToJoin,
    neighbours: degrees.reduce((a, b) => a + b, 0) / nodes.length,
    neighboursMost: Math.max(...degrees),
    isModest: servers.every((server) => server.isModest),
    cpuMs: cpuMs(),
    counts,
  };
};

/** Somebody revokes somebody. Returns how long it took until nobody had a session with it. */
const revoke = async (
  stage: Stage,
  nodes: readonly VirtualNode[],
  random: Random,
): Promise<number> => {
  const { time, ledger } = stage;
  const gone = nodes[random.below(nodes.length)]!;
  const publisher = nodes[(nodes.indexOf(gone) + 1) % nodes.length]!;
  const nowS = BORN_S + Math.floor(time.nowMs / 1_000);
  const list = listOf(2, [{ identity: gone.identity, beforeS: nowS }], nowS);
  const others = nodes.filter((node) => node !== gone);
  const fromMs = time.nowMs;
  ledger.revoked(gone.identity, others);
  const published = publisher.network!.publish(revocationsFile(list, publisher.identity));
  if (!published.ok) throw new Violation(`publishing failed: ${published.why}`);
  let at = 0;
  const isCut = (): boolean => {
    while (at < others.length && !others[at]!.isPeer(gone.identity)) at++;
    return at === others.length;
  };
  await time.pass(fromMs + 10_000, isCut, 1);
  const cutMs = time.nowMs - fromMs;
  await time.pass(fromMs + 20_000);
  for (const node of others) {
    if (node.isPeer(gone.identity)) throw new Violation(`${node.name} still has ${gone.name}`);
    if (node.network!.parts.authority.secrets.epoch !== 2) {
      throw new Violation(`${node.name} does not have the new secret`);
    }
  }
  return cutMs;
};
