/** multicast — LAN beacons between two hosts: over both families, and over no tunnel of ours. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { ours } from "../lab/engines.ts";
import { cannotRun, type Host, Lab, LINK, type Program } from "../lab/lab.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun(["nft"]);
const TUNNEL = "p2p0";
const HEARD_MS = 5_000;

/** A little longer than sockets stay closed after a flood. */
const CLOSED_MS = 11_000;
/** By then one's own beacons have come back. */
const OWN_MS = 500;

let lab: Lab;

before(async () => {
  if (skip !== false) return;
  lab = await Lab.make();
  for (const host of [lab.a, lab.b]) {
    // A tunnel that takes multicast like any other link.
    const ip = (...words: string[]) => lab.must(host, ["ip", ...words]);
    await ip("link", "add", TUNNEL, "type", "veth", "peer", "name", "nobody");
    await ip("address", "add", `${host.inner4}/24`, "dev", TUNNEL);
    for (const link of [TUNNEL, "nobody"]) await ip("link", "set", link, "up");
  }
  for (const host of [lab.a, lab.b]) {
    const tentative = ["ip", "-6", "address", "show", "tentative"];
    const none = async () => (await lab.must(host, tentative)) === "";
    await until("link-local addresses may be used", none, HEARD_MS);
  }
});
after(() => lab?.remove());

/** Counts beacons in the tunnel; the kernel says things of its own there. */
const countBeacons = async (): Promise<void> => {
  const rule = `oifname "${TUNNEL}" udp dport 4739 counter`;
  const chain = `chain out { type filter hook output priority 0; ${rule}; }`;
  await lab.must(lab.a, ["nft", `table inet said { ${chain}; }`]);
};

const start = (host: Host): Program =>
  lab.start(host, [process.execPath, ours("./beacons"), host.name, TUNNEL], { ipc: true });

/** Addresses that it would ask. */
const heard = ({ output }: Program): string[] =>
  output
    .split("\n")
    .filter((line) => line.startsWith("heard "))
    .map((line) => line.slice(6));

const readBy = async (program: Program): Promise<number> => {
  const before = program.output.length;
  program.child.send("count");
  await until("it counts", () => /read \d+\n/.test(program.output.slice(before)), HEARD_MS);
  return Number(/read (\d+)/.exec(program.output.slice(before))![1]);
};

test("who starts later is heard at once, over IPv4 and IPv6, and not over the tunnel", {
  skip,
}, async () => {
  await countBeacons();
  const a = start(lab.a);
  await a.says("up");
  assert.match(a.output, new RegExp(`^up.* ${LINK}( |$)`, "m"));
  assert.doesNotMatch(a.output, new RegExp(`^up.*${TUNNEL}`, "m"));
  const b = start(lab.b);
  await b.says("up");
  await until("a hears both", () => heard(a).length >= 2, HEARD_MS);
  const [four, six] = heard(a).sort();
  assert.equal(four, `${lab.b.under4}:51002`);
  assert.match(six!, /^\[fe80::[0-9a-f:]+%\d+\]:51002$/);
  assert.deepEqual(heard(b), [], "a spoke before b listened");
  // Another address: it is said on it, a little later.
  await lab.must(lab.a, ["ip", "address", "del", `${lab.a.under4}/24`, "dev", LINK]);
  await lab.must(lab.a, ["ip", "address", "add", "192.0.2.77/24", "dev", LINK]);
  a.child.send("changed");
  await until("b hears the new address", () => heard(b).includes("192.0.2.77:51001"), HEARD_MS);
  await until("and the other family", () => heard(b).length === 2, HEARD_MS);
  const rules = await lab.must(lab.a, ["nft", "list", "table", "inet", "said"]);
  assert.match(rules, /counter packets 0 bytes 0/, "nothing was said in the tunnel");
  for (const program of [a, b]) await program.stop();
});

test("what is sent to the host itself, and not to the group, is not read", { skip }, async () => {
  const b = start(lab.b);
  await b.says("up");
  await setTimeout(OWN_MS);
  const before = await readBy(b);
  const to = (address: string, six: boolean) =>
    `const s = require("node:dgram").createSocket("udp${six ? 6 : 4}");
     s.send(Buffer.alloc(40, 1), 4739, "${address}", () => s.close());`;
  for (const [address, six] of [
    [lab.b.under4, false],
    [lab.b.under6, true],
  ] as const) {
    await lab.must(lab.a, [process.execPath, "-e", to(address, six)]);
  }
  assert.equal(await readBy(b), before);
  // To the group, from a source of the link: read, and of no use.
  await lab.must(lab.a, ["ip", "route", "add", "239.0.0.0/8", "dev", LINK]);
  await lab.must(lab.a, [process.execPath, "-e", to("239.255.77.76", false)]);
  await until("one more is read", async () => (await readBy(b)) === before + 1, HEARD_MS);
  await b.stop();
});

test("a flood is not read to its end, and after it beacons are heard again", { skip }, async () => {
  const b = start(lab.b);
  await b.says("up");
  const flood = `const s = require("node:dgram").createSocket("udp4");
    let left = 5000;
    const junk = Buffer.alloc(40, 1);
    const one = () => left-- > 0 ? s.send(junk, 4739, "239.255.77.76", one) : s.close();
    one();`;
  await lab.must(lab.a, [process.execPath, "-e", flood]);
  const read = await readBy(b);
  assert.ok(read >= 400 && read <= 2_500, `${read} of 5,000`);
  await setTimeout(CLOSED_MS);
  const a = start(lab.a);
  await a.says("up");
  await until("b listens again", () => heard(b).length >= 2, HEARD_MS);
  for (const program of [a, b]) await program.stop();
});
