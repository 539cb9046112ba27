/** privileges — the program executes itself again, with CAP_NET_ADMIN alone in every thread. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { addon } from "../../src/io/native/addon.ts";

/** Source: linux/capability.h. */
const NET_ADMIN = 1n << 12n;
const SETPCAP = 1n << 8n;
const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
const ADDON = new URL(`../../src/io/native/addon${extension}`, import.meta.url).href;

/** Run twice: the first time executes the second, which prints every thread's status. */
const PROGRAM = `
const { readdirSync, readFileSync } = await import("node:fs");
const { addon } = await import(${JSON.stringify(ADDON)});
if (process.env.P2PVPN_TEST_AGAIN !== "1") {
  process.env.P2PVPN_TEST_AGAIN = "1";
  const { argv0, execArgv, argv } = process;
  const result = addon.privilegesReexecute([argv0, ...execArgv, ...argv.slice(1)]);
  console.error("refused: " + addon.errorText(-result));
  process.exit(3);
}
const threads = readdirSync("/proc/self/task").map((id) =>
  readFileSync("/proc/self/task/" + id + "/status", "utf8"));
console.log(JSON.stringify({ pid: process.pid, excess: addon.privilegesExcess(), threads }));
`;

const field = (status: string, name: string): bigint => {
  const text = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1];
  assert(text !== undefined, `${name} is missing`);
  return BigInt(`0x${text}`);
};

test("after executing itself again, the program holds CAP_NET_ADMIN alone", (t) => {
  if (addon.privilegesExcess() !== 1) {
    t.skip("there are no capabilities to give up");
    return;
  }
  if ((field(readFileSync("/proc/self/status", "utf8"), "CapEff") & SETPCAP) === 0n) {
    t.skip("this process may not limit itself");
    return;
  }
  const run = spawnSync(process.execPath, ["--input-type=module", "-e", PROGRAM], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  assert.equal(run.status, 0, run.stderr);
  const said = JSON.parse(run.stdout) as { pid: number; excess: number; threads: string[] };
  assert.equal(said.pid, run.pid, "another process");
  assert.equal(said.excess, 0);
  assert(said.threads.length > 1);
  for (const status of said.threads) {
    for (const set of ["CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
      assert.equal(field(status, set) & ~NET_ADMIN, 0n, `${set} holds more`);
    }
    assert.equal(field(status, "CapEff"), NET_ADMIN);
    assert.equal(field(status, "NoNewPrivs"), 1n);
  }
});
