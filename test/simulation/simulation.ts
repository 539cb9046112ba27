/**
 * simulation — engines on a network that misbehaves, on virtual time, from a seed.
 *
 *     storm   some minutes: traffic, weather, mischief
 *     calm    the network is well: every pair must hear each other again, both ways
 *     quiet   nobody sends: sessions end, and nothing of them may be left
 *     a word  one packet each, which arrives; also of one whose interface goes down and up at once
 *
 * What must never happen is checked all the time (ledger.ts). Same seed, same run.
 */
import { setImmediate as settled } from "node:timers/promises";
import { Ledger } from "./ledger.ts";
import { canSpeak, Machine } from "./machine.ts";
import { anyWeather, befall, type Scene } from "./mischief.ts";
import { CALM, Network } from "./network.ts";
import { Random } from "./random.ts";
import { Schedule } from "./schedule.ts";
import { Stage } from "./stage.ts";

/** Every pair hears each other again within this long: silence, an attempt, two look-ups. */
const RECOVERY_MS = 180_000;
/** The last session's time, then three times REJECT_AFTER_TIME until its keys are zeroed. */
const QUIET_MS = 800_000;
/** After the last word of the calm: every I/O thread has looked around. */
const SETTLED_MS = 8_000;
/** What waits for somebody who has no suite in common is dropped after this long. */
const STAGED_MS = 90_000;
const STORM_MS = [120_000, 420_000] as const;
const SPEAK_MS = 1_000;
/** Where all is well, a first packet needs a handshake and no more. */
const WORD_MS = 2_000;
/** Engines that have a session tell each other what was lost before. */
const HELLO_MS = 30_000;
/** Who is still thought to take AES, and was started anew without, is asked twice. */
const RETRY_MS = 5_400;
/** Packets that a storm writes at most, over all machines. */
const STORM_PACKETS = 1_500;

export interface Run {
  readonly seed: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly packets: number;
  readonly delivered: number;
  readonly nonces: number;
  /** Virtual milliseconds until every pair heard each other again, and in all. */
  readonly recoveryMs: number;
  readonly virtualMs: number;
  readonly trace: readonly string[];
}

/** Who speaks, and to whom. */
type Pair = readonly [from: Machine, to: Machine];

/** A run that went wrong; says how to see it again. */
export class SimulationError extends Error {
  readonly seed: number;

  constructor(seed: number, engines: number, cause: unknown, trace: readonly string[]) {
    const { message } = cause as Error;
    const again = `npm run simulate -- --engines ${engines} --from ${seed} --seeds 1 --trace`;
    super(`seed ${seed}: ${message}\n  again: ${again}`, { cause });
    this.seed = seed;
    this.trace = trace;
  }

  readonly trace: readonly string[];
}

export interface Theatre {
  readonly engines: number;
  /** By number of I/O threads, from 1. */
  readonly stages: readonly Stage[];
  close(): void;
}

/** Opens what runs of so many engines need. */
export const openTheatre = (engines: number): Theatre => {
  const stages = [new Stage(engines, 1), new Stage(engines, 2)];
  return {
    engines,
    stages,
    close: () => {
      for (const stage of stages) stage.close();
    },
  };
};

class Simulation {
  readonly #schedule = new Schedule();
  readonly #random: Random;
  readonly #network: Network;
  readonly #ledger: Ledger;
  readonly #machines: readonly Machine[];
  readonly #tracing: boolean;
  readonly trace: string[] = [];
  readonly counts = new Map<string, number>();
  #promised = false;
  #errors: unknown[] = [];
  #storming = true;
  #recoveryMs = 0;
  #written = 0;

  constructor(seed: number, { engines, stages }: Theatre, tracing: boolean) {
    this.#random = new Random(seed, engines);
    this.#tracing = tracing;
    const stage = stages[this.#random.chance(0.75) ? 0 : 1]!;
    stage.drain();
    const { places } = stage;
    const count = (what: string, amount = 1): void => {
      if (amount > 0) this.counts.set(what, (this.counts.get(what) ?? 0) + amount);
    };
    const schedule = this.#schedule;
    const random = new Random(seed, 1_000);
    const inner = new Random(seed, 1_001);
    this.#network = new Network({ schedule, random, inner, places, count });
    this.#ledger = new Ledger(engines);
    this.#machines = places.map(
      (place, id) =>
        new Machine({
          id,
          schedule,
          random: new Random(seed, 2_000 + id),
          network: this.#network,
          ledger: this.#ledger,
          place,
          ioThreads: place.ports.length,
          peers: engines,
          count,
          trace: (text) => this.#say(text),
          onPromise: () => {
            this.#promised = true;
          },
          onError: (error) => this.#errors.push(error),
        }),
    );
    for (const machine of this.#machines) {
      machine.meet(this.#machines);
      this.#network.join(machine);
    }
  }

  async run(): Promise<Omit<Run, "seed" | "trace" | "counts">> {
    const schedule = this.#schedule;
    const endMs = this.#random.between(...STORM_MS);
    for (const machine of this.#machines) {
      schedule.after(this.#random.between(0, 3_000), () => machine.boot());
    }
    this.#storm(endMs);
    await this.#runUntil(endMs);
    this.#storming = false;
    this.#say("calm");
    for (const machine of this.#machines) this.#mend(machine);
    const pairs = this.#speakers();
    this.#recoveryMs = await this.#hear(pairs, SPEAK_MS, RECOVERY_MS);
    await this.#checkReleased();
    this.#checkSuites(pairs);
    this.#say("quiet");
    for (const machine of this.#machines) machine.stopKeepalives();
    await this.#runUntil(schedule.nowMs + QUIET_MS);
    this.#checkQuiet();
    this.#say("a single word");
    const changed = this.#machines.some((machine) => machine.changed);
    await this.#hear(pairs, WORD_MS, changed ? WORD_MS + RETRY_MS : WORD_MS);
    await this.#runUntil(schedule.nowMs + HELLO_MS);
    this.#checkKnown();
    if (!changed) await this.#blink(pairs);
    for (const machine of this.#machines) machine.halt(false, false, false);
    return {
      packets: this.#ledger.sent,
      delivered: this.#ledger.delivered,
      nonces: this.#ledger.nonces,
      recoveryMs: this.#recoveryMs,
      virtualMs: schedule.nowMs,
    };
  }

  /** Lets go of descriptors, whatever happened. */
  close(): void {
    for (const machine of this.#machines) machine.halt(true, false, false);
  }

  #say(text: string): void {
    if (this.#tracing) this.trace.push(`${this.#schedule.nowMs.toFixed(3)} ${text}`);
  }

  /** What was promised comes true before time goes on. */
  async #runUntil(untilMs: number, done: () => boolean = () => false): Promise<void> {
    while (!done() && this.#schedule.step(untilMs)) {
      if (this.#promised) {
        this.#promised = false;
        await settled();
      }
      if (this.#errors.length > 0) throw this.#errors[0];
    }
  }

  // -------------------------------------------------------------------------------------------
  // Storm

  #storm(endMs: number): void {
    const scene: Scene = {
      schedule: this.#schedule,
      random: this.#random,
      network: this.#network,
      machines: this.#machines,
      count: (what) => this.counts.set(what, (this.counts.get(what) ?? 0) + 1),
      trace: (text) => this.#say(text),
      endMs,
    };
    this.#again(5_000, 40_000, () => befall(scene));
    this.#again(1_000, 20_000, () => this.#network.replay());
    for (const from of this.#machines) {
      for (const to of this.#machines) {
        if (from === to) continue;
        this.#again(5_000, 60_000, () =>
          this.#network.setWeather(from.id, to.id, anyWeather(this.#random)),
        );
        this.#speak(from, to);
      }
    }
  }

  /** Again and again while it storms. */
  #again(leastMs: number, mostMs: number, act: () => void): void {
    this.#schedule.after(this.#random.between(leastMs, mostMs), () => {
      if (!this.#storming) return;
      act();
      this.#again(leastMs, mostMs, act);
    });
  }

  /** Talk of one machine to another, in changing moods. */
  #speak(from: Machine, to: Machine): void {
    const everyMs = this.#random.pick([300, 2_000, 8_000, 30_000, 200_000]);
    const words = 1 + this.#random.below(12);
    for (let i = 1; i <= words; i++) {
      this.#schedule.after(i * everyMs * this.#random.between(0.5, 1.5), () => {
        if (this.#storming && this.#written < STORM_PACKETS) this.#utter(from, to.id);
      });
    }
    this.#schedule.after((words + 1) * everyMs, () => {
      if (this.#storming) this.#speak(from, to);
    });
  }

  #utter(from: Machine, to: number): void {
    const random = this.#random;
    const large = random.chance(0.4);
    const size = large ? 1_200 + random.below(300) : random.below(200);
    const count = random.chance(0.2) ? 2 + random.below(12) : 1;
    const sizes = new Array<number>(count).fill(size);
    if (count > 1 && size > 40) sizes[count - 1] = size - random.below(20);
    this.#written += count;
    if (random.chance(0.03)) {
      const others = this.#machines.map(({ id }) => id).filter((id) => id !== from.id);
      from.write(to, sizes, random.pick(others));
    } else if (random.chance(0.01)) from.write(99, sizes);
    else from.write(to, sizes);
  }

  // -------------------------------------------------------------------------------------------
  // Calm and quiet

  #mend(machine: Machine): void {
    for (const peer of this.#machines) {
      if (peer === machine) continue;
      this.#network.setWeather(machine.id, peer.id, CALM);
      machine.removed.delete(peer.id);
      const settings = machine.peers.get(peer.id)!;
      const agreed = this.#machines[Math.min(machine.id, peer.id)]!;
      const other = Math.max(machine.id, peer.id);
      settings.presharedKey = agreed.peers.get(other)!.presharedKey;
    }
    if (machine.life === null) machine.boot();
    else machine.mend();
  }

  /** Speakers say something every `everyMs`, and each must have been heard within `withinMs`. */
  async #hear(pairs: readonly Pair[], everyMs: number, withinMs: number): Promise<number> {
    const sinceMs = this.#schedule.nowMs;
    const isHeard = ([from, to]: Pair): boolean => this.#ledger.newestMs(from.id, to.id) >= sinceMs;
    let speaking = true;
    const speak = (): void => {
      if (!speaking) return;
      for (const [from, to] of pairs) from.write(to.id, [64]);
      this.#schedule.after(everyMs, speak);
    };
    speak();
    await this.#runUntil(sinceMs + withinMs, () => pairs.every(isHeard));
    speaking = false;
    const tookMs = this.#schedule.nowMs - sinceMs;
    const deaf = pairs.find((pair) => !isHeard(pair));
    if (deaf === undefined) return tookMs;
    throw new Error(`${deaf[1].id} does not hear ${deaf[0].id} within ${withinMs / 1_000} s`);
  }

  /** Set down and up at once, one of them says a word before its port is there again. */
  async #blink(pairs: readonly Pair[]): Promise<void> {
    const sure = pairs.filter(([one, other]) => {
      const sameCipher = one.suites.cipher === other.suites.cipher;
      return !one.forgot && !other.forgot && sameCipher;
    });
    if (sure.length === 0) return;
    const pair = this.#random.pick(sure);
    this.#say(`${pair[0].id} blinks`);
    for (const up of [false, true]) pair[0].setUp(up);
    await this.#hear([pair], WORD_MS, WORD_MS);
    this.counts.set("blinked", (this.counts.get("blinked") ?? 0) + 1);
  }

  /** Nothing waits for a session once there are sessions. */
  async #checkReleased(): Promise<void> {
    const strangers = this.#machines.some((one) =>
      this.#machines.some((other) => one !== other && !canSpeak(one, other)),
    );
    const waitMs = SETTLED_MS + (strangers ? STAGED_MS : 0);
    await this.#runUntil(this.#schedule.nowMs + waitMs);
    for (const { id, life } of this.#machines) {
      const held = life?.slotsHeld() ?? 0;
      if (held > 0) throw new Error(`all have sessions, and ${held} runs still wait in ${id}`);
    }
  }

  /**
   * Who speaks to whom in the calm: both, or one of them alone. Who lost its disk may have to wait
   * until it is called, so that both of such a pair speak (security.md 28). So has who calls one
   * that takes AES alone and does not know it yet. Who has no suite in common is silent.
   */
  #speakers(): Pair[] {
    return this.#machines.flatMap((one) =>
      this.#machines
        .filter((other) => other.id > one.id && canSpeak(one, other))
        .flatMap((other) => {
          const both = [[one, other] as const, [other, one] as const];
          const fixed = one.suites.cipher !== other.suites.cipher;
          if (one.forgot || other.forgot || fixed || this.#random.chance(0.5)) return both;
          return [this.#random.pick(both)];
        }),
    );
  }

  /** Who has learned that the other prefers AES too has asked for it, if it was its turn. */
  #checkSuites(pairs: readonly Pair[]): void {
    for (const [one, other] of pairs) {
      const peer = one.peerOf(other);
      const session = one.factsOf(other)?.held.current;
      if (!peer || !session) throw new Error(`${one.id} has lost ${other.id}`);
      const what = `session of suite ${session.suite}`;
      this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
      if (one.life?.control.suites.upgrades(peer)) {
        throw new Error(`${one.id} has not upgraded its session with ${other.id}`);
      }
    }
  }

  /**
   * With a session, an engine that knows a peer as one is known to it, and nobody is thought to
   * take a suite that it took in a former life.
   */
  #checkKnown(): void {
    for (const one of this.#machines) {
      for (const other of this.#machines) {
        if (!one.knows(other)) continue;
        this.counts.set("knows", (this.counts.get("knows") ?? 0) + 1);
        const { suites } = one.life!.control;
        const refused = suites.of(one.peerOf(other)!) & ~other.life!.control.suites.taken;
        if (refused !== 0) throw new Error(`${one.id} takes ${other.id} for who it was`);
        if (other.knows(one)) continue;
        throw new Error(`${one.id} knows ${other.id} as an engine, which does not know it`);
      }
    }
  }

  #checkQuiet(): void {
    for (const { id, life } of this.#machines) {
      const left = life?.leftovers() ?? [];
      if (left.length > 0) throw new Error(`when all is quiet, ${id} has ${left.join(", ")}`);
    }
  }
}

/** Runs one seed. Errors: SimulationError. */
export const simulate = async (seed: number, theatre: Theatre, tracing = false): Promise<Run> => {
  const simulation = new Simulation(seed, theatre, tracing);
  try {
    const run = await simulation.run();
    return { ...run, seed, counts: simulation.counts, trace: simulation.trace };
  } catch (error) {
    throw new SimulationError(seed, theatre.engines, error, simulation.trace);
  } finally {
    simulation.close();
  }
};
