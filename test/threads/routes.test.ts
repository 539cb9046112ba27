/**
 * routes — two threads look up while a third swaps tables as fast as memory/epochs.ts allows:
 * every answer is one table's, never a mixture.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate as otherWork } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { mark, passed } from "../../src/memory/epochs.ts";
import { ENGINE } from "../../src/memory/layout.ts";
import { fieldWord, makeArena, shareOf, wordOf } from "../../src/memory/region.ts";
import { publishRoutes, type RouteEntry } from "../../src/memory/routes.ts";
import { ADDRESSES, addressOf, type ReaderReport, type ReaderTask, TABLES } from "./reader.ts";

const READERS = 2;
const SWAPS = 400;
const WAIT_MS = 10_000;

const prefix = (address: number, prefixLength: number, peer: number): RouteEntry => {
  const bytes = Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address);
  return { cidr: { version: 4, bytes, prefixLength }, owner: { entry: peer } };
};

/** Later tables hold more prefixes, so that every address lies elsewhere in them. */
const table = (which: number): RouteEntry[] =>
  Array.from({ length: ADDRESSES }, (_, k) => {
    const own = prefix(addressOf(k), 16, TABLES * k + which);
    const others = [1, 2, 3].map((i) => prefix((addressOf(k) + i * 256) >>> 0, 24, 1_000 + i));
    return [own, ...others.slice(0, which === 0 ? 0 : which + 1)];
  }).flat();

test(`${SWAPS} swaps under ${READERS} readers`, async (t) => {
  const arena = makeArena({ ioThreads: READERS, workers: 0, peers: 1, routes: 4 * ADDRESSES });
  const tables = Array.from({ length: TABLES }, (_, which) => table(which));
  publishRoutes(arena, tables[0]!);
  const readers = Array.from({ length: READERS }, (_, thread) => {
    const workerData: ReaderTask = { share: shareOf(arena), thread };
    return new Worker(new URL(`./reader${extension}`, import.meta.url), { workerData });
  });
  const reports = Promise.all(readers.map((reader) => once(reader, "message")));
  await Promise.all(readers.map((reader) => once(reader, "online")));
  let waits = 0;
  for (let swap = 1; swap <= SWAPS; swap++) {
    publishRoutes(arena, tables[swap % TABLES]!);
    const at = mark(arena);
    const deadline = performance.now() + WAIT_MS;
    for (; !passed(arena, at); waits++) {
      assert(performance.now() < deadline, "a mark did not pass");
      if (waits % 1_000 === 999) await otherWork();
    }
  }
  const engine = wordOf(arena, "engine", ENGINE.size, 0);
  Atomics.store(arena.i32, engine + fieldWord(ENGINE.fields.stop), 1);
  for (const [report] of (await reports) as [ReaderReport][]) {
    t.diagnostic(JSON.stringify(report));
    assert.equal(report.wrong, 0);
    assert(
      report.of.every((answers) => answers > 0),
      "a reader did not see every table",
    );
  }
  t.diagnostic(`control looked ${waits} times before it could go on`);
});

const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
