/**
 * older — an engine of the version before, which knows no members, beside members of now: static
 * tunnels between them carry packets whoever calls, through hello and new sessions; and members'
 * own affairs go on, of which the older one is told nothing.
 *
 *     m1, m2   members of now       m3   an engine of the version before; it calls m1, m2 calls it
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { inside, runTool } from "../../src/demo/tools.ts";
import type { PeerValue, StatusValue } from "../../src/schema/requests.ts";
import { PORT } from "../lab/engines.ts";
import { cannotRun, LabError, spawnInside } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { cannotHaveOlder, olderEngine } from "../lab/older.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun(["cc"]) || cannotHaveOlder();
const MEET_MS = 10_000;
const UP_MS = 30_000;
const OLDER_INNER = "10.77.0.3";
/** Sessions that are made anew, by either end in turn. */
const REKEYS = 4;

let mesh: Mesh;
let program = "";
let [m1, m2, m3]: Member[] = [];
const keys = new Map<Member, string>();
const at = ({ under4 }: Member): string => `${under4}:${PORT}`;

/** A static peer in a configuration. */
const section = (name: string, of: Member, allowed: string, endpoint: boolean): string =>
  [
    "[[peer]]",
    `name = "${name}"`,
    `public_key = "${keys.get(of)}"`,
    `allowed_ips = ["${allowed}/32"]`,
    ...(endpoint ? [`endpoint = "${at(of)}"`] : []),
  ].join("\n");

const startOlder = async (member: Member): Promise<void> => {
  const lines = [
    "[interface]",
    `name = "${member.interfaceName}"`,
    `private_key_file = "${member.key}"`,
    `addresses = ["${OLDER_INNER}/32"]`,
    `listen_port = ${PORT}`,
    'state_dir = ""',
    "[engine]",
    "threads = 0",
    section("m1", m1!, m1!.inner4, true),
    section("m2", m2!, m2!.inner4, false),
  ];
  writeFileSync(member.config, `${lines.join("\n")}\n`, { mode: 0o600 });
  const words = [process.execPath, program, "start", "-c", member.config];
  const env = { P2PVPN_RUN_DIR: mesh.file("run") };
  member.program = spawnInside(member.namespace, words, env);
  await member.program.says(" is up", UP_MS);
};

/** What the older engine's own command says. */
const older = async (...words: readonly string[]): Promise<string> => {
  const env = ["env", `P2PVPN_RUN_DIR=${mesh.file("run")}`];
  const all = [...env, process.execPath, program, ...words, "-i", m3!.interfaceName];
  const { code, output, errors } = await runTool(inside(m3!.namespace, all));
  if (code !== 0) throw new LabError(`${words.join(" ")} of the older one: ${errors.trim()}`);
  return output;
};

const olderPeers = async (): Promise<PeerValue[]> => JSON.parse(await older("peers", "--json"));
const olderStatus = async (): Promise<StatusValue> => JSON.parse(await older("status", "--json"));

/** The tunnel between a member and the older engine, as both of them see it. */
const bothEnds = async (member: Member): Promise<readonly PeerValue[]> => {
  const here = (await mesh.json<PeerValue[]>(member, "peers")).find(({ name }) => name === "older");
  const there = (await olderPeers()).find(({ name }) => name === member.name);
  return [here!, there!];
};

before(async () => {
  if (skip !== false) return;
  program = olderEngine();
  mesh = await Mesh.make(3);
  [m1, m2, m3] = [...mesh.members];
  for (const member of mesh.members) {
    keys.set(member, await mesh.enroll(member));
  }
  mesh.configure(m1!, { rest: section("older", m3!, OLDER_INNER, false) });
  mesh.configure(m2!, {
    bootstrap: [at(m1!)],
    rest: section("older", m3!, OLDER_INNER, true),
  });
  await mesh.startAll([m1!, m2!]);
  await startOlder(m3!);
});
after(() => {
  if (skip === false) mesh.remove();
});

test("it is the version before, and knows no members", { skip }, async () => {
  const { output } = await runTool([process.execPath, program, "--version"]);
  assert.match(output, /0\.5\.\d/);
  const { output: commands } = await runTool([process.execPath, program, "--help"]);
  assert.doesNotMatch(commands, /^ +network /m);
});

test("pings go both ways, whoever calls first, and members reach each other", {
  skip,
}, async () => {
  await mesh.allReach([m1!, m2!], MEET_MS);
  assert.ok(await mesh.pings(m3!, m1!.inner4, 5), mesh.said().join("\n"));
  assert.ok(await mesh.pings(m2!, OLDER_INNER, 5), mesh.said().join("\n"));
  assert.ok(await mesh.pings(m1!, OLDER_INNER, 5));
  assert.ok(await mesh.pings(m3!, m2!.inner4, 5));
});

test("each has heard the other's hello: round trip, path and suite are known at both ends", {
  skip,
}, async (t) => {
  for (const member of [m1!, m2!]) {
    let ends: readonly PeerValue[] = [];
    // Suite and path MTU are changed after the hellos, at one end before the other.
    await until(`${member.name} and the older one know each other`, async () => {
      await mesh.pings(member, OLDER_INNER);
      ends = await bothEnds(member);
      const [{ cipher, mtu }] = ends as [PeerValue, PeerValue];
      return ends.every((end) => end.rttMs !== null && end.cipher === cipher && end.mtu === mtu);
    });
    const [here] = ends;
    assert.equal(here!.origin, "file");
    t.diagnostic(`measured: ${member.name} and the older one use ${here!.cipher}`);
  }
});

test("new sessions, begun by either end, lose no packet", { skip }, async () => {
  for (const member of [m1!, m2!]) {
    const pings = await mesh.keepPinging(member, OLDER_INNER);
    let lost: number;
    try {
      for (let i = 0; i < REKEYS; i++) {
        const made = (await olderStatus()).counters.sessionsMade!;
        if (i % 2 === 0) await older("rekey", "--peer", member.name);
        else await mesh.on(member, "rekey", "--peer", "older");
        await until("there is another session", async () => {
          return (await olderStatus()).counters.sessionsMade! > made;
        });
        const { answered } = pings;
        await until("pings go on in it", () => pings.answered > answered + 2);
      }
    } finally {
      lost = await pings.lost();
    }
    assert.equal(lost, 0);
  }
});

test("the older one was told nothing that it does not know, and is no member", {
  skip,
}, async () => {
  const { drops } = await olderStatus();
  // Types 9 and 10 would be badType, frames of members controlFrame.
  const strange = ["badType", "controlFrame", "frameInvalid", "frameMembers", "frameUnexpected"];
  for (const what of strange) assert.equal(drops[what], 0, what);
  const members = (await mesh.json<PeerValue[]>(m1!, "peers")).filter(
    ({ origin }) => origin === "network",
  );
  assert.deepEqual(
    members.map(({ name }) => name),
    ["m2"],
  );
});
