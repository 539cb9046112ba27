/** renewal — a certificate is renewed in a session, by an issuer that widens nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeIssuerFile, encodeIssuerFile, type IssuerFile } from "../../src/members/bundle.ts";
import {
  CERTIFICATE_FLAG,
  type CertificateFields,
  encodeCertificate,
  validity,
} from "../../src/members/certificate.ts";
import { encodeIssuer, ISSUER_FLAG, type IssuerFields } from "../../src/members/issuer.ts";
import { sealSecret } from "../../src/members/secret.ts";
import { FRAME_KINDS } from "../../src/wire/frames.ts";
import { decodeRenewed, encodeRenewed } from "../../src/wire/network-frames.ts";
import {
  AUTHORITY,
  BORN_S,
  certify,
  DEFINITION,
  FIRST_LIST,
  identityOf,
  listOf,
  revocationsFile,
  secretOf,
} from "../simulation/members-fleet.ts";
import type { VirtualNode } from "../simulation/members-node.ts";
import { DAY_S, must, prefix } from "./members-parts.ts";
import { openScene } from "./network-room.ts";

const OFFICE = identityOf(0);
const LAPTOP = identityOf(1);
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

const issuerOf = (fields: Partial<IssuerFields> = {}): IssuerFile => {
  const issuer = encodeIssuer(
    {
      flags: ISSUER_FLAG.renew,
      serial: 1,
      nodeKey: OFFICE.signing.publicKey,
      notBeforeS: BORN_S - DAY_S,
      notAfterS: BORN_S + 180 * DAY_S,
      lifeS: 90 * DAY_S,
      givesFlags: 0,
      prefixes: [prefix("10.64.0.0/10"), prefix("172.16.0.0/12")],
      groups: ["ops"],
      authority: 0,
      ...fields,
    },
    DEFINITION.networkId,
    AUTHORITY.secretKey,
  );
  const sealed = sealSecret(secretOf(1), OFFICE.handshakeKey.publicKey)!;
  const rest = { definition: DEFINITION.bytes, list: FIRST_LIST.bytes, known: [] };
  return must(decodeIssuerFile(encodeIssuerFile({ issuer, sealed, ...rest })));
};

/** An office that may renew, and a laptop whose certificate has so many days of 90 left. */
const openPair = (leftDays: number, fields: Partial<IssuerFields> = {}, groups = ["ops"]) => {
  const scene = openScene();
  const times = {
    notBeforeS: BORN_S - (90 - leftDays) * DAY_S,
    notAfterS: BORN_S + leftDays * DAY_S,
  };
  const enrol = certify(OFFICE, { flags: CERTIFICATE_FLAG.enrol });
  const office = scene.add(0, 1, { certificate: enrol, issuer: issuerOf(fields) });
  const laptop = scene.add(1, 0, { certificate: certify(LAPTOP, { ...times, groups }) });
  const heard: string[] = [];
  laptop.overhears = (type, body) => {
    if (type !== FRAME_KINDS.renewed.type) return;
    const said = decodeRenewed(body);
    heard.push(said !== null && "why" in said ? said.why : "renewed");
  };
  office.start();
  laptop.start();
  return { ...scene, office, laptop, heard };
};

/** The laptop's certificate, as the office signs it. */
const issuedBy = ({ issuer }: IssuerFile, fields: Partial<CertificateFields>): Uint8Array => {
  const held = identityOf(1).certificate;
  const times = { notBeforeS: BORN_S, notAfterS: BORN_S + 100 * DAY_S };
  const all = { ...held, groups: ["ops"], ...times, ...fields, signer: { by: "issuer", issuer } };
  const { secretKey } = OFFICE.signing;
  return encodeCertificate(all as CertificateFields, DEFINITION.networkId, secretKey);
};

const endOf = ({ network }: VirtualNode): number =>
  validity(network!.parts.certificate, DEFINITION).toS;
const signerOf = ({ network }: VirtualNode): string => network!.parts.certificate.signer.by;
const FRESH_S = BORN_S + 90 * DAY_S;
const isFresh = (node: VirtualNode): boolean => Math.abs(endOf(node) - FRESH_S) < 600;

test("with a third left it is renewed, sessions go on, and everybody hears of it", () => {
  const { office, laptop, heard, pass } = openPair(29);
  const handle = [...laptop.network!.parts.links.keys()];
  pass(MINUTE_MS);
  assert.deepEqual(heard, ["renewed"]);
  assert.ok(isFresh(laptop));
  assert.deepEqual(laptop.network!.parts.certificate.groups, ["ops"]);
  assert.equal(signerOf(laptop), "issuer");
  const { members } = office.network!.parts;
  const slot = members.byNodeKey(LAPTOP.signing.publicKey);
  assert.equal(members.at(slot).owner.signer.by, "issuer");
  for (const one of handle) assert.ok(laptop.network!.parts.links.has(one), "the session ended");
});

test("with more than a third left nobody is asked", () => {
  const { laptop, heard, pass } = openPair(32);
  pass(HOUR_MS);
  assert.deepEqual(heard, []);
  assert.equal(signerOf(laptop), "authority");
});

test("it is asked for when the third begins, however long the engine has run", () => {
  const { laptop, pass } = openPair(31);
  pass(6 * HOUR_MS);
  assert.equal(signerOf(laptop), "authority");
  pass(3 * 24 * HOUR_MS);
  assert.equal(signerOf(laptop), "issuer");
});

test("what was renewed counts after a restart; a newer file counts before it", () => {
  const { laptop, pass } = openPair(29);
  pass(MINUTE_MS);
  assert.ok(isFresh(laptop));
  laptop.stop(true);
  laptop.start();
  assert.equal(signerOf(laptop), "issuer");
  laptop.stop(true);
  const times = { notBeforeS: BORN_S + 3_600, notAfterS: BORN_S + 20 * DAY_S };
  laptop.options = { ...laptop.options, certificate: certify(LAPTOP, times) };
  laptop.start();
  assert.equal(signerOf(laptop), "authority");
  assert.equal(endOf(laptop), BORN_S + 20 * DAY_S);
});

test("an issuer widens nothing: what it may not give it does not renew", () => {
  const refused = (fields: Partial<IssuerFields>, groups?: string[]): string => {
    const { laptop, heard, pass } = openPair(29, fields, groups);
    pass(MINUTE_MS);
    assert.equal(signerOf(laptop), "authority");
    return heard.join();
  };
  assert.match(refused({}, ["admins"]), /its issuer may not give its groups/);
  assert.match(refused({ prefixes: [prefix("10.64.0.0/10")] }), /addresses or routes/);
  assert.match(refused({ flags: ISSUER_FLAG.enrol }), /may not renew/);
  assert.match(refused({ notAfterS: BORN_S + 20 * DAY_S }), /nothing that ends later/);
  assert.match(refused({ notAfterS: BORN_S }), /ended on/);
});

test("who is revoked is not renewed, nor who has expired", () => {
  const { office, laptop, pass } = openPair(29);
  const { certificate } = laptop.network!.parts;
  const answer = () => {
    const body = office.network!.certification.office!.answer(certificate, certificate.hash);
    const said = decodeRenewed(body)!;
    return "why" in said ? said.why : "renewed";
  };
  office.clockMs = 30 * DAY_S * 1_000;
  assert.match(answer(), /expired/);
  office.clockMs = 0;
  const list = listOf(2, [{ identity: LAPTOP, beforeS: BORN_S + 10 }], BORN_S + 10);
  assert.ok(office.network!.publish(revocationsFile(list, OFFICE)).ok);
  assert.match(answer(), /it is revoked/);
  pass(MINUTE_MS);
  assert.equal(signerOf(laptop), "authority");
});

test("who lost the answer asks again, and gets the same", () => {
  const { office, laptop } = openPair(29);
  const { certificate } = laptop.network!.parts;
  const ask = (): string => {
    const said = decodeRenewed(
      office.network!.certification.office!.answer(certificate, certificate.hash),
    )!;
    assert.ok("certificate" in said);
    return Buffer.from(said.certificate).toString("hex");
  };
  assert.equal(ask(), ask());
});

test("a member that nobody asked and a foreign certificate change nothing", () => {
  const { laptop, pass } = openPair(29, { flags: ISSUER_FLAG.enrol });
  pass(MINUTE_MS);
  const [link] = [...laptop.network!.parts.links.values()];
  const foreign = certify(LAPTOP, { notAfterS: BORN_S + 300 * DAY_S, groups: ["ops"] });
  const body = Buffer.concat([Uint8Array.of(0), foreign.bytes]);
  assert.equal(
    laptop.network!.frame(link!.handle, FRAME_KINDS.renewed.type, body),
    "renewalInvalid",
  );
  assert.equal(signerOf(laptop), "authority");
  assert.notEqual(endOf(laptop), BORN_S + 300 * DAY_S);
});

test("nobody renews: warned once at 30, 10 and 3 days", () => {
  const { laptop, said, pass } = openPair(29, { flags: ISSUER_FLAG.enrol });
  const warned = (): number => said.filter((one) => one.includes("ends soon")).length;
  pass(5 * MINUTE_MS);
  assert.equal(warned(), 1);
  pass(10 * 24 * HOUR_MS);
  assert.equal(warned(), 1);
  pass(11 * 24 * HOUR_MS);
  assert.equal(warned(), 2);
  pass(7 * 24 * HOUR_MS);
  assert.equal(warned(), 3);
  assert.match(laptop.network!.report.network().problems.join(" "), /certificate .* ends in/);
});

test("a certificate that begins later is none yet: it is not taken", () => {
  const { office, laptop, pass } = openPair(29);
  const signed = issuedBy(issuerOf(), { notBeforeS: BORN_S + 20 * DAY_S });
  const answer = () => encodeRenewed({ certificate: signed });
  Object.assign(office.network!.certification.office!, { answer });
  pass(MINUTE_MS);
  assert.equal(signerOf(laptop), "authority");
  const { network } = laptop;
  assert.match(network!.parts.disk.read("certificate") === null ? "none" : "kept", /none/);
});

test("an issuer that is revoked takes nobody with it whose own file counts still", () => {
  const { office, laptop, said, pass } = openPair(29);
  pass(MINUTE_MS);
  assert.equal(signerOf(laptop), "issuer");
  const list = listOf(2, [{ identity: OFFICE, beforeS: BORN_S + 10 }], BORN_S + 60);
  assert.ok(laptop.network!.publish(revocationsFile(list, LAPTOP)).ok);
  assert.equal(signerOf(laptop), "authority");
  pass(MINUTE_MS);
  assert.equal(laptop.network!.parts.ownRecord.statement!.owner.signer.by, "authority");
  laptop.stop(true);
  laptop.start();
  assert.equal(signerOf(laptop), "authority");
  assert.ok(said.some((one) => one.includes("this host's certificate file counts")));
  // Who is revoked itself has nothing left.
  const own = listOf(3, [{ identity: LAPTOP, beforeS: BORN_S + 90 }], BORN_S + 90);
  assert.ok(laptop.network!.publish(revocationsFile(own, LAPTOP)).ok);
  assert.ok(said.some((one) => one.includes("this host is revoked")));
  assert.ok(office.isUp);
});
