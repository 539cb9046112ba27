/** doors — no signal and no variable of node's opens an inspector in a program of ours. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, extname, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const extension = extname(import.meta.url);
const CLI = fileURLToPath(new URL(`../../src/cli${extension}`, import.meta.url));
const BIN = fileURLToPath(new URL("../../../bin/p2pvpn-engine.js", import.meta.url));
const OPENED = /Debugger listening/;
/** Bit of SIGUSR1 in the masks of proc(5). */
const USR1 = 1n << 9n;

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-doors-"));
/** An engine that never answers: a command waits for it. */
const clients = new Set<Socket>();
const silent = createServer((client) => void clients.add(client));
silent.listen(join(folder, "p2p0.sock"));
after(() => {
  for (const client of clients) client.destroy();
  silent.close();
  rmSync(folder, { recursive: true });
});

class Waiting {
  readonly child: ChildProcess;
  readonly closed: Promise<unknown[]>;
  errors = "";

  constructor(words: readonly string[], more: Readonly<Record<string, string>> = {}) {
    const env = { ...process.env, P2PVPN_RUN_DIR: folder, ...more };
    this.child = spawn(words[0]!, [...words.slice(1), "status", "-i", "p2p0"], {
      env: { ...env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.closed = once(this.child, "close");
    this.child.stderr?.on("data", (text: Buffer) => {
      this.errors += text.toString();
    });
  }

  /** Waits until node itself takes SIGUSR1: lines of ours have not run yet, or just now. */
  async takes(): Promise<void> {
    for (;;) {
      const status = readFileSync(`/proc/${this.child.pid}/status`, "latin1");
      const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
      if ((BigInt(`0x${caught}`) & USR1) !== 0n) return;
      await sleep(1);
    }
  }

  async asks(): Promise<void> {
    await Promise.race([once(silent, "connection"), this.closed]);
  }

  /** Ends it; returns by which signal it has ended. */
  async end(): Promise<unknown> {
    this.child.kill("SIGKILL");
    return (await this.closed)[1];
  }
}

test("SIGUSR1 and SIGUSR2 do nothing to a program of ours", async () => {
  const program = new Waiting([process.execPath, CLI]);
  await program.asks();
  for (let i = 0; i < 20; i++) {
    for (const signal of ["SIGUSR1", "SIGUSR2"] as const) program.child.kill(signal);
    await sleep(10);
  }
  assert.equal(await program.end(), "SIGKILL", "it had ended before");
  assert.doesNotMatch(program.errors, OPENED);
});

test("SIGUSR1 in the moment before our first line", { skip: !existsSync(BIN) }, async () => {
  const program = new Waiting([BIN], { NODE_OPTIONS: "--inspect" });
  const asks = program.asks();
  await program.takes();
  program.child.kill("SIGUSR1");
  await asks;
  assert.equal(await program.end(), "SIGKILL");
  assert.doesNotMatch(program.errors, OPENED);
});

test("an inspector that a variable asks for is closed", async () => {
  const program = new Waiting([process.execPath, CLI], { NODE_OPTIONS: "--inspect=0" });
  await program.asks();
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(program.errors)?.[1]);
  assert.ok(port > 0, program.errors);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/json`), /fetch failed/);
  await program.end();
});
