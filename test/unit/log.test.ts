/** log — lines of JSON at once, a level that changes, no keys, and few words for strangers. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Facts,
  makeLog,
  SPARSE_BURST,
  SPARSE_EVERY_MS,
  Sparse,
  shortKey,
  withoutKeys,
} from "../../src/log.ts";
import { LOG_LEVELS, type LogLevel } from "../../src/schema/config.ts";
import { makeIdentity } from "../../src/schema/identity.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-log-"));
after(() => rmSync(folder, { recursive: true }));

let count = 0;
/** A log into a file, and its text. */
const openLog = async (level: LogLevel, thread = "main") => {
  const file = join(folder, `log-${count++}`);
  const fd = openSync(file, "ax");
  after(() => closeSync(fd));
  const text = (): string => readFileSync(file, "utf8");
  const lines = (): Record<string, unknown>[] =>
    text()
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log: await makeLog({ thread, level, fd }), text, lines };
};

test("a line is JSON: level as a word, ISO time, thread, sentence, facts; at once", async () => {
  const { log, lines } = await openLog("info", "control");
  log.warn("Something is odd.", { port: 51_820, device: "p2p0", up: true, peer: null });
  const [line, ...rest] = lines();
  assert.deepEqual(rest, []);
  const { time, ...others } = line!;
  assert.deepEqual(others, {
    level: "warn",
    thread: "control",
    msg: "Something is odd.",
    port: 51_820,
    device: "p2p0",
    up: true,
    peer: null,
  });
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Math.abs(Date.parse(String(time)) - Date.now()) < 60_000);
});

test("the level says what is written, and changes while it runs", async () => {
  const kinds = ["error", "warn", "info", "debug"] as const;
  const { log, lines } = await openLog("silent");
  let written = 0;
  for (const level of [...LOG_LEVELS, ...[...LOG_LEVELS].reverse()]) {
    log.level = level;
    assert.equal(log.level, level);
    for (const kind of kinds) log[kind](`a ${kind} at ${level}`);
    written += LOG_LEVELS.indexOf(level);
    assert.equal(lines().length, written, level);
  }
});

test("what ends a line inside of a text does not end the line", async () => {
  const { log, lines } = await openLog("info");
  log.info('one\ntwo"}\n', { reason: "three\r\nfour" });
  assert.equal(lines().length, 1);
  assert.equal(lines()[0]!.msg, 'one\ntwo"}\n');
});

// ---------------------------------------------------------------------------------------------
// Keys

/** A secret in every form in which it could come into a text. */
const formsOf = (secret: Uint8Array): string[] => {
  const bytes = Buffer.from(secret);
  const base64 = bytes.toString("base64");
  return [base64, base64.replace(/=+$/, ""), bytes.toString("base64url"), bytes.toString("hex")];
};

const SENTENCES = [
  (key: string) => key,
  (key: string) => `The key ${key} is wrong.`,
  (key: string) => `key=${key}`,
  (key: string) => `"${key}"`,
  (key: string) => `private_key_file = ${key}\npreshared=${key}`,
  (key: string) => `p2p:${key}`,
  (key: string) => `https://host/join/${key}?x=1`,
  (key: string) => `p2pvpn-identity-1\n${key}\n`,
] as const;

test("no key comes out, in whatever form and sentence it comes in", async () => {
  const { log, text } = await openLog("debug");
  const secrets: Uint8Array[] = [];
  for (let i = 0; i < 200; i++) {
    const secret = randomBytes(i % 4 === 0 ? 64 : 32);
    secrets.push(secret);
    for (const form of formsOf(secret)) {
      for (const sentence of SENTENCES) log.info(sentence(form), { reason: sentence(form) });
    }
  }
  const { text: identity } = makeIdentity();
  log.error(identity);
  log.error("What the types forbid.", {
    bytes: secrets[0],
    object: { key: formsOf(secrets[0]!)[0] },
    error: new Error(identity),
  } as unknown as Facts);
  const said = text();
  assert.ok(said.length > 100_000);
  assert.ok(!said.includes(identity.split("\n")[1]!), identity);
  for (const secret of secrets) {
    for (const form of formsOf(secret)) {
      // A piece of it would do too.
      for (const piece of [form.slice(0, 16), form.slice(-20)]) {
        assert.ok(!said.includes(piece), `${form} came out:\n${lineWith(said, piece)}`);
      }
    }
  }
});

const lineWith = (text: string, piece: string): string =>
  text.split("\n").find((line) => line.includes(piece)) ?? "";

test("what is no key stays as it is", () => {
  for (const text of [
    "/var/lib/p2pvpn/clock-0123456789abcdef",
    "/usr/share/a/very/long/path/with/many/names/in/it/to/a.file",
    "p2pvpn-engine: p2p0 is up (UDP port 51820, MTU 1420, 1 peer, 1 I/O thread, 1 worker)",
    "2001:db8:1234:5678:9abc:def0:1234:5678",
    "0123456789abcdef0123456789abcdef",
  ]) {
    assert.equal(withoutKeys(text), text);
  }
});

test("a peer is named by the beginning of its key; a long text is cut", () => {
  const key = randomBytes(32);
  assert.equal(shortKey(key), `${key.toString("base64").slice(0, 8)}…`);
  assert.equal(withoutKeys(shortKey(key)), shortKey(key));
  assert.equal(withoutKeys("word ".repeat(10_000)).length, 1_001);
});

// ---------------------------------------------------------------------------------------------
// Strangers

test("strangers: a few lines, then one in ten seconds that counts what was left out", async () => {
  const { log, lines } = await openLog("info");
  const sparse = new Sparse(log);
  const startMs = 7_654_321;
  const events = 60_000;
  let said = 0;
  // A thousand a second for a minute.
  for (let i = 0; i < events; i++) {
    if (sparse.say("warn", startMs + i, "A stranger called.", { i })) said++;
  }
  const written = lines();
  assert.equal(written.length, said);
  assert.equal(said, SPARSE_BURST + Math.floor((events - 1) / SPARSE_EVERY_MS));
  const leftOut = written.reduce((sum, line) => sum + Number(line.leftOut ?? 0), 0);
  const after = events - 1 - Number(written.at(-1)!.i);
  assert.equal(said + leftOut + after, events);
  // After a pause, as at first.
  const laterMs = startMs + events + SPARSE_BURST * SPARSE_EVERY_MS;
  for (let i = 0; i < 2 * SPARSE_BURST; i++) sparse.say("warn", laterMs, "Again.");
  assert.equal(lines().length, said + SPARSE_BURST);
  assert.equal(lines()[said]!.leftOut, after);
  assert.equal("leftOut" in lines()[said + 1]!, false);
});

// ---------------------------------------------------------------------------------------------
// Descriptors and threads

const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
const LOG = new URL(`../../src/log${extension}`, import.meta.url).href;

/** Its standard error goes to `fd` where there is one. */
const runProgram = (program: string, fd: number | "pipe" = "pipe") =>
  spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", fd],
  });

test("threads write whole lines to standard error, the last one before the process dies", () => {
  const threads = 4;
  const each = 500;
  const file = join(folder, "threads");
  const fd = openSync(file, "ax");
  runProgram(
    `
    const { Worker } = await import("node:worker_threads");
    const code = ${JSON.stringify(`
      const { workerData } = require("node:worker_threads");
      import(${JSON.stringify(LOG)}).then(async ({ makeLog }) => {
        const log = await makeLog({ thread: workerData, level: "info" });
        for (let i = 0; i < ${each}; i++) log.info("x ".repeat(50), { i });
      });
    `)};
    const names = Array.from({ length: ${threads} }, (_, i) => "t" + i);
    await Promise.all(names.map((workerData) => new Promise((resolve) =>
      new Worker(code, { eval: true, workerData, execArgv: [] }).once("exit", resolve))));
    const { makeLog } = await import(${JSON.stringify(LOG)});
    (await makeLog({ thread: "main", level: "info" })).error("the end");
    process.kill(process.pid, "SIGKILL");
  `,
    fd,
  );
  closeSync(fd);
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  const parsed = lines.map((line) => JSON.parse(line) as { thread: string; msg: string });
  assert.equal(parsed.length, threads * each + 1);
  for (let i = 0; i < threads; i++) {
    assert.equal(parsed.filter(({ thread }) => thread === `t${i}`).length, each);
  }
  assert.equal(parsed.at(-1)!.msg, "the end");
});

test("a reader that is behind misses lines and hears how many; nobody waits", async () => {
  // Its standard error is a socket that does not block, whose other end reads nothing at first.
  const total = 20_000;
  const child = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `
      const { makeLog } = await import(${JSON.stringify(LOG)});
      process.stderr._handle?.setBlocking?.(false);
      const log = await makeLog({ thread: "main", level: "info" });
      for (let i = 0; i < ${total}; i++) log.info("x ".repeat(100), { i });
      process.stdout.write("written\\n");
      process.stdin.once("data", () => { log.info("the end"); process.exit(0); });
      `,
    ],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  const ended = new Promise((resolve) => child.once("close", resolve));
  let output = "";
  child.stderr.pause();
  await new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
  child.stderr.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  child.stderr.resume();
  for (let before = -1; before !== output.length; ) {
    before = output.length;
    await sleep(300);
  }
  child.stdin.end("now\n");
  await ended;
  const lines = output.split("\n").slice(0, -1);
  const parsed = lines.map((line) => JSON.parse(line) as { msg: string; linesLeftOut?: number });
  assert.equal(parsed.at(-1)!.msg, "the end");
  const leftOut = parsed.reduce((sum, line) => sum + (line.linesLeftOut ?? 0), 0);
  assert.equal(parsed.length + leftOut, total + 1);
  assert.ok(leftOut > 0, "all went out: this shows nothing");
});

test("nobody loads pino before the first log", () => {
  const { stdout, stderr } = runProgram(`
    const { makeLog } = await import(${JSON.stringify(LOG)});
    const { createRequire } = await import("node:module");
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const loaded = () => Object.keys(require.cache).some((file) => /[/]pino[/]/.test(file));
    const before = loaded();
    await makeLog({ thread: "main", level: "info" });
    console.log(before, loaded());
  `);
  assert.equal(stdout, "false true\n", stderr);
});
