/**
 * Members with IPv6 alone, and an index node with IPv6 alone: they meet, and IPv4 goes in the
 * tunnel.
 */
import { after, before, test } from "node:test";
import { cannotRun, must, type Program } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { INDEX_PORT } from "../lab/network.ts";

const skip = cannotRun([]);
const MEMBERS = 3;
const MEET_MS = 5_000;

let mesh: Mesh;
let index: Program | null = null;

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(MEMBERS + 1);
});
after(async () => {
  await index?.stop();
  if (skip === false) mesh.remove();
});

test("nobody has IPv4 outside of the tunnel: all reach all", { skip }, async (t) => {
  await mesh.enrollAll();
  for (const { namespace, under4 } of mesh.members) {
    await must(["ip", "-netns", namespace, "address", "delete", `${under4}/24`, "dev", "under"]);
  }
  const members = mesh.members.slice(0, MEMBERS);
  const host = mesh.members[MEMBERS] as Member;
  const place = `[${host.under6}]:${INDEX_PORT}`;
  index = await mesh.startIndex(host, { listen: place });
  for (const member of members) mesh.configure(member, { index: [place] });
  await mesh.startAll(members);
  const ms = await mesh.allReach(members, MEET_MS);
  t.diagnostic(`measured: everyone reached everyone in ${ms.toFixed(0)} ms after the last start`);
});
