/**
 * index-liar — two networks on one index node, and beside it one that lies: it says that members
 * are where nobody is, shows old records, and gives every address to the first who came. Members
 * meet all the same, nothing of it is believed, and each lie is counted.
 *
 *     m1 … m3   of the network lab        m6   an index node of both networks
 *     m4, m5    of another network, with the addresses of m1 and m2        m7   the liar, of lab
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { PeerValue, StatusValue } from "../../src/schema/requests.ts";
import { swapIn } from "../lab/engines.ts";
import { cannotRun, must } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { INDEX_PORT } from "../lab/network.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun([]);
/** How fast members meet is index-members' subject. */
const MEET_MS = 10_000;
const NOBODY = "10.66.77.77";
const MOVED = "192.0.2.202";

let mesh: Mesh;
let [m1, m2, m3, m4, m5, m6, m7]: Member[] = [];
const at = ({ under4 }: Member): string => `${under4}:${INDEX_PORT}`;

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(7);
  [m1, m2, m3, m4, m5, m6, m7] = [...mesh.members];
  const other = mesh.found("other");
  for (const member of [m1!, m2!, m3!]) {
    await mesh.enroll(member);
    mesh.configure(member, { index: [at(m7!), at(m6!)] });
  }
  for (const [member, twin] of [[m4!, m1!] as const, [m5!, m2!] as const]) {
    await mesh.enroll(member, { ips: [twin.inner4] }, other);
    mesh.configure(member, { index: [at(m6!)] }, other);
  }
  await mesh.startIndex(m6!, { networks: [mesh.networkFile, other.networkFile] });
  const lies = swapIn("../../src/directory/service", "./lying-service");
  await mesh.startIndex(m7!, { imports: [lies] });
});
after(() => {
  if (skip === false) mesh.remove();
});

const namesOf = async (member: Member): Promise<string[]> =>
  (await mesh.json<PeerValue[]>(member, "peers")).map(({ name }) => name ?? "").sort();

const network = async (member: Member) =>
  (await mesh.json<StatusValue>(member, "status")).membership!;

test("two networks on one index node know nothing of each other", { skip }, async () => {
  await mesh.startAll([m1!, m2!, m4!, m5!]);
  await mesh.allReach([m1!, m2!], MEET_MS);
  // The same addresses are others' there.
  const meets = (from: Member, twin: Member): Promise<void> =>
    until(`${from.name} meets`, () => mesh.pings(from, twin.inner4), MEET_MS);
  await Promise.all([meets(m4!, m2!), meets(m5!, m1!)]);
  assert.deepEqual(await namesOf(m1!), ["m2"]);
  assert.deepEqual(await namesOf(m4!), ["m5"]);
  assert.deepEqual(await namesOf(m5!), ["m4"]);
});

test("one who comes finds who has moved, though it is shown the old record", { skip }, async () => {
  // Its old address is nobody's now.
  await mesh.stop(m2!);
  const ip = (...words: string[]) => must(["ip", "-netns", m2!.namespace, "address", ...words]);
  await ip("delete", `${m2!.under4}/24`, "dev", "under");
  await ip("add", `${MOVED}/24`, "dev", "under");
  await mesh.start(m2!);
  await until("m1 hears of it", () => mesh.pings(m1!, m2!.inner4), MEET_MS);
  await mesh.start(m3!);
  await mesh.allReach([m1!, m2!, m3!], MEET_MS);
  // It may have heard the liar first. Now it knows the newer one before anybody says anything.
  await mesh.stop(m3!);
  await mesh.start(m3!);
  await until(
    "an old record is counted",
    async () => ((await network(m3!)).counts.recordOld ?? 0) > 0,
    MEET_MS,
  );
});

test("nobody tells others of a place that the liar alone has seen", { skip }, async () => {
  for (const member of [m1!, m2!, m3!]) {
    const { indexes, observed } = await network(member);
    assert.deepEqual(observed, [], `${member.name} is behind no NAT`);
    const liar = indexes.find(({ name }) => name === at(m7!))!;
    assert.equal(liar.observed, "203.0.113.66:6666");
    assert.equal(liar.members, 1_000_000);
  }
});

test("an address that the liar gives to somebody stays nobody's", { skip }, async () => {
  assert.equal(await mesh.pings(m1!, NOBODY, 3), false);
  const { output } = await mesh.on(m1!, "explain", NOBODY);
  assert.match(output.replace(/\s+/g, " "), /A packet to 10\.66\.77\.77 came/);
  assert.match(output, /answers were not believed: they were not of its member/);
  assert.ok((await network(m1!)).counts.indexWrong! > 0);
});
