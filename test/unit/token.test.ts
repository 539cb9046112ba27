/** token — an invitation as text: what it carries, what a mail does to it, what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { firstChain, succeed } from "../../src/members/definition.ts";
import {
  definitionDoubt,
  formatToken,
  parseToken,
  type TokenFields,
  tokenKeys,
} from "../../src/members/token.ts";
import {
  AUTHORITY,
  BORN_S,
  DEFINITION,
  makeDefinition,
  must,
  NODE,
  pairOf,
  whyOf,
} from "./members-parts.ts";

const FIELDS: TokenFields = {
  secret: new Uint8Array(32).fill(5),
  expiresS: BORN_S,
  network: "lab",
  firstAuthority: AUTHORITY.publicKey,
  authority: 0,
  newestAuthority: AUTHORITY.publicKey,
  name: "laptop",
  indexes: [
    { nodeKey: NODE.publicKey, place: "index.example.org:4740" },
    { nodeKey: null, place: "203.0.113.1:4740" },
  ],
  enrollers: [{ nodeKey: NODE.publicKey, places: ["192.0.2.1:51820", "[2001:db8::1]:51820"] }],
};

test("what is written is read again, also with what mail puts in between", () => {
  const text = formatToken(FIELDS);
  assert.match(text, /^p2pvpn-invitation-1:[A-Za-z0-9_-]+$/);
  const { networkId, extensions, ...fields } = must(parseToken(text));
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value));
  assert.deepEqual(plain(fields), plain(FIELDS));
  assert.deepEqual(networkId, DEFINITION.networkId);
  assert.deepEqual(extensions, []);
  const mailed = ` ${text.replace(/.{60}/g, "$&\r\n  ")}\n`;
  assert.deepEqual(must(parseToken(mailed)).secret, FIELDS.secret);
  const nobody = { ...FIELDS, name: null, indexes: [] };
  assert.equal(must(parseToken(formatToken(nobody))).name, null);
});

test("each character that changes, and each that is missing, is found out", () => {
  const text = formatToken(FIELDS);
  const head = "p2pvpn-invitation-1:".length;
  for (let at = head; at < text.length; at++) {
    const other = text[at] === "A" ? "B" : "A";
    assert.match(whyOf(parseToken(text.slice(0, at) + other + text.slice(at + 1))), /damaged/);
  }
  assert.match(whyOf(parseToken(text.slice(0, -1))), /damaged; copy the whole line/);
  assert.match(whyOf(parseToken("p2p:abc")), /this is no invitation/);
  assert.match(whyOf(parseToken(text.replace("-1:", "-2:"))), /of version 2/);
  assert.match(whyOf(parseToken("x".repeat(100_000))), /no invitation/);
  assert.match(whyOf(parseToken(formatToken({ ...FIELDS, indexes: [], enrollers: [] }))), /nobody/);
});

test("a place is what a configuration takes, and nothing that could end its line", () => {
  for (const place of ['a"]\nx = 1', "a b:1", "", "x".repeat(256)]) {
    assert.throws(
      () => formatToken({ ...FIELDS, indexes: [{ nodeKey: null, place }] }),
      RangeError,
    );
  }
});

test("a definition counts when it is of the token's authorities, and no older", () => {
  const first = must(parseToken(formatToken(FIELDS)));
  assert.equal(definitionDoubt(first, DEFINITION), null);
  const [next, thief] = [pairOf(40), pairOf(41)];
  const chainTo = (key: Uint8Array) =>
    succeed(
      firstChain(AUTHORITY.publicKey),
      { key, atS: BORN_S, untilS: Number.POSITIVE_INFINITY },
      DEFINITION.networkId,
      AUTHORITY.secretKey,
    );
  const good = makeDefinition(chainTo(next.publicKey), next.secretKey);
  const forked = makeDefinition(chainTo(thief.publicKey), thief.secretKey);
  assert.equal(definitionDoubt(first, good), null);
  const fields = { ...FIELDS, authority: 1, newestAuthority: next.publicKey };
  const second = must(parseToken(formatToken(fields)));
  assert.equal(definitionDoubt(second, good), null);
  assert.match(definitionDoubt(second, forked) ?? "", /its authority is another/);
  assert.match(definitionDoubt(second, DEFINITION) ?? "", /older than the invitation/);
  const other = pairOf(42);
  const foreign = makeDefinition(firstChain(other.publicKey), other.secretKey);
  assert.match(definitionDoubt(first, foreign) ?? "", /another network/);
});

test("each key of a secret has a label of its own", () => {
  const { hash, ...keys } = tokenKeys(FIELDS.secret);
  assert.equal(hash.length, 16);
  const all = new Set(
    [hash, ...Object.values(keys)].map((key) => Buffer.from(key).toString("hex")),
  );
  assert.equal(all.size, 4);
});
