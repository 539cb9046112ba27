/**
 * network-authority — what an authority does besides signing: passphrases, backup, revocation,
 * rotation, publishing; the program itself.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { before, test } from "node:test";
import { type ControlHandlers, openControlSocket } from "../../src/control/doors/socket.ts";
import { decodeIssuerFile, decodeRevocationsFile, sealedFor } from "../../src/members/bundle.ts";
import { certificateProblem, validity } from "../../src/members/certificate.ts";
import { decodeDefinition, successorProblem } from "../../src/members/definition.ts";
import {
  decodeList,
  newerList,
  revocationProblem,
  revokedBefore,
} from "../../src/members/revocation-list.ts";
import { isSecret, openSecret } from "../../src/members/secret.ts";
import { EngineError } from "../../src/schema/errors.ts";
import { formatWireguardKey, loadIdentity } from "../../src/schema/identity.ts";
import type { PublishRequest } from "../../src/schema/publish.ts";
import { must } from "./members-parts.ts";
import { makePlace } from "./network-parts.ts";

const place = makePlace("network-authority");
const { good, refused, json, at, read, has, member, network, decode, ask, run } = place;
const authority = "--authority lab.authority";
const revocations = (file: string) => decode("revocations", file, decodeRevocationsFile);
const identity = (name: string) => loadIdentity(at(`${name}.key`));
const nodeKey = (name: string): Uint8Array => member(`${name}.cert`).certificate.nodeKey;

/** Does this file hold the list's secret for a member? */
const opensFor = (file: string, name: string): boolean => {
  const { publicKey, privateKey } = identity(name);
  const held = revocations(file);
  const sealed = sealedFor(held, publicKey);
  const secret = sealed && openSecret(sealed, publicKey, privateKey);
  return secret !== null && isSecret(held.list, held.list.epoch, secret);
};

before(async () => {
  await good("network create --name lab --cidr 10.66.0.0/16 --no-passphrase");
  for (const name of ["laptop", "office", "spare"]) {
    await ask(name);
    await good(`network sign ${authority} --request ${name}.request`);
  }
});

test("an authority under a passphrase opens with it alone, and a backup with its own", async () => {
  writeFileSync(at("first.pass"), "a first passphrase\nnot this line\n", { mode: 0o600 });
  writeFileSync(at("second.pass"), "a second passphrase\r\n", { mode: 0o600 });
  writeFileSync(at("none.pass"), "\n", { mode: 0o600 });
  const create = "network create --name vault --cidr 10.67.0.0/16 --passphrase-file";
  await refused(`${create} none.pass`, /An empty passphrase protects nothing/, 2);
  await refused(`${create} lost.pass`, /lost\.pass cannot be used: there is no such file/, 2);
  assert.equal(has("vault.authority"), false);
  await good(`${create} -`, "a first passphrase\n");
  assert.match(read("vault.authority"), /^# sealed with a passphrase$/m);
  const show = "network show vault.authority --passphrase-file";
  await good(`${show} first.pass`);
  await refused(`${show} second.pass`, /The passphrase does not open vault\.authority; try again/);
  chmodSync(at("first.pass"), 0o644);
  await refused(`${show} first.pass`, /others can read it; run `chmod 600 first\.pass`/, 2);
  chmodSync(at("first.pass"), 0o600);
  const sign = "network sign --authority vault.authority --passphrase-file first.pass";
  await good(`${sign} --request laptop.request --out vault.cert`);
  const backup = "network backup --authority vault.authority --passphrase-file first.pass";
  const line = `${backup} --new-passphrase-file second.pass --out backup.authority`;
  assert.equal((await json(line)).members, 1);
  assert.equal(statSync(at("backup.authority")).mode & 0o777, 0o600);
  await refused(line, /backup\.authority exists already/);
  const held = await json("network show backup.authority --passphrase-file second.pass");
  assert.equal((held.members as unknown[]).length, 1);
  await refused(
    "network show backup.authority --passphrase-file first.pass",
    /The passphrase does not open backup\.authority/,
  );
  const text = read("backup.authority");
  const at60 = text.lastIndexOf("\n", text.length - 2) - 30;
  const other = text[at60] === "A" ? "B" : "A";
  writeFileSync(at("hurt.authority"), text.slice(0, at60) + other + text.slice(at60 + 1), {
    mode: 0o600,
  });
  await refused(
    "network show hurt.authority --passphrase-file second.pass",
    /does not open hurt\.authority; try again, or take the backup if the file is damaged/,
  );
});

const noScript =
  spawnSync("script", ["--version"]).status === 0 && spawnSync("setsid", ["--version"]).status === 0
    ? false
    : "script and setsid of util-linux are not installed";

test("without a terminal and without a file there is no passphrase", {
  skip: noScript,
}, async () => {
  writeFileSync(at("short.pass"), "short", { mode: 0o600 });
  const made = await run(
    "network create --name tin --cidr 10.68.0.0/16 --passphrase-file short.pass",
  );
  assert.match(
    made.stderr,
    /a passphrase of 5 bytes can be guessed; `network backup` sets another/,
  );
  const [node, cli] = [process.execPath, new URL("../../src/cli.js", import.meta.url).pathname];
  const options = { cwd: place.folder, encoding: "utf8" } as const;
  const words = [node, cli, "network", "show", "tin.authority"];
  const alone = spawnSync("setsid", ["-w", ...words], {
    ...options,
    stdio: ["ignore", "pipe", "pipe"],
  });
  assert.match(alone.stderr, /There is no terminal to ask for the passphrase of tin\.authority on/);
  assert.equal(alone.status, 2);
  // A terminal of its own, which is asked, and shows nothing of what is typed.
  const typed = spawnSync("script", ["-qec", words.join(" "), "/dev/null"], {
    ...options,
    input: "shorx\u007ft\r",
  });
  assert.equal(typed.status, 0, typed.stdout);
  assert.match(typed.stdout, /Passphrase of tin\.authority: /);
  assert.match(typed.stdout, /^network: +tin/m);
  const wrong = spawnSync("script", ["-qec", words.join(" "), "/dev/null"], {
    ...options,
    input: "other\r",
  });
  assert.equal(wrong.status, 1);
  assert.match(wrong.stdout, /The passphrase does not open tin\.authority/);
});

test("revoked: the list says so, others get the new secret, renewal is refused", async () => {
  const line = `network revoke ${authority} --name laptop`;
  const told = await json(line);
  assert.deepEqual(
    [told.sequence, told.epoch, told.file, told.published],
    [2, 2, "laptop.revocations", null],
  );
  const { list } = revocations("laptop.revocations");
  assert.equal(list.count, 1);
  assert.equal(revocationProblem(list, member("laptop.cert").certificate), "it is revoked");
  assert.equal(revocationProblem(list, member("office.cert").certificate), null);
  const opens = ["laptop", "office", "spare"].map((name) => opensFor("laptop.revocations", name));
  assert.deepEqual(opens, [false, true, true]);
  const before = read("lab.authority");
  await refused(line, /laptop\.revocations exists already/);
  await refused(`network revoke ${authority} --name nobody`, /No member is called nobody/);
  await refused(`network revoke ${authority}`, /say who is revoked: --name NAME, or --node ID/, 2);
  await refused(
    `network sign ${authority} --renew laptop --out again`,
    /its key was revoked on .*; make a new identity, or take it back by --reinstate/,
  );
  const sign = `network sign ${authority} --request laptop.request --out back.cert`;
  await refused(sign, /its key was revoked/);
  assert.equal(read("lab.authority"), before);
  const { certificates } = await json(`network sign ${authority} --renew all --out rest`);
  const names = (certificates as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(names, ["office", "spare"]);
  await good(`${sign} --reinstate`);
  const back = member("back.cert");
  assert.equal(revocationProblem(back.list, back.certificate), null);
  assert.equal(revocationProblem(back.list, member("laptop.cert").certificate), "it is revoked");
  const { publicKey, privateKey } = identity("laptop");
  assert.equal(isSecret(back.list, 2, openSecret(back.sealed, publicKey, privateKey)!), true);
  const book = await json("network show lab.authority");
  assert.deepEqual(
    (book.revoked as { name: string }[]).map(({ name }) => name),
    ["laptop"],
  );
});

test("a node is revoked by its id, also one that the authority never heard of", async () => {
  await good("keygen --out far.key");
  const { nodeId } = identity("far");
  const line = `network revoke ${authority} --node ${nodeId} --out far.revocations`;
  assert.deepEqual((await json(line)).revoked, [{ name: null, nodeId }]);
  const { list } = revocations("far.revocations");
  assert.equal(list.count, 2);
  assert.notEqual(revokedBefore(list, nodeKey("laptop")), null);
  await refused(`network revoke ${authority} --node p2p:x`, /must be a node id, p2p: and 43/, 2);
});

test("a new secret for all, and a new key that the former one signed", async () => {
  await good(`network rotate-secret ${authority}`);
  const first = revocations("lab-4.revocations");
  assert.deepEqual([first.list.sequence, first.list.epoch, first.list.count], [4, 4, 2]);
  assert.equal(opensFor("lab-4.revocations", "spare"), true);
  const former = network("lab.network");
  const told = await json(`network rotate-authority ${authority} --until-days 14`);
  assert.deepEqual([told.authorityKeys, told.sequence, told.epoch], [2, 5, 4]);
  const now = network("lab.network");
  assert.equal(successorProblem(former, now), null);
  assert.deepEqual(now.networkId, former.networkId);
  assert.equal(statSync(at("lab.network")).mode & 0o777, 0o644);
  const second = revocations("lab-5.revocations");
  assert.deepEqual(second.definition.bytes, now.bytes);
  assert.equal(newerList(second.list, first.list), true);
  assert.equal(opensFor("lab-5.revocations", "office"), true);
  // What the former key signed counts for two weeks; what the new one signs, for a year.
  const old = member("office.cert").certificate;
  assert.equal(certificateProblem(old, now), null);
  const days = (validity(old, now).toS - now.issuedS) / 86_400;
  assert.equal(days, 14);
  await good(`network sign ${authority} --renew office --out new`);
  const renewed = member("new/office.cert");
  assert.equal(
    certificateProblem(renewed.certificate, former),
    "it was issued by no authority of the network",
  );
  assert.equal(validity(renewed.certificate, now).toS, renewed.certificate.notAfterS);
  // Another network's file in its place is not replaced.
  await good("network create --name other --cidr 10.69.0.0/16 --no-passphrase");
  writeFileSync(at("lab.network"), read("other.network"));
  const before = read("lab.authority");
  await refused(`network rotate-authority ${authority}`, /lab\.network exists already/);
  assert.equal(read("lab.authority"), before);
});

test("an issuer learns of revocations by their file", async () => {
  await good(`network issuer ${authority} --name office --enrol`);
  await ask("young");
  await good(`network revoke ${authority} --name spare`);
  const sign = "network sign --issuer office.issuer --key office.key --request";
  const spare = `${sign} spare.request --ip 10.66.0.99 --out not.cert`;
  await refused(
    `${spare} --revocations lab-4.revocations`,
    /lab-4\.revocations cannot be used: it is older than the one here/,
  );
  await refused(`${spare} --revocations spare.revocations`, /its key was revoked/);
  await good(`${sign} young.request --revocations spare.revocations`);
  const { publicKey, privateKey } = identity("young");
  const { list, sealed } = member("young.cert");
  assert.equal(isSecret(list, list.epoch, openSecret(sealed, publicKey, privateKey)!), true);
  assert.equal(list.sequence, revocations("spare.revocations").list.sequence);
  const kept = decode("issuer", "office.issuer", decodeIssuerFile);
  assert.equal(kept.list.sequence, list.sequence);
  // A revoked issuer signs nothing any more, once it knows.
  await good(`network revoke ${authority} --name office`);
  await refused(
    `${sign} young.request --out not.cert --revocations office.revocations`,
    /office\.revocations cannot be used: it holds no secret for this issuer, which may be revoked/,
  );
});

test("an old backup is brought up to date with what members have", async () => {
  await good("network create --name barn --cidr 10.71.0.0/16 --no-passphrase");
  const barn = "--authority barn.authority";
  const sign = (name: string) =>
    good(`network sign ${barn} --request ${name}.request --out barn-${name}.cert`);
  await sign("laptop");
  await good(`network backup ${barn} --no-passphrase --out old.authority`);
  await sign("office");
  await good(`network revoke ${barn} --name laptop --out barn-laptop.revocations`);
  await sign("spare");
  const line = "network restore --authority old.authority --from";
  const files = "barn-office.cert barn-spare.cert barn-laptop.revocations";
  await refused(
    `${line} office.cert`,
    /old\.authority is not brought up to date: it is of another/,
  );
  await refused(`${line} lab.network`, /lab\.network is a network file, not a certificate/, 2);
  const told = await json(`${line} ${files}`);
  assert.deepEqual([told.added, told.members, told.sequence, told.epoch], [2, 3, 3, 3]);
  const { list } = revocations("barn-3.revocations");
  assert.equal(newerList(list, revocations("barn-laptop.revocations").list), true);
  assert.notEqual(revokedBefore(list, nodeKey("laptop")), null);
  const opens = ["laptop", "office", "spare"].map((name) => opensFor("barn-3.revocations", name));
  assert.deepEqual(opens, [false, true, true]);
  const next = await json(
    "network sign --authority old.authority --request young.request --out y.cert",
  );
  const [young] = next.certificates as { serial: number; addresses: string[] }[];
  assert.deepEqual([young!.serial, young!.addresses], [4, ["10.71.0.4"]]);
  // A key that came after the backup cannot be had again.
  await good(`network rotate-authority ${barn} --out turn.revocations`);
  await refused(`${line} turn.revocations`, /has a newer key than this file; take a newer backup/);
});

test("the clock may not go back", async () => {
  await refused(
    `network sign ${authority} --request young.request --out not.cert`,
    /The clock of this machine says .* UTC, which is before lab\.authority last signed something/,
    1,
    -30,
  );
});

/** An engine's control socket, as far as these commands ask. */
const serve = async (member: string, publish: ControlHandlers["network.publish"]) => {
  mkdirSync(place.runFolder, { recursive: true, mode: 0o700 });
  const wireguardPublicKey = formatWireguardKey(identity(member).publicKey);
  const handlers = {
    "status.get": () => ({ wireguardPublicKey }),
    "network.publish": publish,
  } as unknown as ControlHandlers;
  const onLost = { removed: (): void => {} };
  return openControlSocket({ name: "p2p9", folder: place.runFolder, handlers, onLost });
};

test("with -i the engine is told, and says who knows; else the file is there", async () => {
  const asked: PublishRequest[] = [];
  const office = { nodeId: "p2p:office", name: "office" };
  await ask("fresh");
  await good(`network sign ${authority} --request fresh.request`);
  const engine = await serve("fresh", (request) => {
    asked.push(request);
    const names = { acknowledged: [office], waiting: [{ nodeId: "p2p:late", name: null }] };
    return { ...names, acknowledgedCount: 1, waitingCount: 1 };
  });
  try {
    const line = `network rotate-secret ${authority} -i p2p9`;
    const said = await good(line);
    assert.match(said, /lab has a new secret; 1 member acknowledged: office\n/);
    assert.match(said, /not yet told: p2p:late; they are told when they are reached/);
    const [request] = asked;
    const definition = must(decodeDefinition(request!.definition));
    const list = must(decodeList(request!.list));
    assert.equal(isSecret(list, list.epoch, request!.secret!), true);
    assert.equal(request!.sealed, null);
    assert.equal(definition.name, "lab");
    assert.equal(has(`lab-${list.sequence}.revocations`), false);
    const told = await json(`${line} --out kept.revocations`);
    assert.deepEqual((told.published as { acknowledged: unknown }).acknowledged, [office]);
    // From a file, any member can.
    const shown = await good("network publish kept.revocations");
    assert.match(shown, /^revocations \d+ of lab; 1 member acknowledged: office$/m);
    const { sealed, secret, list: published } = asked.at(-1)!;
    assert.equal(secret, null);
    const { publicKey, privateKey } = identity("fresh");
    const { epoch, ...rest } = must(decodeList(published));
    const opened = openSecret(sealed!, publicKey, privateKey)!;
    assert.equal(isSecret({ epoch, ...rest }, epoch, opened), true);
  } finally {
    await engine.close();
  }
  // Only an issuer ever signed for this one: the authority knows nothing of its key.
  const other = await serve("young", () => {
    throw new Error("this is not asked");
  });
  await refused("network publish kept.revocations", /it holds no secret for p2p9; publish it at a/);
  await other.close();
});

test("what cannot be published is signed, and in a file", async () => {
  const engine = await serve("fresh", () => {
    throw new EngineError("NO_NETWORK", { name: "p2p9" });
  });
  try {
    const { status, stderr } = await run(`network rotate-secret ${authority} -i p2p9`);
    assert.equal(status, 1);
    const file = /publish it with `p2pvpn-engine network publish (.*)`/.exec(stderr)?.[1];
    assert.match(
      stderr,
      /^p2pvpn-engine: It is signed, and not published \(The engine on p2p9 is in no/,
    );
    assert.equal(opensFor(file!, "fresh"), true);
  } finally {
    await engine.close();
  }
  const before = read("lab.authority");
  await refused(`network rotate-secret ${authority} -i p2p9`, /No engine is running on p2p9/);
  assert.equal(read("lab.authority"), before);
});

test("a new key is told of, also where the public file cannot be written", async () => {
  await good("network create --name link --cidr 10.69.0.0/16 --no-passphrase");
  rmSync(at("link.network"));
  symlinkSync(at("nowhere/link.network"), at("link.network"));
  const rotate = "network rotate-authority --authority link.authority --out link.turn";
  const { status, stdout, stderr } = await run(rotate);
  assert.match(stdout, /has a new authority key, number 2; publish it/);
  assert.match(stderr, /link\.network exists already/);
  assert.equal(status, 1);
  assert.equal(revocations("link.turn").definition.authorities.length, 2);
});
