/** noise-refused — handshake messages that must not be believed, and secrets that must go. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  beginInitiation,
  consumeResponse,
  createInitiation,
  createResponse,
  finishInitiation,
  staticStatic,
  wipe,
  wipeKeys,
} from "../../src/control/handshake/noise.ts";
import { AES_256_GCM, CHACHA20_POLY1305, SUITES } from "../../src/noise/transcript.ts";
import { field, INITIATION, RESPONSE } from "../../src/wire/handshake.ts";
import { consumeInitiation } from "../lab/consume-initiation.ts";
import { A, answer, B, fixed, hex, initiate, mac, PSK, remac, TIMESTAMP } from "./noise-parties.ts";

/** Points whose product with any clamped scalar is zero. Source: cr.yp.to/ecdh.html#validate. */
const SMALL_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map((text) => new Uint8Array(Buffer.from(text, "hex")));

test("an initiation that claims another's key is refused in its second half", () => {
  // Mallory knows A's public key, not the private one: message 1 made with a product of her own.
  const forged = createInitiation({
    local: A.keys,
    remotePublicKey: B.keys.publicKey,
    staticStatic: fixed("a guess"),
    ephemeralSeed: A.seed,
    senderIndex: A.index,
    timestamp: TIMESTAMP,
    mac,
  }).datagram;
  const begun = beginInitiation({ local: B.keys, datagram: forged, mac });
  assert.ok(begun.ok);
  const ss = staticStatic(B.keys, begun.pending.remotePublicKey);
  assert.ok(ss !== null);
  assert.deepEqual(finishInitiation(begun.pending, ss), { ok: false, reason: "handshakeInvalid" });
  assert.ok(begun.pending.chainKey.every((byte) => byte === 0));
});

for (const suite of SUITES) {
  const [one, two] = [suite.initiationType, suite.responseType];
  test(`every flipped byte of message ${one} is refused; a fresh mac1 does not help`, () => {
    const { datagram } = initiate(A, B, suite);
    for (let at = 0; at < INITIATION.bytes; at += 1) {
      for (const bit of [1, 0x80]) {
        const damaged = datagram.slice();
        damaged[at] = (damaged[at] ?? 0) ^ bit;
        const result = consumeInitiation({ suite, local: B.keys, datagram: damaged, mac });
        if (at >= INITIATION.fields.mac2.at) {
          assert.ok(result.ok, "mac2 is not looked at without load");
          continue;
        }
        const reason = at < 4 ? "handshakeInvalid" : "macInvalid";
        assert.deepEqual(result, { ok: false, reason }, `byte ${at}`);
        const forged = remac(damaged, INITIATION.fields.mac1, B.keys.publicKey);
        const again = consumeInitiation({ suite, local: B.keys, datagram: forged, mac });
        // The index is covered by mac1 alone; X25519 ignores the top bit of a point, the hash does
        // not; flipping mac1 is undone by computing it afresh.
        const harmless = (at >= 4 && at < 8) || at >= INITIATION.fields.mac1.at;
        assert.equal(again.ok, harmless, `byte ${at} with a fresh mac1`);
      }
    }
  });

  test(`every flipped byte of message ${two} is refused, and the true one works after`, () => {
    const { datagram: first, state } = initiate(A, B, suite);
    const { datagram } = answer(first, PSK, suite);
    const consume = (bytes: Uint8Array) =>
      consumeResponse({ local: A.keys, state, presharedKey: PSK, datagram: bytes, mac });
    for (let at = 0; at < RESPONSE.fields.mac2.at; at += 1) {
      const damaged = datagram.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x80;
      const reason = at < 4 ? "handshakeInvalid" : "macInvalid";
      assert.deepEqual(consume(damaged), { ok: false, reason }, `byte ${at}`);
      if ((at >= 4 && at < 8) || at >= RESPONSE.fields.mac1.at) continue;
      const forged = remac(damaged, RESPONSE.fields.mac1, A.keys.publicKey);
      assert.deepEqual(consume(forged), { ok: false, reason: "handshakeInvalid" }, `byte ${at}`);
    }
    assert.ok(consume(datagram).ok);
  });
}

test("the wrong preshared key is refused and the state survives it", () => {
  const { datagram: first, state } = initiate();
  const { datagram, keys } = answer(first, PSK);
  for (const wrong of [null, fixed("another")]) {
    const result = consumeResponse({
      local: A.keys,
      state,
      presharedKey: wrong,
      datagram,
      mac,
    });
    assert.deepEqual(result, { ok: false, reason: "handshakeInvalid" });
  }
  const done = consumeResponse({ local: A.keys, state, presharedKey: PSK, datagram, mac });
  assert.ok(done.ok);
  assert.equal(hex(done.keys.send), hex(keys.receive));
});

test("messages of the wrong length, type or receiver are refused", () => {
  const { datagram: first, state } = initiate();
  const { datagram: second } = answer(first);
  for (let length = 0; length <= 300; length += 1) {
    if (length !== first.length) {
      const cut = new Uint8Array(length);
      cut.set(first.subarray(0, length));
      const result = consumeInitiation({ local: B.keys, datagram: cut, mac });
      assert.deepEqual(result, { ok: false, reason: "handshakeInvalid" });
    }
    if (length !== second.length) {
      const cut = new Uint8Array(length);
      cut.set(second.subarray(0, length));
      const input = { local: A.keys, state, presharedKey: null, datagram: cut, mac };
      assert.deepEqual(consumeResponse(input), { ok: false, reason: "handshakeInvalid" });
    }
  }
  // Meant for B: to anybody else its mac1 is wrong.
  assert.deepEqual(consumeInitiation({ local: A.keys, datagram: first, mac }), {
    ok: false,
    reason: "macInvalid",
  });
});

test("mac1 is checked before any curve arithmetic", () => {
  const { datagram } = initiate();
  field(datagram, INITIATION.fields.ephemeral).fill(0);
  const begun = beginInitiation({ local: B.keys, datagram, mac });
  assert.deepEqual(begun, { ok: false, reason: "macInvalid" });
});

test("points of small order are refused wherever they come", () => {
  for (const point of SMALL_ORDER) {
    assert.equal(staticStatic(A.keys, point), null, hex(point));
    assert.throws(() =>
      createInitiation({
        local: A.keys,
        remotePublicKey: point,
        ephemeralSeed: A.seed,
        senderIndex: 1,
        timestamp: TIMESTAMP,
        mac,
      }),
    );
    const one = initiate();
    field(one.datagram, INITIATION.fields.ephemeral).set(point);
    const forged = remac(one.datagram, INITIATION.fields.mac1, B.keys.publicKey);
    assert.deepEqual(beginInitiation({ local: B.keys, datagram: forged, mac }), {
      ok: false,
      reason: "handshakeInvalid",
    });
    const { datagram: first, state } = initiate();
    const { datagram: second } = answer(first);
    const damaged = second.slice();
    field(damaged, RESPONSE.fields.ephemeral).set(point);
    remac(damaged, RESPONSE.fields.mac1, A.keys.publicKey);
    const input = { local: A.keys, state, presharedKey: null, mac };
    assert.deepEqual(consumeResponse({ ...input, datagram: damaged }), {
      ok: false,
      reason: "handshakeInvalid",
    });
    assert.ok(consumeResponse({ ...input, datagram: second }).ok);
  }
});

test("a static key of small order inside an authentic message 1 is refused", () => {
  const point = SMALL_ORDER[2] as Uint8Array;
  const { datagram } = createInitiation({
    local: { ...A.keys, publicKey: point },
    remotePublicKey: B.keys.publicKey,
    staticStatic: new Uint8Array(32),
    ephemeralSeed: A.seed,
    senderIndex: 1,
    timestamp: TIMESTAMP,
    mac,
  });
  assert.ok(beginInitiation({ local: B.keys, datagram, mac }).ok);
  assert.deepEqual(consumeInitiation({ local: B.keys, datagram, mac }), {
    ok: false,
    reason: "handshakeInvalid",
  });
});

test("secrets are zeroed when they are used up", () => {
  const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
  const { datagram: first, state } = initiate();
  assert.ok(!isZero(state.ephemeralPrivate) && !isZero(state.chainKey));
  const consumed = consumeInitiation({ local: B.keys, datagram: first, mac });
  assert.ok(consumed.ok && !isZero(consumed.state.chainKey));
  const response = createResponse({
    state: consumed.state,
    presharedKey: null,
    ephemeralSeed: B.seed,
    senderIndex: B.index,
    mac,
  });
  assert.ok(isZero(consumed.state.chainKey) && isZero(consumed.state.hash));
  const input = { local: A.keys, state, presharedKey: null, datagram: response.datagram, mac };
  assert.ok(consumeResponse(input).ok);
  assert.ok(isZero(state.chainKey) && isZero(state.hash) && isZero(state.ephemeralPrivate));
  assert.deepEqual(A.seed, fixed("eA"), "the caller's seed is the caller's to zero");
  wipeKeys(response.keys);
  assert.ok(isZero(response.keys.send) && isZero(response.keys.receive));
  const dropped = initiate().state;
  wipe(dropped);
  assert.ok(isZero(dropped.ephemeralPrivate) && isZero(dropped.chainKey));
  assert.ok(!consumeResponse({ ...input, state: dropped }).ok, "a used state answers nothing");
});

test("a message of one suite is none of the other, whatever type it is given", () => {
  for (const [suite, other] of [SUITES, [AES_256_GCM, CHACHA20_POLY1305] as const]) {
    const { datagram, state } = initiate(A, B, suite);
    const second = answer(datagram, PSK, suite).datagram;
    const local = B.keys;
    assert.ok(!consumeInitiation({ suite: other, local, datagram, mac }).ok);
    const disguised = datagram.slice();
    disguised[0] = other.initiationType;
    remac(disguised, INITIATION.fields.mac1, B.keys.publicKey);
    assert.deepEqual(consumeInitiation({ suite: other, local, datagram: disguised, mac }), {
      ok: false,
      reason: "handshakeInvalid",
    });
    const reply = second.slice();
    reply[0] = other.responseType;
    remac(reply, RESPONSE.fields.mac1, A.keys.publicKey);
    const theirs = { local: A.keys, presharedKey: PSK, mac };
    assert.ok(!consumeResponse({ ...theirs, state, datagram: reply }).ok);
    const crossed = initiate(A, B, other).state;
    assert.ok(!consumeResponse({ ...theirs, state: crossed, datagram: second }).ok);
    assert.ok(!consumeResponse({ ...theirs, state: crossed, datagram: reply }).ok);
    assert.ok(consumeResponse({ ...theirs, state, datagram: second }).ok);
  }
});
