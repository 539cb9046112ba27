/**
 * index-clocks — clocks that are wrong, at a member beside a right index node, and at an index node
 * beside right members. Who can be met is met; what is refused is said by name.
 *
 *     m1, m2   right        m3   of 1970, with no time known      m4   an hour ahead
 *     m5       a day behind       m7   the index node, which is right at first
 *     then m7, m8, m9 are index nodes of these clocks, each with two of m1 … m6, which are right
 */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { BUILT_S } from "../../src/schema/built.ts";
import type { StatusValue } from "../../src/schema/requests.ts";
import { cannotRun, type Program } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { INDEX_PORT } from "../lab/network.ts";
import { until } from "../lab/until.ts";

const MEET_MS = 5_000;
const DAY_S = 86_400;
const HOUR_S = 3_600;
const nowS = Date.now() / 1_000;
/** A clock that is before this version was built is no time: a day behind has to be one. */
const isYoung = nowS - BUILT_S < DAY_S + 60 ? "this version is younger than a day" : false;
const skip = cannotRun([]) || isYoung;

let mesh: Mesh;
let [m1, m2, m3, m4, m5, m6, m7, m8, m9]: Member[] = [];
let index: Program;

/** A module that puts a process's clock so far ahead. */
const clockOf = (aheadS: number): string[] => {
  const file = mesh.file(`clock${aheadS}.mjs`);
  const lines = ["const now = Date.now.bind(Date);", `Date.now = () => now() + ${aheadS * 1_000};`];
  writeFileSync(file, lines.join("\n"));
  return [file];
};
const OF_1970_S = -Math.floor(nowS) + HOUR_S;

interface Wrong {
  readonly aheadS: number;
  readonly host: () => Member;
  /** Members that know it and nobody else, and begin anew. */
  readonly pair: () => readonly Member[];
}

const WRONG: readonly Wrong[] = [
  { aheadS: OF_1970_S, host: () => m7!, pair: () => [m1!, m2!] },
  { aheadS: HOUR_S, host: () => m8!, pair: () => [m3!, m4!] },
  { aheadS: -DAY_S, host: () => m9!, pair: () => [m5!, m6!] },
];
const wrong = new Map<number, Program>();

const begin = async ({ aheadS, host, pair }: Wrong): Promise<void> => {
  rmSync(mesh.indexFolder(host()), { recursive: true, force: true });
  wrong.set(aheadS, await mesh.startIndex(host(), { imports: clockOf(aheadS) }));
  for (const member of pair()) {
    rmSync(member.stateDir, { recursive: true, force: true });
    mesh.configure(member, { index: [`${host().under4}:${INDEX_PORT}`] });
  }
  await mesh.startAll(pair());
};

before(async () => {
  if (skip !== false) return;
  // The authority is as old as one is: what it signed is no clock of today.
  mesh = await Mesh.make(9, Math.floor(nowS) - 30 * DAY_S);
  [m1, m2, m3, m4, m5, m6, m7, m8, m9] = [...mesh.members];
  for (const member of [m1!, m2!, m3!, m4!, m5!, m6!]) {
    await mesh.enroll(member);
    mesh.configure(member, { index: [`${m7!.under4}:${INDEX_PORT}`] });
  }
});
after(() => {
  if (skip === false) mesh.remove();
});

const network = async (member: Member) =>
  (await mesh.json<StatusValue>(member, "status")).membership!;

/** Sentences of its status. */
const problems = async (member: Member): Promise<string> =>
  (await network(member)).problems.join(" ");

const says = (member: Member, sentence: RegExp): Promise<void> =>
  until(
    `${member.name} says ${sentence}`,
    async () => sentence.test(await problems(member)),
    MEET_MS,
  );

test("members whose clocks are right, or not known, meet by a right index node", {
  skip,
}, async (t) => {
  index = await mesh.startIndex(m7!);
  await Promise.all([mesh.start(m1!), mesh.start(m2!), mesh.start(m3!, clockOf(OF_1970_S))]);
  const ms = await mesh.allReach([m1!, m2!, m3!], MEET_MS);
  t.diagnostic(`measured: they have met ${ms.toFixed(0)} ms after the last start`);
  // Two members have told the time to who had none.
  await until("m3 knows the time", async () => (await network(m3!)).clockTrusted, MEET_MS);
  for (const member of [m1!, m2!]) assert.doesNotMatch(await problems(member), /clock/);
});

test("one that is a day behind takes no member's word, and says so", { skip }, async () => {
  await mesh.start(m5!, clockOf(-DAY_S));
  await says(m5!, /The clock of the index node \S+ is 24 h ahead of this host's: set the one/);
  const strangers = async () =>
    (await network(m5!)).strangers.map(({ name, problems }) => [name, String(problems)]);
  const why = /^Its record is 24 h ahead: its clock is wrong, or ours \(told by an index node\)/;
  await until(
    "it says so of all",
    async () => (await strangers()).filter(([, said]) => why.test(said!)).length >= 3,
    MEET_MS,
  );
  assert.equal(await mesh.pings(m5!, m1!.inner4), false);
});

test("one that is an hour ahead is refused by members, and each side says so", {
  skip,
}, async () => {
  await mesh.start(m4!, clockOf(HOUR_S));
  await says(m4!, /The clock of the index node \S+ is 60 min behind this host's: set the one/);
  assert.equal(await mesh.pings(m4!, m1!.inner4), false);
  const why = /m4 is no member here\. Its record is 60 min ahead: its clock is wrong, or ours/;
  const told = async (): Promise<boolean> =>
    why.test((await mesh.on(m1!, "explain", "m4")).output.replace(/\s+/g, " "));
  await until("m1 says why", told, MEET_MS);
  assert.ok((await network(m1!)).counts.recordAhead! > 0);
  assert.equal((await network(m4!)).indexes[0]!.state, "open");
});

test("an index node that does not know the time, or is ahead, brings members together", {
  skip,
}, async () => {
  for (const member of mesh.members) await mesh.stop(member);
  await index.stop();
  await Promise.all(WRONG.map(begin));
  await Promise.all(WRONG.slice(0, 2).map(({ pair }) => mesh.allReach(pair(), MEET_MS)));
  const [unknowing, ahead] = WRONG as [Wrong, Wrong];
  for (const member of unknowing.pair()) assert.doesNotMatch(await problems(member), /clock/);
  for (const member of ahead.pair()) {
    await says(member, /The clock of the index node \S+ is 60 min ahead of this host's/);
  }
});

test("one that is a day behind takes no record, and members say why", { skip }, async () => {
  const { aheadS, pair, host } = WRONG[2]!;
  for (const member of pair()) {
    await says(member, /The clock of the index node \S+ is 24 h behind this host's/);
    assert.equal((await network(member)).indexes[0]!.state, "open");
  }
  const [one, two] = pair();
  assert.equal(await mesh.pings(one!, two!.inner4), false);
  await wrong.get(aheadS)!.stop();
  const status = readFileSync(join(mesh.indexFolder(host()), "status.json"), "utf8");
  const [{ members, counts }] = JSON.parse(status).networks;
  assert.equal(members, 0);
  assert.ok(counts.recordAhead >= 2);
});
