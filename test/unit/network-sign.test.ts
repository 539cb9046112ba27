/** network-sign — `network create`, `request`, `network sign`, `issuer`: the program itself. */
import assert from "node:assert/strict";
import { chmodSync, statSync, writeFileSync } from "node:fs";
import { before, test } from "node:test";
import { armor } from "../../src/members/armor.ts";
import { decodeIssuerFile } from "../../src/members/bundle.ts";
import { CERTIFICATE_FLAG } from "../../src/members/certificate.ts";
import { decodeRequest, encodeRequest } from "../../src/members/request.ts";
import { isSecret, openSecret } from "../../src/members/secret.ts";
import { formatNetworkId } from "../../src/members/sign.ts";
import { loadIdentity } from "../../src/schema/identity.ts";
import { formatAddress, formatCidr } from "../../src/wire/cidr.ts";
import { pairOf, secretsOf } from "./members-parts.ts";
import type { MembersVectors } from "./members-vectors.ts";
import { makePlace } from "./network-parts.ts";
import { bytesOf, ownVectors } from "./vectors.ts";

const place = makePlace("network-sign");
const { good, refused, json, at, read, has, member, network, decode, ask } = place;
const DAY_S = 86_400;
const sign = "network sign --authority lab.authority";
const modeOf = (file: string): number => statSync(at(file)).mode & 0o777;
const addressesOf = (file: string): string[] =>
  member(file).certificate.addresses.map(formatAddress);
const daysOf = (file: string): number => {
  const { notBeforeS, notAfterS } = member(file).certificate;
  return (notAfterS - notBeforeS) / DAY_S;
};

before(async () => {
  await good(
    "network create --name lab --cidr 10.66.0.0/16 --cidr fd00:66::/48 --out lab --no-passphrase",
  );
  for (const name of ["laptop", "office", "late"]) await ask(name);
});

test("from nothing to a member: every file is what it says, and the secret opens", async () => {
  const { name, cidrs, networkId } = network("lab.network");
  assert.equal(name, "lab");
  assert.deepEqual(cidrs.map(formatCidr), ["10.66.0.0/16", "fd00:66::/48"]);
  const line = `${sign} --request laptop.request --ip 10.66.0.2 --group ops --relay --days 30`;
  const { certificates } = await json(`${line} --out laptop.cert`);
  const [told] = certificates as Record<string, unknown>[];
  assert.deepEqual(
    [told!.name, told!.addresses, told!.file],
    ["laptop", ["10.66.0.2"], "laptop.cert"],
  );
  const { certificate, definition, list, sealed } = member("laptop.cert");
  assert.deepEqual(definition.networkId, networkId);
  assert.equal(certificate.name, "laptop");
  assert.deepEqual(certificate.groups, ["ops"]);
  assert.equal(certificate.flags, CERTIFICATE_FLAG.relay);
  assert.equal(daysOf("laptop.cert"), 30);
  const { publicKey, privateKey, nodeId } = loadIdentity(at("laptop.key"));
  assert.equal(told!.nodeId, nodeId);
  assert.deepEqual(certificate.handshakeKey, publicKey);
  assert.equal(isSecret(list, 1, openSecret(sealed, publicKey, privateKey)!), true);
  assert.equal(list.count, 0);
  assert.deepEqual(
    ["lab.authority", "laptop.key", "lab.network", "laptop.request", "laptop.cert"].map(modeOf),
    [0o600, 0o600, 0o644, 0o644, 0o644],
  );
  const shown = await good("network show laptop.cert");
  assert.match(shown, /^name: +laptop$/m);
  assert.match(shown, new RegExp(`^network id: +${formatNetworkId(networkId)}$`, "m"));
  const value = await json("network show laptop.request");
  assert.deepEqual([value.kind, value.nodeId], ["request", nodeId]);
});

test("the next address, the default of days, and what is kept when signed again", async () => {
  await good(`${sign} --request office.request`);
  assert.deepEqual(addressesOf("office.cert"), ["10.66.0.1"]);
  assert.equal(daysOf("office.cert"), 365);
  await good(`${sign} --request late.request`);
  assert.deepEqual(addressesOf("late.cert"), ["10.66.0.3"]);
  const again = await place.run(`${sign} --request laptop.request --out laptop2.cert`);
  assert.match(
    again.stderr,
    /laptop had ops, relay, and has not any more; say so again to keep it/,
  );
  assert.deepEqual(addressesOf("laptop2.cert"), ["10.66.0.2"]);
  const both = `${sign} --request late.request --ip 10.66.9.9,fd00:66::9 --ip 10.66.9.9`;
  await good(`${both} --out late2.cert --name later`);
  assert.deepEqual(addressesOf("late2.cert"), ["10.66.9.9", "fd00:66::9"]);
  assert.equal(member("late2.cert").certificate.name, "later");
  assert.ok(member("late2.cert").certificate.serial > member("late.cert").certificate.serial);
});

// biome-ignore format: a table
const REFUSED: readonly (readonly [words: string, sentence: RegExp])[] = [
  ["--ip 10.67.0.2", /laptop is not certified: 10\.67\.0\.2 is outside 10\.66\.0\.0\/16 and fd00:66::\/48, which the network has; choose another --ip/],
  ["--ip 10.66.0.0", /10\.66\.0\.0 stands for all of 10\.66\.0\.0\/16/],
  ["--ip 10.66.255.255", /10\.66\.255\.255 stands for all of 10\.66\.0\.0\/16/],
  ["--ip fd00:66::", /fd00:66:: stands for all of/],
  ["--ip 10.66.0.1", /10\.66\.0\.1 is office's until \d{4}-\d\d-\d\d; choose another --ip, or revoke office/],
  ["--name office", /another member is called office; choose another --name, or revoke that one/],
  ["--ip 10.66.1.1,10.66.1.2,10.66.1.3,10.66.1.4,10.66.1.5,10.66.1.6,10.66.1.7,10.66.1.8,10.66.1.9", /it may have 8 addresses at most; give fewer --ip/],
  [`--route ${Array.from({ length: 17 }, (_, i) => `10.${i}.0.0/16`).join(",")}`, /it may have 16 routes at most; give fewer --route/],
  [`--route ${Array.from({ length: 16 }, (_, i) => `fd0${i.toString(16)}::1/128`).join(",")} --group ${"a".repeat(31)},${"b".repeat(31)},${"c".repeat(31)}`, /\d+ bytes are \d+ too many, of which its routes take 288; give fewer --route/],
  [`--group ${Array.from({ length: 11 }, (_, i) => `${"a".repeat(28)}${10 + i}`).join(",")}`, /of which its groups take 341; give fewer --group/],
];

test("what is not signed, each in one sentence; the authority stays as it was", async () => {
  const before = read("lab.authority");
  for (const [words, sentence] of REFUSED) {
    await refused(`${sign} --request laptop.request ${words} --out not.cert`, sentence);
  }
  // Somebody else's handshake key under a node key of one's own: without its secret, and with it.
  const { handshakeKey } = decode("request", "office.request", decodeRequest);
  const { privateKey } = loadIdentity(at("office.key"));
  const fields = { nodeKey: pairOf(77).publicKey, handshakeKey, issuedS: 1, name: "twin" };
  const twins = [
    [secretsOf(77), /twin\.request cannot be used: it does not prove its handshake key, which may/],
    [
      { ...secretsOf(77), privateKey },
      /its handshake key is office's, under another node key; make/,
    ],
  ] as const;
  for (const [secrets, sentence] of twins) {
    writeFileSync(at("twin.request"), armor("request", encodeRequest(fields, secrets)));
    await refused(`${sign} --request twin.request --out not.cert`, sentence);
  }
  assert.equal(read("lab.authority"), before);
  assert.equal(has("not.cert"), false);
});

// biome-ignore format: a table
const WRONG: readonly (readonly [line: string, sentence: RegExp, exit: 1 | 2])[] = [
  ["network create --name Lab --cidr 10.66.0.0/16", /--name <NAME>' must be 1 to 63 small letters.*not 'Lab'/, 2],
  ["network create --name lab", /required option '--cidr <PREFIX>' not specified; see p2pvpn-engine network create --help/, 2],
  ["network create --name lab2 --cidr 10.66.0.1/16", /must have no bits behind its length, 10\.66\.0\.0\/16, not '10\.66\.0\.1\/16'/, 2],
  ["network create --name lab2 --cidr 127.0.0.0/8", /127\.0\.0\.0\/8 holds addresses of 127\.0\.0\.0\/8, which no host may have/, 2],
  ["network create --name lab2 --cidr 0.0.0.0/0", /holds addresses of/, 2],
  ["network create --name lab2 --cidr 10.66.0.0/31", /10\.66\.0\.0\/31 is too small/, 2],
  ["network create --name lab2 --cidr 10.0.0.0/8 --cidr 10.66.0.0/16", /10\.66\.0\.0\/16 and 10\.0\.0\.0\/8 overlap/, 2],
  ["network create --name lab --cidr 10.66.0.0/16 --no-passphrase", /lab\.authority exists already; remove it or choose another name/, 1],
  ["network create --name x --cidr 10.66.0.0/16 --out none/x --no-passphrase", /none\/x\.authority cannot be written \(there is no such folder\)/, 1],
  [`${sign} --request laptop.request --ip 10.66.0.7`, /laptop\.cert exists already/, 1],
  ["request --key laptop.key --name laptop", /laptop\.request exists already/, 1],
  ["request --key none.key --name x", /none\.key cannot be read: there is no such file; make one with/, 2],
  ["request --key lab.network --name x", /lab\.network (is no identity|can be read by others)/, 2],
  [`${sign} --request none.request`, /none\.request cannot be read: there is no such file/, 2],
  [`${sign} --request laptop.key`, /laptop\.key is an identity, which is secret, not a request; give the file that `p2pvpn-engine request` wrote/, 2],
  [`${sign} --request laptop.cert`, /laptop\.cert is a certificate, not a request/, 2],
  [`${sign} --request run`, /run cannot be read/, 2],
  ["network sign --authority lab.network --request laptop.request", /lab\.network is a network file, not an authority; give the file that `p2pvpn-engine network create` wrote/, 2],
  ["network sign --request laptop.request", /sign with --authority FILE, or with --issuer FILE --key FILE/, 2],
  [`${sign}`, /say what to sign: --request FILE, or --renew NAME… or all/, 2],
  [`${sign} --renew all`, /--renew writes NAME\.cert into a folder; name it by --out DIR/, 2],
  [`${sign} --renew laptop --group ops --out r`, /--renew changes nothing but the time; for another --group sign the request again/, 2],
  [`${sign} --renew nobody --out r`, /No member is called nobody; `p2pvpn-engine network show lab\.authority` lists them/, 1],
  [`${sign} --request late.request --days 0`, /--days <DAYS>' must be a number of days, 1 to 3650, not '0'/, 2],
  [`${sign} --request late.request --ip 10.66.0.300`, /--ip <ADDRESS>' must be an address/, 2],
  [`${sign} --request late.request --group Ops`, /--group <GROUP>' must be 1 to 31 small letters/, 2],
  ["network show none", /none cannot be read: there is no such file/, 2],
  ["network show clock.mjs", /clock\.mjs is none of this program's files; give a request, certificate/, 2],
  ["network sing", /unknown command 'sing', did you mean sign\?; see p2pvpn-engine network --help|did you mean sign/, 2],
];

test("mistakes, each in one sentence", async () => {
  const before = read("lab.authority");
  for (const [line, sentence, exit] of WRONG) await refused(line, sentence, exit);
  assert.equal(read("lab.authority"), before);
});

test("damaged files are refused, and an authority that others can read", async () => {
  const text = read("laptop.request");
  const damaged = `${text.slice(0, -12)}${text.at(-12) === "A" ? "B" : "A"}${text.slice(-11)}`;
  writeFileSync(at("damaged.request"), damaged);
  await refused(`${sign} --request damaged.request`, /cannot be used: its signature is wrong/);
  writeFileSync(at("cut.request"), text.slice(0, 120));
  await refused(
    "network show cut.request",
    /cut\.request cannot be used: it (ends too early|is damaged)/,
  );
  // Mail turns line ends, and may break lines elsewhere.
  writeFileSync(at("mailed.request"), text.replaceAll("\n", "\r\n").replace(/(.{40})/g, "$1\r\n"));
  assert.equal((await json("network show laptop.request")).kind, "request");
  chmodSync(at("lab.authority"), 0o644);
  await refused("network show lab.authority", /can be read by others; run `chmod 600 lab\.auth/, 2);
  chmodSync(at("lab.authority"), 0o600);
});

test("a request of version 1 is to be made anew; of this one both keys are proved", async () => {
  const { requestOfVersion1 } = ownVectors<MembersVectors>("members.json");
  writeFileSync(at("older.request"), armor("request", bytesOf(requestOfVersion1)));
  const anew =
    /older\.request cannot be used: it is of version 1, .*; make it anew with an engine as/;
  await refused(`${sign} --request older.request`, anew);
  await refused("network show older.request", anew);
  assert.match(
    await good("network show laptop.request"),
    /^proved: +both keys; whoever made this/m,
  );
  const { proved } = await json("network show laptop.request");
  assert.deepEqual(proved, ["nodeId", "wireguardPublicKey"]);
});

test("two commands at once: both sign, and give two addresses", async () => {
  for (const name of ["one", "two", "three"]) await ask(name);
  await Promise.all(
    ["one", "two", "three"].map((name) => good(`${sign} --request ${name}.request`)),
  );
  const given = ["one", "two", "three"].flatMap((name) => addressesOf(`${name}.cert`));
  assert.equal(new Set(given).size, 3);
  const serials = ["one", "two", "three"].map((name) => member(`${name}.cert`).certificate.serial);
  assert.equal(new Set(serials).size, 3);
  const shown = await json("network show lab.authority");
  const names = (shown.members as { name: string }[]).map(({ name }) => name);
  for (const name of ["one", "two", "three"]) assert.ok(names.includes(name));
});

test("members are renewed by name, and all at once, into a folder", async () => {
  await good(`${sign} --renew office one --days 10 --out renewed`);
  assert.deepEqual(addressesOf("renewed/office.cert"), ["10.66.0.1"]);
  assert.equal(daysOf("renewed/one.cert"), 10);
  const line = `${sign} --renew all --out all`;
  const { certificates } = await json(line);
  assert.ok((certificates as unknown[]).length >= 6);
  assert.equal(daysOf("all/office.cert"), 365);
  await refused(line, /all\/.*\.cert exists already/);
  // A year and a half later none of them counts, and a name can be renewed all the same.
  await refused(`${sign} --renew all --out much`, /No member is called all/, 1, 550);
  await good(`${sign} --renew office --out late`, null, 550);
  assert.deepEqual(addressesOf("late/office.cert"), ["10.66.0.1"]);
  const free = `${sign} --request one.request --ip 10.66.0.3 --name late --out reused.cert`;
  await good(free, null, 550);
});

test("an issuer signs what it may, and nothing else", async () => {
  await good("network create --name mill --cidr 10.70.0.0/24 --no-passphrase");
  const authority = "--authority mill.authority";
  for (const name of ["gate", "guest", "stay"]) await ask(name);
  await good(`network sign ${authority} --request gate.request --enrol`);
  await good(`network sign ${authority} --request stay.request --group ops`);
  const issuer = `network issuer ${authority} --name gate`;
  const made = await json(`${issuer} --enrol --prefix 10.70.0.128/25 --days 60 --life-days 20`);
  assert.deepEqual(
    [made.may, made.prefixes, made.lifeDays],
    [["renew", "enrol"], ["10.70.0.128/25"], 20],
  );
  assert.equal(modeOf("gate.issuer"), 0o600);
  const by = "network sign --issuer gate.issuer --key gate.key";
  await good(`${by} --request guest.request`);
  assert.deepEqual(addressesOf("guest.cert"), ["10.70.0.128"]);
  assert.equal(daysOf("guest.cert"), 20);
  const { publicKey, privateKey } = loadIdentity(at("guest.key"));
  const { sealed, list } = member("guest.cert");
  assert.equal(isSecret(list, 1, openSecret(sealed, publicKey, privateKey)!), true);
  const again = `${by} --request guest.request --out not.cert`;
  await refused(`${again} --ip 10.70.0.9`, /its issuer may not give its addresses or routes/);
  await refused(`${again} --ip 10.70.0.1`, /10\.70\.0\.1 is gate's/);
  await refused(`${again} --days 21`, /it lives longer than its issuer may give/);
  await refused(`${again} --days 61`, /its issuer ends on .*; give fewer --days/);
  await refused(`${again} --group ops`, /its issuer may not give its groups/);
  await refused(`${again} --relay`, /its issuer may not give its flags/);
  await refused(
    `${again}`.replace("gate.key", "guest.key"),
    /it is of p2p:.*, and --key is of p2p:/,
  );
  await refused(again, /it ended on/, 1, 61);
  // Who is renewed keeps what an issuer does not hold: so it is not.
  const all = await place.run(`${by} --renew all --out issued`);
  assert.equal(all.status, 1);
  assert.match(all.stderr, /stay is not certified: its issuer may not give its groups/);
  assert.equal(has("issued/guest.cert"), true);
  assert.equal(has("issued/stay.cert"), false);
  // The authority's own certificates are short where an issuer renews.
  await good(`network sign ${authority} --request stay.request --group ops --out stay2.cert`);
  assert.equal(daysOf("stay2.cert"), 90);
  assert.equal(decode("issuer", "gate.issuer", decodeIssuerFile).known.length, 3);
  await good(`${issuer} --group ops --out renew.issuer`);
  const renewing = "network sign --issuer renew.issuer --key gate.key";
  await refused(
    `${renewing} --request laptop.request --out not.cert`,
    /its issuer may renew, and not take in new members/,
  );
  await good(`${renewing} --renew stay2.cert --out by-file`);
  assert.deepEqual(member("by-file/stay.cert").certificate.groups, ["ops"]);
  await refused(`${renewing} --renew laptop.cert --out x`, /in mill, /);
  const groups = Array.from({ length: 8 }, (_, i) => `${"g".repeat(30)}${i}`).join(",");
  await refused(
    `${issuer} --group ${groups} --out x.issuer`,
    /The issuer gate is not certified: it would be longer than 220 bytes; give fewer --group/,
  );
  await refused(`${issuer.replace("gate", "nobody")}`, /No member is called nobody/);
});
