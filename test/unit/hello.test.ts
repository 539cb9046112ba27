/** hello — engines find each other whatever is lost; a plain WireGuard is told once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  HELLO_AGAIN_MS,
  HELLO_EVERY_MS,
  HELLO_TRIES,
  Hellos,
} from "../../src/control/frames/hello.ts";
import { decodeFrame, decodeHello, encodeHello, type Hello } from "../../src/wire/frames.ts";

const MTU = 1_420;

/** What goes on the wire and comes off it. */
const carried = (saying: Pick<Hello, "heard" | "answer">): Hello => {
  const frame = decodeFrame(encodeHello({ ...saying, suites: 3, mtu: MTU }));
  const hello = frame && decodeHello(frame.body);
  assert(hello !== null);
  return hello;
};

/** Two engines and what lies between them; `lost` decides for each hello. */
class Pair {
  ends = [new Hellos(), new Hellos()] as const;
  nowMs = 1_000;
  said = [0, 0];
  lost: () => boolean = () => false;

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    for (; this.nowMs < untilMs; this.nowMs += 50) {
      for (const [i, end] of this.ends.entries()) {
        const saying = end.next(this.nowMs, MTU);
        if (saying === null) continue;
        end.saying(this.nowMs, MTU);
        this.said[i]!++;
        if (!this.lost()) this.ends[1 - i]!.take(carried(saying));
      }
    }
  }

  restart(): void {
    this.ends = [this.ends[0], new Hellos()];
  }

  get known(): boolean {
    return this.ends.every(({ heard }) => heard !== null);
  }
}

test("two engines know each other at once, and are silent then", () => {
  const pair = new Pair();
  pair.run(100);
  assert.ok(pair.known);
  pair.run(10 * HELLO_AGAIN_MS);
  const [one, other] = pair.said;
  assert.ok(one! + other! <= 6, `${one} and ${other} hellos`);
  pair.run(1_000 * HELLO_AGAIN_MS);
  assert.deepEqual(pair.said, [one, other]);
  for (const end of pair.ends) assert.equal(end.dueMs(MTU), Number.POSITIVE_INFINITY);
});

test("whoever answers nothing is told once in a lifetime", () => {
  const pair = new Pair();
  pair.lost = () => true;
  pair.run(1_000 * HELLO_AGAIN_MS);
  assert.deepEqual(pair.said, [1, 1]);
});

test("any hello that arrives is enough, however many are lost after it", () => {
  for (let losses = 0; losses < HELLO_TRIES; losses++) {
    for (const first of [0, 1]) {
      const pair = new Pair();
      let sent = 0;
      // One of the two first hellos arrives; then so many are lost.
      pair.lost = () => {
        const i = sent++;
        return i < 2 ? i !== first : i < 2 + losses;
      };
      pair.run((HELLO_TRIES + 2) * HELLO_AGAIN_MS);
      assert.ok(pair.known, `${losses} lost`);
    }
  }
});

test("a peer that begins anew is told again, and both know", () => {
  const pair = new Pair();
  pair.run(10_000);
  for (let life = 0; life < 5; life++) {
    pair.restart();
    assert.equal(pair.known, false);
    pair.run(100);
    assert.ok(pair.known);
    pair.run(20_000);
    for (const end of pair.ends) assert.equal(end.dueMs(MTU), Number.POSITIVE_INFINITY);
  }
});

test("its first hello was lost: a probe of somebody who knew it brings one back", () => {
  const pair = new Pair();
  pair.run(10_000);
  pair.restart();
  pair.lost = () => true;
  pair.run(10_000);
  assert.equal(pair.known, false);
  pair.lost = () => false;
  pair.ends[1].takeStrange();
  pair.run(3_000);
  assert.ok(pair.known);
});

test("its first hello was lost: the next session tells it", () => {
  const pair = new Pair();
  pair.run(10_000);
  pair.restart();
  pair.lost = () => true;
  pair.run(10_000);
  pair.lost = () => false;
  const before = [...pair.said];
  for (const end of pair.ends) end.renew();
  pair.run(20_000);
  assert.ok(pair.known);
  assert.ok(pair.said.every((said, i) => said - before[i]! <= 3));
});

test("its first hello was lost, and the other's was not: who it is now is said again", () => {
  const pair = new Pair();
  pair.run(10_000);
  pair.restart();
  const [{ heard: former }] = pair.ends;
  pair.lost = () => true;
  pair.run(10_000);
  pair.lost = () => false;
  // It has said hello in this session, to nobody; the other says that it heard it, long ago.
  pair.ends[0].renew();
  const before = [...pair.said];
  pair.run(20_000);
  assert.notEqual(pair.ends[0].heard, former);
  assert.deepEqual(
    pair.said.map((said, i) => said - before[i]!),
    [1, 1],
  );
});

test("a session costs an engine one hello and its answer, a plain WireGuard none", () => {
  const pair = new Pair();
  pair.run(10_000);
  const before = [...pair.said];
  for (let session = 0; session < 10; session++) {
    for (const end of pair.ends) end.renew();
    pair.run(120_000);
  }
  assert.deepEqual(
    pair.said.map((said, i) => said - before[i]!),
    [10, 10],
  );
  const plain = new Pair();
  plain.lost = () => true;
  for (let session = 0; session < 10; session++) {
    for (const end of plain.ends) end.renew();
    plain.run(120_000);
  }
  assert.deepEqual(plain.said, [1, 1]);
});

test("a peer that asks again and again is answered once a second", () => {
  const end = new Hellos();
  let said = 0;
  for (let nowMs = 1_000; nowMs < 11_000; nowMs += 10) {
    end.take(carried({ heard: false, answer: true }));
    if (end.next(nowMs, MTU) === null) continue;
    end.saying(nowMs, MTU);
    said++;
  }
  assert.equal(said, 10_000 / HELLO_EVERY_MS);
});

test("an engine hears of another MTU; a plain WireGuard, or who was forgotten, does not", () => {
  const pair = new Pair();
  pair.run(10_000);
  assert.equal(pair.ends[0].next(pair.nowMs, MTU), null);
  assert.deepEqual(pair.ends[0].next(pair.nowMs, MTU + 1), { heard: true, answer: false });
  pair.ends[0].forget();
  assert.equal(pair.ends[0].next(pair.nowMs, MTU + 1), null);
  const plain = new Hellos();
  plain.saying(0, MTU);
  assert.equal(plain.next(HELLO_AGAIN_MS, MTU + 1), null);
});
