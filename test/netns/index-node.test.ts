/**
 * index-node — `p2pvpn-engine index` as a process: identity, ready line, channels on loopback in
 * both families, restart without loss, signals, mistakes. It needs neither root nor a namespace.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { armor } from "../../src/members/armor.ts";
import { hashOf } from "../../src/members/sign.ts";
import {
  decodeFound,
  decodeObserved,
  encodeAsk,
  encodeNotify,
  MESSAGE,
} from "../../src/wire/index-messages.ts";
import { openChannel } from "../lab/index-caller.ts";
import { type IndexProcess, startIndex } from "../lab/index-process.ts";
import { until } from "../lab/until.ts";
import { callerFile, Lab, Member } from "../unit/service-parts.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-index-test-"));
const lab = new Lab(Math.floor(Date.now() / 1_000));
const other = new Lab(Math.floor(Date.now() / 1_000));
const fileOf = (name: string, { definition }: Lab): string => {
  const file = join(folder, name);
  writeFileSync(file, armor("network", definition.bytes, []));
  return file;
};
const networks = [fileOf("lab.network", lab), fileOf("other.network", other)];
const data = join(folder, "data");
const words = [...networks.flatMap((file) => ["--network", file]), "--data", data];
const running: IndexProcess[] = [];

const start = async (...more: string[]): Promise<IndexProcess> => {
  const index = await startIndex([...words, ...more]);
  running.push(index);
  return index;
};

after(async () => {
  for (const index of running) await index.stop();
  rmSync(folder, { recursive: true, force: true });
});

const nodeTarget = ({ signing, lab: { networkId } }: Member): Uint8Array =>
  hashOf(32, Buffer.from("p2pvpn/1/target\0"), networkId, Uint8Array.of(0), signing.publicKey);

const found = async (port: number, asker: Member, wanted: Member): Promise<boolean> => {
  const channel = (await openChannel("127.0.0.1", port, callerFile(asker), 5_000))!;
  channel.say(encodeAsk({ question: 1, target: nodeTarget(wanted) }));
  await until("it is answered", () => channel.heard.some(([kind]) => kind === MESSAGE.found));
  channel.close();
  const answer = channel.heard.find(([kind]) => kind === MESSAGE.found)!;
  return decodeFound(answer)!.pair !== null;
};

test("members find each other, both families, before and after a restart", async () => {
  const listen = ["--listen", "127.0.0.1:0", "--listen", "[::1]:0"];
  const index = await start(...listen);
  assert.match(index.ready.index, /^p2p:[A-Za-z0-9_-]{43}@127\.0\.0\.1:\d+$/);
  assert.equal(index.ready.networks.length, 2);
  assert.equal(statSync(join(data, "index.key")).mode & 0o777, 0o600);
  const [port4 = 0, port6 = 0] = index.ports;
  const [one, two] = [new Member(lab, 1), new Member(lab, 2)];
  const first = await openChannel("::1", port6, callerFile(one), 5_000);
  assert.ok(first !== null);
  assert.equal(decodeObserved(first.answer)!.address.length, 16);
  assert.equal(await found(port4, two, one), true);
  // Networks on one index know nothing of each other.
  assert.equal(await found(port4, new Member(other, 1), one), false);
  assert.equal(await index.stop(), 0);
  await until("callers are told", () => first.heard.some(([kind]) => kind === MESSAGE.bye));
  first.close();
  const again = await start(...listen);
  assert.equal(again.ready.node, index.ready.node);
  assert.equal(await found(again.ports[0]!, two, one), true);
  const status = JSON.parse(readFileSync(join(data, "status.json"), "utf8"));
  assert.equal(status.node, index.ready.node);
  assert.deepEqual(status.networks.map((each: { members: number }) => each.members).sort(), [1, 2]);
  assert.equal(await again.stop(), 0);
});

test("no signal opens an inspector, and what is no message of ours is left", async () => {
  const index = await start("--listen", "127.0.0.1:0");
  const channel = await openChannel(
    "127.0.0.1",
    index.ports[0]!,
    callerFile(new Member(lab, 3)),
    5_000,
  );
  assert.ok(channel !== null);
  for (const signal of ["SIGUSR1", "SIGUSR2", "SIGHUP"] as const) index.kill(signal);
  channel.say(
    encodeNotify({
      list: { chain: 9, sequence: 9 },
      definition: { chain: 9, sequence: 9 },
      epoch: 9,
    }),
  );
  channel.say(encodeAsk({ question: 2, target: new Uint8Array(32) }));
  await until("it answers still", () => channel.heard.some(([kind]) => kind === MESSAGE.found));
  channel.close();
  const refused = await new Promise((resolve) => {
    connect(9_229, "127.0.0.1")
      .once("error", () => resolve(true))
      .once("connect", () => resolve(false));
  });
  assert.equal(refused, true);
  assert.equal(await index.stop(), 0);
});

test("one that was killed holds its folder no longer", async () => {
  const killed = await start("--listen", "127.0.0.1:0");
  killed.kill("SIGKILL");
  await killed.ended();
  const index = await start("--listen", "127.0.0.1:0");
  assert.equal(index.ready.node, killed.ready.node);
  assert.equal(await index.stop(), 0);
});

test("mistakes are one sentence, and exit code 1 or 2", async () => {
  const index = await start("--listen", "127.0.0.1:0");
  const port = String(index.ports[0]);
  const elsewhere = join(folder, "elsewhere");
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["--data", data], 2, /needs --network FILE/],
    [["--network", join(folder, "none")], 2, /there is no such file/],
    [[...words, "--listen", "here"], 2, /must begin with an address of this host/],
    [[...words, "--listen", "127.0.0.1:70000"], 2, /must be ADDR:PORT/],
    [[...words, "--listen", "127.0.0.1:0"], 1, /runs already \(process \d+\); stop it/],
    [[...words, "--data", elsewhere, "--listen", `127.0.0.1:${port}`], 1, /the port is in use/],
    [[...words, "--public-address", "a b"], 2, /an address or a name/],
    [["--network", networks[0]!, "--data", ""], 2, /--data <DIR>' must be a folder/],
    [["--network", networks[0]!, "--data", networks[0]!], 1, /of its path is no folder/],
  ];
  for (const [given, code, sentence] of cases) {
    const failed = await startIndex(given).then(
      () => assert.fail(`this started: ${given}`),
      (error: Error) => error.message,
    );
    assert.match(failed, new RegExp(`^${code}: p2pvpn-engine: [^\\n]*\\n$`), failed);
    assert.match(failed, sentence);
  }
  assert.equal(await index.stop(), 0);
});
