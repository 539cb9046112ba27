/**
 * storers — members whose certificate has the flag relay store records for others: with the index
 * node dead, records are put to them and found at them.
 *
 *     m1, m2  store        m3, m4  ask        m6  index node, which is killed
 *     m5      a member that no session and no gossip ever heard of: it shows its record to m1 alone
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { inside, mustRun } from "../../src/demo/tools.ts";
import { unarmor } from "../../src/members/armor.ts";
import { decodeMemberFile } from "../../src/members/bundle.ts";
import { encodeRecord } from "../../src/members/record.ts";
import { derive, openSecret } from "../../src/members/secret.ts";
import type { NetworkStatus } from "../../src/schema/answers.ts";
import { loadSigner } from "../../src/schema/identity.ts";
import { ours, PORT } from "../lab/engines.ts";
import type { CallerFile } from "../lab/index-caller.ts";
import { cannotRun, LabError, type Program } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { INDEX_PORT } from "../lab/network.ts";
import { until } from "../lab/until.ts";
import { report } from "../unit/service-parts.ts";

const skip = cannotRun([]);
const MEET_MS = 10_000;
/** A record is published two seconds after it changed. */
const STORED_MS = 15_000;

let mesh: Mesh;
let index: Program;
let [one, two, three, four, five, host]: Member[] = [];

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(6);
  [one, two, three, four, five, host] = mesh.members as Member[];
});
after(async () => {
  if (skip !== false) return;
  await index?.stop();
  mesh.remove();
});

const engines = (): Member[] => [one!, two!, three!, four!];
const status = async (member: Member): Promise<NetworkStatus> =>
  (await mesh.json<{ membership: NetworkStatus }>(member, "status")).membership;
const counted = async (member: Member, name: string): Promise<number> =>
  (await status(member)).counts[name] ?? 0;
const explained = async (member: Member, query: string): Promise<string> =>
  (await mesh.on(member, "explain", query)).output;

/** What a program needs to show a member's record, as its engine would. */
const callerOf = (member: Member): CallerFile => {
  const bytes = unarmor("certificate", readFileSync(member.certificate, "latin1"));
  const file = bytes.ok ? decodeMemberFile(bytes.value) : bytes;
  if (!file.ok) throw new LabError(file.why);
  const { certificate, definition, list, sealed } = file.value;
  const { identity, secretKey } = loadSigner(member.key);
  const secret = openSecret(sealed, identity.publicKey, identity.privateKey)!;
  const { networkId } = definition;
  const nowMs = Date.now();
  const issuedS = Math.floor(nowMs / 1_000);
  const record = encodeRecord(
    {
      ...{ epoch: list.epoch, nodeKey: certificate.nodeKey, certificateHash: certificate.hash },
      ...{ sequence: nowMs, issuedS, expiresS: issuedS + 86_400 },
    },
    { startId: new Uint8Array(16), suites: 3, candidates: [], announced: [] },
    { networkId, secretKey, recordKey: derive(secret, "record"), nonce: new Uint8Array(24) },
  );
  const hex = (some: Uint8Array): string => Buffer.from(some).toString("hex");
  return {
    networkId: hex(networkId),
    privateKey: hex(identity.privateKey),
    publicKey: hex(identity.publicKey),
    payload: hex(report({ certificate: certificate.bytes, record })),
    proof: { low: list.epoch & 0xff, key: hex(derive(secret, "knock")) },
  };
};

/** Opens a channel from a member's host; milliseconds, or null: there was no answer. */
const open = async (from: Member, to: Member, caller: CallerFile): Promise<number | null> => {
  const file = mesh.file("caller");
  writeFileSync(file, JSON.stringify(caller));
  const program = [process.execPath, ours("./index-caller")];
  const words = [...program, to.under4, String(PORT), file, "5000"];
  return (JSON.parse(await mustRun(inside(from.namespace, words))) as { ms: number | null }).ms;
};

test("two members store, beside an index node: each has everybody's record", { skip }, async () => {
  for (const member of mesh.members.slice(0, 5)) {
    await mesh.enroll(member, { flags: member === one || member === two ? ["relay"] : [] });
  }
  index = await mesh.startIndex(host!);
  for (const member of engines()) {
    mesh.configure(member, { index: [`${host!.under4}:${INDEX_PORT}`] });
    await mesh.start(member);
  }
  await mesh.allReach(engines(), MEET_MS);
  for (const storer of [one!, two!]) {
    const stored = async (): Promise<boolean> => (await status(storer)).directory.stored === 4;
    await until(`${storer.name} has four records`, stored, STORED_MS);
  }
  const { storers, stored, guests } = (await status(three!)).directory;
  assert.deepEqual([storers, stored, guests], [3, null, null]);
});

test("the index node is killed: who comes back publishes its record to members", {
  skip,
}, async (t) => {
  index.child.kill("SIGKILL");
  const before = await Promise.all([one!, two!].map((at) => counted(at, "recordsTaken")));
  await mesh.stop(three!);
  const begun = performance.now();
  await mesh.start(three!);
  await until("it is published", async () => (await counted(three!, "published")) > 0, STORED_MS);
  t.diagnostic(`measured: published ${(performance.now() - begun).toFixed(0)} ms after the start`);
  assert.ok((await counted(three!, "storersOpened")) >= 2);
  const { indexes, directory } = await status(three!);
  assert.ok(indexes.every(({ state }) => state !== "open"));
  assert.equal(directory.channels, 2);
  for (const [i, storer] of [one!, two!].entries()) {
    assert.ok((await counted(storer, "recordsTaken")) > before[i]!, storer.name);
    assert.ok((await status(storer)).directory.guests! >= 1, storer.name);
  }
});

test("whom gossip never heard of is found in the directory alone", { skip }, async (t) => {
  const opened = await open(five!, one!, callerOf(five!));
  assert.ok(opened !== null);
  t.diagnostic(`measured: a channel with a member that stores after ${opened} ms`);
  const known = await Promise.all(engines().map(async (at) => (await status(at)).members));
  assert.deepEqual(known, [4, 4, 4, 4]);
  await mesh.pings(three!, five!.inner4, 1);
  const found = /m5 is p2p:.*found in the directory/s;
  await until("it is found", async () => found.test(await explained(three!, five!.inner4)), 5_000);
  assert.equal(await counted(three!, "seeksFound"), 1);
});

test("an address that nobody has: the directory is asked, and says so", { skip }, async () => {
  await mesh.pings(four!, "10.66.77.77", 1);
  // That the index node is dead may not be known here yet.
  const told = /asked: the directory.*They know nobody who has it/s;
  await until("it is said", async () => told.test(await explained(four!, "10.66.77.77")), 10_000);
});

test("without the newest secret, or with another's certificate: silence, and counted", {
  skip,
}, async () => {
  const caller = callerOf(five!);
  const secretless = { ...caller, proof: { low: caller.proof!.low, key: "11".repeat(32) } };
  assert.equal(await open(five!, one!, secretless), null);
  const thief = { ...callerOf(four!), privateKey: caller.privateKey, publicKey: caller.publicKey };
  assert.equal(await open(five!, one!, thief), null);
  assert.ok((await counted(one!, "knockTag")) > 0);
  assert.ok((await counted(one!, "pairOfAnother")) > 0);
});

test("a storer that starts anew has what it stored, and nobody else brought", {
  skip,
}, async () => {
  assert.equal((await status(one!)).directory.stored, 5);
  await mesh.stop(one!);
  await mesh.start(one!);
  const all = async (): Promise<boolean> => (await status(one!)).directory.stored === 5;
  await until("it has five records again", all, 5_000);
});

test("who is revoked has no channel and no record any more", { skip }, async () => {
  const stale = callerOf(five!);
  const revoke = ["network", "revoke", "--authority", mesh.authority, "--name", five!.name];
  const { code, errors } = await mesh.on(one!, ...revoke);
  assert.equal(code, 0, errors);
  await until("all know", async () => (await status(two!)).revoked === 1, 5_000);
  // It knows the former secret, and not the newest.
  assert.equal(await open(five!, one!, stale), null);
  await mesh.pings(four!, five!.inner4, 1);
  const told = /They know nobody who has it/;
  await until("it is said", async () => told.test(await explained(four!, five!.inner4)), 10_000);
});
