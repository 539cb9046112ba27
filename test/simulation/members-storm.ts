/**
 * members-storm — a few members on a network that misbehaves, and strangers; then the sky clears.
 */
import type { RevocationList } from "../../src/members/revocation-list.ts";
import type { Resident } from "./members-air.ts";
import { openStage } from "./members-calm.ts";
import { rolesOf } from "./members-cast.ts";
import {
  BORN_S,
  certify,
  type Identity,
  identityOf,
  listOf,
  revocationsFile,
  SharedVerifier,
} from "./members-fleet.ts";
import { openIndexes, type VirtualIndex } from "./members-index.ts";
import { CUT_MS, missing, Violation } from "./members-ledger.ts";
import { checkPeers, tellNode } from "./members-looks.ts";
import { Liar, throwJunk } from "./members-mischief.ts";
import { VirtualNode } from "./members-node.ts";
import type { NodeOptions } from "./members-options.ts";
import {
  FAIR_MS,
  HOUR_MS,
  NODES,
  SETTLED_MS,
  START_MS,
  STORM_MS,
  type Storm,
  StormError,
  TOGETHER_MS,
} from "./members-outcome.ts";
import { sockaddrOf } from "./members-places.ts";
import { sendPackets, trouble } from "./members-trouble.ts";
import { Random } from "./random.ts";

const verifier = new SharedVerifier();
class Weather {
  readonly stage;
  readonly random: Random;
  readonly counts: Map<string, number>;
  readonly nodes: VirtualNode[] = [];
  /** Those that do not belong, or whose clock is wrong: nobody has to know them. */
  readonly misfits: VirtualNode[] = [];
  readonly liars: Liar[] = [];
  readonly trace: string[] = [];
  readonly #settledMs = new Map<VirtualNode, number>();
  #sequence = 1;
  /** The last one that was published. */
  #list: RevocationList | null = null;
  /** When the last of what happens is over. */
  #overMs = STORM_MS;
  readonly #revoked = new Map<Identity, number>();
  readonly servers: readonly VirtualIndex[];
  /** What befalls index nodes: storms without any are as they were. */
  readonly #mischief: Random;

  constructor(seed: number, tracing: boolean, indexes: number) {
    this.#mischief = new Random(seed, 3);
    verifier.clear();
    this.random = new Random(seed, 2);
    const weather = {
      loss: this.random.chance(0.5) ? 0 : this.random.between(0, 0.08),
      duplicates: this.random.chance(0.5) ? 0 : 0.02,
      leastMs: 1,
      mostMs: this.random.between(2, 150),
      jitterMs: this.random.between(0, 30),
    };
    const { stage, counts } = openStage(seed, weather, true, verifier);
    this.counts = counts;
    this.stage = tracing ? { ...stage, trace: (text: string) => this.say(text) } : stage;
    this.servers = openIndexes(this.stage, indexes);
  }

  readonly say = (text: string): void => {
    this.trace.push(`${(this.stage.time.nowMs / 1_000).toFixed(3)} ${text}`);
  };

  count(what: string): void {
    this.stage.count(what, 1);
  }

  // -------------------------------------------------------------------------------------------
  // Who is there

  #add(identity: Identity, place: number, options: NodeOptions, isSigned = true): VirtualNode {
    if (isSigned) {
      this.stage.ledger.signed(identity, options.certificate ?? identity.certificate);
    }
    const known = place === 0 ? 1 : this.random.below(Math.min(place, NODES));
    const { servers } = this;
    const bootstrap = servers.length === 0 ? [sockaddrOf(known)] : [];
    const indexes = servers.map((server) => server.at(place % 2 === 0));
    const node = new VirtualNode(this.stage, identity, place, { bootstrap, indexes, ...options });
    this.stage.time.at(this.random.between(0, START_MS), () => this.start(node));
    return node;
  }

  people(): void {
    for (let i = 0; i < NODES; i++) this.nodes.push(this.#add(identityOf(i), i, {}));
    for (const role of rolesOf(this.random)) {
      this.count(role.what);
      const node = this.#add(identityOf(role.number), role.place, role.options, role.isSigned);
      node.clockMs = role.clockMs;
      (role.belongs ? this.nodes : this.misfits).push(node);
      // Somebody accepts what it announces.
      const acceptRoutes = role.options.announce?.map(({ prefix }) => prefix);
      const [first] = this.nodes;
      if (acceptRoutes !== undefined) first!.options = { ...first!.options, acceptRoutes };
    }
    if (this.random.chance(0.3)) {
      this.liars.push(new Liar(this.random.pick(this.nodes), this.random));
    }
    if (this.random.chance(0.2)) {
      const [keeper, kept] = [this.random.pick(this.nodes), this.random.pick(this.nodes)];
      if (keeper !== kept) keeper.keepStatic(kept.identity);
    }
  }

  #after(delayMs: number, act: () => void): void {
    const { time } = this.stage;
    this.#overMs = Math.max(this.#overMs, time.nowMs + delayMs);
    time.after(delayMs, act);
  }

  start(node: VirtualNode): void {
    if (node.isUp) return;
    this.say(`${node.name} starts`);
    node.start();
    this.#settledMs.set(node, this.stage.time.nowMs + SETTLED_MS);
  }

  // -------------------------------------------------------------------------------------------
  // What happens

  plan(): void {
    const { time } = this.stage;
    const incidents: (readonly [weight: number, act: () => void])[] = [
      [4, () => this.#restart()],
      [2, () => this.#move()],
      [2, () => this.#partition()],
      [3, () => this.#revoke()],
      [1, () => this.#clockJump()],
      [1, () => this.#junk()],
    ];
    const bag = incidents.flatMap(([weight, act]) => Array.from({ length: weight }, () => act));
    for (let left = 2 + this.random.below(7); left > 0; left--) {
      time.at(this.random.between(FAIR_MS, STORM_MS), this.random.pick(bag));
    }
    for (const server of this.servers) trouble(this, server, this.#mischief);
    if (this.servers.length > 0) sendPackets(this, this.#mischief);
    for (const liar of this.liars) {
      const all = this.nodes.map(({ identity }) => identity);
      for (let atMs = 5_000; atMs < STORM_MS; atMs += 2_000) time.at(atMs, () => liar.act(all));
    }
  }

  #restart(): void {
    const node = this.random.pick([...this.nodes, ...this.misfits]);
    const kindly = this.random.chance(0.4);
    const lost = this.random.chance(0.2);
    this.say(
      `${node.name} ${kindly ? "stops" : "is killed"}${lost ? ", and its disk is lost" : ""}`,
    );
    this.count("restarts");
    this.stage.ledger.excused(node);
    node.stop(kindly);
    if (lost) {
      node.wipe();
      this.#introduce(node);
    } else if (this.random.chance(0.2)) node.damage(this.random.pick(["members", "own", "list"]));
    const downMs = this.random.chance(0.7) ? 3_000 : 200_000;
    this.#after(this.random.between(100, downMs), () => this.start(node));
  }

  /** Who knows nobody any more is told where somebody is. */
  #introduce(node: VirtualNode): void {
    const other = this.random.pick(this.nodes.filter((one) => one !== node));
    node.options = { ...node.options, bootstrap: [sockaddrOf(other.place)] };
  }

  /** The only place that it was told is nobody's any more: its person tells it another. */
  #tellAgain(node: VirtualNode): void {
    const { air } = this.stage;
    const isLost =
      node.network!.parts.members.size === 1 &&
      !node.bootstrap().some(({ sockaddr }) => air.at(sockaddr) !== undefined);
    if (!isLost) return;
    const { place } = this.nodes.find((one) => one !== node)!;
    this.say(`${node.name} is told of another place`);
    node.options = { ...node.options, bootstrap: [sockaddrOf(place)] };
    node.network!.ask();
  }

  #move(): void {
    const node = this.random.pick(this.nodes);
    if (!node.isUp) return;
    this.count("moves");
    this.say(`${node.name} moves`);
    node.move(100 + this.random.below(10_000));
    this.stage.ledger.excused(node);
    this.#settledMs.set(node, this.stage.time.nowMs + SETTLED_MS);
  }

  #partition(): void {
    const { air, ledger } = this.stage;
    const sides = new Map<Resident, number>(this.nodes.map((node) => [node, this.random.below(2)]));
    this.count("partitions");
    this.say(`the network is parted: ${[...sides.values()].join("")}`);
    air.side = (one) => sides.get(one) ?? 0;
    for (const node of this.nodes) ledger.excused(node);
    this.#unsettle();
    this.#after(this.random.between(1_000, 120_000), () => {
      this.say("the network is whole");
      air.side = () => 0;
      this.#unsettle();
    });
  }

  #unsettle(): void {
    const untilMs = this.stage.time.nowMs + 2 * SETTLED_MS;
    for (const node of this.nodes) this.#settledMs.set(node, untilMs);
  }

  #isSettled(node: VirtualNode): boolean {
    return node.isUp && this.stage.time.nowMs >= (this.#settledMs.get(node) ?? 0);
  }

  #revoke(): void {
    const { time, ledger } = this.stage;
    const publisher = this.random.pick(this.nodes);
    const gone = this.random.pick([...this.nodes, ...this.misfits]);
    // Nobody listens to the lists of who brought wrong ones.
    if (publisher.lies || gone === publisher || !publisher.isUp) return;
    if (ledger.isRevoked(publisher.identity)) return;
    const nowS = BORN_S + Math.floor(time.nowMs / 1_000);
    this.#revoked.set(gone.identity, nowS);
    const revoked = [...this.#revoked].map(([identity, beforeS]) => ({ identity, beforeS }));
    const list = listOf(++this.#sequence, revoked, nowS);
    this.#list = list;
    const reached = this.#reached(publisher).filter((node) => node !== gone);
    this.say(`${publisher.name} publishes that ${gone.name} is revoked; ${reached.length} reached`);
    this.count("revocations");
    ledger.revoked(gone.identity, this.#isSettled(publisher) ? reached : [publisher]);
    const published = publisher.network!.publish(revocationsFile(list, publisher.identity));
    if (!published.ok) throw new Violation(`publishing failed: ${published.why}`);
    this.#overMs = Math.max(this.#overMs, time.nowMs + CUT_MS);
    this.#drop(gone);
    if (this.random.chance(0.4)) this.#pardon(gone);
  }

  /**
   * Those whom the publisher can reach, itself too: over members who know each other, and are not
   * parted. Who lies about what it has may get nothing.
   */
  #reached(publisher: VirtualNode): VirtualNode[] {
    const { air } = this.stage;
    const settled = this.nodes.filter(
      (node) => this.#isSettled(node) && air.isConnected(node, publisher) && !node.lies,
    );
    const found = new Set([publisher]);
    for (const node of found) {
      for (const other of settled) {
        if (node.network?.expects(other.identity.publicKey)) found.add(other);
      }
    }
    return [...found].filter((node) => settled.includes(node));
  }

  /** A list went down with its publisher: who holds the authority publishes it once more. */
  #publishAgain(): void {
    const list = this.#list;
    const holds = ({ network }: VirtualNode): boolean =>
      network!.parts.authority.revocations.standing.sequence >= list!.sequence;
    if (list === null || this.nodes.some(holds)) return;
    const publisher = this.nodes.find(({ lies }) => !lies)!;
    this.say(`${publisher.name} publishes the list that was lost`);
    publisher.network!.publish(revocationsFile(list, publisher.identity));
  }

  #drop(gone: VirtualNode): void {
    const at = this.nodes.indexOf(gone);
    if (at >= 0) this.nodes.splice(at, 1);
    if (!this.misfits.includes(gone)) this.misfits.push(gone);
  }

  /** The authority signs somebody anew who was revoked. */
  #pardon(node: VirtualNode): void {
    const { time, ledger } = this.stage;
    if (node.identity.number >= 20) return;
    this.#after(CUT_MS + this.random.between(1_000, 30_000), () => {
      const notBeforeS = BORN_S + Math.floor(time.nowMs / 1_000);
      const certificate = certify(node.identity, { notBeforeS });
      this.say(`${node.name} is signed anew`);
      this.count("pardons");
      ledger.pardoned(node.identity);
      ledger.signed(node.identity, certificate);
      node.options = { ...node.options, certificate };
      this.#introduce(node);
      node.stop(true);
      this.start(node);
      this.misfits.splice(this.misfits.indexOf(node), 1);
      this.nodes.push(node);
    });
  }

  /** A system's clock is set wrong, and right again. */
  #clockJump(): void {
    const node = this.random.pick(this.nodes);
    if (node.clockMs !== 0) return;
    node.clockMs = HOUR_MS * this.random.between(-100, 100);
    this.count("clocks");
    this.say(`${node.name}'s clock jumps by ${(node.clockMs / HOUR_MS).toFixed(1)} h`);
    this.#after(this.random.between(1_000, 60_000), () => {
      node.clockMs = 0;
      this.say(`${node.name}'s clock is right again`);
    });
  }

  /** Datagrams of nobody. */
  #junk(): void {
    this.count("junk");
    throwJunk(this.random.pick(this.nodes), this.random);
  }

  /** The first seconds are fair. Returns how long it took after the last start; null: too long. */
  async begin(): Promise<number | null> {
    const { time } = this.stage;
    await time.pass(START_MS);
    await time.pass(FAIR_MS, () => this.#isTogether());
    return time.nowMs < FAIR_MS ? time.nowMs - START_MS : null;
  }

  #isTogether(): boolean {
    return this.nodes.every((node) => missing(node, this.nodes) === null);
  }

  async clear(): Promise<number> {
    const { time, air } = this.stage;
    while (time.nowMs < this.#overMs) await time.pass(this.#overMs);
    air.side = () => 0;
    Object.assign(air.weather, { loss: 0, duplicates: 0 });
    for (const node of this.nodes) this.start(node);
    const fromMs = time.nowMs;
    this.say("the sky is clear");
    this.#publishAgain();
    for (const node of this.nodes) this.#tellAgain(node);
    await time.pass(fromMs + TOGETHER_MS, () => this.#isTogether(), 250);
    const togetherMs = time.nowMs - fromMs;
    for (const node of this.nodes) {
      const lacks = missing(node, this.nodes);
      if (lacks !== null) for (const one of [node, lacks.who]) tellNode(this, one);
      if (lacks !== null) throw new Violation(`${lacks.who.name} ${lacks.why} at ${node.name}`);
      checkPeers(this, node);
    }
    await time.pass(time.nowMs + 10_000);
    return togetherMs;
  }
}

/** One run. Errors: StormError. */
export const storm = async (seed: number, tracing = false, indexes = 0): Promise<Storm> => {
  const weather = new Weather(seed, tracing, indexes);
  const { stage, counts } = weather;
  try {
    weather.people();
    weather.plan();
    const startMs = await weather.begin();
    await stage.time.pass(STORM_MS);
    const togetherMs = await weather.clear();
    if (!weather.servers.every((server) => server.isModest)) {
      throw new Violation("an index node told a stranger more than that said");
    }
    return { seed, virtualMs: stage.time.nowMs, startMs, togetherMs, counts, trace: weather.trace };
  } catch (error) {
    throw new StormError(seed, error, weather.trace);
  }
};
