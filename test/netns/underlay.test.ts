/**
 * underlay — our own tunnel is not the network that carries it: no route of ours leads a peer's
 * endpoint into it, what others' routes lead there is cut, and what comes through it is nobody's.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { PeerValue, RouteValue, StatusValue } from "../../src/schema/requests.ts";
import { cli, hostJson, interfaceOf, PORT, runCli } from "../lab/engines.ts";
import { type Lab, LINK, type Program } from "../lab/lab.ts";
import { firstPing, ping } from "../lab/measure.ts";
import { type OwnScene, setScene } from "./own-scene.ts";

/** On b, reached by a's default route. Protocol: documentation addresses. */
const FAR4 = "203.0.113.7";
const FAR6 = "2001:db8:ffff::7";
const HALVES = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"];
/** What a quiet tunnel sends while it is looked at; a loop sends a hundred times as much. */
const QUIET_BYTES = 200_000;
const LOOK_MS = 1_500;
const MARK = 7;

let lab: Lab;
let scene: OwnScene;
let a: Program;
let b: Program;
let config: string;
const skip = setScene({
  tools: ["wg"],
  begin: async (made) => {
    scene = made;
    lab = made.lab;
    for (const far of [`${FAR4}/32`, `${FAR6}/128`]) {
      await lab.must(lab.b, ["ip", "address", "add", far, "dev", "lo"]);
    }
    await scene.ip("route", "add", "default", "via", lab.b.under4);
    await scene.ip("-6", "route", "add", "default", "via", lab.b.under6);
    config = scene.configure("a", {
      endpoint: `${FAR4}:${PORT}`,
      allowedIps: [`${lab.b.inner4}/32`, `${lab.b.inner6}/128`, ...HALVES],
    });
    writeFileSync(config, readFileSync(config, "utf8").replace('"error"', '"warn"'));
    b = await runCli(lab, lab.b, scene.configure("b", { knowsEndpoint: false }));
  },
  end: async () => {
    for (const engine of [a, b]) assert.equal((await engine?.stop()) ?? 0, 0, engine?.errors);
  },
});

const status = (): Promise<StatusValue> => hostJson(lab, lab.a, "status");

const routes = async (): Promise<Map<string, RouteValue>> => {
  const all = JSON.parse((await scene.tell("routes", "--json")).output) as RouteValue[];
  return new Map(all.map((route) => [route.prefix, route]));
};

const endpoint = async (): Promise<string | null> =>
  (await hostJson<PeerValue[]>(lab, lab.a, "peers"))[0]!.endpoint;

/** a's peer is there from now on; what b sent before it heard of that may move it back. */
const reachAt = async (host: string): Promise<void> => {
  const there = `${host}:${PORT}`;
  for (let tries = 0; tries < 20; tries++) {
    const peer = ["peer", scene.b.publicKey, "endpoint", there];
    await lab.must(lab.a, ["wg", "set", scene.name, ...peer]);
    await ping(lab, lab.a, lab.b.inner4, 2, 10);
    if ((await endpoint()) === there) return;
  }
  assert.fail(`b is at ${await endpoint()}, not ${there}`);
};

/** What happens while it is looked at. */
const look = async (work: () => Promise<unknown>): Promise<{ sent: number; cut: number }> => {
  const before = await status();
  await work();
  await sleep(LOOK_MS);
  const now = await status();
  return {
    sent: now.counters.sentBytes! - before.counters.sentBytes!,
    cut: now.drops.ownDatagram! - before.drops.ownDatagram!,
  };
};

test("check says which prefixes get no route, in a wg-quick file too", { skip }, async () => {
  const file = join(lab.folder, "halves.conf");
  const lines = ["[Interface]", `PrivateKey = ${readFileSync(scene.a.file, "utf8").trim()}`];
  const peer = ["[Peer]", `PublicKey = ${scene.b.publicKey}`, `Endpoint = [${FAR6}]:${PORT}`];
  const allowed = `AllowedIPs = ${[...HALVES, "::/0", "192.0.2.0/24"].join(", ")}`;
  writeFileSync(file, [...lines, ...peer, allowed, ""].join("\n"), { mode: 0o600 });
  const { output } = await cli(lab, lab.a, "check", "-c", file);
  const said = output.split("\n").filter((line) => line.includes("gets no kernel route"));
  assert.equal(said.length, 3, output);
  assert.match(output, /^warning +routes +::\/1 gets .* reached at 2001:db8:ffff::7, inside it; /m);
  assert.match(output, /^warning +routes +::\/0 gets no kernel route; set it yourself/m);
  assert.match(output, new RegExp(`192\\.0\\.2\\.0/24 gets .*, since ${LINK} has it; `));
  const toml = (await cli(lab, lab.a, "check", "-c", config)).output;
  assert.match(toml, /^warning +routes +128\.0\.0\.0\/1 gets .* at 203\.0\.113\.7, inside it; /m);
});

test("a prefix that covers an endpoint is left to the user", { skip }, async () => {
  a = await runCli(lab, lab.a, config);
  assert.match(a.errors, /128\.0\.0\.0\/1 gets no kernel route, since /);
  await firstPing(lab, lab.a, lab.b.inner4);
  const { sent, cut } = await look(() => scene.tell("rekey"));
  assert.ok(sent < QUIET_BYTES, `${sent} bytes`);
  assert.equal(cut, 0);
  const known = await routes();
  assert.deepEqual(
    HALVES.map((prefix) => known.get(prefix)!.active),
    [true, false, true, true],
  );
  const { reason } = known.get("128.0.0.0/1")!;
  assert.match(reason!, /^left to you: .+ is reached at 203\.0\.113\.7, inside it$/);
  assert.equal(known.get(`${lab.b.inner4}/32`)!.reason, null);
  assert.equal((await lab.run(lab.a, ["ip", "route", "show", "128.0.0.0/1"])).output, "");
});

test("what a route of others leads into the tunnel is cut, and said", { skip }, async () => {
  for (const [far, inner, half] of [
    [FAR4, lab.b.inner4, "128.0.0.0/1"],
    [`[${FAR6}]`, lab.b.inner6, "2000::/4"],
  ] as const) {
    await reachAt(far);
    assert.equal((await ping(lab, lab.a, inner, 5, 10)).lost, 0);
    await scene.ip("route", "add", half, "dev", scene.name);
    const { sent, cut } = await look(() => ping(lab, lab.a, inner, 3, 10));
    assert.ok(sent < QUIET_BYTES, `${sent} bytes for three pings`);
    assert.ok(
      cut >= 3,
      `${cut} cut on the way to ${far}; ${(await status()).drops.noRoute} ${a.errors}`,
    );
    await scene.ip("route", "delete", half, "dev", scene.name);
    assert.equal((await ping(lab, lab.a, inner, 5, 10)).lost, 0);
  }
  for (let waited = 0; !a.errors.includes("into the tunnel: they") && waited < 120; waited++) {
    await sleep(100);
  }
  assert.match(a.errors, /a route leads our own datagrams into the tunnel: they are dropped/);
});

test("routes: what the kernel does with each is told, and why", { skip }, async () => {
  await reachAt(FAR4);
  const add = (prefix: string) => scene.tell("route", "add", prefix, "--peer", scene.b.publicKey);
  assert.match((await add("0.0.0.0/0")).errors, /^p2pvpn-engine: 0\.0\.0\.0\/0 gets no kernel /);
  const { network4, network6 } = { network4: "192.0.2.0/24", network6: "2001:db8::/64" };
  assert.match((await add(network4)).errors, new RegExp(`since ${LINK} has it; `));
  assert.match((await add(network6)).errors, new RegExp(`since ${LINK} has it; `));
  assert.equal((await add("198.51.100.0/24")).errors, "");
  const known = await routes();
  const told = (prefix: string) => [known.get(prefix)!.active, known.get(prefix)!.reason];
  assert.deepEqual(told("0.0.0.0/0"), [false, "left to you: a default route"]);
  assert.deepEqual(told(network4), [false, `${LINK} has it`]);
  assert.deepEqual(told(network6), [false, `${LINK} has it`]);
  assert.deepEqual(told("198.51.100.0/24"), [true, null]);
  // Prefixes that wait for the network to change change nothing there themselves.
  await sleep(LOOK_MS / 2);
  const monitor = ["timeout", String(LOOK_MS / 1_000), "ip", "-6", "monitor", "route"];
  assert.equal((await lab.run(lab.a, monitor)).output, "");
  // The network goes away, and comes back: the route follows.
  await scene.ip("route", "delete", network4, "dev", LINK);
  for (let tries = 0; !(await routes()).get(network4)!.active && tries < 30; tries++) {
    await sleep(100);
  }
  assert.equal((await routes()).get(network4)!.active, true);
  await scene.tell("route", "remove", network4);
  await scene.ip("route", "add", network4, "dev", LINK, "src", lab.a.under4);
  // What others do to it is seen.
  await scene.ip("route", "delete", "198.51.100.0/24", "dev", scene.name);
  assert.deepEqual((await routes()).get("198.51.100.0/24")!.active, false);
  for (const prefix of ["0.0.0.0/0", network6, "198.51.100.0/24"]) {
    await scene.tell("route", "remove", prefix);
  }
});

test("with a rule for our firewall mark, the halves are routes like others", { skip }, async () => {
  await scene.ip("route", "add", "default", "via", lab.b.under4, "table", String(MARK));
  await scene.ip("rule", "add", "fwmark", String(MARK), "lookup", String(MARK));
  await reachAt(FAR4);
  const set = await scene.tell("config", "set", "interface.fwmark", String(MARK));
  assert.equal(set.errors, "");
  const { sent, cut } = await look(() => ping(lab, lab.a, lab.b.inner4, 5, 10));
  assert.ok(sent < QUIET_BYTES && cut === 0, `${sent} bytes, ${cut} cut`);
  const { active, reason } = (await routes()).get("128.0.0.0/1")!;
  assert.ok(active, `${reason}`);
  // Without the mark they would catch our datagrams: the one that does is taken away, and said.
  const unset = await scene.tell("config", "set", "interface.fwmark", "0");
  assert.match(unset.errors, /128\.0\.0\.0\/1 gets no kernel route, since /);
  assert.equal((await routes()).get("128.0.0.0/1")!.active, false);
  assert.equal((await ping(lab, lab.a, lab.b.inner4, 5, 10)).lost, 0);
});

/**
 * On b, between its engine and a: passes datagrams on, both ways, until it is told to send the next
 * one of its engine's through the tunnel, from b's inner address to a's port. Then it passes on
 * what carries that one, which is longer, and no more, so that nothing moves a's peer back. A probe
 * of the path MTU has no room inside another datagram.
 */
const RELAY = `
const { createSocket } = require("node:dgram");
const [to, from, inside, port] = process.argv.slice(1);
const [near, far] = [createSocket("udp4"), createSocket("udp4")];
const inner = createSocket(inside.includes(":") ? "udp6" : "udp4");
let engine = 0, tunnel = false, least = 0;
near.on("message", (bytes, { port: of }) => {
  engine = of;
  if (bytes.length < least) return;
  const fits = bytes[0] >= 4 && bytes.length > 32 && bytes.length < 1000;
  if (!tunnel || !fits) return far.send(bytes, port, to);
  [tunnel, least] = [false, bytes.length + 50];
  inner.send(bytes, port, inside, () => process.send("inside"));
});
far.on("message", (bytes) => near.send(bytes, engine, "127.0.0.1"));
process.on("message", (word) => { [tunnel, least] = [word === "inside", 0]; });
inner.bind({ address: from }, () => near.bind(40000, "127.0.0.1", () => process.send("up")));
`;

test("an inner packet to our port moves no endpoint, and starts no loop", { skip }, async () => {
  for (const [from, to] of [
    [lab.b.inner4, lab.a.inner4],
    [lab.b.inner6, lab.a.inner6],
  ] as const) {
    const words = [process.execPath, "-e", RELAY, lab.a.under4, from, to, String(PORT)];
    const relay = lab.start(lab.b, words, { ipc: true });
    const told = (word: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`the relay never said ${word}`)), 10_000);
        relay.child.on("message", (said) => {
          if (said !== word) return;
          clearTimeout(late);
          resolve();
        });
      });
    await told("up");
    const peer = ["peer", scene.a.publicKey, "endpoint", "127.0.0.1:40000"];
    // What a has sent before it heard of the relay may move b's endpoint back.
    for (let tries = 0; tries < 20 && (await endpoint())!.endsWith(`:${PORT}`); tries++) {
      await lab.must(lab.b, ["wg", "set", interfaceOf(lab.b), ...peer]);
      await ping(lab, lab.b, lab.a.inner4, 2, 10);
    }
    const before = await endpoint();
    assert.ok(before!.startsWith(lab.b.under4), `${before}`);
    const dropped = (await status()).drops.ownTunnel!;
    const { sent, cut } = await look(async () => {
      const inside = told("inside");
      relay.child.send("inside");
      let done = false;
      void inside.finally(() => {
        done = true;
      });
      for (let tries = 0; !done && tries < 20; tries++) {
        await lab.must(lab.b, ["wg", "set", interfaceOf(lab.b), ...peer]);
        await lab.run(lab.b, ["ping", "-c", "1", "-W", "1", lab.a.inner4]);
      }
      await inside;
      await ping(lab, lab.a, lab.b.inner4, 3, 10);
    });
    assert.ok(sent < QUIET_BYTES, `${sent} bytes after one datagram`);
    assert.equal(cut, 0);
    assert.equal((await status()).drops.ownTunnel! - dropped, 1);
    assert.equal(await endpoint(), before);
    relay.child.send("speak");
    assert.equal((await ping(lab, lab.a, lab.b.inner4, 5, 10)).lost, 0);
    assert.equal(await relay.stop(), "SIGTERM");
    await reachAt(FAR4);
  }
});
