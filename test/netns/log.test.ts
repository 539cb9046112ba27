/** log — a daemon as a person meets it: its file tells what happened, its warnings are not lost. */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { PeerValue, StatusValue } from "../../src/schema/requests.ts";
import {
  cli,
  cliWords,
  hostJson,
  interfaceOf,
  makeKeys,
  runCli,
  writeConfig,
} from "../lab/engines.ts";
import { cannotRun, Lab } from "../lab/lab.ts";
import { firstPing } from "../lab/measure.ts";

const skip = cannotRun([]);
let lab: Lab;
before(async () => {
  if (skip === false) lab = await Lab.make();
});
after(() => lab?.remove());

/** What wg may not reach, so that there is a warning. */
const NOWHERE = "/proc/none";

test("start, session, change and stop in the file; a warning at once and in status", {
  skip,
}, async () => {
  const { a, b } = lab;
  const [one, two] = [interfaceOf(a), interfaceOf(b)];
  const [keysA, keysB] = [makeKeys(lab, a, "identity"), makeKeys(lab, b, "identity")];
  const file = join(lab.folder, "a.log");
  const words = ["start", "-c", writeConfig(lab, a, keysA, keysB.publicKey), "--daemon"];
  const flags = ["--log-level", "info", "--log-file", file];
  const env = ["env", `P2PVPN_RUN_DIR=${lab.runFolder}`, `P2PVPN_WG_DIR=${NOWHERE}`];
  const started = await lab.run(a, [...env, ...cliWords([...words, ...flags])]);
  assert.equal(started.code, 0, started.errors);
  assert.match(started.errors, /^p2pvpn-engine: wg cannot reach this engine \(reason: .*\)\n$/);
  const other = await runCli(lab, b, writeConfig(lab, b, keysB, keysA.publicKey));
  try {
    await firstPing(lab, a, b.inner4);
    const { warnings, drops } = await hostJson<StatusValue>(lab, a, "status");
    assert.match(warnings[0]!.text, /^wg cannot reach this engine/);
    assert.equal(drops.noRoute, 0, "the kernel's own multicast is no drop to look at");
    assert.ok(drops.linkOnly! > 0);
    const [peer] = await hostJson<PeerValue[]>(lab, a, "peers");
    assert.equal(peer!.state, "connected");
    const set = await cli(lab, a, "config", "set", "interface.mtu", "1400", "-i", one);
    assert.equal(set.code, 0, set.errors);
    // Both engines have their socket in one folder.
    const { output } = await cli(lab, a, "show");
    const both = `^${one}:\n${one} {2}up .*; drops: none worth a look\n.*\n\n${two}:\n${two} `;
    assert.match(output, new RegExp(both, "s"));
    const rekey = await cli(lab, a, "rekey", one);
    const keys = new RegExp(`^${one}: new keys with 1 of 1 peer\n {2}.*: new keys, connected, `);
    assert.match(rekey.output, keys);
  } finally {
    await cli(lab, a, "stop", one);
    await other.stop();
  }
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const lines = readFileSync(file, "utf8").trim().split("\n");
  const said = lines.map((line) => JSON.parse(line) as Record<string, string>);
  const told = said.filter(({ msg }) => msg !== "peer has another cipher");
  assert.deepEqual(
    told.map(({ msg }) => msg),
    ["wg cannot reach this engine", "engine is up", "peer is connected", "changed", "engine stops"],
  );
  assert.equal(told[2]!.endpoint, `${b.under4}:51820`);
  assert.equal(told[3]!.what, "interface.mtu: 1420 → 1400");
  assert.match(told[4]!.why!, /stop/);
});
