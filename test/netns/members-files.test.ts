/**
 * members-files — what a member's files say, and what changes when they do: prefixes that it may
 * announce, a renewed certificate, an underlay with IPv6 alone.
 *
 *     m1, m2   members, m1 is an issuer      m3   announces prefixes      m4, m5   IPv6 alone
 */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { PeerValue } from "../../src/schema/requests.ts";
import { PORT } from "../lab/engines.ts";
import { cannotRun, must } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun(["wg"]);
const MEET_MS = 10_000;
/** A record that changed is gathered for a moment, then told. */
const TOLD_MS = 10_000;
const INSIDE = "10.66.9.0/24";
const OUTSIDE = "192.168.5.0/24";
/** m2's certificate as it was at first. */
let first: Buffer;

let mesh: Mesh;
let [m1, m2, m3, m4, m5]: Member[] = [];
const at = ({ under4 }: Member): string => `${under4}:${PORT}`;

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(5);
  [m1, m2, m3, m4, m5] = [...mesh.members];
  for (const member of mesh.members) {
    await mesh.enroll(member, { routes: member === m3 ? [INSIDE, OUTSIDE] : [] });
  }
  first = readFileSync(m2!.certificate);
  const bootstrap = [at(m1!)];
  mesh.configure(m1!, { acceptRoutes: [OUTSIDE] });
  mesh.configure(m2!, { bootstrap });
  mesh.configure(m3!, { bootstrap, announce: [INSIDE, OUTSIDE] });
  await mesh.startAll([m1!, m2!, m3!]);
  await mesh.allReach([m1!, m2!, m3!], MEET_MS);
});
after(() => {
  if (skip === false) mesh.remove();
});

const peerAt = async (from: Member, name: string): Promise<PeerValue | undefined> =>
  (await mesh.json<PeerValue[]>(from, "peers")).find((one) => one.name === name);

const explained = async (from: Member, subject: string): Promise<string> => {
  const { code, output, errors } = await mesh.on(from, "explain", subject);
  assert.equal(code, 0, errors);
  return output.replace(/\s+/g, " ");
};

test("a prefix outside the network leads to who announces it by accept_routes", {
  skip,
}, async () => {
  const all = ["10.66.0.3/32", INSIDE, OUTSIDE];
  const has = (from: Member, prefixes: readonly string[]) => async (): Promise<boolean> =>
    String((await peerAt(from, "m3"))?.addresses) === String(prefixes);
  await until("m1 follows both", has(m1!, all), TOLD_MS);
  await until("m2 follows the network's own", has(m2!, all.slice(0, 2)), TOLD_MS);
  assert.match(await explained(m2!, "m3"), /announces 192\.168\.5\.0\/24, which accept_routes/i);
  assert.match(await explained(m2!, "192.168.5.1"), /leads to no peer/);
  assert.match(await explained(m1!, "192.168.5.1"), /leads to m3 by 192\.168\.5\.0\/24/);
  const lan = ["address", "add", "192.168.5.1/24", "dev", "lo"];
  await must(["ip", "-netns", m3!.namespace, ...lan]);
  assert.ok(await mesh.pings(m1!, "192.168.5.1", 5), "nobody answers behind m3");
});

test("who announces what its certificate does not hold is told so, and not started", {
  skip,
}, async () => {
  const text = readFileSync(m2!.config, "utf8");
  writeFileSync(m2!.config, text.replace("announce = []", `announce = ["${OUTSIDE}"]`));
  const sentence = /announce 192\.168\.5\.0\/24: this host's certificate does not hold it; have/;
  for (const command of ["check", "start"]) {
    const { code, output, errors } = await mesh.cli(command, "-c", m2!.config);
    assert.equal(code, 2, command);
    assert.match(`${output}${errors}`, sentence);
  }
  const { code, errors } = await mesh.on(m2!, "reload");
  assert.equal(code, 2);
  assert.match(errors, sentence);
  writeFileSync(m2!.config, text);
  assert.match((await mesh.on(m2!, "reload")).output, /nothing|changed|again/i);
});

const handshakes = async (member: Member): Promise<string> =>
  (await must(["wg", "show", member.interfaceName, "latest-handshakes"])).trim();

test("a certificate that an issuer renewed counts after reload; sessions go on", {
  skip,
}, async () => {
  const issuer = mesh.file("m1.issuer");
  const authority = ["--authority", mesh.authority];
  await mesh.must("network", "issuer", ...authority, "--name", "m1", "--out", issuer);
  const folder = mesh.file("renewed");
  const renew = ["--issuer", issuer, "--key", m1!.key, "--renew", m2!.certificate];
  await mesh.must("network", "sign", ...renew, "--out", folder);
  assert.match(await explained(m1!, "m2"), /signed by authority/);
  const before = await handshakes(m2!);
  const pings = await mesh.keepPinging(m1!, m2!.inner4);
  copyFileSync(join(folder, "m2.cert"), m2!.certificate);
  const { code, output, errors } = await mesh.on(m2!, "reload");
  assert.equal(code, 0, errors);
  assert.match(output, /network\.certificate: m2 until .* → m2 until /);
  for (const other of [m1!, m3!]) {
    await until(
      `${other.name} knows the new certificate`,
      async () => /signed by issuer p2p:/.test(await explained(other, "m2")),
      TOLD_MS,
    );
  }
  assert.equal(await pings.lost(), 0);
  assert.equal(await handshakes(m2!), before, "a session was begun anew");
  assert.doesNotMatch((await mesh.on(m2!, "reload")).output, /network\.certificate/);
});

test("an older certificate, and one that is not ours, change nothing", { skip }, async () => {
  copyFileSync(m3!.certificate, m2!.certificate);
  const wrong = await mesh.on(m2!, "reload");
  assert.equal(wrong.code, 2);
  assert.match(wrong.errors, /it is for m3, whose key is another than this host's/);
  writeFileSync(m2!.certificate, first);
  const older = await mesh.on(m2!, "reload");
  assert.equal(older.code, 0, older.errors);
  assert.match(older.errors, /is not taken: it is older than the one that counts now/);
  assert.match(await explained(m2!, "m2"), /signed by issuer/);
  await mesh.allReach([m1!, m2!, m3!], MEET_MS);
});

test("members find and reach each other over IPv6 alone", { skip }, async () => {
  for (const { namespace, under4 } of [m4!, m5!]) {
    await must(["ip", "-netns", namespace, "address", "del", `${under4}/24`, "dev", "under"]);
  }
  const bootstrap = [`[${m1!.under6}]:${PORT}`];
  for (const member of [m4!, m5!]) mesh.configure(member, { bootstrap });
  await mesh.startAll([m4!, m5!]);
  await mesh.allReach([m1!, m4!, m5!], MEET_MS);
  const peer = await peerAt(m4!, "m5");
  assert.equal(peer?.endpoint, `[${m5!.under6}]:${PORT}`);
});
