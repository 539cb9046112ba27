/** inbox — a datagram goes to who takes its first byte; what nobody takes is counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Inbox } from "../../src/control/inbox.ts";
import { Counters, controlBlock } from "../../src/memory/counters.ts";
import { DROP } from "../../src/memory/layout.ts";
import { makeArena } from "../../src/memory/region.ts";

const FROM = Uint8Array.of(2, 0, 1, 2);
const LOCAL = Uint8Array.of(2, 0, 3, 4);
const NOW_MS = 7;

const room = () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 1, routes: 4 });
  const counters = new Counters(arena, controlBlock(arena));
  const inbox = new Inbox(counters);
  const got: [who: string, ...words: unknown[]][] = [];
  inbox.give([1, 2], (...words) => got.push(["one", ...words]));
  inbox.give([9], (...words) => got.push(["nine", ...words]));
  const receive = (datagram: Uint8Array): unknown[] => {
    inbox.receive(datagram, FROM, LOCAL, NOW_MS);
    return got.splice(0).flat();
  };
  return { inbox, receive, dropped: () => counters.get(DROP.badType) };
};

test("the first byte decides, and nothing behind it", () => {
  const { receive, dropped } = room();
  for (const [type, who] of [
    [1, "one"],
    [2, "one"],
    [9, "nine"],
  ] as const) {
    for (const datagram of [Uint8Array.of(type), Uint8Array.of(type, 9, 1, 255)]) {
      assert.deepEqual(receive(datagram), [who, datagram, FROM, LOCAL, NOW_MS]);
    }
  }
  assert.equal(dropped(), 0);
});

test("an empty datagram, a type that nobody takes, any byte that is no type: dropped", () => {
  const { receive, dropped } = room();
  const strange = [[], [0], [3], [8], ...Array.from({ length: 246 }, (_, i) => [10 + i])];
  for (const bytes of strange) assert.deepEqual(receive(Uint8Array.from(bytes)), []);
  assert.equal(dropped(), strange.length);
});

test("who is given a type takes it from whoever had it, and leaves the others theirs", () => {
  const { inbox, receive } = room();
  inbox.give([2], () => {});
  assert.deepEqual(receive(Uint8Array.of(2)), []);
  assert.equal(receive(Uint8Array.of(1))[0], "one");
});
