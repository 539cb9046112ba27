/**
 * watch — descriptors on this thread's event loop, worker threads that end while they watch, and
 * what the addon makes of wrong arguments.
 *
 * This file is also the worker that it starts.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { type Addon, addon } from "../../src/io/native/addon.ts";

const WORKER_MS = 20_000;
const ERRNO = { EBADF: -9, ENODEV: -19, EINVAL: -22 } as const;

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** The call throws a TypeError for arguments that TypeScript would not let through. */
const refuses = (name: keyof Addon, ...args: unknown[]): void => {
  const call = addon[name] as (...args: unknown[]) => unknown;
  assert.throws(() => call(...args), TypeError, `${name}(${args.join(", ")})`);
};

/** Watches, tells the parent, and then does what `workerData` says. */
const beWorker = (): void => {
  const fd = addon.eventOpen();
  let told = false;
  addon.watch(fd, () => {
    // Never cleared, so the loop calls again and again, also while the thread is stopped.
    if (!told) parentPort?.postMessage("watching");
    told = true;
    if (workerData === "exit") process.exit(0);
    if (workerData === "throw") throw new Error("from the callback");
  });
  if (workerData !== "idle") addon.eventSignal(fd);
  else parentPort?.postMessage("watching");
};

const startWorker = (what: string): Worker =>
  new Worker(new URL(import.meta.url), { workerData: what });

const tests = (): void => {
  test("a signalled eventfd calls back until it is cleared", async () => {
    const fd = addon.eventOpen();
    assert(fd >= 0);
    assert.equal(addon.eventClear(fd), 0);
    let calls = 0;
    const handle = addon.watch(fd, () => calls++);
    await turns(3);
    assert.equal(calls, 0);
    assert.equal(addon.eventSignal(fd), 0);
    await turns(3);
    assert(calls >= 2, "level-triggered");
    assert.equal(addon.eventClear(fd), 1);
    const seen = calls;
    await turns(3);
    assert.equal(calls, seen);
    addon.unwatch(handle);
    addon.unwatch(handle);
    addon.eventSignal(fd);
    await turns(3);
    assert.equal(calls, seen);
    assert.equal(addon.close(fd), 0);
    assert.equal(addon.close(fd), ERRNO.EBADF);
    assert.equal(addon.eventSignal(fd), ERRNO.EBADF);
    assert.equal(addon.eventClear(fd), ERRNO.EBADF);
  });

  test("promises run after each call, and unwatch works inside one", async () => {
    const fd = addon.eventOpen();
    let settled = false;
    const calls: boolean[] = [];
    const done = new Promise<void>((resolve) => {
      const handle = addon.watch(fd, () => {
        calls.push(settled);
        Promise.resolve().then(() => {
          settled = true;
        });
        if (calls.length < 2) return;
        addon.unwatch(handle);
        resolve();
      });
    });
    addon.eventSignal(fd);
    await done;
    await turns(3);
    assert.deepEqual(calls, [false, true]);
    addon.close(fd);
  });

  test("a handle that nobody keeps goes on watching", async () => {
    const script = `
      const addon = require(process.argv[1]);
      const fd = addon.eventOpen();
      let calls = 0;
      addon.watch(fd, () => { calls++; addon.eventClear(fd); });
      (async () => {
        for (let i = 1; i <= 20; i++) {
          gc();
          addon.eventSignal(fd);
          for (let wait = 0; calls < i && wait < 500; wait++) {
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        }
        process.exit(calls === 20 ? 0 : 1);
      })();`;
    const args = ["--expose-gc", "-e", script, binary()];
    const run = spawnSync(process.execPath, args, { timeout: WORKER_MS });
    assert.equal(run.status, 0, String(run.stderr));
  });

  test("a watch may be made and ended a thousand times", async () => {
    const fd = addon.eventOpen();
    addon.eventSignal(fd);
    for (let i = 0; i < 1000; i++) {
      addon.unwatch(addon.watch(fd, () => assert.fail("unwatched")));
      await turns(1);
    }
    addon.close(fd);
  });

  test("wrong arguments are TypeErrors, a bad descriptor is an Error with a code", () => {
    const ok = () => {};
    refuses("watch");
    refuses("watch", 1, "x");
    refuses("watch", "1", ok);
    refuses("watch", 1.5, ok);
    refuses("watch", Number.NaN, ok);
    refuses("unwatch", {});
    refuses("unwatch", null);
    refuses("unwatch", 7);
    refuses("eventSignal", 2 ** 31);
    refuses("linkIndex", "sixteen-letters-");
    refuses("linkIndex", "a\0b");
    refuses("linkIndex", 7);
    refuses("routeAdd", 1, new Uint16Array(2), 8, 0);
    refuses("routeAdd", -1, new Uint8Array(4), 8, 0);
    refuses("routeAdd", 1, new Uint8Array(4), 8);
    refuses("notify", "x".repeat(4096));
    refuses("attach", new Uint8Array(8), new Uint32Array(1), new Uint32Array(1));
    assert.throws(() => addon.watch(-1, ok), { code: "EBADF" });
    assert.throws(() => addon.watch(999_999, ok), { code: "EBADF" });
    assert.throws(() => addon.netlinkRead(-1), { code: "EBADF" });
  });

  for (const what of ["idle", "busy"]) {
    test(`a worker that watches (${what}) can be terminated`, async () => {
      for (let i = 0; i < 5; i++) {
        const worker = startWorker(what);
        await once(worker, "message");
        assert.equal(await worker.terminate(), 1);
      }
    });
  }

  test("a worker may exit inside the callback", { timeout: WORKER_MS }, async (t) => {
    const worker = startWorker("exit");
    t.after(() => worker.terminate());
    assert.deepEqual(await once(worker, "exit"), [0]);
  });

  const thrown = "what a callback throws is an uncaught exception of its thread";
  test(thrown, { timeout: WORKER_MS }, async (t) => {
    const worker = startWorker("throw");
    t.after(() => worker.terminate());
    const ended = new Promise((resolve) => worker.on("exit", resolve));
    const [error] = (await once(worker, "error")) as [Error];
    assert.equal(error.message, "from the callback");
    assert.equal(await ended, 1);
  });

  test("the main thread exits with a live watch", () => {
    const script = `
      const addon = require(process.argv[1]);
      const fd = addon.eventOpen();
      addon.watch(fd, () => process.exit(7));
      addon.eventSignal(fd);`;
    const run = spawnSync(process.execPath, ["-e", script, binary()], { timeout: WORKER_MS });
    assert.equal(run.status, 7, String(run.stderr));
  });

  test("links that are there and links that are not", () => {
    assert.equal(addon.linkIndex("absent0"), ERRNO.ENODEV);
    assert.equal(addon.linkMtu("absent0"), ERRNO.ENODEV);
    assert.equal(addon.linkFlags("absent0"), ERRNO.ENODEV);
    assert.equal(addon.addressAdd(1, new Uint8Array(5), 8), ERRNO.EINVAL);
    assert.equal(addon.addressAdd(1, new Uint8Array(4), 33), ERRNO.EINVAL);
    const lo = addon.linkIndex("lo");
    assert(lo > 0);
    assert(addon.linkMtu("lo") > 0);
    const up = (addon.linkFlags("lo") & 1) === 1;
    if (up) assert(addon.addressList(lo).includes("127.0.0.1/8"));
    assert.deepEqual(addon.addressList(999_999), []);
  });
};

/** Where the addon is, for scripts that load it without TypeScript. */
const binary = (): string => {
  const loaded = process.report.getReport() as unknown as { sharedObjects: string[] };
  const path = loaded.sharedObjects.find((file) => file.endsWith("addon.node"));
  assert(path !== undefined, fileURLToPath(import.meta.url));
  return path;
};

if (isMainThread) tests();
else beWorker();
