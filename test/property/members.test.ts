/** members — what is signed, written and read beside the second implementation. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeCertificate, encodeCertificate } from "../../src/members/certificate.ts";
import { decodeDefinition, encodeDefinition, firstChain } from "../../src/members/definition.ts";
import { prefixHolds } from "../../src/members/fields.ts";
import { decodeIssuer, encodeIssuer } from "../../src/members/issuer.ts";
import { decodeRecord, encodeRecord, openRecord, recordSigned } from "../../src/members/record.ts";
import { decodeRequest, encodeRequest } from "../../src/members/request.ts";
import {
  decodeList,
  encodeList,
  listProblem,
  revocationsOf,
  revokedBefore,
  revokedId,
} from "../../src/members/revocation-list.ts";
import { derive, secretCheck } from "../../src/members/secret.ts";
import * as oracle from "../unit/members-oracle.ts";
import { DEFINITION, must, pairOf, seedOf } from "../unit/members-parts.ts";
import { publicKeyOf } from "../unit/xeddsa-oracle.ts";
import { runs } from "./fuzzing.ts";
import {
  certificates,
  contents,
  extensions,
  groups,
  heads,
  key,
  name,
  oursCertificate,
  oursContent,
  oursExtensions,
  oursPrefix,
  prefix,
  prefixes,
  time,
  u16,
  wide,
} from "./members.ts";

const [AUTHORITY, NODE] = [pairOf(1), pairOf(2)];
const { networkId } = DEFINITION;
const bytes = (given: oracle.Bytes): Uint8Array => Uint8Array.from(given);
const SECRET = [...seedOf(40)];

test("certificates", () => {
  fc.assert(
    fc.property(certificates, (given) => {
      const ours = oursCertificate(given);
      const written = encodeCertificate(ours, networkId, AUTHORITY.secretKey);
      assert.deepEqual(written, bytes(oracle.certificate(given, networkId, seedOf(1))));
      const decoded = decodeCertificate(written);
      assert.equal(decoded.ok, written.length <= 512, decoded.ok ? "" : decoded.why);
      if (!decoded.ok) return;
      const { nodeKey, addresses, serial, notAfterS } = decoded.value;
      assert.deepEqual(
        { nodeKey, addresses, serial, notAfterS },
        {
          nodeKey: ours.nodeKey,
          addresses: ours.addresses,
          serial: ours.serial,
          notAfterS: ours.notAfterS,
        },
      );
      assert.deepEqual(encodeCertificate(decoded.value, networkId, AUTHORITY.secretKey), written);
    }),
    runs(150),
  );
});

test("issuers", () => {
  const issuers = fc.record({
    flags: fc.nat(255),
    serial: fc.maxSafeNat(),
    nodeKey: key,
    notBeforeS: time,
    notAfterS: time,
    lifeS: fc.nat(0xffff_ffff),
    givesFlags: u16,
    prefixes: prefixes(4),
    groups,
    extensions,
    authority: fc.nat(255),
  });
  fc.assert(
    fc.property(issuers, (given) => {
      const theirs = bytes(oracle.issuer(given, networkId, seedOf(1)));
      const ours = {
        ...given,
        nodeKey: bytes(given.nodeKey),
        prefixes: given.prefixes.map(oursPrefix),
        extensions: oursExtensions(given.extensions),
      };
      if (theirs.length > 220) {
        assert.throws(() => encodeIssuer(ours, networkId, AUTHORITY.secretKey), RangeError);
        return;
      }
      assert.deepEqual(encodeIssuer(ours, networkId, AUTHORITY.secretKey), theirs);
      assert.equal(decodeIssuer(theirs).ok, given.notBeforeS <= given.notAfterS);
    }),
    runs(100),
  );
});

test("definitions", () => {
  const definitions = fc.record({
    sequence: fc.maxSafeNat(),
    issuedS: time,
    name,
    cidrs: prefixes(8).filter((all) => all.length > 0),
    extensions,
  });
  fc.assert(
    fc.property(definitions, (given) => {
      const chain = { first: seedOf(1), next: [] };
      const theirs = bytes(oracle.definition({ ...given, chain }));
      const ours = {
        ...given,
        cidrs: given.cidrs.map(oursPrefix),
        extensions: oursExtensions(given.extensions),
      };
      const written = encodeDefinition(ours, firstChain(AUTHORITY.publicKey), AUTHORITY.secretKey);
      assert.deepEqual(written, theirs);
      assert.deepEqual(must(decodeDefinition(written)).networkId, networkId);
    }),
    runs(60),
  );
});

test("revocation lists, and who is found in them", () => {
  const entry = fc.record({ nodeKey: key, issuedBeforeS: time });
  const lists = fc.record({
    sequence: fc.maxSafeNat(),
    issuedS: time,
    lifeS: fc.nat(2 ** 31),
    epoch: fc.nat(0xffff_ffff),
    revoked: fc.uniqueArray(entry, { maxLength: 40, selector: ({ nodeKey }) => String(nodeKey) }),
    extensions,
  });
  fc.assert(
    fc.property(lists, key, ({ lifeS, ...given }, stranger) => {
      const rest = { nextUpdateS: given.issuedS + lifeS, authority: 0 };
      const theirs = oracle.list({ ...given, ...rest, secret: SECRET }, networkId, seedOf(1));
      const fields = {
        ...given,
        ...rest,
        secretCheck: secretCheck(given.epoch, bytes(SECRET)),
        extensions: oursExtensions(given.extensions),
      };
      const entries = given.revoked.map(({ nodeKey, issuedBeforeS }) => ({
        id: revokedId(bytes(nodeKey)),
        issuedBeforeS,
      }));
      const written = encodeList(fields, entries, networkId, AUTHORITY.secretKey);
      assert.deepEqual(written, bytes(theirs));
      const list = must(decodeList(written));
      assert.equal(listProblem(list, DEFINITION), null);
      assert.equal(revocationsOf(list).length, entries.length);
      for (const { nodeKey, issuedBeforeS } of given.revoked) {
        assert.equal(revokedBefore(list, bytes(nodeKey)), issuedBeforeS);
      }
      assert.equal(revokedBefore(list, bytes(stranger)), null);
    }),
    runs(60),
  );
});

test("requests", () => {
  const requests = fc.record({ issuedS: time, name, extensions });
  const random = wide.map(bytes);
  fc.assert(
    fc.property(requests, key.map(bytes), key.map(bytes), random, (given, secret, other, wild) => {
      const [own, others] = [publicKeyOf(secret), publicKeyOf(other)];
      const { secretKey, publicKey: nodeKey } = NODE;
      const secrets = { secretKey, privateKey: secret, random: wild };
      const fields = { ...given, nodeKey, extensions: oursExtensions(given.extensions) };
      const written = encodeRequest({ ...fields, handshakeKey: own }, secrets);
      const theirs = { ...given, nodeKey: [...nodeKey], handshakeKey: [...own] };
      const theirSecrets = [seedOf(2), secret, [...wild]] as const;
      assert.deepEqual(written, bytes(oracle.request(theirs, theirSecrets)));
      assert.equal(must(decodeRequest(written)).name, given.name);
      const taken = decodeRequest(encodeRequest({ ...fields, handshakeKey: others }, secrets));
      assert.equal(taken.ok, Buffer.compare(own, others) === 0);
    }),
    runs(60),
  );
});

test("records", () => {
  const recordKey = derive(bytes(SECRET), "record");
  fc.assert(
    fc.property(heads, contents, (given, said) => {
      const head = { ...given, nodeKey: [...NODE.publicKey] };
      const keys = { network: networkId, seed: seedOf(2), secret: SECRET };
      const theirs = bytes(oracle.record(head, said, keys));
      const ours = {
        ...head,
        nodeKey: NODE.publicKey,
        certificateHash: bytes(head.certificateHash),
        extensions: oursExtensions(head.extensions),
      };
      const nonce = bytes(head.nonce);
      const own = { networkId, secretKey: NODE.secretKey, recordKey, nonce };
      if (theirs.length > 400) {
        assert.throws(() => encodeRecord(ours, oursContent(said), own), RangeError);
        return;
      }
      assert.deepEqual(encodeRecord(ours, oursContent(said), own), theirs);
      const view = must(decodeRecord(theirs));
      assert.equal(recordSigned(view, networkId), true);
      const content = must(openRecord(view, recordKey));
      assert.deepEqual(content.candidates, oursContent(said).candidates);
      assert.deepEqual(encodeRecord(view, content, own), theirs);
    }),
    runs(100),
  );
});

test("a prefix is held when all its bits say so", () => {
  const bitsOf = ({ address, bits }: oracle.Prefix): string =>
    `${address.length}:${address.map((byte) => byte.toString(2).padStart(8, "0")).join("")}`.slice(
      0,
      String(address.length).length + 1 + bits,
    );
  fc.assert(
    fc.property(prefix, prefix, fc.nat(128), (outer, other, bits) => {
      // Of two that are drawn, one hardly ever holds the other: so of one and its beginning too.
      const cut = Math.min(bits, outer.bits);
      const begin = outer.address.map(
        (byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, cut - 8 * i))),
      );
      for (const inner of [other, outer, { address: begin, bits: cut }]) {
        const holds = bitsOf(inner).startsWith(bitsOf(outer));
        assert.equal(prefixHolds(oursPrefix(outer), oursPrefix(inner)), holds);
        const turned = bitsOf(outer).startsWith(bitsOf(inner));
        assert.equal(prefixHolds(oursPrefix(inner), oursPrefix(outer)), turned);
      }
    }),
    runs(500),
  );
});
