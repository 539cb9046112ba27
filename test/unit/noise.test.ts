import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import {
  beginInitiation,
  consumeInitiation,
  consumeResponse,
  createInitiation,
  createResponse,
  finishInitiation,
  mac1Key,
  type StaticKeys,
  staticKeys,
  staticStatic,
  wipe,
  wipeKeys,
} from "../../src/control/noise.ts";
import { blake2s, CHACHA20_POLY1305, kdf, type Suite } from "../../src/control/transcript.ts";
import { before, field, INITIATION, type Range, RESPONSE } from "../../src/wire/handshake.ts";
import { tai64n } from "../../src/wire/tai64n.ts";
import * as oracle from "./noise-oracle.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
/** Fixed bytes, so that a failure can be repeated. */
const fixed = (label: string): Uint8Array =>
  new Uint8Array(createHash("sha256").update(label).digest());
const mac = oracle.mac;
const TIMESTAMP = tai64n(Date.UTC(2026, 0, 1));
const PSK = fixed("psk");

interface Party {
  readonly keys: StaticKeys;
  readonly seed: Uint8Array;
  readonly index: number;
}
const A: Party = { keys: staticKeys(fixed("A")), seed: fixed("eA"), index: 0x01020304 };
const B: Party = { keys: staticKeys(fixed("B")), seed: fixed("eB"), index: 0xa0b0c0d0 };

const initiate = (from = A, to = B) =>
  createInitiation({
    local: from.keys,
    remotePublicKey: to.keys.publicKey,
    ephemeralSeed: from.seed,
    senderIndex: from.index,
    timestamp: TIMESTAMP,
    mac,
  });

const answer = (datagram: Uint8Array, presharedKey: Uint8Array | null = null) => {
  const consumed = consumeInitiation({ local: B.keys, datagram, mac });
  assert.ok(consumed.ok);
  return createResponse({
    state: consumed.state,
    presharedKey,
    ephemeralSeed: B.seed,
    senderIndex: B.index,
    mac,
  });
};

/** Recomputes mac1, so that a forged message gets past it. */
const remac = (datagram: Uint8Array, range: Range, to: Uint8Array): Uint8Array => {
  field(datagram, range).set(mac(mac1Key(to), before(datagram, range)));
  return datagram;
};

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

test("labels hash to the constants every implementation carries", () => {
  // Source: boringtun, noise/handshake.rs: INITIAL_CHAIN_KEY and INITIAL_CHAIN_HASH.
  const chainKey = blake2s(Buffer.from(CHACHA20_POLY1305.construction));
  assert.equal(CHACHA20_POLY1305.construction, oracle.CONSTRUCTION);
  assert.equal(hex(chainKey), "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36");
  assert.equal(
    hex(blake2s(chainKey, Buffer.from(CHACHA20_POLY1305.identifier))),
    "2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3",
  );
});

test("kdf: the vectors of wireguard-go device/kdf_test.go", () => {
  // biome-ignore format: a table
  const vectors = [
    ["746573742d6b6579", "746573742d696e707574",
      "6f0e5ad38daba1bea8a0d213688736f19763239305e0f58aba697f9ffc41c633",
      "df1194df20802a4fe594cde27e92991c8cae66c366e8106aaa937a55fa371e8a",
      "fac6e2745a325f5dc5d11a5b165aad08b0ada28e7b4e666b7c077934a4d76c24"],
    ["776972656775617264", "776972656775617264",
      "491d43bbfdaa8750aaf535e334ecbfe5129967cd64635101c566d4caefda96e8",
      "1e71a379baefd8a79aa4662212fcafe19a23e2b609a3db7d6bcba8f560e3d25f",
      "31e1ae48bddfbe5de38f295e5452b1909a1b4e38e183926af3780b0c1e1f0160"],
    ["", "",
      "8387b46bf43eccfcf349552a095d8315c4055beb90208fb1be23b894bc2ed5d0",
      "58a0e5f6faefccf4807bff1f05fa8a9217945762040bcec2f4b4a62bdfe0e86e",
      "0ce6ea98ec548f8e281e93e32db65621c45eb18dc6f0a7ad94178610a2f7338e"],
  ] as const;
  for (const [key, input, ...expected] of vectors) {
    for (const count of [1, 2, 3] as const) {
      const keys = kdf(Buffer.from(key, "hex"), Buffer.from(input, "hex"), count);
      assert.deepEqual(keys.map(hex), expected.slice(0, count));
    }
  }
});

for (const psk of [null, PSK]) {
  const kind = psk === null ? "without a preshared key" : "with a preshared key";
  const paperPsk = psk ?? new Uint8Array(32);

  test(`we initiate, the paper answers, ${kind}`, () => {
    const ours = initiate();
    const paper = oracle.initiation(
      A.keys.privateKey,
      B.keys.publicKey,
      A.seed,
      A.index,
      TIMESTAMP,
    );
    assert.equal(hex(ours.datagram), hex(paper.message));
    const read = oracle.readInitiation(B.keys.privateKey, ours.datagram);
    assert.equal(hex(read.peer), hex(A.keys.publicKey));
    assert.equal(hex(read.timestamp), hex(TIMESTAMP));
    const ephemeral = ours.datagram.slice(8, 40);
    const reply = oracle.response(read, ephemeral, B.seed, paperPsk, B.index);
    const done = consumeResponse({
      local: A.keys,
      state: ours.state,
      presharedKey: psk,
      datagram: reply.message,
      mac,
    });
    assert.ok(done.ok);
    assert.equal(done.remoteIndex, B.index);
    assert.equal(hex(done.keys.send), hex(reply.receive));
    assert.equal(hex(done.keys.receive), hex(reply.send));
    assert.notEqual(hex(done.keys.send), hex(done.keys.receive));
  });

  test(`the paper initiates, we answer, ${kind}`, () => {
    const paper = oracle.initiation(
      A.keys.privateKey,
      B.keys.publicKey,
      A.seed,
      A.index,
      TIMESTAMP,
    );
    const consumed = consumeInitiation({ local: B.keys, datagram: paper.message, mac });
    assert.ok(consumed.ok);
    assert.equal(hex(consumed.remotePublicKey), hex(A.keys.publicKey));
    assert.equal(hex(consumed.timestamp), hex(TIMESTAMP));
    assert.equal(consumed.senderIndex, A.index);
    assert.equal(consumed.state.remoteIndex, A.index);
    const ours = createResponse({
      state: consumed.state,
      presharedKey: psk,
      ephemeralSeed: B.seed,
      senderIndex: B.index,
      mac,
    });
    const read = oracle.readInitiation(B.keys.privateKey, paper.message);
    const expected = oracle.response(read, paper.message.slice(8, 40), B.seed, paperPsk, B.index);
    assert.equal(hex(ours.datagram), hex(expected.message));
    const keys = oracle.readResponse(
      A.keys.privateKey,
      A.seed,
      paper.state,
      paperPsk,
      ours.datagram,
    );
    assert.equal(hex(ours.keys.send), hex(keys.receive));
    assert.equal(hex(ours.keys.receive), hex(keys.send));
  });
}

test("public keys are those of the paper's implementation", () => {
  assert.equal(hex(A.keys.publicKey), hex(oracle.publicKey(A.keys.privateKey)));
  assert.equal(hex(A.keys.mac1Key), hex(mac1Key(A.keys.publicKey)));
});

test("the cached static-static product gives the same messages and stays as it is", () => {
  const ss = staticStatic(A.keys, B.keys.publicKey);
  assert.ok(ss !== null);
  const copy = ss.slice();
  assert.deepEqual(ss, staticStatic(B.keys, A.keys.publicKey));
  const cached = createInitiation({
    local: A.keys,
    remotePublicKey: B.keys.publicKey,
    staticStatic: ss,
    ephemeralSeed: A.seed,
    senderIndex: A.index,
    timestamp: TIMESTAMP,
    mac,
  });
  assert.deepEqual(cached.datagram, initiate().datagram);
  const begun = beginInitiation({ local: B.keys, datagram: cached.datagram, mac });
  assert.ok(begun.ok);
  assert.deepEqual(begun.pending.remotePublicKey, A.keys.publicKey);
  const finished = finishInitiation(begun.pending, ss);
  assert.ok(finished.ok);
  assert.deepEqual(ss, copy);
});

test("buffers that callers use again do not reach into a handshake", () => {
  // Buffer.slice() shares memory where Uint8Array.slice() copies: give Buffers and overwrite them.
  const seed = Buffer.from(A.seed);
  const one = createInitiation({
    local: A.keys,
    remotePublicKey: Buffer.from(B.keys.publicKey),
    ephemeralSeed: seed,
    senderIndex: A.index,
    timestamp: TIMESTAMP,
    mac,
  });
  seed.fill(0xff);
  const received = Buffer.from(one.datagram);
  const begun = beginInitiation({ local: B.keys, datagram: received, mac });
  received.fill(0xff);
  assert.ok(begun.ok);
  const ss = staticStatic(B.keys, begun.pending.remotePublicKey);
  assert.ok(ss !== null);
  const finished = finishInitiation(begun.pending, ss);
  assert.ok(finished.ok);
  assert.equal(hex(finished.timestamp), hex(TIMESTAMP));
  const two = createResponse({
    state: finished.state,
    presharedKey: null,
    ephemeralSeed: Buffer.from(B.seed),
    senderIndex: B.index,
    mac,
  });
  const datagram = Buffer.from(two.datagram);
  const done = consumeResponse({
    local: A.keys,
    state: one.state,
    presharedKey: null,
    datagram,
    mac,
  });
  datagram.fill(0xff);
  assert.ok(done.ok);
  assert.equal(hex(done.keys.send), hex(two.keys.receive));
});

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

test("every flipped byte of message 1 is refused; a fresh mac1 does not help", () => {
  const { datagram } = initiate();
  for (let at = 0; at < INITIATION.bytes; at += 1) {
    for (const bit of [1, 0x80]) {
      const damaged = datagram.slice();
      damaged[at] = (damaged[at] ?? 0) ^ bit;
      const result = consumeInitiation({ local: B.keys, datagram: damaged, mac });
      if (at >= INITIATION.fields.mac2.at) {
        assert.ok(result.ok, "mac2 is not looked at without load");
        continue;
      }
      const reason = at < 4 ? "handshakeInvalid" : "macInvalid";
      assert.deepEqual(result, { ok: false, reason }, `byte ${at}`);
      const forged = remac(damaged, INITIATION.fields.mac1, B.keys.publicKey);
      const again = consumeInitiation({ local: B.keys, datagram: forged, mac });
      // The index is covered by mac1 alone; X25519 ignores the top bit of a point, the hash does
      // not; flipping mac1 is undone by computing it afresh.
      const harmless = (at >= 4 && at < 8) || at >= INITIATION.fields.mac1.at;
      assert.equal(again.ok, harmless, `byte ${at} with a fresh mac1`);
    }
  }
});

test("every flipped byte of message 2 is refused, and the true one still works after", () => {
  const { datagram: first, state } = initiate();
  const { datagram } = answer(first, PSK);
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

test("another suite of labels and types does not meet this one", () => {
  const suite: Suite = {
    ...CHACHA20_POLY1305,
    construction: "Noise_IKpsk2_25519_AESGCM_BLAKE2s",
    initiationType: 5,
    responseType: 6,
  };
  const input = {
    local: A.keys,
    remotePublicKey: B.keys.publicKey,
    ephemeralSeed: randomBytes(32),
    senderIndex: 9,
    timestamp: TIMESTAMP,
    mac,
  };
  const { datagram } = createInitiation({ ...input, suite });
  assert.equal(datagram[0], 5);
  assert.ok(consumeInitiation({ suite, local: B.keys, datagram, mac }).ok);
  assert.ok(!consumeInitiation({ local: B.keys, datagram, mac }).ok);
  datagram[0] = 1;
  remac(datagram, INITIATION.fields.mac1, B.keys.publicKey);
  assert.ok(!consumeInitiation({ local: B.keys, datagram, mac }).ok, "labels differ too");
});
