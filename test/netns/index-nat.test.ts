/**
 * index-nat — an index node behind a router that gives it a public address of its own, one to one.
 * Members outside find each other and those inside, and these find each other, all by the address
 * of `--public-address`.
 *
 *     m1, m2   192.0.2.x ── switch ── 192.0.2.250 router 198.51.100.1 ── m3, m4 198.51.100.x
 *                                     192.0.2.251 ◀─ one to one ─▶ index 198.51.100.105 m5
 *
 * Whoever is inside goes out under the router's address, and to the index node's public one by the
 * router, under its inner one. IPv4 alone.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inside } from "../../src/demo/tools.ts";
import type { StatusValue } from "../../src/schema/requests.ts";
import { PORT } from "../lab/engines.ts";
import { cannotRun, must, namespaceOf } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { INDEX_PORT } from "../lab/network.ts";

const skip = cannotRun(["nft"]);
const MEET_MS = 5_000;
/** A packet to somebody who is not met yet waits so long at most. */
const FIRST_S = 3;
const RESTARTS = 3;
const ROUTER = "192.0.2.250";
const PUBLIC = "192.0.2.251";
const GATEWAY = "198.51.100.1";

let mesh: Mesh;
let [m1, m2, m3, m4, m5]: Member[] = [];
const router = { namespace: namespaceOf("r") };
const hub = { namespace: namespaceOf("w") };
const insideOf = ({ number }: Member): string => `198.51.100.${100 + number}`;

const ip = (place: { readonly namespace: string }, ...words: string[]): Promise<string> =>
  must(["ip", "-netns", place.namespace, ...words]);

/** A router between the switch and a link of its own. */
const makeRouter = async (): Promise<void> => {
  await must(["ip", "netns", "add", router.namespace]);
  const cable = ["type", "veth", "peer", "name", "router", "netns", hub.namespace];
  await ip(router, "link", "add", "outside", ...cable);
  await ip(hub, "link", "set", "router", "master", "switch", "up");
  await ip(router, "link", "add", "inside", "type", "bridge");
  for (const address of [ROUTER, PUBLIC]) {
    await ip(router, "address", "add", `${address}/24`, "dev", "outside");
  }
  await ip(router, "address", "add", `${GATEWAY}/24`, "dev", "inside");
  for (const device of ["lo", "outside", "inside"]) await ip(router, "link", "set", device, "up");
  const run = (words: string[]) => must(inside(router.namespace, words));
  const settings = ["ip_forward=1", "conf.all.send_redirects=0", "conf.inside.send_redirects=0"];
  for (const setting of settings) {
    const [name = "", value = ""] = setting.split("=");
    const file = `/proc/sys/net/ipv4/${name.replaceAll(".", "/")}`;
    await run(["sh", "-c", `echo ${value} > ${file}`]);
  }
  const index = insideOf(m5!);
  // biome-ignore format: a table
  const rules = [
    "add table ip nat",
    "add chain ip nat before { type nat hook prerouting priority -100; }",
    "add chain ip nat after { type nat hook postrouting priority 100; }",
    `add rule ip nat before ip daddr ${PUBLIC} dnat to ${index}`,
    `add rule ip nat after oifname outside ip saddr ${index} snat to ${PUBLIC}`,
    `add rule ip nat after oifname outside snat to ${ROUTER} fully-random`,
    `add rule ip nat after oifname inside ip saddr ${GATEWAY}/24 ip daddr ${index} masquerade`,
  ];
  for (const rule of rules) await run(["nft", rule]);
};

/** From the switch to the link behind the router. */
const moveInside = async (member: Member): Promise<void> => {
  await ip(hub, "link", "set", member.name, "netns", router.namespace);
  await ip(router, "link", "set", member.name, "master", "inside", "up");
  await ip(member, "address", "flush", "dev", "under");
  await ip(member, "address", "add", `${insideOf(member)}/24`, "dev", "under");
  await ip(member, "route", "add", "default", "via", GATEWAY);
};

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(5);
  [m1, m2, m3, m4, m5] = [...mesh.members];
  await makeRouter();
  for (const member of [m3!, m4!, m5!]) await moveInside(member);
  const listen = `${insideOf(m5!)}:${INDEX_PORT}`;
  const { output } = await mesh.startIndex(m5!, { listen, words: ["--public-address", PUBLIC] });
  const place = /index = \["(p2p:\S+)"\]/.exec(output)?.[1];
  assert.equal(place?.replace(/.*@/, ""), `${PUBLIC}:${INDEX_PORT}`, output);
  for (const member of [m1!, m2!, m3!, m4!]) {
    await mesh.enroll(member);
    mesh.configure(member, { index: [place!] });
  }
});
after(() => {
  if (skip === false) mesh.remove();
});

const network = async (member: Member) =>
  (await mesh.json<StatusValue>(member, "status")).membership!;

test("members on both sides find each other by its public address", { skip }, async (t) => {
  const members = [m1!, m2!, m3!, m4!];
  await mesh.startAll(members);
  const ms = await mesh.allReach(members, MEET_MS);
  t.diagnostic(`measured: everyone reached everyone in ${ms.toFixed(0)} ms after the last start`);
  for (const member of members) {
    const [index] = (await network(member)).indexes;
    assert.deepEqual([index!.state, index!.address], ["open", `${PUBLIC}:${INDEX_PORT}`]);
  }
});

test("it sees those outside where they are, and those inside at the router", { skip }, async () => {
  for (const member of [m1!, m2!]) {
    const { indexes, observed } = await network(member);
    assert.equal(indexes[0]!.observed, `${member.under4}:${PORT}`);
    assert.deepEqual(observed, [], "no NAT is between");
  }
  for (const member of [m3!, m4!]) {
    const { indexes, observed } = await network(member);
    assert.ok(indexes[0]!.observed?.startsWith(`${GATEWAY}:`), `${indexes[0]!.observed}`);
    assert.deepEqual(observed, [indexes[0]!.observed]);
  }
});

test("who starts anew reaches those inside with its first packet", { skip }, async () => {
  for (let i = 0; i < RESTARTS; i++) {
    await Promise.all([m1!, m3!].map((member) => mesh.stop(member)));
    await mesh.start(m3!);
    await mesh.start(m1!);
    const answered = await mesh.pings(m1!, m3!.inner4, FIRST_S);
    assert.ok(answered, mesh.said([m1!, m3!]).join("\n"));
  }
});
