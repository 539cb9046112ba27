/**
 * lan — two members on one link find each other by beacons alone, and one with `lan = false` none.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inside, mustRun } from "../../src/demo/tools.ts";
import { cannotRun } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun([]);
/** Issue 13: after the last start. */
const MEET_MS = 5_000;

let mesh: Mesh;

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(3);
  for (const member of mesh.members) await mesh.enroll(member);
});
after(() => {
  if (skip === false) mesh.remove();
});

/** Groups that sockets of a member's host are in: 239.255.77.76, as the kernel writes it. */
const listens = async ({ namespace }: Member): Promise<boolean> =>
  (await mustRun(inside(namespace, ["cat", "/proc/net/igmp"]))).includes("4C4DFFEF");

test("beacons bring members together, and no others", { skip }, async (t) => {
  const [one, two, deaf] = mesh.members as [Member, Member, Member];
  for (const member of [one, two]) mesh.configure(member, { lan: true });
  mesh.configure(deaf, { lan: false });
  await mesh.startAll([deaf, one, two]);
  const ms = await mesh.allReach([one, two], MEET_MS);
  t.diagnostic(`measured: together ${ms.toFixed(0)} ms after the last start`);
  assert.equal(await mesh.pings(one, deaf.inner4), false);
  assert.equal(await listens(deaf), false);
  await until("both listen", async () => (await listens(one)) && (await listens(two)));
});
