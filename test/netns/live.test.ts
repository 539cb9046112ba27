/**
 * live — a running engine becomes what it is asked to be, by its own commands, by reload and by wg,
 * while pings go through it: none is lost that need not be, and what is refused changes nothing.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { PeerValue, StatusValue } from "../../src/schema/requests.ts";
import { hostJson, PORT, runCli } from "../lab/engines.ts";
import type { Lab, Program } from "../lab/lab.ts";
import { firstPing, ping, pingWhole } from "../lab/measure.ts";
import { type OwnScene, setScene } from "./own-scene.ts";

const PORT_AFTER = 51_999;
const STRANGER = Buffer.alloc(32, 9).toString("base64");

let lab: Lab;
let scene: OwnScene;
let configA: string;
let engines: Program[] = [];
const skip = setScene({
  tools: ["wg"],
  kindOfA: "identity",
  begin: async (made) => {
    scene = made;
    lab = made.lab;
    configA = scene.configure("a");
    engines = await Promise.all([
      runCli(lab, lab.a, configA),
      runCli(lab, lab.b, scene.configure("b")),
    ]);
    await firstPing(lab, lab.a, lab.b.inner4);
  },
  end: async () => {
    for (const engine of engines) assert.equal(await engine.stop(), 0, engine.errors);
  },
});

const refused = async (code: number, sentence: RegExp, ...words: string[]): Promise<void> => {
  const result = await scene.tell(...words);
  assert.equal(result.code, code, result.output);
  assert.match(result.errors, sentence);
  assert.equal(result.errors.trim().split("\n").length, 1);
};

const wg = (...words: string[]) => lab.run(lab.a, ["wg", ...words]);

const assertCarries = async (): Promise<void> =>
  assert.equal((await ping(lab, lab.a, lab.b.inner4, 20, 10)).lost, 0);

/**
 * Pings while something is done; none may be lost, but for the answer that is on its way to the
 * old port when ours moves: they are so far apart then that there is but one.
 */
const steadily = async (work: () => Promise<void>, portMoves = false): Promise<void> => {
  const [count, intervalMs] = portMoves ? [10, 150] : [60, 25];
  const asked = ping(lab, lab.a, lab.b.inner4, count, intervalMs);
  const [pings] = await Promise.all([asked, work()]);
  assert.ok(pings.lost <= (portMoves ? 1 : 0), `${pings.lost} pings lost`);
  if (portMoves) await assertCarries();
};

test("peers and routes come and go beside a tunnel that carries on", { skip }, async () => {
  await steadily(async () => {
    await scene.ask("peer", "add", STRANGER, "--name", "stranger", "--allowed-ips", "10.77.0.0/24");
    const peers = await hostJson<PeerValue[]>(lab, lab.a, "peers");
    assert.deepEqual(
      peers.map(({ name }) => name),
      [null, "stranger"],
    );
    await scene.ask("route", "add", "10.78.0.0/16", "--peer", "stranger");
    const kernel = await scene.ip("route", "show", "dev", scene.name);
    assert.match(kernel, /10\.77\.0\.0\/24/);
    assert.match(kernel, /10\.78\.0\.0\/16/);
    await scene.ask("route", "remove", "10.78.0.0/16", "--peer", "stranger");
    await scene.ask("peer", "remove", "stranger");
    const left = await scene.ip("route", "show", "dev", scene.name);
    assert.doesNotMatch(left, /10\.7[78]\./);
  });
});

test("rekey, log level, MTU and port change under pings", { skip }, async () => {
  await steadily(async () => {
    assert.match(await scene.ask("rekey"), /1 /);
    await scene.ask("log-level", "error");
    await scene.ask("config", "set", "interface.mtu", "1300");
  });
  assert.match(await scene.ip("link", "show", scene.name), /mtu 1300/);
  assert.equal(await pingWhole(lab, lab.a, lab.b.inner4, 1_300), true);
  assert.equal(await pingWhole(lab, lab.a, lab.b.inner4, 1_301), false);
  await scene.ask("config", "set", "interface.mtu", "1420");
  assert.equal(await pingWhole(lab, lab.a, lab.b.inner4, 1_420), true);
  // Our port moves: the other end follows at the next packet that it can open.
  await steadily(async () => {
    await scene.ask("config", "set", "interface.listen_port", String(PORT_AFTER));
  }, true);
  const [peer] = await hostJson<PeerValue[]>(lab, lab.b, "peers");
  assert.equal(peer?.endpoint, `${lab.a.under4}:${PORT_AFTER}`);
  const { listenPort } = await hostJson<StatusValue>(lab, lab.a, "status");
  assert.equal(listenPort, PORT_AFTER);
});

test("reload makes the engine what its file says, and tells what", { skip }, async () => {
  const before = readFileSync(configA, "utf8");
  const sessions = async () => (await hostJson<StatusValue>(lab, lab.a, "status")).counters;
  const { sessionsMade } = await sessions();
  writeFileSync(
    configA,
    `${before.replace("mtu = ", "mtu = ").replace(
      `listen_port = ${PORT}`,
      `listen_port = ${PORT}
mtu = 1380`,
    )}
[[peer]]
public_key = "${STRANGER}"
name = "stranger"
allowed_ips = ["10.79.0.0/16"]
`,
  );
  await steadily(async () => {
    const told = await scene.ask("reload");
    assert.match(told, /interface\.mtu/);
    assert.match(told, /interface\.listen_port/);
    assert.match(told, /peer stranger: added/);
  }, true);
  assert.equal((await hostJson<PeerValue[]>(lab, lab.a, "peers")).length, 2);
  assert.equal((await sessions()).sessionsMade, sessionsMade, "the session was not kept");
  writeFileSync(configA, `${before}\n[[peer]]\npublic_key = "${scene.a.publicKey}"\n`);
  await refused(2, /has this host's own public key/, "reload");
  writeFileSync(configA, before.replace("[interface]", "[interface]\nmtuu = 3"));
  await refused(2, /unknown key mtuu .*did you mean mtu\?/, "reload");
  assert.equal((await hostJson<StatusValue>(lab, lab.a, "status")).mtu, 1_380);
  writeFileSync(configA, before);
  await steadily(async () => {
    assert.match(await scene.ask("reload"), /peer stranger: removed/);
  });
  assert.equal((await hostJson<PeerValue[]>(lab, lab.a, "peers")).length, 1);
});

test("wg sees the handshake key of an identity, and may set no other", { skip }, async () => {
  const name = scene.name;
  const shown = await wg("show", name, "private-key");
  assert.equal(shown.code, 0, shown.errors);
  const other = join(lab.folder, "other.key");
  writeFileSync(other, `${Buffer.alloc(32, 7).toString("base64")}\n`, { mode: 0o600 });
  const set = await wg("set", name, "private-key", other);
  assert.notEqual(set.code, 0);
  assert.match(set.errors, /Operation not permitted/);
  const same = join(lab.folder, "same.key");
  writeFileSync(same, shown.output, { mode: 0o600 });
  assert.equal((await wg("set", name, "private-key", same)).code, 0);
  const { wireguardPublicKey } = await hostJson<StatusValue>(lab, lab.a, "status");
  assert.equal(wireguardPublicKey, scene.a.publicKey);
  await assertCarries();
});

test("mistakes in commands are refused", { skip }, async () => {
  await refused(2, /would take the IPv6 addresses/, "config", "set", "interface.mtu", "1000");
  const itself = new RegExp(`is the public key of ${scene.name} itself`);
  await refused(2, itself, "peer", "add", scene.a.publicKey);
  const nobody = Buffer.alloc(32).toString("base64");
  await refused(2, /nobody's|WireGuard public key/, "peer", "add", nobody);
  assert.equal((await hostJson<PeerValue[]>(lab, lab.a, "peers")).length, 1);
  await assertCarries();
});

test("a port that is taken is refused, and the tunnel keeps its own", { skip }, async () => {
  const holder = lab.start(lab.a, [
    process.execPath,
    "-e",
    `require("dgram").createSocket("udp4").bind(${PORT_AFTER}, () => console.log("bound"))`,
  ]);
  try {
    await holder.says("bound");
    await refused(
      1,
      /UDP port 51999 is in use/,
      "config",
      "set",
      "interface.listen_port",
      `${PORT_AFTER}`,
    );
    const set = await wg("set", scene.name, "listen-port", String(PORT_AFTER));
    assert.notEqual(set.code, 0);
    assert.match(set.errors, /Address already in use/);
    assert.equal((await hostJson<StatusValue>(lab, lab.a, "status")).listenPort, PORT);
    await assertCarries();
  } finally {
    await holder.stop();
  }
});

test("set down it is silent and leaves the port; set up it is there again", { skip }, async () => {
  const name = scene.name;
  await scene.ip("link", "set", name, "down");
  const down = await ping(lab, lab.b, lab.a.inner4, 2, 100);
  assert.equal(down.times.length, 0);
  assert.equal((await lab.must(lab.a, ["ss", "-Hulpn", `sport = :${PORT}`])).trim(), "");
  await scene.ip("link", "set", name, "up");
  await firstPing(lab, lab.a, lab.b.inner4);
  await assertCarries();
});
