/**
 * crowding — one index node, as a program of its own, and a crowd of members that it serves: how
 * long until all have a channel, what they cost at rest, how soon all know a new list, what the
 * directory answers meanwhile, and when all are back after a restart.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { armor } from "../../src/members/armor.ts";
import { PIECE_OF } from "../../src/wire/index-messages.ts";
import { type IndexProcess, startIndex } from "../lab/index-process.ts";
import { programSeconds, residentMb } from "../lab/measure.ts";
import { until } from "../lab/until.ts";
import { Lab } from "../unit/service-parts.ts";
import { type Answers, askDirectory } from "./crowd-directory.ts";
import { Crowd } from "./crowd-members.ts";

const ADDRESS = "127.0.0.1";
const OPEN_MS = 600_000;
const SPREAD_MS = 60_000;
const STORED_S = 60;
/** Members of which a new list says that they are revoked. */
const REVOKED = 10;

export interface CrowdingOptions {
  readonly members: number;
  /** All call within this. */
  readonly startMs: number;
  /** Members want to be told of others for so long. */
  readonly curiousMs: number;
  /** How long each rest is measured. */
  readonly restMs: number;
  /** Who puts and gets. */
  readonly askers: number;
  /** The index node is killed, too, and starts again. */
  readonly kill: boolean;
}

/** What the index node took while something happened. */
export interface Cost {
  readonly tookS: number;
  readonly cpuS: number;
  readonly rssMb: number;
  /** Both ways, headers of IPv4 and UDP in them. */
  readonly bytes: number;
  readonly datagrams: number;
}

/** It stopped, or was killed, and started again. */
export interface Restart {
  /** Members that were told. */
  readonly told: number;
  readonly stopMs: number;
  /** From its start until it is ready; and then until all are back. */
  readonly readyMs: number;
  readonly back: Cost;
}

export interface Crowding {
  readonly opening: Cost;
  readonly curious: Cost;
  readonly restNat: Cost;
  readonly restOpen: Cost;
  readonly answers: Answers;
  /** From publication until all have the list. */
  readonly spread: Cost;
  readonly stopped: Restart;
  readonly killed: Restart | null;
  readonly members: number;
  /** What the index node counted from the last start on. */
  readonly counts: Readonly<Record<string, number>>;
}

interface Status {
  readonly counts: Readonly<Record<string, number>>;
  readonly networks: readonly {
    readonly counts: Readonly<Record<string, number>>;
  }[];
}

class Run {
  readonly #options: CrowdingOptions;
  readonly folder = mkdtempSync(join(tmpdir(), "p2pvpn-crowd-"));
  readonly lab = new Lab(Math.floor(Date.now() / 1_000));
  #index: IndexProcess | null = null;
  #crowd: Crowd | null = null;
  #port = 0;

  constructor(options: CrowdingOptions) {
    this.#options = options;
    const file = armor("network", this.lab.definition.bytes, []);
    writeFileSync(join(this.folder, "network"), file);
  }

  get index(): IndexProcess {
    return this.#index!;
  }

  get crowd(): Crowd {
    return this.#crowd!;
  }

  async startIndex(): Promise<number> {
    const fromMs = performance.now();
    const files = ["--network", join(this.folder, "network"), "--data", join(this.folder, "data")];
    this.#index = await startIndex([...files, "--listen", `${ADDRESS}:${this.#port}`]);
    this.#port = this.index.ports[0]!;
    return performance.now() - fromMs;
  }

  async makeCrowd(): Promise<void> {
    const { members: count, curiousMs } = this.#options;
    const index = { address: ADDRESS, port: this.#port };
    this.#crowd = await Crowd.make({ lab: this.lab, count, index, curiousMs });
  }

  /** What it costs until that is so. */
  async cost(act: () => Promise<void>): Promise<Cost> {
    const { pid } = this.index;
    const { traffic } = this.crowd;
    const [fromMs, fromS, before] = [performance.now(), programSeconds([pid]), { ...traffic }];
    await act();
    return {
      tookS: (performance.now() - fromMs) / 1_000,
      cpuS: programSeconds([pid]) - fromS,
      rssMb: residentMb(pid),
      bytes: traffic.bytesIn + traffic.bytesOut - before.bytesIn - before.bytesOut,
      datagrams:
        traffic.datagramsIn + traffic.datagramsOut - before.datagramsIn - before.datagramsOut,
    };
  }

  allOpenSince(ms: number, but = 0): Promise<void> {
    const { members } = this.#options;
    const open = (): boolean => this.crowd.openSince(ms) >= members - but;
    return until(`${members - but} have a channel`, open, OPEN_MS);
  }

  /** Somebody publishes a list; who is revoked has no channel any more. */
  async spread(): Promise<void> {
    const { members } = this.crowd;
    const list = this.lab.list(
      2,
      members.slice(-REVOKED).map(({ member }) => member),
    );
    const [publisher] = members;
    publisher!.lists.take(PIECE_OF.revocations, list.bytes);
    publisher!.node.reportNow(false, performance.now());
    const others = members.slice(0, -REVOKED);
    await until(
      "all have the list",
      () => others.every(({ lists }) => lists.list?.sequence === 2),
      SPREAD_MS,
    );
  }

  /** How many it has in its store, when it has read all of its disk. */
  async stored(): Promise<number> {
    const { node } = this.crowd.members[0]!;
    const least = this.#options.members - REVOKED;
    for (let i = 0; i < STORED_S && (node.said?.members ?? 0) < least; i++) {
      node.reportNow(false, performance.now());
      await sleep(1_000);
    }
    return node.said?.members ?? 0;
  }

  status(): Status {
    return JSON.parse(readFileSync(join(this.folder, "data", "status.json"), "utf8")) as Status;
  }

  async end(): Promise<void> {
    this.#crowd?.close();
    await this.#index?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Stops the index node, or kills it, and starts it again: when are all back? */
const restart = async (run: Run, signal: "SIGTERM" | "SIGKILL"): Promise<Restart> => {
  const { traffic } = run.crowd;
  const [fromMs, byes] = [performance.now(), traffic.byes];
  run.index.kill(signal);
  await run.index.ended();
  const stopMs = performance.now() - fromMs;
  const readyMs = await run.startIndex();
  const back = await run.cost(() => run.allOpenSince(fromMs + stopMs, REVOKED));
  return { told: traffic.byes - byes, stopMs, readyMs, back };
};

/** Errors: LabError when something does not come to its end. */
export const runCrowding = async (
  options: CrowdingOptions,
  say: (text: string) => void = () => undefined,
): Promise<Crowding> => {
  const run = new Run(options);
  try {
    await run.startIndex();
    await run.makeCrowd();
    say("the sockets are open");
    const opening = await run.cost(async () => {
      const fromMs = performance.now();
      run.crowd.callWithin(options.startMs);
      await run.allOpenSince(fromMs);
    });
    say(`all have a channel after ${opening.tookS.toFixed(1)} s`);
    const curious = await run.cost(() => sleep(2 * options.curiousMs));
    const restNat = await run.cost(() => sleep(options.restMs));
    say("rested behind NAT");
    const answers = await askDirectory(run.crowd.members, options.askers, run.index.ready.node);
    run.crowd.manners.behindNat = false;
    const spread = await run.cost(() => run.spread());
    say(`all have a new list after ${spread.tookS.toFixed(1)} s`);
    await sleep(Math.min(30_000, options.restMs));
    const restOpen = await run.cost(() => sleep(options.restMs));
    const stopped = await restart(run, "SIGTERM");
    say(`all are back after ${stopped.back.tookS.toFixed(1)} s`);
    const killed = options.kill ? await restart(run, "SIGKILL") : null;
    const members = await run.stored();
    await run.index.stop();
    const { counts, networks } = run.status();
    return {
      ...{ opening, curious, restNat, restOpen, answers, spread, stopped, killed },
      members,
      counts: { ...counts, ...networks[0]!.counts },
    };
  } finally {
    await run.end();
  }
};
