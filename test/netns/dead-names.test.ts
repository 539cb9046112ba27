/**
 * dead-names — sixty endpoints are names that DNS never answers; the sixty-first is in the hosts
 * file, and its peer is reached as if it were alone.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { PeerValue } from "../../src/schema/requests.ts";
import { cli, hostJson, makeKeys, PORT, runCli, writeConfig } from "../lab/engines.ts";
import { cannotRun, Lab, writeEtc } from "../lab/lab.ts";
import { firstPing } from "../lab/measure.ts";
import { until } from "../lab/until.ts";
import { measured } from "./scene.ts";

const DEAD = 60;
const GOOD = "b.tunnel.example";
/** A name that held anybody up would cost five seconds; what the machine costs is measured. */
const UP_MAX_MS = 4_000;
const FIRST_PING_MAX_MS = 3_000;
const STOP_MAX_MS = 2_000;
/** Five seconds for names, and all else. */
const CHECK_MAX_MS = 8_000;
/** Takes what comes to port 53 and says nothing. */
const SILENT = `require("node:dgram").createSocket("udp4").bind(53, "127.0.0.1", () => {
  process.stdout.write("silent");
})`;

const deadPeer = (i: number): string =>
  [
    "[[peer]]",
    `public_key = "${randomBytes(32).toString("base64")}"`,
    `allowed_ips = ["10.77.0.${i}/32"]`,
    `endpoint = "dead${i}.example:${PORT}"`,
    "persistent_keepalive = 25",
    "",
  ].join("\n");

/** Peers that nobody can find, around the one that is there; `check` asks for 16 names. */
const addDead = (file: string, count: number): void => {
  const dead = Array.from({ length: count }, (_, i) => deadPeer(i));
  const [head, good] = readFileSync(file, "utf8").split("[[peer]]");
  const [first, last] = [dead.slice(0, 10).join(""), dead.slice(10).join("")];
  writeFileSync(file, `${head}${first}[[peer]]${good}${last}`);
};

const timed = async <Value>(work: () => Promise<Value>): Promise<readonly [Value, number]> => {
  const startMs = performance.now();
  const value = await work();
  return [value, performance.now() - startMs];
};

test("names that DNS never answers hold nobody up", {
  skip: cannotRun([]),
}, async (context) => {
  const lab = await Lab.make();
  const { a, b } = lab;
  try {
    writeEtc(a, "nsswitch.conf", "hosts: files dns\n");
    writeEtc(a, "resolv.conf", "nameserver 127.0.0.1\n");
    writeEtc(a, "hosts", `127.0.0.1 localhost\n${b.under4} ${GOOD}\n`);
    const server = lab.start(a, [process.execPath, "-e", SILENT]);
    await server.says("silent");
    const [ours, theirs] = [makeKeys(lab, a, "identity"), makeKeys(lab, b, "identity")];
    const file = writeConfig(lab, a, ours, theirs.publicKey, { endpoint: `${GOOD}:${PORT}` });
    addDead(file, DEAD);
    const called = writeConfig(lab, b, theirs, ours.publicKey, { knowsEndpoint: false });
    const [other, otherMs] = await timed(() => runCli(lab, b, called));
    const [engine, upMs] = await timed(() => runCli(lab, a, file, ["--log-level", "info"]));
    const first = await firstPing(lab, a, b.inner4, 60);
    const checking = timed(() => cli(lab, a, "check", "-c", file));
    // A name without an answer does not resolve after five seconds.
    let peers: PeerValue[] = [];
    let problems: PeerValue[] = [];
    await until("every dead name is said", async () => {
      peers = await hostJson<PeerValue[]>(lab, a, "peers");
      problems = peers.filter(({ endpointProblem }) => endpointProblem !== null);
      return problems.length === DEAD;
    });
    const [checked, checkMs] = await checking;
    const lines = engine.errors.split("\n").filter((line) => line.includes("does not resolve"));
    const [code, stoppedMs] = await timed(() => engine.stop());
    assert.equal(code, 0);
    await other.stop();
    measured(
      context,
      `up after ${upMs.toFixed(0)} ms, another one after ${otherMs.toFixed(0)} ms, ` +
        `first ping ${first.toFixed(2)} s, stop ${stoppedMs.toFixed(0)} ms, ` +
        `check ${checkMs.toFixed(0)} ms, ${lines.length} lines`,
    );
    const busyMs = 2 * otherMs;
    assert.ok(upMs < UP_MAX_MS + busyMs, `it was up after ${upMs} ms`);
    assert.ok(1_000 * first < FIRST_PING_MAX_MS + busyMs, `the first answer came after ${first} s`);
    assert.ok(stoppedMs < STOP_MAX_MS + busyMs, `it ended after ${stoppedMs} ms`);
    assert.ok(checkMs < CHECK_MAX_MS + busyMs, `check took ${checkMs} ms`);
    assert.match(checked.output, new RegExp(`${GOOD} is ${b.under4}`));
    assert.match(checked.output, /dead0\.example does not resolve/);
    assert.equal(problems.length, DEAD);
    assert.match(problems[0]!.endpointProblem!, /nobody answered|Temporary failure/);
    assert.equal(peers[10]!.endpointProblem, null);
    const said = lines.map((line) => JSON.parse(line) as { endpoint: string; leftOut?: number });
    assert.ok(said.length > 0 && said.length <= DEAD);
    assert.equal(new Set(said.map(({ endpoint }) => endpoint)).size, said.length, "once each");
  } finally {
    lab.remove();
  }
});
