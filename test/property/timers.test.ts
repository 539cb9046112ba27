/**
 * Two peers on a made-up network and clock: packets update time stamps and wake nobody, control
 * looks only when its timers say so. What must hold is seen from outside: tunnels never starve,
 * quiet ones cost nothing, and one handshake serves two minutes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { messageLimits } from "../../src/control/sessions/limits.ts";
import { type Observation, PeerTimers, TIMING } from "../../src/control/sessions/timers.ts";

const LATENCY_MS = 20;
const LIMITS = messageLimits(0, 1_420);

/** Same numbers for the same seed. Source: Steele and Vigna's splitmix, as "mulberry32". */
const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
};

interface Session {
  /** The same at both ends. */
  readonly name: string;
  readonly bornMs: number;
  readonly initiator: boolean;
  sentCounter: number;
}

type Seen = { -readonly [Key in keyof Observation]: Observation[Key] };

class Network {
  now = 1_000_000;
  up = true;
  readonly #events: { at: number; act: () => void }[] = [];

  at(at: number, act: () => void): void {
    this.#events.push({ at: Math.round(at), act });
  }

  /** Delivers after the latency, or never when the link is cut. */
  carry(act: () => void): void {
    if (this.up) this.at(this.now + LATENCY_MS, act);
  }

  run(untilMs: number, nodes: readonly Node[]): void {
    for (;;) {
      let next = this.#events[0];
      for (const event of this.#events) {
        if (next === undefined || event.at < next.at) next = event;
      }
      const dueMs = Math.min(...nodes.map((node) => node.dueMs));
      const at = Math.min(dueMs, next?.at ?? Number.POSITIVE_INFINITY);
      if (at > untilMs) break;
      this.now = Math.max(this.now, at);
      if (next !== undefined && next.at <= at) {
        this.#events.splice(this.#events.indexOf(next), 1);
        next.act();
      }
      for (const node of nodes) node.look();
    }
    this.now = untilMs;
  }
}

class Node {
  readonly name: string;
  readonly timers: PeerTimers;
  readonly network: Network;
  readonly seen: Seen = {
    lastSentMs: 0,
    lastDataSentMs: 0,
    lastReceivedMs: 0,
    lastDataReceivedMs: 0,
    wantedAtMs: 0,
    session: null,
    persistentKeepaliveMs: 0,
  };
  other!: Node;
  session: Session | null = null;
  next: Session | null = null;
  readonly initiatedMs: number[] = [];
  readonly keepaliveMs: number[] = [];
  waitedMs: number[] = [];
  gaveUp = 0;
  looks = 0;

  /** Boot clocks of two machines have nothing to do with each other. */
  readonly #skewMs: number;

  constructor(name: string, network: Network, random: () => number) {
    this.name = name;
    this.network = network;
    this.#skewMs = Math.floor(random() * 1e6);
    this.timers = new PeerTimers(random);
  }

  get now(): number {
    return this.network.now + this.#skewMs;
  }

  /** When the timers are due, on the network's clock; whole milliseconds, as sleeps are. */
  get dueMs(): number {
    return Math.ceil(this.timers.nextDueMs(this.now)) - this.#skewMs;
  }

  look(): void {
    const { now } = this;
    if (this.timers.nextDueMs(now) > now && this.seen.wantedAtMs !== now) return;
    this.looks += 1;
    this.seen.session = this.session === null ? null : { ...this.session, limits: LIMITS };
    for (const action of this.timers.step(this.seen, now)) {
      if (action === "initiate") this.initiate();
      if (action === "keepalive") this.transmit(false);
      if (action === "keepalive") this.keepaliveMs.push(this.network.now);
      if (action === "giveUp") this.gaveUp += 1;
      if (action === "expire") this.session = null;
    }
    assert.ok(this.timers.nextDueMs(now) > now, "after a step nothing is due at once");
  }

  initiate(): void {
    const { network, other } = this;
    this.initiatedMs.push(network.now);
    this.timers.handshakeSent(this.now);
    network.carry(() => {
      other.timers.handshakeReceived(other.now);
      const name = `${this.initiatedMs.length} of ${this.name}`;
      other.next = { name, bornMs: other.now, initiator: false, sentCounter: 0 };
      network.carry(() => {
        this.session = { name, bornMs: this.now, initiator: true, sentCounter: 0 };
        this.timers.handshakeDone(this.now);
        this.transmit(false);
      });
    });
  }

  /** A packet of the user: sent, or left waiting. */
  send(): void {
    const { now } = this;
    if (this.session !== null && now - this.session.bornMs < TIMING.rejectAfterTimeMs) {
      this.transmit(true);
    } else {
      this.seen.wantedAtMs = now;
      this.waitedMs.push(this.network.now);
    }
  }

  transmit(data: boolean): void {
    if (this.session === null) return;
    this.session.sentCounter += 1;
    this.seen.lastSentMs = this.now;
    if (data) this.seen.lastDataSentMs = this.now;
    const { name } = this.session;
    this.network.carry(() => this.other.receive(name, data));
  }

  receive(name: string, data: boolean): void {
    if (this.next?.name === name) {
      this.session = this.next;
      this.next = null;
      this.timers.handshakeDone(this.now);
    }
    this.seen.lastReceivedMs = this.now;
    if (data) this.seen.lastDataReceivedMs = this.now;
  }
}

const pair = (seed: number): { network: Network; a: Node; b: Node } => {
  const network = new Network();
  const random = seeded(seed);
  const a = new Node("a", network, random);
  const b = new Node("b", network, random);
  a.other = b;
  b.other = a;
  return { network, a, b };
};

/** The node sends at a rhythm, with a little irregularity, from now until a time. */
const traffic = (
  network: Network,
  node: Node,
  everyMs: number,
  untilMs: number,
  random: () => number,
): void => {
  const tick = (): void => {
    node.send();
    const at = network.now + everyMs * (0.5 + random());
    if (at < untilMs) network.at(at, tick);
  };
  network.at(network.now + everyMs * random(), tick);
};

const seeds = fc.integer({ min: 0, max: 0xffff_ffff });

test("steady traffic both ways: no packet waits after the first handshake", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 50, max: 4_000 }), (seed, everyMs) => {
      const { network, a, b } = pair(seed);
      const random = seeded(seed ^ 1);
      const start = network.now;
      const until = start + 900_000;
      traffic(network, a, everyMs, until, random);
      traffic(network, b, everyMs, until, random);
      network.run(until, [a, b]);
      const late = [...a.waitedMs, ...b.waitedMs].filter((at) => at > start + 20_000);
      assert.deepEqual(late, []);
      // One each 120 s; where initiations cross two each 170 s: at most six times in 880 s.
      const handshakes = [...a.initiatedMs, ...b.initiatedMs].filter((at) => at > start + 20_000);
      assert.ok(handshakes.length >= 5 && handshakes.length <= 12, `${handshakes.length}`);
      assert.equal(a.gaveUp + b.gaveUp, 0);
    }),
    { numRuns: 12 },
  );
});

test("traffic one way: keepalives answer it, and no handshake is made for lack of answers", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 100, max: 30_000 }), (seed, everyMs) => {
      const { network, a, b } = pair(seed);
      const start = network.now;
      traffic(network, a, everyMs, start + 600_000, seeded(seed ^ 1));
      network.run(start + 600_000, [a, b]);
      const handshakes = [...a.initiatedMs, ...b.initiatedMs].sort((x, y) => x - y);
      for (const [i, at] of handshakes.entries()) {
        const gap = at - (handshakes[i - 1] ?? Number.NEGATIVE_INFINITY);
        assert.ok(gap >= 119_000, `a handshake ${gap} ms after the one before`);
      }
      for (const [i, at] of b.keepaliveMs.entries()) {
        const gap = at - (b.keepaliveMs[i - 1] ?? Number.NEGATIVE_INFINITY);
        assert.ok(gap >= 7_500, `a keepalive ${gap} ms after the one before`);
      }
    }),
    { numRuns: 25 },
  );
});

test("a cut link is noticed in 15 to 18 s, and healed at the first try after it is back", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 5_000, max: 60_000 }), (seed, cutForMs) => {
      const { network, a, b } = pair(seed);
      const random = seeded(seed ^ 1);
      const start = network.now;
      traffic(network, a, 200, start + 300_000, random);
      traffic(network, b, 200, start + 300_000, random);
      const cutMs = start + 30_000;
      network.run(cutMs, [a, b]);
      network.up = false;
      network.run(cutMs + cutForMs, [a, b]);
      const tries = [...a.initiatedMs, ...b.initiatedMs];
      const during = tries.filter((at) => at > cutMs).sort((x, y) => x - y);
      if (cutForMs < 14_500) assert.deepEqual(during, []);
      if (during[0] !== undefined) {
        const noticedMs = during[0] - cutMs;
        assert.ok(noticedMs >= 14_500 && noticedMs <= 18_500, `noticed after ${noticedMs} ms`);
      } else {
        assert.ok(cutForMs <= 18_500);
      }
      network.up = true;
      network.run(cutMs + cutForMs + 6_000, [a, b]);
      for (const node of [a, b]) assert.ok(node.seen.lastReceivedMs > node.now - 1_000);
      assert.equal(a.timers.attempting || b.timers.attempting, false);
    }),
    { numRuns: 25 },
  );
});

test("a tunnel that falls silent wakes both ends at the same moments, then not at all", () => {
  const { network, a, b } = pair(7);
  a.send();
  network.run(network.now + 180_200, [a, b]);
  // 72 shared moments of 2.5 s, and a few of its own.
  assert.ok(a.looks <= 80 && b.looks <= 80, `${a.looks} and ${b.looks} looks`);
  const [looksA, looksB] = [a.looks, b.looks];
  network.run(network.now + 3_600_000, [a, b]);
  assert.ok(a.looks - looksA <= 2 && b.looks - looksB <= 2, "expiry and zeroing are left");
  assert.equal(a.dueMs, Number.POSITIVE_INFINITY);
});

test("whatever is seen, a step leaves nothing due and initiations keep their distance", () => {
  const span = 400_000;
  const time = fc.integer({ min: 0, max: span });
  const look = fc.record({
    afterMs: fc.integer({ min: 0, max: 60_000 }),
    lastSentMs: time,
    lastDataSentMs: time,
    lastReceivedMs: time,
    lastDataReceivedMs: time,
    wantedAtMs: time,
    persistentKeepaliveMs: fc.constantFrom(0, 1_000, 25_000),
    session: fc.option(
      fc.record({
        bornMs: time,
        initiator: fc.boolean(),
        sentCounter: fc.constantFrom(0, 5n, 2n ** 60n, 2n ** 64n - 1n),
        limits: fc.constantFrom(LIMITS, messageLimits(1, 1_420)),
      }),
    ),
    event: fc.constantFrom("none", "received", "done"),
  });
  fc.assert(
    fc.property(fc.array(look, { maxLength: 30 }), seeds, (looks, seed) => {
      const timers = new PeerTimers(seeded(seed));
      let now = 0;
      let lastMs = Number.NEGATIVE_INFINITY;
      for (const { afterMs, event, ...seen } of looks) {
        now += afterMs;
        if (event === "received") timers.handshakeReceived(now);
        if (event === "received") lastMs = now;
        if (event === "done") timers.handshakeDone(now);
        const actions = timers.step(seen, now);
        assert.equal(new Set(actions).size, actions.length);
        assert.ok(timers.nextDueMs(now) > now, "after a step nothing is due at once");
        if (!actions.includes("initiate")) continue;
        assert.ok(now - lastMs >= TIMING.rekeyTimeoutMs, `${now - lastMs} ms apart`);
        assert.ok(timers.attempting && !actions.includes("giveUp"));
        lastMs = now;
        timers.handshakeSent(now);
      }
    }),
    { numRuns: 1_000 },
  );
});
