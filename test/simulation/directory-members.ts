/**
 * directory-members — members that find each other by members that store, and by nothing else: the
 * real network's room in each, real channels, real dht-rpc, on virtual time, with loss.
 *
 *     all know who stores (as gossip would have told them), nobody has a session with anybody
 *     all start and publish ─ some are looked for ─ rest ─ a storer is gone ─ some are looked for ─
 *     it is back, with nothing that it knew ─ some are looked for
 */
import { DhtStore } from "../../src/directory/dht.ts";
import { CERTIFICATE_FLAG } from "../../src/members/certificate.ts";
import type { Pair } from "../../src/wire/intro.ts";
import { pairOf } from "./directory-fleet.ts";
import { Lying } from "./directory-liar.ts";
import type { VirtualTime } from "./directory-time.ts";
import type { WorldOptions } from "./directory-world.ts";
import { Air } from "./members-air.ts";
import { SharedDirectory } from "./members-directory.ts";
import { addressOf, certify, identityOf, SharedVerifier } from "./members-fleet.ts";
import { Ledger } from "./members-ledger.ts";
import { VirtualNode } from "./members-node.ts";
import type { Stage } from "./members-stage.ts";
import { Random } from "./random.ts";

const START_MS = 10_000;
/** Until all have published. */
const PUBLISH_MS = 60_000;
const REST_MS = 600_000;
/** Channels that nobody uses are closed by then. */
const CALM_MS = 300_000;
const GETS = 60;
/** Whom nobody found by then is not found. */
const FOUND_MS = 5_000;
const WEATHER = { duplicates: 0, leastMs: 5, mostMs: 45, jitterMs: 4 };

export interface MembersOptions extends WorldOptions {
  /** Storers that lie: of the others, all that they are offered is stored. */
  readonly liars: number;
}

/** What was looked for, one after the other. Units: milliseconds. */
export interface Looked {
  readonly ms: readonly number[];
  readonly found: number;
  readonly asked: number;
}

/** Units: milliseconds; bytes a second. */
export interface MembersRun {
  readonly nodes: number;
  readonly storers: number;
  readonly liars: number;
  /** Members that each honest storer has. */
  readonly stored: readonly number[];
  readonly first: Looked;
  readonly oneDead: Looked;
  readonly oneBack: Looked;
  /** At rest, of all: the most. */
  readonly restBytes: { readonly member: number; readonly storer: number };
  readonly counts: Readonly<Record<string, number>>;
  /** The same for the same seed. */
  readonly trace: string;
}

/** Nobody has a session with anybody: what members know, gossip has not told them. */
class Quiet extends VirtualNode {
  override readonly call = (): void => {};
}

/** What liars answer: nothing, and records that their node did not sign. */
const lieOf = (number: number): Pair | null =>
  number % 2 === 0
    ? null
    : pairOf(identityOf(number), { secretKey: identityOf(number + 1).signing.secretKey });

interface Scene {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly nodes: readonly VirtualNode[];
  readonly storers: readonly VirtualNode[];
  readonly members: readonly VirtualNode[];
  readonly counts: ReadonlyMap<string, number>;
}

const openScene = (time: VirtualTime, options: MembersOptions): Scene => {
  const { nodes: count, storers, seed, loss, liars } = options;
  const counts = new Map<string, number>();
  const add = (what: string, amount: number): void =>
    void counts.set(what, (counts.get(what) ?? 0) + amount);
  const stage: Stage = {
    time: time.plain,
    air: new Air(time.plain, new Random(seed, 2), { ...WEATHER, loss }),
    ledger: new Ledger(() => time.nowMs),
    verifier: new SharedVerifier(),
    seed,
    // There is no index node: its twin has nothing, and is asked by nobody.
    directory: new SharedDirectory(time.plain, new Random(seed, 4), add),
    count: add,
    keeps: false,
    trace: null,
  };
  const nodes = Array.from({ length: count }, (_, i) => {
    const identity = identityOf(i);
    const flags = i < storers ? CERTIFICATE_FLAG.relay : 0;
    const certificate = certify(identity, { flags });
    stage.ledger.signed(identity, certificate);
    const node = new Quiet(stage, identity, i, { certificate });
    node.openDirectory = (given) => {
      const { records, count: counted } = given;
      const isLiar = i < liars;
      const lying = isLiar
        ? new Lying({ checker: records.checker, count: counted }, lieOf(i))
        : records;
      return new DhtStore({ ...given, records: lying, timer: time.timer });
    };
    return node;
  });
  const [some, rest] = [nodes.slice(0, storers), nodes.slice(storers)];
  return { time, random: new Random(seed, 1), nodes, storers: some, members: rest, counts };
};

/** What gossip would have told: who stores, and where. */
const tell = (node: VirtualNode, storers: readonly VirtualNode[]): void => {
  for (const { network } of storers) {
    const own = network?.parts.ownRecord.statement;
    if (own == null || network === node.network) continue;
    node.network!.parts.intake.takeNow(
      { certificate: own.owner.bytes, record: own.record },
      "gossip",
    );
  }
};

/** Members look for members that they do not know, one after the other. */
const look = async ({ time, random, members }: Scene, times: number): Promise<Looked> => {
  const ms: number[] = [];
  let asked = 0;
  while (asked < times) {
    const [asking, wanted] = [random.pick(members), random.pick(members)];
    const { number } = wanted.identity;
    const known = asking.network!.parts.members;
    if (asking === wanted || known.byAddress(addressOf(number)) >= 0) continue;
    asked++;
    const beganMs = time.nowMs;
    asking.network!.seek(addressOf(number));
    const isFound = (): boolean => known.byAddress(addressOf(number)) >= 0;
    while (!isFound() && time.nowMs - beganMs < FOUND_MS) await time.run(5);
    if (isFound()) ms.push(time.nowMs - beganMs);
  }
  return { ms, found: ms.length, asked };
};

const rest = async ({ time, nodes, storers, members }: Scene) => {
  await time.run(CALM_MS);
  const before = new Map(nodes.map((node) => [node, node.bytesIn + node.bytesOut]));
  await time.run(REST_MS);
  const most = (some: readonly VirtualNode[]): number =>
    Math.max(...some.map((node) => node.bytesIn + node.bytesOut - before.get(node)!)) /
    (REST_MS / 1_000);
  return { member: most(members), storer: most(storers) };
};

export const runMembers = async (
  time: VirtualTime,
  options: MembersOptions,
): Promise<MembersRun> => {
  const scene = openScene(time, options);
  const { random, storers, members } = scene;
  for (const storer of storers) storer.start();
  for (const storer of storers) tell(storer, storers);
  for (const member of members) {
    time.plain.at(random.between(0, START_MS), () => {
      member.start();
      tell(member, storers);
    });
  }
  await time.run(START_MS + PUBLISH_MS);
  const honest = storers.slice(options.liars);
  const stored = honest.map(({ network }) => network!.report.network().directory.stored ?? 0);
  const first = await look(scene, GETS);
  const restBytes = await rest(scene);
  const gone = honest[0]!;
  gone.stop(false);
  const oneDead = await look(scene, GETS);
  gone.wipe();
  gone.start();
  tell(gone, storers);
  const oneBack = await look(scene, GETS);
  return {
    ...{ nodes: options.nodes, storers: options.storers, liars: options.liars },
    ...{ stored, first, oneDead, oneBack, restBytes },
    counts: Object.fromEntries(scene.counts),
    trace: [first, oneDead, oneBack].map(({ ms }) => ms.join(" ")).join("\n"),
  };
};
