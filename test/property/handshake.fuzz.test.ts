/**
 * handshake — messages of a handshake, changed: exactly the unchanged ones are accepted, and what
 * they say is what the paper's responder and initiator (noise-oracle) read in them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { consumeResponse, mac1Key, type Refused } from "../../src/control/handshake/noise.ts";
import { CookieChecker, CookieHolder } from "../../src/control/strangers/cookie.ts";
import { COOKIE, field, INITIATION, RESPONSE, readU32 } from "../../src/wire/handshake.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { consumeInitiation } from "../lab/consume-initiation.ts";
import * as oracle from "../unit/noise-oracle.ts";
import {
  A,
  answer,
  B,
  fixed,
  fixedBytes,
  hex,
  initiate,
  mac,
  PSK,
  remac,
} from "../unit/noise-parties.ts";
import { type Change, changes, mutate, runs } from "./fuzzing.ts";

/** Points of small order: their product with every secret is zero. Source: cr.yp.to/ecdh.html. */
// biome-ignore format: a table
const SMALL = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map((text) => Buffer.from(text, "hex"));

interface Layout {
  readonly bytes: number;
  readonly fields: { readonly ephemeral: { readonly at: number; readonly bytes: number } };
}

/** Changes, and now and then a point of small order in place of the ephemeral key. */
const damage = (layout: Layout): fc.Arbitrary<Change[]> => {
  const { at } = layout.fields.ephemeral;
  const point = fc.constantFrom(...SMALL).map((bytes): Change[] => [{ kind: "write", at, bytes }]);
  return fc.oneof({ weight: 8, arbitrary: changes(layout.bytes) }, { weight: 1, arbitrary: point });
};

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** What the paper's party makes of a message; null when it refuses. */
const orNull = <Value>(read: () => Value): Value | null => {
  try {
    return read();
  } catch {
    return null;
  }
};

const macFits = (message: Uint8Array, at: number, publicKey: Uint8Array): boolean =>
  same(mac(mac1Key(publicKey), message.subarray(0, at)), message.subarray(at, at + 16));

const head = (message: Uint8Array, type: number, bytes: number): boolean =>
  message.length === bytes && same(message.subarray(0, 4), Uint8Array.of(type, 0, 0, 0));

const isRefused = (result: { readonly ok: boolean }): result is Refused => !result.ok;

test("an initiation: only what was sent is accepted, and it says what the paper reads", () => {
  const whole = initiate().datagram;
  let [taken, refused] = [0, 0];
  const run = (all: readonly Change[], mend: boolean): void => {
    const message = mutate(whole, all);
    const fits = message.length === INITIATION.bytes;
    if (mend && fits) remac(message, INITIATION.fields.mac1, B.keys.publicKey);
    const before = hex(message);
    const result = consumeInitiation({ local: B.keys, datagram: message, mac });
    assert.equal(hex(message), before, "the message was written to");
    const read =
      head(message, 1, 148) && macFits(message, 116, B.keys.publicKey)
        ? orNull(() => oracle.readInitiation(fixed("B"), message))
        : null;
    assert.equal(result.ok, read !== null);
    // Only mac2 and, under a new mac1, the sender's index are not authenticated.
    const until = mend ? 8 : 0;
    const unchanged = fits && same(message.subarray(until, 116), whole.subarray(until, 116));
    assert.equal(
      result.ok,
      unchanged && head(message, 1, 148) && macFits(message, 116, B.keys.publicKey),
    );
    if (isRefused(result) || read === null) {
      refused++;
      return;
    }
    taken++;
    assert.deepEqual(new Uint8Array(result.remotePublicKey), read.peer);
    assert.deepEqual(new Uint8Array(result.timestamp), read.timestamp);
    assert.deepEqual(message.slice(4, 8), read.index);
    assert.equal(result.senderIndex, readU32(message, INITIATION.fields.senderIndex));
    assert.deepEqual(new Uint8Array(result.state.chainKey), read.state.C);
    assert.deepEqual(new Uint8Array(result.state.hash), read.state.H);
  };
  fc.assert(fc.property(damage(INITIATION), fc.boolean(), run), runs(250));
  assert.ok(taken > 10 && refused > 80, `${taken} taken, ${refused} refused`);
});

test("a response: only what was sent is accepted, and gives the paper's keys", () => {
  let [taken, refused] = [0, 0];
  const ours = initiate();
  const { datagram: whole } = answer(ours.datagram, PSK);
  const paper = oracle.initiation(
    fixed("A"),
    B.keys.publicKey,
    fixed("eA"),
    A.index,
    fixedTimestamp(),
  );
  const run = (all: readonly Change[], mend: boolean): void => {
    const message = mutate(whole, all);
    const fits = message.length === RESPONSE.bytes;
    if (mend && fits) remac(message, RESPONSE.fields.mac1, A.keys.publicKey);
    const { state } = initiate();
    const kept = hex(state.hash) + hex(state.chainKey) + hex(state.ephemeralPrivate);
    const response = { local: A.keys, state, presharedKey: PSK, datagram: message, mac };
    const result = consumeResponse(response);
    const wellFormed = head(message, 2, 92) && macFits(message, 60, A.keys.publicKey);
    const forUs = wellFormed && readU32(message, RESPONSE.fields.receiverIndex) === A.index;
    const keys = forUs
      ? orNull(() => oracle.readResponse(fixed("A"), fixed("eA"), paper.state, PSK, message))
      : null;
    assert.equal(result.ok, keys !== null);
    const from = mend ? 8 : 0;
    assert.equal(result.ok, forUs && same(message.subarray(from, 60), whole.subarray(from, 60)));
    if (isRefused(result) || keys === null) {
      refused++;
      assert.equal(hex(state.hash) + hex(state.chainKey) + hex(state.ephemeralPrivate), kept);
      return;
    }
    taken++;
    assert.deepEqual(new Uint8Array(result.keys.send), keys.send);
    assert.deepEqual(new Uint8Array(result.keys.receive), keys.receive);
    assert.equal(result.remoteIndex, readU32(message, RESPONSE.fields.senderIndex));
  };
  fc.assert(fc.property(damage(RESPONSE), fc.boolean(), run), runs(250));
  assert.ok(taken > 10 && refused > 80, `${taken} taken, ${refused} refused`);
});

/** The time stamp of `initiate`, as it stands in what B reads. */
const fixedTimestamp = (): Uint8Array => {
  const read = consumeInitiation({ local: B.keys, datagram: initiate().datagram, mac });
  assert.ok(read.ok);
  return read.timestamp;
};

// ---------------------------------------------------------------------------------------------
// Cookies

const NONE = new Uint8Array(0);
const FROM = makeSockaddr(Uint8Array.of(192, 0, 2, 1), 1_000);

const makeChecker = (): CookieChecker => {
  let count = 0;
  const random = (bytes: number): Uint8Array => fixedBytes(`random ${count++}`, bytes);
  return new CookieChecker({ publicKey: B.keys.publicKey, mac, random });
};

test("a cookie reply: only what was sent is taken, and only once it fits our last message", () => {
  const { datagram } = initiate();
  const holder = new CookieHolder(B.keys.publicKey, mac);
  const reply = makeChecker().reply(datagram, FROM, 0);
  let [taken, refused] = [0, 0];
  const run = (all: readonly Change[]): void => {
    const sent = Uint8Array.from(datagram);
    holder.sign(sent, NONE, NONE, 1e9);
    sent.fill(0, INITIATION.fields.mac2.at);
    const message = mutate(reply, all);
    const ok = holder.take(message, 0);
    assert.equal(ok, same(message, reply));
    const mac2 = field(sent, INITIATION.fields.mac2);
    assert.equal(
      mac2.some((byte) => byte !== 0),
      ok,
      "mac2 is written when a cookie was taken",
    );
    if (ok) {
      taken++;
      assert.ok(makeChecker().valid(sent, FROM, 0));
    } else refused++;
  };
  fc.assert(fc.property(changes(COOKIE.bytes), run), runs(2_000));
  assert.ok(taken > 50 && refused > 500, `${taken} taken, ${refused} refused`);
});

test("mac2 fits one message from one address and port, for as long as a cookie lives", () => {
  const checker = makeChecker();
  const { datagram: sent } = initiate();
  const holder = new CookieHolder(B.keys.publicKey, mac);
  holder.sign(sent, NONE, NONE, 0);
  assert.ok(holder.take(checker.reply(sent, FROM, 0), 0));
  let [taken, refused] = [0, 0];
  const run = (all: readonly Change[], from: Uint8Array): void => {
    const message = mutate(sent, all);
    if (message.length !== INITIATION.bytes) return;
    const expected = same(message, sent) && same(from, FROM);
    assert.equal(checker.valid(message, from, 1_000), expected);
    if (expected) taken++;
    else refused++;
  };
  const other = fc.tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.nat(65_535));
  const sources = fc.oneof(
    { weight: 3, arbitrary: fc.constant(FROM) },
    { weight: 1, arbitrary: other.map(([address, port]) => makeSockaddr(address, port)) },
  );
  fc.assert(fc.property(changes(INITIATION.bytes), sources, run), runs(2_000));
  assert.ok(taken > 50 && refused > 500, `${taken} taken, ${refused} refused`);
});
