/**
 * net — links, addresses, routes and their events through JavaScript, with a real TUN device.
 *
 * The tests run in a child process in a network namespace of its own (unshare(1)); this file is
 * also that child.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { addon, type LinkEvent } from "../../src/io/native/addon.ts";

const CHILD = "P2PVPN_TEST_NAMESPACE";
const CHILD_MS = 30_000;
const EEXIST = -17;
const ESRCH = -3;
const UP = 1;

const bytes = (text: string): Uint8Array => Uint8Array.from(text.split(".").map(Number));

/** Collects events until one is of the kind that is wanted, for at most a second. */
const heard = async (events: LinkEvent[], kind: LinkEvent["kind"]): Promise<LinkEvent> => {
  for (let i = 0; i < 1000; i++) {
    const found = events.find((event) => event.kind === kind);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.fail(`no ${kind} event among ${JSON.stringify(events)}`);
};

const inNamespace = (): void => {
  const tun = addon.tunOpen("probe0", false, false);
  const index = addon.linkIndex("probe0");

  test("a link is set up and read back", () => {
    assert(tun >= 0, addon.errorText(tun));
    assert(index > 0);
    assert.equal(addon.linkSet(index, 1420, 1, 1000, 64, 65_536), 0);
    assert.equal(addon.linkMtu("probe0"), 1420);
    assert.equal(addon.linkFlags("probe0") & UP, UP);
  });

  test("addresses and routes come and go", () => {
    const six = new Uint8Array(16);
    six.set([0xfd, 0x01]);
    six[15] = 1;
    assert.equal(addon.addressAdd(index, bytes("10.1.2.3"), 24), 0);
    assert.equal(addon.addressAdd(index, bytes("10.1.2.3"), 24), EEXIST);
    assert.equal(addon.addressAdd(index, six, 64), 0);
    const list = addon.addressList(index);
    assert(list.includes("10.1.2.3/24"), String(list));
    assert(list.includes("fd01::1/64"), String(list));
    assert.equal(networkInterfaces().probe0?.[0]?.address, "10.1.2.3");
    assert.equal(addon.routeAdd(index, bytes("10.9.0.0"), 16, 5), 0);
    assert.equal(addon.routeAdd(index, bytes("10.9.0.0"), 16, 5), EEXIST);
    assert.equal(addon.routeRemove(index, bytes("10.9.0.0"), 16, 5), 0);
    assert.equal(addon.routeRemove(index, bytes("10.9.0.0"), 16, 5), ESRCH);
    assert.equal(addon.addressRemove(index, bytes("10.1.2.3"), 24), 0);
    assert(!addon.addressList(index).includes("10.1.2.3/24"));
  });

  test("events reach a watch, and a lost event does not end it", async () => {
    const fd = addon.netlinkOpen();
    const events: LinkEvent[] = [];
    const watch = addon.watch(fd, () => events.push(...addon.netlinkRead(fd)));
    assert.equal(addon.linkSet(index, -1, 0, -1, -1, -1), 0);
    const link = await heard(events, "link");
    assert.deepEqual(link, { kind: "link", index, name: "probe0", up: false, mtu: 1420 });
    assert.equal(addon.linkSet(index, -1, 1, -1, -1, -1), 0);

    // More than the socket's queue holds, without a turn of the event loop between.
    for (let i = 0; i < 600; i++) {
      assert.equal(addon.addressAdd(index, bytes("10.1.2.3"), 24), 0);
      assert.equal(addon.addressRemove(index, bytes("10.1.2.3"), 24), 0);
    }
    await heard(events, "overrun");
    for (let left = addon.netlinkRead(fd); left.length > 0; ) left = addon.netlinkRead(fd);
    events.length = 0;
    assert.equal(addon.close(tun), 0);
    assert.equal((await heard(events, "linkGone")).name, "probe0");
    addon.unwatch(watch);
    assert.equal(addon.close(fd), 0);
  });
};

const outside = (): void => {
  const root = process.getuid?.() === 0;
  const unshare = ["--net", ...(root ? [] : ["--user", "--map-root-user"])];
  const possible = spawnSync("unshare", [...unshare, "test", "-w", "/dev/net/tun"]).status === 0;
  const skip = possible ? false : "no network namespace with a TUN device can be made here";
  test("links, addresses, routes and events in a namespace", { skip }, (t) => {
    const self = fileURLToPath(import.meta.url);
    const run = spawnSync("unshare", [...unshare, process.execPath, self], {
      encoding: "utf8",
      env: { ...process.env, [CHILD]: "1", NODE_TEST_CONTEXT: "" },
      timeout: CHILD_MS,
    });
    assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
    for (const line of run.stdout.split("\n")) {
      if (/^(not )?ok /.test(line)) t.diagnostic(line);
    }
  });
};

if (process.env[CHILD] === "1") inNamespace();
else outside();
