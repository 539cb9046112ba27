/**
 * intro-wire — bytes of INTRO, WHO, HERE and CHALLENGE as docs/PROTOCOL.md has them, made a second
 * time with the @noble packages, and opened by them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { blake2b } from "@noble/hashes/blake2.js";
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { Epochs } from "../../src/control/network/epochs.ts";
import {
  openHere,
  openIntro,
  sealChallenge,
  sealHere,
  sealIntro,
  sealWho,
  tagValid,
} from "../../src/control/network/strange-seal.ts";
import { CERTIFICATE_BYTES_MAX } from "../../src/members/certificate.ts";
import { RECORD_BYTES_MAX } from "../../src/members/record.ts";
import {
  CHALLENGE_BYTES,
  decodePair,
  encodePair,
  INTRO_BYTES,
  INTRO_PLAIN_BYTES,
  type Pair,
  strangeKind,
} from "../../src/wire/intro.ts";
import { fixed, fixedBytes, hex, mac } from "./noise-parties.ts";

const SECRET = fixed("the network's secret");
const EPOCH = 0x0102;
const PAIR: Pair = {
  certificate: fixedBytes("certificate", 300),
  record: fixedBytes("record", 260),
};
const TICKET = fixedBytes("ticket", 16);
const EPHEMERAL = fixed("ephemeral");
const RECEIVER = fixed("receiver");
const us = { publicKey: x25519.getPublicKey(RECEIVER), privateKey: RECEIVER };

const keys = (() => {
  const epochs = new Epochs();
  epochs.hold([{ epoch: EPOCH, secret: SECRET }]);
  return epochs.newest!;
})();

/** derive() of net.md, by other hands. */
const derived = (label: string): Uint8Array =>
  blake2b(utf8ToBytes(label), { key: SECRET, dkLen: 32 });
const u16 = (value: number): Uint8Array => Uint8Array.of(value & 255, value >> 8);
const { certificate, record } = PAIR;
const packed = concatBytes(u16(300), certificate, u16(260), record);
const padded = (bytes: number): Uint8Array => concatBytes(packed, new Uint8Array(bytes - 564));
/** Head, tag over all but itself, body. */
const tagged = (head: Uint8Array, body: Uint8Array): string =>
  hex(concatBytes(head, mac(derived("intro"), concatBytes(head, body)), body));

const makeIntro = (): Uint8Array =>
  sealIntro(
    {
      keys,
      pair: PAIR,
      receiver: us.publicKey,
      ticket: TICKET,
      ephemeralSecret: EPHEMERAL.slice(),
    },
    mac,
  )!;

test("an INTRO is, byte for byte, what the page says", () => {
  const ephemeral = x25519.getPublicKey(EPHEMERAL);
  const head = concatBytes(Uint8Array.of(9, 0, 0, 0, 0, 2, 0, 0), TICKET, ephemeral);
  const product = x25519.getSharedSecret(EPHEMERAL, us.publicKey);
  const key = blake2b(concatBytes(product, ephemeral, us.publicKey), { dkLen: 32 });
  const body = xchacha20poly1305(key, new Uint8Array(24), head).encrypt(padded(1_144));
  const intro = makeIntro();
  assert.equal(hex(intro), tagged(head, body));
  assert.deepEqual([intro.length, strangeKind(intro)], [1_232, { kind: "intro", epoch: 2 }]);
  assert.ok(tagValid(intro, "intro", keys, mac));
  assert.deepEqual(openIntro(intro, us), PAIR);
});

test("the ephemeral's secret is zeroed, and a key of small order is nobody's", () => {
  const ephemeralSecret = EPHEMERAL.slice();
  const parts = { keys, pair: PAIR, ticket: TICKET, ephemeralSecret };
  assert.equal(sealIntro({ ...parts, receiver: new Uint8Array(32) }, mac), null);
  assert.equal(hex(ephemeralSecret), "00".repeat(32));
});

test("a CHALLENGE is, byte for byte, what the page says", () => {
  const intro = makeIntro();
  const challenge = sealChallenge(intro, TICKET, keys, mac);
  const head = Uint8Array.of(10, 0, 0, 0, 3, 2, 0, 0);
  const before = concatBytes(head, TICKET, intro.subarray(24, 40));
  assert.equal(hex(challenge), tagged(before, new Uint8Array(8)));
  assert.deepEqual(strangeKind(challenge), { kind: "challenge", epoch: 2 });
  assert.ok(tagValid(challenge, "challenge", keys, mac));
});

test("WHO and HERE are, byte for byte, what the page says", () => {
  const asked = fixed("asked");
  const who = sealWho(keys, asked, TICKET, mac);
  const whoHead = concatBytes(Uint8Array.of(9, 0, 0, 0, 3, 2, 0, 0), TICKET, asked);
  assert.equal(hex(who), tagged(whoHead, new Uint8Array(1_160)));
  const nonce = fixedBytes("nonce", 24);
  const given = fixedBytes("given", 16);
  const here = sealHere({ who, keys, pair: PAIR, ticket: given, nonce }, mac);
  const head = concatBytes(Uint8Array.of(9, 0, 0, 0, 4, 2, 0, 0), given, asked);
  const sealed = xchacha20poly1305(derived("here"), nonce, head).encrypt(padded(1_120));
  assert.equal(hex(here), tagged(head, concatBytes(nonce, sealed)));
  assert.deepEqual(openHere(here, keys), PAIR);
  assert.equal(here.length, who.length);
});

test("the tag covers each byte of each of them", () => {
  const who = sealWho(keys, fixed("asked"), TICKET, mac);
  const parts = { who, keys, pair: PAIR, ticket: TICKET, nonce: fixedBytes("nonce", 24) };
  const all = [
    ["intro", makeIntro()],
    ["who", who],
    ["here", sealHere(parts, mac)],
    ["challenge", sealChallenge(makeIntro(), TICKET, keys, mac)],
  ] as const;
  for (const [kind, datagram] of all) {
    for (let at = 0; at < datagram.length; at++) {
      datagram[at]! ^= 1;
      assert.equal(tagValid(datagram, kind, keys, mac), false, `${kind} ${at}`);
      datagram[at]! ^= 1;
    }
  }
});

test("what is no datagram of types 9 and 10: another length, kind, type, or reserved bytes", () => {
  const intro = makeIntro();
  const challenge = sealChallenge(intro, TICKET, keys, mac);
  for (const datagram of [intro, challenge]) {
    for (const at of [0, 1, 2, 3, 6, 7]) {
      const other = datagram.slice();
      other[at]! ^= 0x40;
      assert.equal(strangeKind(other), null, `${datagram[0]}, byte ${at}`);
    }
    for (const bytes of [0, 1, 4, 63, datagram.length - 1]) {
      assert.equal(strangeKind(datagram.slice(0, bytes)), null, `${bytes} bytes`);
    }
    assert.equal(strangeKind(concatBytes(datagram, Uint8Array.of(0))), null);
    for (const kind of [1, 2, 5, 255]) {
      const other = datagram.slice();
      other[4] = kind;
      assert.equal(strangeKind(other), null, `kind ${kind}`);
    }
  }
  const long = new Uint8Array(INTRO_BYTES);
  long.set(challenge);
  assert.equal(strangeKind(long), null, "a CHALLENGE as long as an INTRO");
  const short = intro.slice(0, CHALLENGE_BYTES);
  assert.equal(strangeKind(short), null);
});

test("a pair: each of its two parts has a length, and both are there", () => {
  const pairOf = (first: number, second: number): Pair => {
    return { certificate: new Uint8Array(first).fill(1), record: new Uint8Array(second).fill(2) };
  };
  const longest = pairOf(CERTIFICATE_BYTES_MAX, RECORD_BYTES_MAX);
  assert.deepEqual(decodePair(encodePair(longest, INTRO_PLAIN_BYTES)), longest);
  for (const [first, second] of [
    [0, 1],
    [1, 0],
    [CERTIFICATE_BYTES_MAX + 1, 1],
    [1, RECORD_BYTES_MAX + 1],
  ] as const) {
    assert.throws(() => encodePair(pairOf(first, second), INTRO_PLAIN_BYTES), RangeError);
    const plain = new Uint8Array(INTRO_PLAIN_BYTES);
    plain.set(u16(first), 0);
    plain.set(u16(second), 2 + first);
    assert.equal(decodePair(plain), null, `${first} and ${second}`);
  }
  const exact = encodePair(pairOf(5, 6), 15);
  assert.deepEqual(decodePair(exact), pairOf(5, 6));
  for (let bytes = 0; bytes < 15; bytes++) assert.equal(decodePair(exact.slice(0, bytes)), null);
});
