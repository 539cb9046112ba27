import assert from "node:assert/strict";
import { test } from "node:test";
import {
  before,
  COOKIE,
  checkMessage,
  field,
  INITIATION,
  type MessageLayout,
  messageKind,
  RESPONSE,
  readU32,
  writeU32,
} from "../../src/wire/handshake.ts";
import { compareTai64n, laterTai64n, nextTai64n, STEP_NS, tai64n } from "../../src/wire/tai64n.ts";

const LAYOUTS: readonly MessageLayout[] = [INITIATION, RESPONSE, COOKIE];

test("every message is tiled by its fields without a gap", () => {
  for (const layout of LAYOUTS) {
    let at = 0;
    for (const [name, range] of Object.entries(layout.fields)) {
      assert.equal(range.at, at, name);
      at += range.bytes;
    }
    assert.equal(at, layout.bytes);
  }
});

test("lengths are those of the paper", () => {
  assert.deepEqual(
    LAYOUTS.map((layout) => [layout.type, layout.bytes]),
    [
      [1, 148],
      [2, 92],
      [3, 64],
    ],
  );
});

test("messageKind takes exact lengths, known types and zero reserved bytes only", () => {
  const kinds = ["initiation", "response", "cookie"];
  for (let type = 0; type < 256; type += 1) {
    for (const length of [0, 1, 3, 4, 63, 64, 65, 91, 92, 93, 147, 148, 149, 1500]) {
      const datagram = new Uint8Array(length);
      if (length > 0) datagram[0] = type;
      const found = messageKind(datagram);
      const slot = (type >= 5 ? type - 4 : type) - 1;
      const expected = type <= 7 && type !== 4 && LAYOUTS[slot]?.bytes === length;
      assert.equal(found !== null, expected, `type ${type}, ${length} bytes`);
      if (found === null) continue;
      assert.equal(found.kind, kinds[slot]);
      assert.equal(found.suite, type >= 5 ? 1 : 0);
      for (const at of [1, 2, 3]) {
        const odd = datagram.slice();
        odd[at] = 1;
        assert.equal(messageKind(odd), null, `reserved byte ${at}`);
      }
    }
  }
});

test("checkMessage knows a suite's type", () => {
  const datagram = new Uint8Array(148);
  writeU32(datagram, INITIATION.fields.type, 5);
  assert.equal(checkMessage(datagram, INITIATION), false);
  assert.equal(checkMessage(datagram, INITIATION, 5), true);
  assert.equal(checkMessage(datagram.subarray(1), INITIATION, 5), false);
});

test("accessors read and write where the paper says, in a view too", () => {
  const room = new Uint8Array(200);
  const message = room.subarray(7, 7 + RESPONSE.bytes);
  writeU32(message, RESPONSE.fields.receiverIndex, 0xfedcba98);
  assert.deepEqual([...room.subarray(15, 19)], [0x98, 0xba, 0xdc, 0xfe]);
  assert.equal(readU32(message, RESPONSE.fields.receiverIndex), 0xfedcba98);
  field(message, RESPONSE.fields.mac1).fill(1);
  assert.deepEqual(
    room.map((byte, at) => (byte === 1 ? at : 0)).filter((at) => at > 0),
    Uint8Array.from({ length: 16 }, (_, i) => 67 + i),
  );
  assert.equal(before(message, RESPONSE.fields.mac1).length, 60);
  assert.equal(before(message, RESPONSE.fields.mac1).byteOffset, 7);
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("tai64n: the example label of cr.yp.to/libtai/tai64.html", () => {
  // 400000002a2b2c2d is 1992-06-02 08:07:09 TAI; WireGuard counts TAI as Unix time plus 10.
  const unixMs = Date.UTC(1992, 5, 2, 8, 7, 9) - 10_000;
  assert.equal(hex(tai64n(unixMs)), "400000002a2b2c2d00000000");
  assert.equal(hex(tai64n(0)), "400000000000000a00000000");
  assert.equal(hex(tai64n(-5)), "400000000000000a00000000");
});

test("tai64n: nanoseconds are rounded down to 2^24", () => {
  assert.equal(hex(tai64n(16)), "400000000000000a00000000");
  assert.equal(hex(tai64n(17)), "400000000000000a01000000");
  assert.equal(hex(tai64n(999)), "400000000000000a3b000000");
});

test("tai64n: order is that of time, and equal within a step", () => {
  // The cases of wireguard-go tai64n/tai64n_test.go, in milliseconds.
  const cases: readonly [number, boolean][] = [
    [10 / 1e6, false],
    [10 / 1e3, false],
    [1, false],
    [10, false],
    [20, true],
  ];
  const start = Date.UTC(2020, 0, 1);
  for (const [laterMs, newer] of cases) {
    assert.equal(compareTai64n(tai64n(start + laterMs), tai64n(start)) > 0, newer, `${laterMs}`);
  }
  assert.ok(compareTai64n(tai64n(start), tai64n(start + 1000)) < 0);
  assert.equal(compareTai64n(tai64n(start), tai64n(start)), 0);
});

test("tai64n: the next label always grows, also when the clock goes back", () => {
  const start = Date.UTC(2026, 0, 1);
  let last = nextTai64n(null, start);
  assert.deepEqual(last, tai64n(start));
  for (let i = 1; i <= 200; i += 1) {
    const next = nextTai64n(last, start - 60_000 * i);
    assert.deepEqual(next, laterTai64n(last));
    assert.ok(compareTai64n(next, last) > 0);
    const nanoseconds = new DataView(next.buffer).getUint32(8);
    assert.ok(nanoseconds < 1e9 && nanoseconds % STEP_NS === 0);
    last = next;
  }
  // 200 steps are 3.4 s: the clock wins again once it is past them.
  assert.deepEqual(nextTai64n(last, start + 10_000), tai64n(start + 10_000));
});
