/**
 * network-bounds — what waits is forgotten when it has gone, also where something always waits: who
 * keeps a queue from ever being empty fills no memory.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Fifo } from "../../src/control/network/fifo.ts";
import { Link } from "../../src/control/network/links.ts";
import { Wants } from "../../src/control/network/wants.ts";

setFlagsFromString("--expose_gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes that something leaves behind. */
const growth = (act: () => void): number => {
  collect();
  const before = process.memoryUsage().heapUsed;
  act();
  collect();
  return process.memoryUsage().heapUsed - before;
};

test("a member that never brings what it announced has nothing remembered that came", () => {
  const wants = new Wants({ salt: 1, send: () => true, count: () => {} });
  const [silent, quick] = [0, 1].map((i) => new Link({ publicKey: new Uint8Array(32) }, i, i, 0));
  let id = 0;
  const bytes = growth(() => {
    for (let nowMs = 0; nowMs < 400_000; nowMs += 10) {
      // One that is asked and does not come, each second: something always waits.
      if (nowMs % 1_000 === 0) {
        wants.announced(silent!, 1_000_000 + nowMs, 1, true, nowMs);
        wants.pump(silent!, nowMs);
      }
      for (let i = 0; i < 5; i++, id++) {
        wants.announced(quick!, id, 1, true, nowMs);
        wants.pump(quick!, nowMs);
        assert.ok(wants.came(quick!, id));
        wants.done(id, quick!, "taken", 1, nowMs);
      }
      if (wants.dueMs <= nowMs) wants.tick(nowMs);
    }
  });
  assert.ok(wants.size <= 3);
  assert.ok(bytes < 4_000_000, `${bytes} bytes for ${id} records`);
});

test("in order, and no more places than twice those that wait", () => {
  const fifo = new Fifo<number>();
  let [put, taken] = [0, 0];
  for (let round = 0; round < 2_000; round++) {
    for (let i = 0; i <= round % 7; i++) fifo.push(put++);
    for (let i = 0; i <= (round * 3) % 7 && fifo.length > 1; i++) {
      assert.equal(fifo.first, taken);
      assert.equal(fifo.shift(), taken++);
    }
    assert.equal(fifo.length, put - taken);
    assert.ok(fifo.places <= 2 * fifo.length + 258, `${fifo.places}`);
  }
  while (fifo.length > 0) assert.equal(fifo.shift(), taken++);
  assert.equal(fifo.shift(), undefined);
  assert.equal(fifo.places, 0);
});
