/** envelopes — framing survives any cut, and refuses what is damaged or too large. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PEERS_MAX, ROUTES_MAX } from "../../src/memory/layout.ts";
import { PUBLISH_NAMES_MAX } from "../../src/schema/publish.ts";
import {
  CONTROL_VERSION,
  type ControlRequest,
  ENVELOPE_BYTES_MAX,
  EnvelopeError,
  EnvelopeReader,
  encodeEnvelope,
  readReply,
  readRequest,
  requestFields,
} from "../../src/schema/requests.ts";
import { parseCidr } from "../../src/wire/cidr.ts";

const header = (bytes: number): Buffer => {
  const envelope = Buffer.alloc(4);
  envelope.writeUInt32LE(bytes);
  return envelope;
};

test("envelopes come out whole and in order, however the bytes are cut", () => {
  const noNull = { noNullPrototype: true };
  // msgpack writes -0 as the integer 0.
  const number = fc.double().map((value) => (Object.is(value, -0) ? 0 : value));
  const value = fc.record({ id: fc.nat(), type: fc.string(), list: fc.array(number) }, noNull);
  fc.assert(
    fc.property(fc.array(value, { maxLength: 5 }), fc.array(fc.nat(40)), (values, cuts) => {
      const bytes = Buffer.concat(values.map((value) => encodeEnvelope(value)));
      const reader = new EnvelopeReader();
      const out: unknown[] = [];
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        out.push(...reader.push(Buffer.from(bytes.subarray(at, at + cut))));
        at += cut;
      }
      assert.deepEqual(out, values);
    }),
  );
});

test("oversized envelopes are refused at their header, and are never made", () => {
  assert.throws(
    () => new EnvelopeReader().push(header(ENVELOPE_BYTES_MAX.request + 1)),
    EnvelopeError,
  );
  assert.deepEqual(new EnvelopeReader().push(header(ENVELOPE_BYTES_MAX.request)), []);
  assert.throws(
    () => encodeEnvelope({ text: "x".repeat(ENVELOPE_BYTES_MAX.request) }),
    EnvelopeError,
  );
});

test("who was told of a publication fits an envelope", () => {
  const one = { nodeId: `p2p:${"x".repeat(43)}`, name: "n".repeat(63) };
  const most = new Array<typeof one>(PUBLISH_NAMES_MAX).fill(one);
  const counts = { acknowledgedCount: 0xffff_ffff, waitingCount: 0xffff_ffff };
  const value = { acknowledged: most, waiting: most, ...counts };
  assert.ok(encodeEnvelope({ version: CONTROL_VERSION, id: 1, ok: true, value }).length > 100_000);
});

test("random bytes give maps or EnvelopeError, nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
      try {
        const [fields] = new EnvelopeReader().push(Buffer.concat([header(body.length), body]));
        assert.equal(typeof fields, "object");
      } catch (error) {
        assert.ok(error instanceof EnvelopeError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

const envelope = { version: CONTROL_VERSION, id: 7 };
const KEY = new Uint8Array(32).fill(9);

// biome-ignore format: a table
const REQUESTS: readonly ControlRequest[] = [
  { type: "status.get" },
  { type: "stats.get" },
  { type: "config.get" },
  { type: "engine.reload" },
  { type: "engine.stop" },
  { type: "peers.get", from: 2 },
  { type: "routes.get", from: 0 },
  { type: "peers.rekey", publicKey: KEY },
  { type: "peers.rekey", publicKey: null },
  { type: "log.level", level: "debug" },
  { type: "log.level", level: null },
  { type: "network.publish", definition: KEY, list: KEY, secret: KEY, sealed: null },
  { type: "network.publish", definition: KEY, list: KEY, secret: null, sealed: new Uint8Array(80) },
  { type: "change.apply", change: {} },
  { type: "change.apply", change: { mtu: 1_400, listenPort: 0, fwmark: 0xffff_ffff, privateKey: null, replacePeers: true } },
  { type: "change.apply", change: { privateKey: KEY, peers: [
    { publicKey: KEY, remove: true },
    { publicKey: KEY, updateOnly: true, name: "a-1", presharedKey: KEY, endpoint: { host: "fe80::1%eth0", port: 1 },
      persistentKeepaliveS: 65_535, replaceAllowedIps: true, allowedIps: [parseCidr("10.0.0.0/8")!],
      removedAllowedIps: [parseCidr("fd66::/64")!] },
    { publicKey: KEY, name: null, presharedKey: null, endpoint: null, allowedIps: [] },
  ] } },
];

for (const request of REQUESTS) {
  test(`a request travels as it is: ${JSON.stringify(request).slice(0, 60)}`, () => {
    const [fields] = new EnvelopeReader().push(encodeEnvelope(requestFields(7, request)));
    assert.deepEqual(readRequest(fields!), { id: 7, type: request.type, request, problem: null });
  });
}

const PEER = { publicKey: KEY };
const change = (value: unknown) => ({ type: "change.apply", change: value });

// biome-ignore format: a table
const WRONG: readonly (readonly [Record<string, unknown>, RegExp | null])[] = [
  [{ type: "toString" }, null],
  [{ type: "x".repeat(100_000) }, null],
  [{ type: "peers.get" }, /^from must be a whole number$/],
  [{ type: "peers.get", from: -1 }, /^from/],
  [{ type: "routes.get", from: 1.5 }, /^from/],
  [{ type: "peers.rekey", publicKey: KEY.subarray(1) }, /^publicKey must be 32 bytes$/],
  [{ type: "peers.rekey", publicKey: "abc" }, /^publicKey/],
  [{ type: "log.level", level: "loud" }, /^level must be silent or error or warn or info or debug$/],
  [{ type: "network.publish", list: KEY, secret: KEY }, /^definition must be bytes$/],
  [{ type: "network.publish", definition: KEY, list: "", secret: KEY }, /^list must be bytes$/],
  [{ type: "network.publish", definition: KEY, list: KEY }, /^secret or sealed must be a secret$/],
  [{ type: "network.publish", definition: KEY, list: KEY, secret: KEY, sealed: new Uint8Array(80) }, /^secret or sealed/],
  [{ type: "network.publish", definition: KEY, list: KEY, secret: new Uint8Array(31) }, /^secret or sealed/],
  [{ type: "change.apply" }, /^change is missing$/],
  [change([]), /^change must be a map$/],
  [change(null), /^change must be a map$/],
  [change({ mtuu: 1 }), /^change\.mtuu is unknown$/],
  [change({ mtu: 575 }), /^change\.mtu must be a whole number from 576 to 65455$/],
  [change({ mtu: "1400" }), /^change\.mtu must be a number$/],
  [change({ listenPort: 65_536 }), /^change\.listenPort must be a whole number from 0 to 65535$/],
  [change({ fwmark: -1 }), /^change\.fwmark must be/],
  [change({ privateKey: "short" }), /^change\.privateKey must be a key of 32 bytes$/],
  [change({ replacePeers: false }), /^change\.replacePeers must be true$/],
  [change({ peers: {} }), /^change\.peers must be a list$/],
  [change({ peers: [7] }), /^change\.peers\[0\] must be a map$/],
  [change({ peers: [{}] }), /^change\.peers\[0\]\.publicKey is missing$/],
  [change({ peers: [PEER, { publicKey: KEY, endpont: 1 }] }), /^change\.peers\[1\]\.endpont is unknown$/],
  [change({ peers: [{ ...PEER, endpoint: "host" }] }), /^change\.peers\[0\]\.endpoint must be an endpoint$/],
  [change({ peers: [{ ...PEER, name: "a b" }] }), /^change\.peers\[0\]\.name must be a name$/],
  [change({ peers: [{ ...PEER, presharedKey: new Uint8Array(31) }] }), /presharedKey must be a key/],
  [change({ peers: [{ ...PEER, persistentKeepaliveS: 65_536 }] }), /persistentKeepaliveS must be a whole number/],
  [change({ peers: [{ ...PEER, allowedIps: "10.0.0.0/8" }] }), /allowedIps must be a list of prefixes$/],
  [change({ peers: [{ ...PEER, allowedIps: ["10.0.0.0/33"] }] }), /allowedIps\[0\] must be a prefix$/],
  [change({ peers: [{ ...PEER, allowedIps: new Array(ROUTES_MAX + 1).fill("10.0.0.0/8") }] }), /allowedIps must hold at most 262144 prefixes$/],
  [change({ peers: new Array(PEERS_MAX + 1).fill(PEER) }), /^change\.peers must hold at most 16384 peers$/],
  [change({ ["x".repeat(100_000)]: 1 }), /^change\.x{73} is unknown$/],
];

for (const [fields, problem] of WRONG) {
  test(`a wrong request is refused with its place: ${JSON.stringify(fields).slice(0, 60)}`, () => {
    const read = readRequest({ ...envelope, ...fields });
    assert.equal(read.request, null);
    if (problem === null) assert.equal(read.problem, null);
    else assert.match(read.problem ?? "", problem);
    assert.ok(read.type.length <= 40);
  });
}

test("keys may be base64, and host bits of prefixes are cleared", () => {
  const base64 = Buffer.from(KEY).toString("base64");
  const { request } = readRequest({
    ...envelope,
    ...change({ peers: [{ publicKey: base64, allowedIps: ["10.1.2.3/8"] }] }),
  });
  assert.deepEqual(request, {
    type: "change.apply",
    change: { peers: [{ publicKey: KEY, allowedIps: [parseCidr("10.0.0.0/8")] }] },
  });
});

test("a mutated change is refused or is another valid change, and never throws", () => {
  const sample = { mtu: 1_400, peers: [{ publicKey: KEY, name: "a", allowedIps: ["10.0.0.0/8"] }] };
  const place = fc.constantFrom("mtu", "peers", "listenPort", "privateKey", "__proto__");
  fc.assert(
    fc.property(place, fc.anything({ withBigInt: true, withDate: true }), (name, value) => {
      const read = readRequest({ ...envelope, ...change({ ...sample, [name]: value }) });
      assert.equal(read.request === null, read.problem !== null);
    }),
    { numRuns: 1_000 },
  );
});

test("an envelope that is none is refused", () => {
  for (const bad of [
    { version: 2 },
    { id: "1" },
    { id: 1.5 },
    { type: 4 },
    { version: undefined },
  ]) {
    assert.throws(() => readRequest({ ...envelope, type: "status.get", ...bad }), EnvelopeError);
  }
});

test("replies are checked by kind", () => {
  assert.deepEqual(readReply({ ...envelope, ok: true, value: 3 }), { id: 7, ok: true, value: 3 });
  const failed = { id: 7, ok: false, code: "A", message: "b" } as const;
  assert.deepEqual(readReply({ ...envelope, ...failed }), failed);
  assert.throws(() => readReply({ ...envelope, ok: false, code: "A" }), EnvelopeError);
  assert.throws(() => readReply({ ...envelope }), EnvelopeError);
  assert.throws(() => readReply({ ...envelope, ok: true, version: 9 }), EnvelopeError);
});
