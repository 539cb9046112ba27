/** noise — handshakes against the paper, as noise-oracle.ts has it, and known vectors. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  beginInitiation,
  consumeResponse,
  createInitiation,
  createResponse,
  finishInitiation,
  mac1Key,
  staticStatic,
} from "../../src/control/handshake/noise.ts";
import { blake2s } from "../../src/noise/mac.ts";
import { AES_256_GCM, CHACHA20_POLY1305, kdf } from "../../src/noise/transcript.ts";
import { consumeInitiation } from "../lab/consume-initiation.ts";
import * as oracle from "./noise-oracle.ts";
import { A, B, hex, initiate, mac, PSK, TIMESTAMP } from "./noise-parties.ts";

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

for (const [psk, suite, paperSuite] of [
  [null, CHACHA20_POLY1305, oracle.WIREGUARD],
  [PSK, CHACHA20_POLY1305, oracle.WIREGUARD],
  [null, AES_256_GCM, oracle.AES],
  [PSK, AES_256_GCM, oracle.AES],
] as const) {
  const key = psk === null ? "without a preshared key" : "with a preshared key";
  const kind = `${suite === AES_256_GCM ? "AES" : "ChaCha20"}, ${key}`;
  const paperPsk = psk ?? new Uint8Array(32);

  test(`we initiate, the paper answers, ${kind}`, () => {
    const ours = initiate(A, B, suite);
    const paper = oracle.initiation(
      A.keys.privateKey,
      B.keys.publicKey,
      A.seed,
      A.index,
      TIMESTAMP,
      paperSuite,
    );
    assert.equal(hex(ours.datagram), hex(paper.message));
    const read = oracle.readInitiation(B.keys.privateKey, ours.datagram, paperSuite);
    assert.equal(hex(read.peer), hex(A.keys.publicKey));
    assert.equal(hex(read.timestamp), hex(TIMESTAMP));
    const ephemeral = ours.datagram.slice(8, 40);
    const reply = oracle.response(read, ephemeral, B.seed, paperPsk, B.index, paperSuite);
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
      paperSuite,
    );
    const consumed = consumeInitiation({ suite, local: B.keys, datagram: paper.message, mac });
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
    const read = oracle.readInitiation(B.keys.privateKey, paper.message, paperSuite);
    const expected = oracle.response(
      read,
      paper.message.slice(8, 40),
      B.seed,
      paperPsk,
      B.index,
      paperSuite,
    );
    assert.equal(hex(ours.datagram), hex(expected.message));
    const keys = oracle.readResponse(
      A.keys.privateKey,
      A.seed,
      paper.state,
      paperPsk,
      ours.datagram,
      paperSuite,
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
