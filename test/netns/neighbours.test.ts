/**
 * neighbours — which addresses a real kernel would have to look for, and the entries of our own
 * device: they are permanent, follow the peers, and come back with the link.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { cli, interfaceOf, makeKeys, runCli, writeConfig } from "../lab/engines.ts";
import { cannotRun, Lab, LINK, type Program } from "../lab/lab.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun([]);
const ADDON = new URL("../../src/io/native/addon.js", import.meta.url).href;
const SOCKADDR = new URL("../../src/wire/sockaddr.js", import.meta.url).href;
const CIDR = new URL("../../src/wire/cidr.js", import.meta.url).href;
let lab: Lab;
let engine: Program | null = null;
before(async () => {
  if (skip === false) lab = await Lab.make();
});
after(async () => {
  await engine?.stop();
  lab?.remove();
});

const ip = (...words: string[]): Promise<string> => lab.must(lab.a, ["ip", ...words]);

/** What host a's kernel says of addresses, with a firewall mark. */
const ask = async (mark: number, addresses: readonly string[]): Promise<number[]> => {
  const script = `
    const { addon } = await import(${JSON.stringify(ADDON)});
    const { makeSockaddr } = await import(${JSON.stringify(SOCKADDR)});
    const { parseAddress } = await import(${JSON.stringify(CIDR)});
    const [mark, ...hosts] = process.argv.slice(1);
    const fd = addon.neighbourOpen();
    const say = (text) => {
      const [host, zone] = text.split("%");
      const scope = zone === undefined ? 0 : addon.linkIndex(zone);
      const to = makeSockaddr(parseAddress(host), 9, scope);
      return addon.neighbourUnknown(fd, to, new Uint8Array(0), Number(mark), false);
    };
    process.stdout.write(JSON.stringify(hosts.map(say)));
  `;
  const words = [process.execPath, "--input-type=module", "-e", script, String(mark)];
  return JSON.parse(await lab.must(lab.a, [...words, ...addresses])) as number[];
};

const assertAsked = async (expected: Readonly<Record<string, number>>, mark = 0): Promise<void> => {
  const addresses = Object.keys(expected);
  const said = await ask(mark, addresses);
  assert.deepEqual(Object.fromEntries(addresses.map((one, i) => [one, said[i]])), expected);
};

test("whom the kernel would have to look for on a link", { skip }, async () => {
  const { b } = lab;
  const UNREACHABLE = -101;
  await assertAsked({
    "192.0.2.77": 1,
    "2001:db8::77": 1,
    [`fe80::77%${LINK}`]: 1,
    [lab.a.under4]: 0,
    [lab.a.under6]: 0,
    "127.0.0.1": 0,
    "198.51.100.1": UNREACHABLE,
    "2001:db9::1": UNREACHABLE,
  });
  // Who asked for us, or was asked for, is known; who did not answer is not.
  for (const host of [b.under4, b.under6]) await lab.must(lab.a, ["ping", "-c", "1", host]);
  await lab.run(lab.a, ["ping", "-c", "1", "-W", "1", "192.0.2.78"]);
  await assertAsked({ [b.under4]: 0, [b.under6]: 0, "192.0.2.78": 1 });
  // Behind a router, but for what lies on the link without an address of ours.
  await ip("route", "add", "198.51.100.0/24", "via", b.under4);
  await ip("route", "add", "198.51.100.128/25", "dev", LINK);
  await ip("route", "add", "203.0.113.0/24", "via", "inet6", b.under6);
  await ip("route", "add", "default", "via", b.under6);
  await assertAsked({
    ...{ "198.51.100.1": 0, "198.51.100.200": 1, "203.0.113.1": 0, "2001:db9::1": 0 },
  });
  // Another table for what carries the mark.
  await ip("route", "add", "default", "dev", LINK, "table", "77");
  await ip("rule", "add", "fwmark", "77", "lookup", "77");
  await assertAsked({ "198.51.100.1": 1 }, 77);
  await assertAsked({ "198.51.100.1": 0 });
});

/** Permanent neighbours of ours on host a. */
const kept = async (): Promise<string[]> => {
  const name = interfaceOf(lab.a);
  const all = await ip("neighbour", "show", "dev", name, "nud", "permanent");
  return all
    .trim()
    .split("\n")
    .map((line) => line.split(" ")[0]!)
    .sort();
};

const eventually = async (expected: readonly string[]): Promise<void> => {
  const seen = async () => JSON.stringify(await kept()) === JSON.stringify(expected);
  await until(`neighbours are ${expected}`, seen);
};

test("entries of our own device stay, follow the peers, and come back with the link", {
  skip,
}, async () => {
  const { a, b } = lab;
  const [keysA, keysB] = [makeKeys(lab, a, "wireguard"), makeKeys(lab, b, "wireguard")];
  engine = await runCli(lab, a, writeConfig(lab, a, keysA, keysB.publicKey));
  const name = interfaceOf(a);
  await eventually(["0.0.0.0", b.inner6]);
  const more = ["--allowed-ips", "fd66::9/128,fd67::/64,10.66.0.9/32", "-i", name];
  const key = Buffer.alloc(32, 9).toString("base64");
  assert.equal((await cli(lab, a, "peer", "add", key, ...more)).code, 0);
  await eventually(["0.0.0.0", b.inner6, "fd66::9"]);
  await ip("link", "set", name, "down");
  await eventually([""]);
  await ip("link", "set", name, "up");
  await eventually(["0.0.0.0", b.inner6, "fd66::9"]);
  assert.equal((await cli(lab, a, "peer", "remove", key, "-i", name)).code, 0);
  await eventually(["0.0.0.0", b.inner6]);
});
