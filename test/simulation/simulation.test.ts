/** simulation — seeds of two engines and of five; and the same seed is the same run. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openTheatre, simulate, type Theatre } from "./simulation.ts";

/** More with P2PVPN_RUNS; which ones with P2PVPN_SEED. */
const RUNS = Number(process.env.P2PVPN_RUNS ?? 120);
const FROM = Number(process.env.P2PVPN_SEED ?? 1);

const theatres = new Map<number, Theatre>();
const theatreOf = (engines: number): Theatre => {
  const theatre = theatres.get(engines) ?? openTheatre(engines);
  theatres.set(engines, theatre);
  return theatre;
};
after(() => {
  for (const theatre of theatres.values()) theatre.close();
});

/** What has to happen somewhere in the seeds: else they prove nothing. */
const REACHED = [
  "act: restart",
  "act: suspend",
  "act: peer removed",
  "turns between two stores",
  "doubled",
  "damaged",
  "lost",
  "handshakesAnswered",
  "handshakeReplayed",
  "roamed",
  "moves by the newest",
  "cookieAsked",
  "cookieNeighbour",
  "innerSource",
  "openFailed",
  "replayed",
  "sessionExpired",
  "stagedExpired",
  "unknownIndex",
  "ownTunnel",
  "blinked",
  "keepalives",
  "hellosTaken",
  "probesTaken",
  "answersTaken",
  "suiteRefused",
  "session of suite 0",
  "session of suite 1",
] as const;

/** Runs seeds; sums of what happened. */
const runAll = async (engines: number, seeds: number): Promise<Map<string, number>> => {
  const sums = new Map<string, number>();
  for (let seed = FROM; seed < FROM + seeds; seed++) {
    const { counts, delivered } = await simulate(seed, theatreOf(engines));
    for (const [what, amount] of counts) sums.set(what, (sums.get(what) ?? 0) + amount);
    sums.set("delivered", (sums.get("delivered") ?? 0) + delivered);
  }
  return sums;
};

test(`two engines, ${RUNS} seeds: nothing forbidden happens, sessions come back`, async () => {
  const sums = await runAll(2, RUNS);
  const missing = REACHED.filter((what) => !sums.get(what));
  assert.deepEqual(missing, []);
  assert(sums.get("delivered")! > 10 * RUNS);
});

test(`five engines, ${Math.ceil(RUNS / 15)} seeds`, async () => {
  const sums = await runAll(5, Math.ceil(RUNS / 15));
  assert(sums.get("delivered")! > 0);
});

for (const engines of [2, 5]) {
  test(`${engines} engines: the same seed is the same run, another one is not`, async () => {
    const run = (seed: number) => simulate(seed, theatreOf(engines), true);
    const [first, again, other] = [await run(FROM), await run(FROM), await run(FROM + 1)];
    assert(first.trace.length > 100);
    assert.deepEqual(again, first);
    assert.notDeepEqual(other.trace, first.trace);
  });
}
