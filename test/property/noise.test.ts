import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  consumeResponse,
  createInitiation,
  createResponse,
  staticKeys,
} from "../../src/control/handshake/noise.ts";
import { consumeInitiation } from "../lab/consume-initiation.ts";
import * as oracle from "../unit/noise-oracle.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const index = fc.integer({ min: 0, max: 0xffff_ffff });
const mac = oracle.mac;

test("any two key pairs agree on keys, crosswise, and with the paper", () => {
  fc.assert(
    fc.property(
      fc.tuple(bytes(32), bytes(32), bytes(32), bytes(32)),
      fc.option(bytes(32)),
      bytes(12),
      index,
      index,
      ([a, b, seedA, seedB], presharedKey, timestamp, indexA, indexB) => {
        const keysA = staticKeys(a);
        const keysB = staticKeys(b);
        const one = createInitiation({
          local: keysA,
          remotePublicKey: keysB.publicKey,
          ephemeralSeed: seedA,
          senderIndex: indexA,
          timestamp,
          mac,
        });
        const consumed = consumeInitiation({ local: keysB, datagram: one.datagram, mac });
        assert.ok(consumed.ok);
        assert.deepEqual(new Uint8Array(consumed.timestamp), timestamp);
        assert.deepEqual(new Uint8Array(consumed.remotePublicKey), keysA.publicKey);
        assert.equal(consumed.senderIndex, indexA);
        const two = createResponse({
          state: consumed.state,
          presharedKey,
          ephemeralSeed: seedB,
          senderIndex: indexB,
          mac,
        });
        const done = consumeResponse({
          local: keysA,
          state: one.state,
          presharedKey,
          datagram: two.datagram,
          mac,
        });
        assert.ok(done.ok);
        assert.equal(done.remoteIndex, indexB);
        assert.deepEqual(done.keys.send, two.keys.receive);
        assert.deepEqual(done.keys.receive, two.keys.send);
        const paper = oracle.initiation(a, keysB.publicKey, seedA, indexA, timestamp);
        const psk = presharedKey ?? new Uint8Array(32);
        const keys = oracle.readResponse(a, seedA, paper.state, psk, two.datagram);
        assert.deepEqual(new Uint8Array(done.keys.send), keys.send);
        assert.deepEqual(new Uint8Array(done.keys.receive), keys.receive);
      },
    ),
    { numRuns: 60 },
  );
});

test("arbitrary bytes of any length are refused and never thrown", () => {
  const local = staticKeys(new Uint8Array(32).fill(7));
  const { state } = createInitiation({
    local,
    remotePublicKey: staticKeys(new Uint8Array(32).fill(9)).publicKey,
    ephemeralSeed: new Uint8Array(32).fill(3),
    senderIndex: 5,
    timestamp: new Uint8Array(12),
    mac,
  });
  const lengths = fc.oneof(fc.constant(148), fc.constant(92), fc.integer({ min: 0, max: 300 }));
  const datagrams = lengths.chain((length) => fc.tuple(bytes(length), fc.constantFrom(1, 2)));
  fc.assert(
    fc.property(datagrams, ([datagram, type]) => {
      if (datagram.length >= 4) datagram.set([type, 0, 0, 0]);
      assert.ok(!consumeInitiation({ local, datagram, mac }).ok);
      assert.ok(!consumeResponse({ local, state, presharedKey: null, datagram, mac }).ok);
    }),
    { numRuns: 500 },
  );
});

test("arbitrary bytes under a true mac1 are refused and never thrown", () => {
  const local = staticKeys(new Uint8Array(32).fill(7));
  fc.assert(
    fc.property(bytes(148), (datagram) => {
      datagram.set([1, 0, 0, 0]);
      datagram.set(mac(local.mac1Key, datagram.subarray(0, 116)), 116);
      const result = consumeInitiation({ local, datagram, mac });
      assert.deepEqual(result, { ok: false, reason: "handshakeInvalid" });
    }),
    { numRuns: 200 },
  );
});
