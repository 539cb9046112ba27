/**
 * members-later — members of a later version, whose certificates and records bear extensions that
 * this one does not know. What is not critical is kept and passed on byte for byte, and its member
 * is one like all others; what is critical is refused, and said of whom and why.
 *
 *     m1, m2   of this version; m1 hears of m3 by m2 alone
 *     m3       extensions that are not critical, in certificate and record
 *     m4, m5   a critical one in the certificate, in the record       m6   in its sealed part
 */
import assert from "node:assert/strict";
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Disk, type KeptMember } from "../../src/control/network/store.ts";
import { runTool } from "../../src/demo/tools.ts";
import { unarmor } from "../../src/members/armor.ts";
import { decodeMemberFile } from "../../src/members/bundle.ts";
import { decodeCertificate } from "../../src/members/certificate.ts";
import { decodeRecord } from "../../src/members/record.ts";
import type { StatusValue } from "../../src/schema/requests.ts";
import { cliWords, PORT, swapIn } from "../lab/engines.ts";
import { cannotRun } from "../lab/lab.ts";
import type { LaterPlan } from "../lab/later-certificate.ts";
import type { LaterRecordPlan } from "../lab/later-record.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun([]);
const MEET_MS = 10_000;
const TYPE = 900;
/** As it is said: with the bit. */
const SAID = "critical extension 33668 is unknown";
const KEPT: LaterPlan = { type: TYPE, critical: false, text: "of a later version" };
const CRITICAL: LaterPlan = { ...KEPT, critical: true };

let mesh: Mesh;
let [m1, m2, m3, m4, m5, m6]: Member[] = [];
const at = ({ under4 }: Member): string => `${under4}:${PORT}`;

const laterCertificate = (plan: LaterPlan): string =>
  swapIn("../../src/members/certificate", "./later-certificate", plan);
const laterRecord = (plan: LaterRecordPlan): string =>
  swapIn("../../src/members/record", "./later-record", plan);

/** Signs for a member with a program of a later version, and a book of its own. */
const signLater = async (member: Member, plan: LaterPlan): Promise<void> => {
  const book = mesh.file(`${member.name}.authority`);
  copyFileSync(mesh.authority, book);
  await mesh.must("keygen", "--out", member.key);
  const request = mesh.file(`${member.name}.request`);
  await mesh.must("request", "--key", member.key, "--name", member.name, "--out", request);
  const sign = ["network", "sign", "--authority", book, "--request", request];
  const words = [...sign, "--ip", member.inner4, "--out", member.certificate];
  const [node = "", ...line] = cliWords(words);
  const { code, errors } = await runTool([node, "--import", laterCertificate(plan), ...line]);
  assert.equal(code, 0, errors);
};

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(6);
  [m1, m2, m3, m4, m5, m6] = [...mesh.members];
  for (const member of [m1!, m2!, m5!, m6!]) await mesh.enroll(member);
  await signLater(m3!, KEPT);
  await signLater(m4!, CRITICAL);
  for (const member of [m1!, m3!]) mesh.configure(member, { bootstrap: [at(m2!)] });
  mesh.configure(m2!);
  for (const member of [m4!, m5!, m6!]) mesh.configure(member, { bootstrap: [at(m1!), at(m2!)] });
});
after(() => {
  if (skip === false) mesh.remove();
});

const explained = async (from: Member, subject: string): Promise<string> =>
  (await mesh.on(from, "explain", subject)).output.replace(/\s+/g, " ");

/** What a member that has stopped keeps of another. */
const keptOf = (member: Member, nodeKey: Uint8Array): KeptMember | undefined => {
  const files = readdirSync(member.stateDir, { recursive: true, encoding: "utf8" });
  const name = files.find((file) => file.endsWith("members"))!;
  const read = (): Uint8Array => readFileSync(join(member.stateDir, name));
  const disk = new Disk({ read, write: () => false }, (file) => assert.fail(`${file} is damaged`));
  return disk.readMembers().find(({ record }) => {
    const view = decodeRecord(record);
    return view.ok && Buffer.compare(view.value.nodeKey, nodeKey) === 0;
  });
};

const certificateOf = (member: Member) => {
  const file = unarmor("certificate", readFileSync(member.certificate, "latin1"));
  assert.ok(file.ok);
  const decoded = decodeMemberFile(file.value);
  assert.ok(decoded.ok);
  return decoded.value.certificate;
};

test("unknown, not critical: kept, passed on, and its member is one like all others", {
  skip,
}, async () => {
  const later = laterRecord({ clear: KEPT, sealed: KEPT });
  await mesh.start(m2!);
  await mesh.start(m3!, [later]);
  await mesh.allReach([m2!, m3!], MEET_MS);
  await mesh.stop(m3!);
  await mesh.start(m1!);
  const told = async (): Promise<boolean> => /told by m2/.test(await explained(m1!, "m3"));
  await until("m1 hears of m3", told, MEET_MS);
  assert.match(await explained(m1!, "m3"), new RegExp(`It may be at .*${at(m3!)}`));
  for (const member of [m1!, m2!]) await mesh.stop(member);
  const { nodeKey, bytes, extensions } = certificateOf(m3!);
  assert.equal(Buffer.from(extensions[0]!.value).toString(), KEPT.text);
  const [here, there] = [keptOf(m1!, nodeKey)!, keptOf(m2!, nodeKey)!];
  assert.deepEqual(here.record, there.record, "the record was not passed on as it is");
  for (const { record, certificate } of [here, there]) {
    assert.deepEqual(new Uint8Array(certificate), new Uint8Array(bytes));
    const view = decodeRecord(record);
    assert.ok(view.ok && decodeCertificate(certificate).ok);
    assert.equal(Buffer.from(view.value.extensions[0]!.value).toString(), KEPT.text);
  }
  await mesh.startAll([m1!, m2!]);
  await mesh.start(m3!, [later]);
  await mesh.allReach([m1!, m2!, m3!], MEET_MS);
});

const counted = async (what: string): Promise<number> =>
  (await mesh.json<StatusValue>(m1!, "status")).membership?.counts[what] ?? 0;

test("a critical one in a certificate, or in a record: refused, by name", { skip }, async () => {
  const before = [await counted("certificateInvalid"), await counted("recordInvalid")];
  await mesh.start(m4!, [laterCertificate(CRITICAL)]);
  await mesh.start(m5!, [laterRecord({ clear: CRITICAL, sealed: null })]);
  const refused = async (member: Member, what: string): Promise<void> => {
    const tells = async (): Promise<boolean> =>
      (await explained(m1!, member.name)).includes(`${what}: ${SAID}`);
    await until(`m1 refuses ${member.name}`, tells, MEET_MS);
    assert.match(await explained(m1!, member.name), / is no member here\./);
    assert.equal(await mesh.pings(m1!, member.inner4), false);
  };
  await refused(m4!, "A certificate");
  await refused(m5!, "A record");
  assert.ok((await counted("certificateInvalid")) > before[0]!);
  assert.ok((await counted("recordInvalid")) > before[1]!);
  await mesh.allReach([m1!, m2!, m3!], MEET_MS);
});

test("a critical one that is sealed: its member is one, of whose record nothing is read", {
  skip,
}, async () => {
  await mesh.start(m6!, [laterRecord({ clear: null, sealed: CRITICAL })]);
  await until("m6 is reached", () => mesh.pings(m6!, m1!.inner4), MEET_MS);
  assert.match(await explained(m1!, "m6"), new RegExp(`Its record cannot be read here: ${SAID}`));
  await mesh.allReach([m1!, m2!, m3!, m6!], MEET_MS);
});
