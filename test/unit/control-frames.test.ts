/** control frames — framing survives any cut, and refuses what is damaged or too large. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  CONTROL_VERSION,
  encodeFrame,
  FRAME_BYTES_MAX,
  FrameError,
  FrameReader,
  readReply,
  readRequest,
} from "../../src/schema/control.ts";

const header = (bytes: number): Buffer => {
  const frame = Buffer.alloc(4);
  frame.writeUInt32LE(bytes);
  return frame;
};

test("frames come out whole and in order, however the bytes are cut", () => {
  const noNull = { noNullPrototype: true };
  // msgpack writes -0 as the integer 0.
  const number = fc.double().map((value) => (Object.is(value, -0) ? 0 : value));
  const value = fc.record({ id: fc.nat(), type: fc.string(), list: fc.array(number) }, noNull);
  fc.assert(
    fc.property(fc.array(value, { maxLength: 5 }), fc.array(fc.nat(40)), (values, cuts) => {
      const bytes = Buffer.concat(values.map(encodeFrame));
      const reader = new FrameReader();
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

test("oversized frames are refused at their header, and are never made", () => {
  assert.throws(() => new FrameReader().push(header(FRAME_BYTES_MAX + 1)), FrameError);
  assert.deepEqual(new FrameReader().push(header(FRAME_BYTES_MAX)), []);
  assert.throws(() => encodeFrame({ text: "x".repeat(FRAME_BYTES_MAX) }), FrameError);
});

test("random bytes give maps or FrameError, nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
      try {
        const [fields] = new FrameReader().push(Buffer.concat([header(body.length), body]));
        assert.equal(typeof fields, "object");
      } catch (error) {
        assert.ok(error instanceof FrameError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

test("requests are checked by kind", () => {
  const envelope = { version: CONTROL_VERSION, id: 7 };
  assert.deepEqual(readRequest({ ...envelope, type: "status.get", more: 1 }), {
    id: 7,
    type: "status.get",
    request: { type: "status.get" },
  });
  assert.deepEqual(readRequest({ ...envelope, type: "peers.get", from: 2 }).request, {
    type: "peers.get",
    from: 2,
  });
  assert.equal(readRequest({ ...envelope, type: "peers.get", from: -1 }).request, null);
  assert.equal(readRequest({ ...envelope, type: "peers.get" }).request, null);
  assert.equal(readRequest({ ...envelope, type: "toString" }).request, null);
  for (const bad of [
    { version: 2 },
    { id: "1" },
    { id: 1.5 },
    { type: 4 },
    { version: undefined },
  ]) {
    assert.throws(() => readRequest({ ...envelope, type: "status.get", ...bad }), FrameError);
  }
});

test("replies are checked by kind", () => {
  const envelope = { version: CONTROL_VERSION, id: 7 };
  assert.deepEqual(readReply({ ...envelope, ok: true, value: 3 }), { id: 7, ok: true, value: 3 });
  const failed = { id: 7, ok: false, code: "A", message: "b" } as const;
  assert.deepEqual(readReply({ ...envelope, ...failed }), failed);
  assert.throws(() => readReply({ ...envelope, ok: false, code: "A" }), FrameError);
  assert.throws(() => readReply({ ...envelope }), FrameError);
  assert.throws(() => readReply({ ...envelope, ok: true, version: 9 }), FrameError);
});
