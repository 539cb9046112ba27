/** log, where it goes: a file of its own, journald, and what `status` tells of it; and how much. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Kinds, type Log, makeLog, RECENT_MAX, Recent, TELL_MS } from "../../src/log.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-places-"));
after(() => rmSync(folder, { recursive: true }));

const linesOf = (file: string): Record<string, unknown>[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("a file of its own: its owner's alone, added to, opened anew after it was moved", async () => {
  const file = join(folder, "own.log");
  const log = await makeLog({ thread: "control", level: "info", file });
  log.info("one");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  renameSync(file, `${file}.1`);
  log.info("two");
  log.reopen();
  log.info("three");
  assert.deepEqual(
    linesOf(`${file}.1`).map(({ msg }) => msg),
    ["one", "two"],
  );
  assert.deepEqual(
    linesOf(file).map(({ msg }) => msg),
    ["three"],
  );
  (await makeLog({ thread: "control", level: "info", file })).info("four");
  assert.deepEqual(
    linesOf(file).map(({ msg }) => msg),
    ["three", "four"],
  );
});

test("a file that cannot be written is a sentence; the log goes on in the one before", async () => {
  const open = (file: string): Promise<Log> => makeLog({ thread: "x", level: "info", file });
  await assert.rejects(
    open(join(folder, "none", "a.log")),
    /a\.log cannot be written \(there is no such folder\); choose another place\./,
  );
  await assert.rejects(open(folder), /cannot be written \(/);
  assert.equal(spawnSync("mkfifo", [join(folder, "pipe")]).status, 0);
  // A pipe that nobody reads must not hold the engine up.
  await assert.rejects(open(join(folder, "pipe")), /cannot be written \(/);
  await assert.rejects(open("/dev/null"), /\(it is no plain file\)/);
  const file = join(folder, "kept.log");
  const log = await open(file);
  renameSync(file, `${file}.1`);
  mkdirSync(file);
  assert.throws(() => log.reopen(), /kept\.log cannot be written/);
  log.info("still here");
  assert.equal(linesOf(`${file}.1`).length, 1);
});

test("journald gets priorities, everybody else does not", async () => {
  const file = join(folder, "journal");
  const fd = openSync(file, "ax");
  const before = process.env.JOURNAL_STREAM;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    process.env.JOURNAL_STREAM = `${dev}:${ino}`;
    const log = await makeLog({ thread: "x", level: "debug", fd });
    for (const kind of ["error", "warn", "info", "debug"] as const) log[kind](kind);
    process.env.JOURNAL_STREAM = `${dev}:${ino + 1n}`;
    (await makeLog({ thread: "x", level: "debug", fd })).warn("another stream");
  } finally {
    if (before === undefined) delete process.env.JOURNAL_STREAM;
    else process.env.JOURNAL_STREAM = before;
    closeSync(fd);
  }
  const starts = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => line.slice(0, 4));
  assert.deepEqual(starts, ["<3>{", "<4>{", "<6>{", "<7>{", '{"le']);
});

test("the last warnings are kept, whatever the level, without keys", async () => {
  const recent = new Recent();
  let nowMs = 0;
  const onWarning = (text: string): void => recent.add(text, nowMs);
  const log = await makeLog({ thread: "x", level: "silent", onWarning });
  log.info("no warning");
  for (nowMs = 1; nowMs <= 30; nowMs++)
    log.warn("a route is missing", { reason: `number ${nowMs}`, key: "A".repeat(43) });
  log.error("the end", { reason: "two\nlines" });
  const values = recent.values(40);
  assert.equal(values.length, RECENT_MAX);
  assert.deepEqual(values.at(-2), {
    ageMs: 10,
    text: "a route is missing (reason: number 30, key: AAAA…)",
  });
  assert.deepEqual(values.at(-1), { ageMs: 9, text: "the end (reason: two lines)" });
});

test("a flood: 60 lines of each kind, then one a second; the rest is counted", async () => {
  const file = join(folder, "flood");
  const log = await makeLog({ thread: "x", level: "debug", file });
  let nowMs = 1_000_000;
  const waiting: { readonly dueMs: number; readonly call: () => void }[] = [];
  const kinds = new Kinds(
    log,
    () => nowMs,
    (ms, call) => waiting.push({ dueMs: nowMs + ms, call }),
  );
  const events = 200_000;
  for (let i = 0; i < events; i++) {
    nowMs += 1;
    kinds.say(i % 2 === 0 ? "info" : "debug", i % 2 === 0 ? "peer moved" : "handshake sent", { i });
    assert.ok(waiting.length <= 1, "one alarm for all kinds");
    if (waiting[0] !== undefined && waiting[0].dueMs <= nowMs) waiting.shift()!.call();
  }
  nowMs += TELL_MS;
  waiting.shift()!.call();
  assert.equal(waiting.length, 0, "and none when all is told");
  const lines = linesOf(file);
  for (const msg of ["peer moved", "handshake sent"]) {
    const said = lines.filter((line) => line.msg === msg);
    const leftOut = said.reduce((sum, line) => sum + Number(line.leftOut ?? 0), 0);
    assert.ok(said.length <= 60 + events / 1_000 + 4 && said.length >= 200, `${said.length} lines`);
    assert.equal(said.filter((line) => "i" in line).length + leftOut, events / 2);
  }
});
