/** refusals — what the world says no to: one sentence, exit code 1, nothing left behind. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  cli,
  cliWords,
  interfaceOf,
  type Keys,
  makeKeys,
  type Plan,
  PORT,
  runCli,
  writeConfig,
} from "../lab/engines.ts";
import { cannotRun, Lab } from "../lab/lab.ts";

const skip = cannotRun([]);
let lab: Lab;
let keys: Keys;
let peer: Keys;
before(async () => {
  if (skip !== false) return;
  lab = await Lab.make();
  keys = makeKeys(lab, lab.a, "wireguard");
  peer = makeKeys(lab, lab.b, "wireguard");
});
after(() => lab?.remove());

const configure = (plan: Plan): string => writeConfig(lab, lab.a, keys, peer.publicKey, plan);

/** Starts one that has to fail; nothing of it may be left. */
const refuse = (plan: Plan, sentence: RegExp): Promise<void> =>
  refuseFile(configure(plan), sentence);

const refuseFile = async (file: string, sentence: RegExp): Promise<void> => {
  const links = await lab.must(lab.a, ["ip", "-brief", "link"]);
  const sockets = readdirSync(lab.runFolder);
  const program = lab.start(lab.a, cliWords(["start", "-c", file]));
  const code = await Promise.race([program.ended, program.says("is up").then(() => "up")]);
  if (code === "up") await program.stop();
  assert.equal(code, 1, program.errors);
  assert.equal(program.output, "");
  assert.match(program.errors, /^p2pvpn-engine: [^\n]+\n$/);
  assert.match(program.errors, sentence);
  assert.equal(await lab.must(lab.a, ["ip", "-brief", "link"]), links);
  assert.deepEqual(readdirSync(lab.runFolder), sockets);
};

test("the UDP port is taken", { skip }, async () => {
  const engine = await runCli(lab, lab.a, configure({}));
  try {
    const by = `by the engine on ${interfaceOf(lab.a)} \\(process ${engine.pid}\\)`;
    const taken = new RegExp(`UDP port ${PORT} is in use ${by}; stop it with`);
    await refuse({ interfaceName: "p2pz" }, taken);
  } finally {
    assert.equal(await engine.stop(), 0);
  }
});

test("an IPv6 listen_address that this host does not have", { skip }, async () => {
  const file = configure({});
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace("[interface]", '[interface]\nlisten_address = "2001:db8::99"'));
  await refuseFile(
    file,
    /The UDP socket cannot be opened \(.*\); look at listen_port, listen_addr/,
  );
});

test("the interface's name is taken by another device", { skip }, async () => {
  const name = "p2pdummy";
  for (const kind of [["veth", "peer", "name", "p2pother"], ["bridge"]]) {
    await lab.must(lab.a, ["ip", "link", "add", name, "type", ...kind]);
    await refuse(
      { interfaceName: name },
      /The interface p2pdummy is in use already; stop what uses it/,
    );
    await lab.must(lab.a, ["ip", "link", "delete", name]);
  }
});

test("a second engine on the same name", { skip }, async () => {
  const engine = await runCli(lab, lab.a, configure({}));
  try {
    const there = `running on ${interfaceOf(lab.a)} already \\(process ${engine.pid}\\); stop it`;
    await refuse({ listenPort: PORT + 1 }, new RegExp(`${there} with `));
  } finally {
    assert.equal(await engine.stop(), 0);
  }
});

test("the name is taken by a TUN device that something else holds", { skip }, async () => {
  const engine = await runCli(lab, lab.a, configure({}));
  try {
    // Another run folder: the second one cannot know of the first by its socket.
    const words = cliWords(["start", "-c", configure({ listenPort: PORT + 1 })]);
    const second = lab.start(lab.a, ["env", `P2PVPN_RUN_DIR=${lab.folder}/elsewhere`, ...words]);
    const code = await Promise.race([second.ended, second.says("is up").then(() => "up")]);
    assert.equal(code, 1, second.errors);
    const taken = `p2pvpn-engine: The interface ${interfaceOf(lab.a)} is in use already;`;
    assert.ok(second.errors.startsWith(taken), second.errors);
    const links = await lab.must(lab.a, ["ip", "-brief", "link"]);
    assert.match(links, new RegExp(interfaceOf(lab.a)));
  } finally {
    assert.equal(await engine.stop(), 0);
  }
});

test("an engine goes on when nobody reads what it prints", { skip }, async () => {
  const words = cliWords(["start", "-c", configure({})]).join(" ");
  const shell = lab.start(lab.a, ["sh", "-c", `${words} | true`]);
  try {
    const up = async (): Promise<boolean> =>
      (await cli(lab, lab.a, "status", "-i", interfaceOf(lab.a))).code === 0;
    for (let i = 0; i < 100 && !(await up()); i++) await sleep(100);
    // Its line is written by now, and the engine still there.
    assert.ok(await up());
  } finally {
    assert.equal((await cli(lab, lab.a, "stop", "-i", interfaceOf(lab.a))).code, 0);
    await shell.ended;
  }
});

test("a run folder given from where one stands is found by the daemon too", { skip }, async () => {
  const inFolder = (...words: string[]): string[] => {
    const script = 'cd "$0" && exec "$@"';
    const env = ["env", "P2PVPN_RUN_DIR=beside"];
    return ["sh", "-c", script, lab.folder, ...env, ...cliWords(words)];
  };
  await lab.must(lab.a, inFolder("start", "-c", configure({}), "--daemon"));
  await lab.must(lab.a, inFolder("stop"));
});
