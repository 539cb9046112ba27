/**
 * scene — what tests against wireguard-go share: a lab, a key for each host, and pairs.
 *
 * Ours runs on host a and wireguard-go on host b. Who calls whom is in the plans: a host that does
 * not know the other's endpoint waits until it is called.
 */
import assert from "node:assert/strict";
import { after, before, type TestContext } from "node:test";
import type { PeerValue } from "../../src/schema/requests.ts";
import {
  hostJson,
  interfaceOf,
  type Keys,
  makeKeys,
  type NodeEngine,
  type Plan,
  runNode,
  runWireguardGo,
  writeConfig,
} from "../lab/engines.ts";
import { cannotRun, Lab, type Program, wireguardName } from "../lab/lab.ts";
import { firstPing, flow, ping } from "../lab/measure.ts";
import type { NodeOptions } from "../lab/node.ts";
import type { Wireguard } from "./versions.ts";

/** A tunnel that moves less than this does not work; how fast it is, benchmarks tell. */
const SLOWEST_MEGABITS = 20;

/** Rekeys after two seconds; every other duration in the paper's proportions or longer. */
export const SHORT: NodeOptions = {
  timing: {
    rekeyAfterTimeMs: 2_000,
    rejectAfterTimeMs: 8_000,
    rekeyTimeoutMs: 1_000,
    keepaliveTimeoutMs: 2_000,
    jitterMs: 100,
  },
};

/** Prints what a test measured, below the list of tests. */
export const measured = (context: TestContext, text: string): void =>
  context.diagnostic(`measured: ${context.name}: ${text}`);

export interface PairOptions {
  readonly wireguard: Wireguard;
  readonly ours?: Plan;
  readonly theirs?: Plan;
  readonly node?: NodeOptions;
}

/** Ours on host a, wireguard-go on host b, both up. */
export class Pair {
  readonly lab: Lab;
  readonly engine: NodeEngine;
  readonly wireguard: Program;

  constructor(lab: Lab, engine: NodeEngine, wireguard: Program) {
    this.lab = lab;
    this.engine = engine;
    this.wireguard = wireguard;
  }

  /** Where wireguard-go thinks that ours is. */
  async endpointSeen(): Promise<string> {
    return (await this.#shown("endpoints")) ?? "";
  }

  /** When wireguard-go last saw a handshake; Unix time in seconds, 0: never. */
  async handshakeSeen(): Promise<number> {
    return Number(await this.#shown("latest-handshakes"));
  }

  /** Where ours thinks that wireguard-go is. */
  async endpointKnown(): Promise<string | null> {
    const [peer] = await hostJson<PeerValue[]>(this.lab, this.lab.a, "peers");
    return peer?.endpoint ?? null;
  }

  /** Pings both ways, IPv4 and IPv6, without a loss. */
  async assertPings(): Promise<void> {
    const { lab } = this;
    const ways = [
      [lab.a, lab.b.inner4],
      [lab.b, lab.a.inner6],
      [lab.a, lab.b.inner6],
      [lab.b, lab.a.inner4],
    ] as const;
    const all = await Promise.all(ways.map(([from, to]) => ping(lab, from, to, 10, 10)));
    for (const [i, [from, to]] of ways.entries()) {
      const { lost } = all[i]!;
      if (lost === 0) continue;
      const { drops } = await this.engine.sample();
      const dropped = JSON.stringify(Object.entries(drops).filter(([, count]) => count > 0));
      assert.fail(`${lost} pings from ${from.name} to ${to} were lost; ours dropped ${dropped}`);
    }
  }

  /** TCP both ways. Returns megabits per second: to wireguard-go, and from it. */
  async assertTcp(address = this.lab.b.inner4): Promise<readonly [number, number]> {
    const speeds: number[] = [];
    for (const reverse of [false, true]) {
      const tcp = await flow(this.lab, this.lab.a, address, { seconds: 1, reverse });
      assert.ok(tcp.megabitsPerSecond > SLOWEST_MEGABITS, `${tcp.megabitsPerSecond} Mbit/s`);
      speeds.push(tcp.megabitsPerSecond);
    }
    return [speeds[0]!, speeds[1]!];
  }

  async #shown(what: "endpoints" | "latest-handshakes"): Promise<string | undefined> {
    const output = await this.lab.must(this.lab.b, ["wg", "show", wireguardName(this.lab.b), what]);
    return output.trim().split(/\s+/)[1];
  }
}

/** A lab for the tests of one file, made before and removed after them. */
export class Scene {
  /** Why nothing can run, or false. */
  readonly skip: string | false;
  #lab: Lab | null = null;
  #ours: Keys | null = null;
  #theirs: Keys | null = null;

  /**
   * `tools`: programs that have to be there besides `wg`. `prepare`: what the lab needs, once.
   * In `describe`, for its tests alone: there is one lab at a time.
   */
  constructor(
    tools: readonly string[] = [],
    prepare: (lab: Lab) => Promise<unknown> = async () => {},
  ) {
    this.skip = cannotRun(["wg", ...tools]);
    before(async () => {
      if (this.skip !== false) return;
      this.#lab = await Lab.make();
      this.#ours = makeKeys(this.#lab, this.#lab.a, "wireguard");
      this.#theirs = makeKeys(this.#lab, this.#lab.b, "wireguard");
      await prepare(this.#lab);
    });
    after(() => this.#lab?.remove());
  }

  get lab(): Lab {
    assert(this.#lab !== null, "there is no lab before the tests start");
    return this.#lab;
  }

  /** Keys of host a. */
  get ours(): Keys {
    assert(this.#ours !== null);
    return this.#ours;
  }

  /** Keys of host b. */
  get theirs(): Keys {
    assert(this.#theirs !== null);
    return this.#theirs;
  }

  /** Why a test against this program cannot run, or false. */
  skipFor(wireguard: Wireguard): string | false {
    return this.skip || wireguard.skip;
  }

  /** Starts wireguard-go on host b with ours as its peer. */
  startTheirs(wireguard: Wireguard, plan: Plan = {}): Promise<Program> {
    const { lab, theirs, ours } = this;
    return runWireguardGo(lab, lab.b, theirs, ours.publicKey, plan, wireguard.binary);
  }

  /** Writes the configuration of ours on host a, with wireguard-go as its peer. */
  configureOurs(plan: Plan = {}): string {
    return writeConfig(this.lab, this.lab.a, this.ours, this.theirs.publicKey, plan);
  }

  /** Both up; afterwards ours has to end well and to leave no device. */
  async withPair(options: PairOptions, body: (pair: Pair) => Promise<void>): Promise<void> {
    const { lab } = this;
    const ours = (): Promise<NodeEngine> =>
      runNode(lab, lab.a, this.configureOurs(options.ours), options.node);
    const starting = this.startTheirs(options.wireguard, options.theirs);
    // Who calls by itself has to find the other.
    const calls = [options.ours, options.theirs].some((plan) => plan?.persistentKeepalive);
    if (calls) await starting;
    const [wireguard, started] = await Promise.allSettled([starting, ours()]);
    if (wireguard.status === "rejected") {
      if (started.status === "fulfilled") await started.value.program.stop();
      throw wireguard.reason;
    }
    try {
      if (started.status === "rejected") throw started.reason;
      const engine = started.value;
      try {
        await body(new Pair(lab, engine, wireguard.value));
      } finally {
        assert.equal(await engine.program.stop(), 0, engine.program.errors);
      }
      assert.equal(engine.program.errors, "");
      const links = await lab.must(lab.a, ["ip", "-brief", "link"]);
      assert.doesNotMatch(links, new RegExp(interfaceOf(lab.a)));
    } finally {
      await wireguard.value.stop();
    }
  }

  /** Waits until the caller of a pair has an answer. Returns seconds. */
  firstPing(caller: "ours" | "theirs", version: 4 | 6 = 4): Promise<number> {
    const { a, b } = this.lab;
    const [from, to] = caller === "ours" ? [a, b] : [b, a];
    return firstPing(this.lab, from, version === 4 ? to.inner4 : to.inner6);
  }
}

/** Plans of a pair in which one end alone knows the other's endpoint. */
export const calledBy = (
  caller: "ours" | "theirs",
  plan: Plan = {},
): { readonly ours: Plan; readonly theirs: Plan } => ({
  ours: { ...plan, knowsEndpoint: caller === "ours" },
  theirs: { ...plan, knowsEndpoint: caller === "theirs" },
});
