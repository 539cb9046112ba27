/**
 * index-moves — an index node with a DNS name moves to another host. Members that know it by name
 * alone find it there within seconds; who answers at the old address meanwhile is not believed, and
 * said.
 *
 *     m1, m2   members, by the name alone: pinned at first contact     m3   by node id and name
 *     m4       the index node; after it has gone, somebody else        m5   where it moves to
 *     m6       the name server
 */
import assert from "node:assert/strict";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { StatusValue } from "../../src/schema/requests.ts";
import { ours } from "../lab/engines.ts";
import { cannotRun, type Program, spawnInside, writeEtc } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { INDEX_PORT } from "../lab/network.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun([]);
const MEET_MS = 5_000;
/** As long as it was away, names are asked for again soon. */
const FOUND_MS = 15_000;
const NAME = "index.example";

let mesh: Mesh;
let [m1, m2, m3, m4, m5, m6]: Member[] = [];
const members = (): readonly Member[] => [m1!, m2!, m3!];
let index: Program;
let nodeId = "";

/** From now on the name leads there. */
const isAt = ({ under4 }: Member): void =>
  writeFileSync(mesh.file("names"), JSON.stringify({ [NAME]: [under4] }));

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(6);
  [m1, m2, m3, m4, m5, m6] = [...mesh.members];
  isAt(m4!);
  const server = spawnInside(
    m6!.namespace,
    [process.execPath, ours("./dns"), mesh.file("names")],
    {},
  );
  await server.says("serving");
  for (const member of members()) {
    writeEtc(member, "nsswitch.conf", "hosts: files dns\n");
    writeEtc(member, "resolv.conf", `nameserver ${m6!.under4}\n`);
    await mesh.enroll(member);
  }
  index = await mesh.startIndex(m4!, { words: ["--public-address", NAME] });
  const named = new RegExp(`index = \\["((p2p:\\S+)@${NAME}:${INDEX_PORT})"\\]`).exec(index.output);
  assert.ok(named !== null, index.output);
  nodeId = named[2]!;
  for (const member of [m1!, m2!]) mesh.configure(member, { index: [`${NAME}:${INDEX_PORT}`] });
  mesh.configure(m3!, { index: [named[1]!] });
});
after(() => {
  if (skip === false) mesh.remove();
});

/** What a member says of the index node. */
const seen = async (member: Member) =>
  (await mesh.json<StatusValue>(member, "status")).membership!.indexes[0]!;

const allSee = (what: string, holds: (facts: Awaited<ReturnType<typeof seen>>) => boolean) =>
  until(what, async () => (await Promise.all(members().map(seen))).every(holds), FOUND_MS);

test("members that know it by name find each other", { skip }, async () => {
  await mesh.startAll(members());
  await mesh.allReach(members(), MEET_MS);
  await allSee("all have its channel", ({ state }) => state === "open");
  for (const member of members()) assert.equal((await seen(member)).nodeId, nodeId);
});

test("who answers in its place is not believed, and said; also by who starts anew", {
  skip,
}, async () => {
  assert.equal(await index.stop(), 0);
  cpSync(mesh.indexFolder(m4!), mesh.indexFolder(m5!), { recursive: true });
  rmSync(mesh.indexFolder(m4!), { recursive: true });
  const other = await mesh.startIndex(m4!);
  await mesh.stop(m1!);
  await mesh.start(m1!);
  const said = new RegExp(
    `^Another index node answers at ${NAME}:${INDEX_PORT}, p2p:\\S+, and not`,
  );
  await allSee("all say so", ({ problem }) => said.test(problem ?? ""));
  for (const member of members()) {
    const { problem, state } = await seen(member);
    assert.ok(problem?.includes(nodeId), `${problem}`);
    assert.notEqual(state, "open");
    const { membership } = await mesh.json<StatusValue>(member, "status");
    assert.ok(membership!.counts.indexOther! > 0);
  }
  assert.doesNotMatch(other.errors, /"callers":[1-9]/);
  await mesh.allReach(members(), MEET_MS);
});

test("it is found where its name leads now, and is who it was", { skip }, async (t) => {
  index = await mesh.startIndex(m5!);
  const begun = performance.now();
  isAt(m5!);
  const place = `${m5!.under4}:${INDEX_PORT}`;
  await allSee("all have found it", ({ state, address }) => state === "open" && address === place);
  t.diagnostic(`measured: all have found it ${(performance.now() - begun).toFixed(0)} ms after`);
  for (const member of members()) {
    const { nodeId: now, problem } = await seen(member);
    assert.deepEqual([now, problem], [nodeId, null]);
  }
});
