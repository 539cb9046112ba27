/**
 * process — the addon's calls that concern the process: arena, locked memory, core dumps, clock,
 * error texts, and word to the service manager.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { addon } from "../../src/io/native/addon.ts";
import { arenaLayout, REGIONS, SLOT_BYTES } from "../../src/memory/layout.ts";

const EINVAL = -22;
const CHILD_MS = 20_000;

const layout = arenaLayout({ ioThreads: 1, workers: 1, peers: 4, routes: 4 });
const bases = Uint32Array.from(REGIONS, (region) => layout.base[region.name]);
const counts = Uint32Array.from(REGIONS, (region) => layout.count[region.name]);

/** Runs a module text in a child process with `addon` imported. */
const runChild = (text: string, env: Record<string, string>) => {
  const place = import.meta.url;
  const file = new URL(`../../src/io/native/addon${place.slice(place.lastIndexOf("."))}`, place);
  const script = `import { addon } from ${JSON.stringify(file.href)};\n${text}`;
  return spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout: CHILD_MS,
  });
};

/** Kilobytes of this process that are locked. */
const lockedKib = (): number =>
  Number(/^VmLck:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);

/** Kilobytes of this process that are kept out of core dumps (flag "dd" of proc(5)). */
const undumpedKib = (): number => {
  const maps = readFileSync("/proc/self/smaps", "utf8");
  let kib = 0;
  for (const [, size, flags] of maps.matchAll(/^Size:\s+(\d+) kB[\s\S]*?^VmFlags: (.*)$/gm)) {
    if (flags?.split(" ").includes("dd")) kib += Number(size);
  }
  return kib;
};

test("memory is locked and kept out of core dumps", (t) => {
  assert.equal(addon.lockMemory(0, 1), EINVAL, "no arena yet");
  const arena = new Uint8Array(new SharedArrayBuffer(layout.bytes));
  addon.attach(arena, bases, counts);
  assert.equal(addon.lockMemory(layout.bytes, 1), EINVAL);
  assert.equal(addon.lockMemory(1, layout.bytes), EINVAL);
  assert.equal(addon.lockMemory(layout.bytes, 0), 0);
  const locked = lockedKib();
  const undumped = undumpedKib();
  const result = addon.lockMemory(layout.base.slots, SLOT_BYTES);
  assert(undumpedKib() - undumped >= SLOT_BYTES / 1024);
  if (result < SLOT_BYTES) return t.skip(`only ${result} bytes may be locked`);
  assert.equal(result, SLOT_BYTES);
  assert(lockedKib() - locked >= SLOT_BYTES / 1024);
});

test("locked pages that nobody uses cost no memory", (t) => {
  const sparse = 128 * 1024 * 1024;
  const arena = new Uint8Array(new SharedArrayBuffer(sparse));
  addon.attach(arena, new Uint32Array(bases.length), counts);
  const before = process.memoryUsage().rss;
  const result = addon.lockMemory(0, sparse);
  const grown = process.memoryUsage().rss - before;
  assert(grown < sparse / 8, `${grown} bytes more are in memory`);
  if (result < sparse) return t.skip(`only ${result} bytes may be locked`);
  assert.equal(result, sparse);
});

test("descriptors to keep are a list of at most 64 numbers", () => {
  const run = runChild(
    `console.log(addon.handlesCloseOnExec([4, 0, 4]), addon.handlesCloseOnExec([]));
     for (const bad of [[1.5], ["x"], 7]) {
       try {
         addon.handlesCloseOnExec(bad);
       } catch (error) {
         console.log(error.name);
       }
     }
     console.log(addon.handlesCloseOnExec(new Array(65).fill(3)));`,
    {},
  );
  assert.equal(run.stdout, `0 0\nTypeError\nTypeError\nTypeError\n${EINVAL}\n`, run.stderr);
});

test("an arena of another shape is refused", () => {
  const arena = new Uint8Array(layout.bytes);
  assert.throws(() => addon.attach(arena, bases.subarray(1), counts), TypeError);
  assert.throws(() => addon.attach(arena, bases, counts.subarray(1)), TypeError);
  assert.throws(() => addon.attach(arena.subarray(0, 8), bases, counts), TypeError);
});

test("a child without core dumps", () => {
  const run = runChild(
    `import { readFileSync } from "node:fs";
     const result = addon.noCoreDumps();
     console.log(result, readFileSync("/proc/self/limits", "utf8"));`,
    {},
  );
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout, /^0 /);
  assert.match(run.stdout, /Max core file size\s+0\s+0\s/);
});

test("clock and error texts", () => {
  const uptimeMs = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000;
  const now = addon.bootMs();
  assert(now >= uptimeMs && now < uptimeMs + 10_000, `${now} ms after ${uptimeMs} ms`);
  assert(addon.bootMs() >= now);
  assert.equal(addon.errorText(13), "Permission denied");
  assert.equal(addon.errorText(-13), "Permission denied");
  assert.match(addon.errorText(123_456), /123456/);
});

test("notify looks where the service manager said", () => {
  const script = `console.log(addon.notify("READY=1"));`;
  assert.equal(runChild(script, { NOTIFY_SOCKET: "" }).stdout, "0\n");
  assert.equal(runChild(script, { NOTIFY_SOCKET: "relative" }).stdout, `${EINVAL}\n`);
});
