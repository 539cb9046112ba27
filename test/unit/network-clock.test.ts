/** clock (of the network) — which time is believed, and whose word it takes to believe another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "../../src/control/network/clock.ts";

const BUILT_S = 1_800_000_000;
const DAY_S = 86_400;
const HOUR_MS = 3_600_000;
const NOW_MS = (BUILT_S + 10 * DAY_S) * 1_000;

/** A clock whose world a test turns. */
const make = (unixMs = NOW_MS, others = 5) => {
  const world = { bootMs: 1_000, unixMs, others, held: [] as number[], set: 0 };
  const clock = new Clock({
    bootMs: () => world.bootMs,
    unixMs: () => world.unixMs,
    builtS: BUILT_S,
    others: () => world.others,
    onHeld: (stepMs) => world.held.push(stepMs),
    onSet: () => world.set++,
  });
  const pass = (ms: number): void => {
    world.bootMs += ms;
    world.unixMs += ms;
  };
  /** Two members agree with the time that is believed. */
  const agree = (): void => {
    for (const member of [1, 2]) clock.heard(member, clock.nowMs());
  };
  return { clock, world, pass, agree };
};

test("the system's clock is believed when it is not before the build date, and followed", () => {
  const { clock, world, pass } = make();
  assert.ok(clock.trusted);
  assert.equal(clock.nowMs(), NOW_MS);
  pass(5_000);
  world.unixMs += 700;
  assert.equal(clock.nowMs(), NOW_MS + 5_700);
  assert.equal(clock.certificateS(), Math.floor((NOW_MS + 5_700) / 1_000));
});

test("a clock of 1970: a floor is known, and no more, until two members say the time", () => {
  const { clock, world, pass } = make(0);
  assert.ok(!clock.trusted);
  assert.equal(clock.certificateS(), BUILT_S);
  clock.raise(BUILT_S + 3 * DAY_S);
  clock.raise(BUILT_S + 2 * DAY_S);
  assert.equal(clock.certificateS(), BUILT_S + 3 * DAY_S);
  clock.heard(1, NOW_MS);
  assert.ok(!clock.trusted, "one is not enough");
  clock.heard(1, NOW_MS + 1_000);
  assert.ok(!clock.trusted, "nor the same one twice");
  clock.heard(2, NOW_MS + 2 * HOUR_MS);
  assert.ok(!clock.trusted, "nor two that do not agree");
  clock.heard(3, NOW_MS + 60_000);
  assert.ok(clock.trusted);
  assert.equal(clock.nowMs(), NOW_MS + 1_000);
  pass(4_000);
  assert.equal(clock.nowMs(), NOW_MS + 5_000, "it goes on with the boot clock");
  // The system's clock is set at last: it says the same, and is followed.
  world.unixMs = NOW_MS + 6_000;
  assert.equal(clock.nowMs(), NOW_MS + 6_000);
});

test("where there is one other member, that one is enough", () => {
  const { clock } = make(0, 1);
  clock.heard(7, NOW_MS);
  assert.ok(clock.trusted);
});

test("what members say never goes behind what the authority signed", () => {
  const { clock } = make(0);
  clock.raise(BUILT_S + 20 * DAY_S);
  for (const member of [1, 2]) clock.heard(member, NOW_MS);
  assert.ok(!clock.trusted);
  assert.equal(clock.certificateS(), BUILT_S + 20 * DAY_S);
});

test("a clock that is behind what the authority signed is no time", () => {
  const { clock } = make();
  clock.raise(NOW_MS / 1_000 + 2 * DAY_S);
  assert.ok(!clock.trusted);
  assert.equal(clock.certificateS(), NOW_MS / 1_000 + 2 * DAY_S);
  const laterMs = NOW_MS + 3 * DAY_S * 1_000;
  for (const member of [1, 2]) clock.heard(member, laterMs);
  assert.ok(clock.trusted);
  assert.equal(clock.nowMs(), laterMs);
});

for (const [what, jumpMs] of [
  ["forward", 30 * HOUR_MS],
  ["back", -30 * HOUR_MS],
] as const) {
  test(`a jump ${what} is held back until two members agree with it`, () => {
    const { clock, world, pass, agree } = make();
    agree();
    world.unixMs += jumpMs;
    assert.equal(clock.nowMs(), NOW_MS);
    assert.equal(clock.heldMs, jumpMs);
    assert.deepEqual(world.held, [jumpMs], "it is told once");
    pass(10_000);
    assert.equal(clock.nowMs(), NOW_MS + 10_000);
    clock.heard(1, world.unixMs);
    assert.equal(clock.nowMs(), NOW_MS + 10_000, "one is not enough");
    clock.heard(2, world.unixMs + 1_000);
    assert.equal(clock.nowMs(), NOW_MS + 10_000 + jumpMs);
    assert.equal(clock.heldMs, 0);
    assert.ok(world.set >= 1);
  });
}

test("a jump that is taken back was none", () => {
  const { clock, world, agree } = make();
  agree();
  world.unixMs += 30 * HOUR_MS;
  assert.notEqual(clock.heldMs, 0);
  world.unixMs -= 30 * HOUR_MS;
  assert.equal(clock.heldMs, 0);
  assert.equal(clock.nowMs(), NOW_MS);
});

test("before anybody agreed, a wrong clock may be put right", () => {
  const { clock, world } = make(NOW_MS + 100 * HOUR_MS);
  assert.equal(clock.nowMs(), NOW_MS + 100 * HOUR_MS);
  world.unixMs = NOW_MS;
  assert.equal(clock.nowMs(), NOW_MS);
  assert.equal(clock.heldMs, 0);
});

test("many small steps are a jump too; a day later they are none", () => {
  const { clock, world, pass, agree } = make();
  agree();
  for (let i = 0; i < 3; i++) {
    pass(1_000);
    world.unixMs += 0.4 * HOUR_MS;
    clock.nowMs();
  }
  assert.notEqual(clock.heldMs, 0);
  assert.ok(clock.nowMs() - NOW_MS < HOUR_MS);
  world.unixMs -= 0.4 * HOUR_MS;
  assert.equal(clock.heldMs, 0);
  pass(25 * HOUR_MS);
  clock.nowMs();
  world.unixMs += 0.4 * HOUR_MS;
  assert.equal(clock.heldMs, 0);
});

test("what members said is forgotten, and bounded", () => {
  const { clock, pass } = make();
  for (let member = 0; member < 100; member++) clock.heard(member, NOW_MS + HOUR_MS);
  const said = clock.differencesMs();
  assert.equal(said.length, 16);
  assert.ok(said.every((ms) => ms === HOUR_MS));
  pass(601_000);
  assert.deepEqual(clock.differencesMs(), []);
});

test("a step within an hour is followed, and told: what we said ahead of time is said anew", () => {
  const { clock, world, pass, agree } = make();
  agree();
  const before = world.set;
  pass(1_000);
  world.unixMs += 60_000;
  clock.nowMs();
  assert.equal(world.set, before, "a minute is a clock that is set, and no step");
  world.unixMs += HOUR_MS - 60_000;
  clock.nowMs();
  assert.equal(world.set, before + 1, "ahead");
  pass(10_000);
  world.unixMs -= HOUR_MS;
  assert.equal(clock.nowMs(), NOW_MS + 11_000);
  assert.equal(world.set, before + 2, "and back");
  assert.deepEqual(world.held, []);
});
