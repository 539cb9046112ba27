import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CertificateFields,
  certificateProblem,
  decodeCertificate,
  validity,
} from "../../src/members/certificate.ts";
import { firstChain, succeed } from "../../src/members/definition.ts";
import {
  decodeIssuer,
  encodeIssuer,
  ISSUER_FLAG,
  type IssuerFields,
} from "../../src/members/issuer.ts";
import { formatCidr } from "../../src/wire/cidr.ts";
import {
  AUTHORITY,
  address,
  BORN_S,
  certificateOf,
  DAY_S,
  DEFINITION,
  FIELDS,
  makeDefinition,
  must,
  NODE,
  pairOf,
  prefix,
  whyOf,
} from "./members-parts.ts";

const problemOf = (bytes: Uint8Array, definition = DEFINITION): string | null =>
  certificateProblem(must(decodeCertificate(bytes)), definition);

test("a certificate comes back as it was, and verifies", () => {
  const bytes = certificateOf({});
  const certificate = must(decodeCertificate(bytes));
  const { name, serial, flags, groups, notBeforeS, notAfterS } = certificate;
  assert.deepEqual(
    { name, serial, flags, groups, notBeforeS, notAfterS },
    {
      name: "laptop",
      serial: 7,
      flags: 1,
      groups: ["ops"],
      notBeforeS: BORN_S,
      notAfterS: BORN_S + 365 * DAY_S,
    },
  );
  assert.deepEqual(certificate.addresses, FIELDS.addresses);
  assert.deepEqual(certificate.routes.map(formatCidr), ["192.168.5.0/24"]);
  assert.deepEqual(certificate.nodeKey, NODE.publicKey);
  assert.deepEqual(certificate.bytes, bytes);
  assert.equal(certificateProblem(certificate, DEFINITION), null);
});

test("each byte counts: changed it is refused or does not verify, cut it is refused", () => {
  const bytes = certificateOf({});
  for (let at = 0; at < bytes.length; at++) {
    const other = Uint8Array.from(bytes);
    other[at]! ^= 1;
    const decoded = decodeCertificate(other);
    if (decoded.ok) assert.notEqual(certificateProblem(decoded.value, DEFINITION), null, `${at}`);
    assert.equal(decodeCertificate(bytes.subarray(0, at)).ok, false, `${at}`);
  }
  assert.match(whyOf(decodeCertificate(Buffer.concat([bytes, Buffer.of(0)]))), /follows its end/);
});

// biome-ignore format: a table
const REFUSED: readonly (readonly [what: string, fields: Partial<CertificateFields>, why: RegExp])[] = [
  ["an address of another range", { addresses: [address("10.67.0.2")] }, /outside the network/],
  ["an authority that is none", { signer: { by: "authority", authority: 1 } }, /no authority/],
];

test("what the authority's own signature does not make right", () => {
  for (const [what, fields, why] of REFUSED)
    assert.match(problemOf(certificateOf(fields))!, why, what);
  assert.equal(problemOf(certificateOf({}, pairOf(9))), "its signature is wrong");
  assert.match(
    whyOf(decodeCertificate(certificateOf({ notAfterS: BORN_S - 1 }))),
    /before it begins/,
  );
  const twice = certificateOf({ addresses: [address("10.66.0.2"), address("10.66.0.2")] });
  assert.match(whyOf(decodeCertificate(twice)), /twice/);
  const group = "a".repeat(32);
  assert.match(whyOf(decodeCertificate(certificateOf({ groups: [group] }))), /group/);
  const leaf = Uint8Array.from(certificateOf({}));
  leaf[1] = 2;
  assert.match(whyOf(decodeCertificate(leaf)), /leaf/);
});

test("an unknown extension is kept; a critical one refuses, saying which", () => {
  const value = Buffer.from("later");
  const kept = certificateOf({ extensions: [{ type: 2, critical: false, value }] });
  const certificate = must(decodeCertificate(kept));
  assert.equal(certificateProblem(certificate, DEFINITION), null);
  assert.deepEqual(certificate.bytes, kept);
  assert.equal(Buffer.from(certificate.extensions[0]!.value).toString(), "later");
  const critical = certificateOf({ extensions: [{ type: 2, critical: true, value }] });
  assert.equal(whyOf(decodeCertificate(critical)), "critical extension 32770 is unknown");
});

const ISSUER_NODE = pairOf(5);
const ISSUER: IssuerFields = {
  flags: ISSUER_FLAG.renew | ISSUER_FLAG.enrol,
  serial: 1,
  nodeKey: ISSUER_NODE.publicKey,
  notBeforeS: BORN_S - DAY_S,
  notAfterS: BORN_S + 200 * DAY_S,
  lifeS: 90 * DAY_S,
  givesFlags: 1,
  prefixes: [prefix("10.66.0.0/24"), prefix("fd00:66::/64"), prefix("192.168.0.0/16")],
  groups: ["ops"],
  authority: 0,
};

const issuedBy = (
  issuer: Partial<IssuerFields>,
  fields: Partial<CertificateFields> = {},
): string | null => {
  const bytes = encodeIssuer({ ...ISSUER, ...issuer }, DEFINITION.networkId, AUTHORITY.secretKey);
  const signer = { by: "issuer", issuer: must(decodeIssuer(bytes)) } as const;
  const life = { notAfterS: BORN_S + 90 * DAY_S };
  return problemOf(certificateOf({ ...life, ...fields, signer }, ISSUER_NODE));
};

test("an issuer widens nothing", () => {
  assert.equal(issuedBy({}), null);
  assert.match(issuedBy({}, { notAfterS: BORN_S + 91 * DAY_S })!, /longer/);
  assert.match(issuedBy({}, { notBeforeS: BORN_S - 2 * DAY_S })!, /begins before/);
  assert.match(issuedBy({ notAfterS: BORN_S + DAY_S })!, /ends after/);
  assert.match(issuedBy({}, { flags: 8 })!, /flags/);
  assert.match(issuedBy({ givesFlags: 0 })!, /flags/);
  assert.match(issuedBy({}, { groups: ["admins"] })!, /groups/);
  assert.match(issuedBy({}, { addresses: [address("10.66.1.2")] })!, /addresses or routes/);
  assert.match(issuedBy({}, { routes: [prefix("0.0.0.0/0")] })!, /addresses or routes/);
  assert.match(issuedBy({ authority: 3 })!, /named by no authority/);
});

test("a forged issuer is none, and neither is another's signature under a true one", () => {
  const forged = encodeIssuer(ISSUER, DEFINITION.networkId, ISSUER_NODE.secretKey);
  const life = { notAfterS: BORN_S + 90 * DAY_S };
  const own = { by: "issuer", issuer: must(decodeIssuer(forged)) } as const;
  const problem = problemOf(certificateOf({ ...life, signer: own }, ISSUER_NODE));
  assert.equal(problem, "its issuer is not signed by the authority");
  const real = encodeIssuer(ISSUER, DEFINITION.networkId, AUTHORITY.secretKey);
  const signer = { by: "issuer", issuer: must(decodeIssuer(real)) } as const;
  assert.equal(problemOf(certificateOf({ ...life, signer }, NODE)), "its signature is wrong");
});

test("the largest issuer fits a certificate", () => {
  const prefixes = [1, 2, 3, 4].map((n) => prefix(`fd00:66::${n}/128`));
  const bytes = encodeIssuer(
    { ...ISSUER, prefixes, groups: ["ops", "dev"] },
    DEFINITION.networkId,
    AUTHORITY.secretKey,
  );
  const signer = { by: "issuer", issuer: must(decodeIssuer(bytes)) } as const;
  const fields = { addresses: [address("fd00:66::1")], routes: [], name: "a".repeat(40) };
  assert.equal(decodeCertificate(certificateOf({ ...fields, signer }, ISSUER_NODE)).ok, true);
});

test("a former authority's certificates count when from its time, and until its end", () => {
  const next = pairOf(8);
  const atS = BORN_S + DAY_S;
  const chainTo = (untilS: number) =>
    succeed(
      firstChain(AUTHORITY.publicKey),
      { key: next.publicKey, atS, untilS },
      DEFINITION.networkId,
      AUTHORITY.secretKey,
    );
  const definition = makeDefinition(chainTo(atS + 9 * DAY_S), next.secretKey, 2);
  assert.deepEqual(definition.networkId, DEFINITION.networkId);
  assert.equal(problemOf(certificateOf({}), definition), null);
  assert.match(problemOf(certificateOf({ notBeforeS: atS + 1 }), definition)!, /no authority/);
  const old = must(decodeCertificate(certificateOf({})));
  assert.deepEqual(validity(old, DEFINITION), { fromS: BORN_S, toS: FIELDS.notAfterS });
  assert.deepEqual(validity(old, definition), { fromS: BORN_S, toS: atS + 9 * DAY_S });
  const signer = { by: "authority", authority: 1 } as const;
  const renewed = certificateOf({ notBeforeS: atS + 1, signer }, next);
  assert.equal(problemOf(renewed, definition), null);
  assert.deepEqual(validity(must(decodeCertificate(renewed)), definition).toS, FIELDS.notAfterS);
});
