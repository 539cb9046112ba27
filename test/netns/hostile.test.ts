/**
 * hostile — what others on the host do to a running engine and its interface: it goes on.
 *
 * Two engines of ours with two I/O threads each, every job handed over.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { QUEUE_ENTRIES } from "../../src/memory/layout.ts";
import {
  cli,
  type Keys,
  makeKeys,
  type NodeEngine,
  PORT,
  runNode,
  writeConfig,
} from "../lab/engines.ts";
import { cannotRun, type Host, Lab, type Peer, wireguardName } from "../lab/lab.ts";
import { firstPing, ping } from "../lab/measure.ts";
import { until } from "../lab/until.ts";
import { controlSocketOf, socketOf } from "./drop-in.ts";

const skip = cannotRun([]);
const THREADS = { ioThreads: 2, threads: 1, handOver: "always" } as const;
/** An end that has lost its session is found out after three seconds, not fifteen. */
const TIMING = { rekeyTimeoutMs: 1_000, keepaliveTimeoutMs: 2_000 } as const;
/** More than the addon lists. */
const ADDRESSES = 300;
const OTHER_PORT = PORT + 7;
/** Room for a handshake that has to be asked for again. */
const FIRST_SECONDS = 20;

let lab: Lab;
let keys: { readonly a: Keys; readonly b: Keys };
let engines: { readonly a: NodeEngine; readonly b: NodeEngine };

/** Sockets of UAPI are the machine's: the lab removes what is called so. */
const nameOf = wireguardName;
const fileOf = (host: Host): string => join(lab.folder, `${nameOf(host)}.toml`);

const start = (host: Peer): Promise<NodeEngine> => {
  const peer = lab.peerOf(host);
  const plan = { interfaceName: nameOf(host) };
  const file = writeConfig(lab, host, keys[host.name], keys[peer.name].publicKey, plan);
  return runNode(lab, host, file, { flags: THREADS, timing: TIMING });
};

before(async () => {
  if (skip !== false) return;
  lab = await Lab.make();
  keys = { a: makeKeys(lab, lab.a, "wireguard"), b: makeKeys(lab, lab.b, "wireguard") };
  const [a, b] = await Promise.all([start(lab.a), start(lab.b)]);
  engines = { a, b };
});
after(() => lab?.remove());

const ip = (...words: string[]): Promise<string> => lab.must(lab.a, ["ip", ...words]);
const inHex = (base64: string): string => Buffer.from(base64, "base64").toString("hex");
const secretOf = ({ file }: Keys): string => inHex(readFileSync(file, "utf8").trim());

/** Says something to the configuration socket of a host; returns what it answered. */
const tell = (host: Host, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const client = connect(socketOf(nameOf(host)));
    let answer = "";
    client.on("data", (bytes: Buffer) => {
      answer += bytes.toString("latin1");
      if (/errno=-?\d+\n\n$/.test(answer)) client.end();
    });
    client.on("error", reject);
    client.on("close", () => resolve(answer));
    client.write(text);
  });

const set = async (host: Host, ...lines: string[]): Promise<void> => {
  assert.equal(await tell(host, `set=1\n${lines.join("\n")}\n\n`), "errno=0\n\n");
};

/** The tunnel carries packets both ways, and nothing was lost inside the engines. */
const assertTunnel = async (): Promise<void> => {
  await firstPing(lab, lab.b, lab.a.inner4, FIRST_SECONDS);
  await firstPing(lab, lab.a, lab.b.inner4, FIRST_SECONDS);
  assert.equal((await ping(lab, lab.a, lab.b.inner4, 20, 10)).lost, 0);
  for (const engine of [engines.a, engines.b]) {
    await until("nothing is under way or held", async () => {
      const { slotsHeld, jobsInFlight } = await engine.sample();
      return slotsHeld + jobsInFlight === 0;
    });
    const { drops } = await engine.sample();
    assert.equal(drops.queueFull ?? 0, 0);
    assert.equal(drops.noSlot ?? 0, 0);
  }
};

test("somebody takes the port while the interface is down", { skip }, async () => {
  await assertTunnel();
  const name = nameOf(lab.a);
  await ip("link", "set", name, "down");
  const free = `const s = require("node:dgram").createSocket("udp4");
    s.on("error", () => setTimeout(() => s.bind(${PORT}), 20));
    s.on("listening", () => console.log("taken")); s.bind(${PORT});`;
  const thief = lab.start(lab.a, [process.execPath, "-e", free]);
  try {
    await thief.says("taken");
    await ip("link", "set", name, "up");
    await sleep(500);
    assert.match(await tell(lab.a, "get=1\n\n"), new RegExp(`\nlisten_port=${PORT}\n`));
  } finally {
    await thief.stop();
  }
  await set(lab.a, `listen_port=${PORT}`);
  await assertTunnel();
});

test("the interface gets more addresses than are listed", { skip }, async () => {
  const name = nameOf(lab.a);
  const batch = (word: "add" | "del"): Promise<string> => {
    const lines = Array.from(
      { length: ADDRESSES },
      (_, i) => `address ${word} 10.99.${i >> 8}.${i & 255}/32 dev ${name}`,
    );
    writeFileSync(join(lab.folder, "batch"), `${lines.join("\n")}\n`);
    return ip("-batch", join(lab.folder, "batch"));
  };
  await batch("add");
  await assertTunnel();
  await batch("del");
  await assertTunnel();
});

test("it is renamed there and back before the engine looks", { skip }, async () => {
  const [name, other] = [nameOf(lab.a), `pb${process.pid}c`];
  const { pid } = engines.a.program;
  process.kill(pid, "SIGSTOP");
  try {
    await ip("link", "set", name, "down");
    await ip("link", "set", name, "name", other);
    await ip("link", "set", other, "name", name);
    await ip("link", "set", name, "up");
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await sleep(500);
  const here = (called: string): boolean[] =>
    [socketOf(called), controlSocketOf(lab, called)].map((file) => existsSync(file));
  assert.deepEqual(
    { name: here(name), other: here(other) },
    {
      name: [true, true],
      other: [false, false],
    },
  );
  await assertTunnel();
});

test("more peers than a queue holds, another key, and another port at once", { skip }, async () => {
  const peers = Array.from({ length: 2 * QUEUE_ENTRIES }, (_, i) => [
    `public_key=${randomBytes(32).toString("hex")}`,
    `allowed_ip=10.${100 + (i >> 8)}.${i & 255}.0/24`,
  ]);
  await set(lab.a, ...peers.flat());
  await Promise.all([
    set(lab.a, `private_key=${randomBytes(32).toString("hex")}`),
    set(lab.a, `listen_port=${OTHER_PORT}`),
  ]);
  await set(lab.a, `private_key=${secretOf(keys.a)}`);
  const { under4 } = lab.a;
  const us = `public_key=${inHex(keys.a.publicKey)}`;
  await set(lab.b, us, `endpoint=${under4}:${OTHER_PORT}`);
  await assertTunnel();
  const them = [`public_key=${inHex(keys.b.publicKey)}`, `allowed_ip=${lab.b.inner4}/32`];
  const where = `endpoint=${lab.b.under4}:${PORT}`;
  await set(lab.a, `listen_port=${PORT}`, "replace_peers=true", ...them, where);
  await set(lab.b, us, `endpoint=${under4}:${PORT}`);
  await assertTunnel();
});

test("a change of port and MTU that fails in the middle changes nothing", { skip }, async () => {
  const file = fileOf(lab.a);
  const before = readFileSync(file, "utf8");
  const after = before
    .replace(`= ${PORT}`, `= ${OTHER_PORT}`)
    .replace("[engine]", "mtu = 1300\n$&");
  writeFileSync(file, after);
  try {
    await ip("link", "set", nameOf(lab.a), "netns", lab.b.namespace); // out of the engine's sight
    await until("the move was noticed", async () => {
      const { code } = await lab.run(lab.a, ["ip", "link", "show", nameOf(lab.a)]);
      return code !== 0;
    });
    const { code, errors } = await cli(lab, lab.a, "reload", "-i", nameOf(lab.a));
    assert.equal(code, 1, errors);
    assert.match(await tell(lab.a, "get=1\n\n"), new RegExp(`\nlisten_port=${PORT}\n`));
  } finally {
    writeFileSync(file, before);
  }
});

test("both end when they are told to", { skip }, async () => {
  assert.equal(await engines.a.program.stop(), 0);
  assert.equal(await engines.b.program.stop(), 0);
});
