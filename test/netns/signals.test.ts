/**
 * signals — HUP reads the configuration again, USR1 and USR2 do nothing, TERM stops; of the engine
 * with and without --daemon, and of the drop-in. Nothing listens for a debugger in any of them.
 */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { PeerValue } from "../../src/schema/requests.ts";
import { cliWords, hostJson, interfaceOf, runCli } from "../lab/engines.ts";
import { type Lab, missingTools, wireguardName } from "../lab/lab.ts";
import { ping } from "../lab/measure.ts";
import { until } from "../lab/until.ts";
import { endDropIn, onlyProgram, runDropIn } from "./drop-in.ts";
import { type OwnScene, setScene } from "./own-scene.ts";

let lab: Lab;
let scene: OwnScene;
const skip = setScene({
  begin: (made) => {
    scene = made;
    lab = made.lab;
  },
});

const addPeer = (file: string): void =>
  appendFileSync(file, `[[peer]]\npublic_key = "${Buffer.alloc(32, 9).toString("base64")}"\n`);
const peers = async (): Promise<number> =>
  (await hostJson<PeerValue[]>(lab, lab.a, "peers")).length;

/** TCP sockets that listen on a process's network; state 0A. Source: proc(5), /proc/net/tcp. */
const listeners = (pid: number): string[] =>
  ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "latin1")
      .split("\n")
      .filter((line) => line.trim().split(/\s+/)[3] === "0A"),
  );

const signalAll = async (pid: number): Promise<void> => {
  for (let i = 0; i < 20; i++) {
    for (const signal of ["SIGUSR1", "SIGUSR2"] as const) process.kill(pid, signal);
    await sleep(10);
  }
  assert.deepEqual(listeners(pid), []);
};

test("an engine in the foreground", { skip }, async () => {
  const file = scene.configure("a");
  const [engine, other] = [
    await runCli(lab, lab.a, file),
    await runCli(lab, lab.b, scene.configure("b")),
  ];
  try {
    const pings = ping(lab, lab.a, lab.b.inner4, 20, 20);
    await signalAll(engine.pid);
    assert.ok((await pings).lost <= 1, "signals cost packets");
    addPeer(file);
    engine.child.kill("SIGHUP");
    await until("the added peer is there", async () => (await peers()) === 2);
    // A file that is wrong changes nothing.
    appendFileSync(file, "nonsense");
    for (let i = 0; i < 5; i++) engine.child.kill("SIGHUP");
    await sleep(200);
    assert.equal(await peers(), 2);
  } finally {
    assert.equal(await engine.stop(), 0, engine.errors);
    await other.stop();
  }
  assert.equal(engine.errors, "");
});

test("an engine with --daemon, and what node would read from its environment", {
  skip,
}, async () => {
  const file = scene.configure("a");
  const options = "--inspect=0 --report-on-signal --heapsnapshot-signal=SIGUSR2";
  await lab.must(lab.a, [
    "env",
    `P2PVPN_RUN_DIR=${lab.runFolder}`,
    `NODE_OPTIONS=${options}`,
    `NODE_V8_COVERAGE=${lab.folder}/coverage`,
    ...cliWords(["start", "-c", file, "--daemon"]),
  ]);
  const pid = await onlyProgram(lab, lab.a);
  const environment = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
  assert.deepEqual(
    environment.filter((variable) => /^NODE_(?!CHANNEL_)/.test(variable)),
    [],
  );
  await signalAll(pid);
  addPeer(file);
  process.kill(pid, "SIGHUP");
  await until("the added peer is there", async () => (await peers()) === 2);
  process.kill(pid, "SIGTERM");
  await until("it is gone", async () => (await lab.programs(lab.a)).length === 0);
  const links = await lab.must(lab.a, ["ip", "-brief", "link"]);
  assert.doesNotMatch(links, new RegExp(interfaceOf(lab.a)));
});

test("the drop-in", { skip }, async () => {
  const name = wireguardName(lab.a);
  assert.equal((await runDropIn(lab, lab.a, name)).code, 0);
  const pid = await onlyProgram(lab, lab.a);
  await signalAll(pid);
  process.kill(pid, "SIGHUP");
  await sleep(200);
  assert.equal(await onlyProgram(lab, lab.a), pid);
  await endDropIn(lab, lab.a, name);
});

const noTerminal = skip || (missingTools(["script"]) ?? false);
test("the terminal of an engine goes away", { skip: noTerminal }, async () => {
  const words = cliWords(["start", "-c", scene.configure("a")]).join(" ");
  const terminal = lab.start(lab.a, ["script", "--quiet", "--command", words, "/dev/null"]);
  const up = async (): Promise<boolean> => (await scene.tell("status")).code === 0;
  await until("it is up", up);
  terminal.child.kill("SIGKILL");
  await until("it is gone", async () => (await lab.programs(lab.a)).length === 0);
});
