/**
 * clock — no timestamp that is not newer than one sent before: over restarts, clock jumps, damaged
 * files, full disks. What is killed: clock-killed.test.ts.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  AHEAD_LABELS,
  AHEAD_MS,
  clockFile,
  SentClock,
} from "../../src/control/handshake/timestamps.ts";
import { compareTai64n, tai64n } from "../../src/wire/tai64n.ts";

const root = mkdtempSync(join(tmpdir(), "p2pvpn-clock-"));
after(() => rmSync(root, { recursive: true }));

let folders = 0;
const newFolder = (): string => join(root, `state-${folders++}`);

const KEY = new Uint8Array(32).fill(7);
const NOW_MS = Date.UTC(2026, 0, 2);
const YEAR_2100_MS = Date.UTC(2100, 0, 1);

/** A clock, and what it said. */
const openClock = (folder: string | null, unixMs: number, publicKey = KEY) => {
  const said: string[] = [];
  const log = {
    warn: (message: string) => said.push(`warn: ${message}`),
    info: (message: string) => said.push(`info: ${message}`),
  };
  return { clock: SentClock.open({ folder, publicKey, unixMs, log }), said };
};

const assertNewer = (label: Uint8Array, than: Uint8Array, why = ""): void =>
  assert.ok(compareTai64n(label, than) > 0, `${hex(label)} is not newer than ${hex(than)} ${why}`);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Seconds from one label to another. */
const seconds = (from: Uint8Array, to: Uint8Array): number => {
  const at = (label: Uint8Array): number => {
    const view = new DataView(label.buffer, label.byteOffset);
    return Number(view.getBigUint64(0) - 2n ** 62n) + view.getUint32(8) / 1e9;
  };
  return at(to) - at(from);
};

test("with a right clock a timestamp is now, and each peer's grow by 2^24 ns at least", () => {
  const { clock, said } = openClock(newFolder(), NOW_MS);
  const first = clock.next(null, NOW_MS);
  assert.deepEqual(first, tai64n(NOW_MS));
  const second = clock.next(first, NOW_MS);
  assert.ok(Math.abs(seconds(first, second) - 2 ** 24 / 1e9) < 1e-3);
  assert.deepEqual(clock.next(null, NOW_MS), first, "another peer's do not depend on it");
  assert.deepEqual(said, []);
});

test("after a crash with the clock in 1970 they go on behind what was reserved", () => {
  const folder = newFolder();
  const sent = openClock(folder, NOW_MS).clock.next(null, NOW_MS);
  const { clock, said } = openClock(folder, 0);
  const next = clock.next(null, 0);
  assertNewer(next, sent);
  assert.ok(seconds(sent, next) <= AHEAD_MS / 1_000 + 1);
  assertNewer(clock.next(next, 0), next);
  assert.deepEqual(said, []);
});

test("a stop gives back what was not used; the next run has the clock's own time", () => {
  const folder = newFolder();
  const { clock } = openClock(folder, NOW_MS);
  const sent = clock.next(null, NOW_MS);
  clock.close();
  clock.close();
  const again = openClock(folder, NOW_MS + 1_000).clock;
  assert.deepEqual(again.next(null, NOW_MS + 1_000), tai64n(NOW_MS + 1_000));
  assertNewer(again.next(null, 0), sent);
});

test("a stop with nothing sent keeps what earlier runs sent", () => {
  const folder = newFolder();
  const { clock } = openClock(folder, NOW_MS);
  const sent = clock.next(null, NOW_MS);
  clock.close();
  openClock(folder, 0).clock.close();
  assertNewer(openClock(folder, 0).clock.next(null, 0), sent);
});

test("after a crash the key is refused elsewhere for minutes at most", async () => {
  const folder = newFolder();
  const { clock } = openClock(folder, NOW_MS);
  let nowMs = NOW_MS;
  // Sessions of two minutes, each renewed in time.
  for (let rekeys = 0; rekeys < 10; rekeys++, nowMs += 120_000) {
    clock.next(null, nowMs);
    await sleep(20);
  }
  const again = openClock(folder, nowMs).clock.next(null, nowMs);
  const elsewhere = openClock(newFolder(), nowMs + 300_000).clock.next(null, nowMs + 300_000);
  assertNewer(elsewhere, again);
});

test("a clock that was once in 2100 poisons nothing, and crashes add little", () => {
  const folder = newFolder();
  let last = openClock(folder, YEAR_2100_MS).clock.next(null, YEAR_2100_MS);
  const first = last;
  const crashes = 200;
  for (let i = 0; i < crashes; i++) {
    const { clock, said } = openClock(folder, NOW_MS + i);
    const label = clock.next(null, NOW_MS + i);
    assertNewer(label, last);
    last = label;
    assert.deepEqual(said, []);
  }
  const drift = seconds(first, last) - AHEAD_MS / 1_000;
  assert.ok(drift < crashes * 1.2, `${drift} s after ${crashes} crashes`);
});

test("a peer that is taken away and comes again gets newer ones, the clock set back or not", () => {
  const { clock } = openClock(null, NOW_MS);
  const last = clock.next(clock.next(null, NOW_MS), NOW_MS);
  clock.forget(last);
  clock.forget(null);
  assertNewer(clock.next(null, 0), last);
});

test("identities have files of their own, 0600 in a folder 0700", () => {
  const folder = newFolder();
  const other = new Uint8Array(32).fill(8);
  openClock(folder, YEAR_2100_MS);
  const { clock } = openClock(folder, NOW_MS, other);
  assert.deepEqual(clock.next(null, NOW_MS), tai64n(NOW_MS));
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(readdirSync(folder).length, 2);
  for (const name of readdirSync(folder)) {
    assert.match(name, /^clock-[0-9a-f]{16}$/);
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
    assert.ok(!readFileSync(join(folder, name), "utf8").includes(hex(KEY)));
  }
});

test("the reservation is renewed beside the event loop, long before it is used up", async () => {
  const folder = newFolder();
  const { clock, said } = openClock(folder, NOW_MS);
  const file = clockFile(folder, KEY);
  const before = readFileSync(file, "utf8");
  clock.next(null, NOW_MS + 0.4 * AHEAD_MS);
  await sleep(50);
  assert.equal(readFileSync(file, "utf8"), before, "written too early");
  clock.next(null, NOW_MS + 0.6 * AHEAD_MS);
  assert.equal(readFileSync(file, "utf8"), before, "a handshake waited");
  for (let i = 0; i < 100 && readFileSync(file, "utf8") === before; i++) await sleep(10);
  assert.notEqual(readFileSync(file, "utf8"), before);
  await sleep(50);
  const sent = clock.next(null, NOW_MS + 1.5 * AHEAD_MS);
  assertNewer(openClock(folder, 0).clock.next(null, 0), sent);
  assert.deepEqual(said, []);
});

test("behind the floor it is renewed by labels, and never waits", async () => {
  const folder = newFolder();
  openClock(folder, YEAR_2100_MS);
  const { clock, said } = openClock(folder, NOW_MS);
  let last: Uint8Array | null = null;
  for (let i = 0; i < 5 * AHEAD_LABELS; i++) {
    last = clock.next(last, NOW_MS);
    await sleep(2);
  }
  assert.deepEqual(said, []);
  assertNewer(openClock(folder, 0).clock.next(null, 0), last!);
});

test("a clock beyond the reservation waits for the disk", () => {
  const folder = newFolder();
  const { clock, said } = openClock(folder, 0);
  const sent = clock.next(null, NOW_MS);
  assert.deepEqual(sent, tai64n(NOW_MS));
  assert.deepEqual(said, []);
  assertNewer(openClock(folder, 0).clock.next(null, 0), sent);
});

test("a jump while a renewal is under way does not lower what is on disk", async () => {
  const folder = newFolder();
  const { clock } = openClock(folder, NOW_MS);
  clock.next(null, NOW_MS + 0.6 * AHEAD_MS);
  const sent = clock.next(null, YEAR_2100_MS);
  await sleep(100);
  clock.next(sent, NOW_MS + 0.7 * AHEAD_MS);
  await sleep(100);
  assertNewer(openClock(folder, 0).clock.next(null, 0), sent);
});

test("a stop while a renewal is under way has the last word", async () => {
  const folder = newFolder();
  const { clock } = openClock(folder, NOW_MS);
  const sent = clock.next(null, NOW_MS + 0.6 * AHEAD_MS);
  clock.close();
  const text = readFileSync(clockFile(folder, KEY), "utf8");
  await sleep(100);
  assert.equal(readFileSync(clockFile(folder, KEY), "utf8"), text);
  assert.ok(text.includes(hex(sent)));
  assert.equal(readdirSync(folder).length, 1, "a part was left");
});

// ---------------------------------------------------------------------------------------------
// Files that are not as they should be

const BAD_FILES: readonly (readonly [what: string, make: (file: string) => void])[] = [
  ["empty", (file) => truncateSync(file)],
  ["torn", (file) => truncateSync(file, statSync(file).size - 9)],
  ["garbage", (file) => writeFileSync(file, Buffer.alloc(200, 0xa5))],
  ["too long", (file) => writeFileSync(file, "x".repeat(100_000))],
  ["one digit changed", (file) => writeFileSync(file, flipDigit(readFileSync(file, "latin1")))],
  ["writable by others", (file) => chmodSync(file, 0o622)],
  ["a symbolic link", (file) => moveBehindLink(file)],
];

const flipDigit = (text: string): string => {
  const at = text.indexOf("\n") + 3;
  return text.slice(0, at) + (text[at] === "0" ? "1" : "0") + text.slice(at + 1);
};

const moveBehindLink = (file: string): void => {
  writeFileSync(`${file}-real`, readFileSync(file));
  rmSync(file);
  symlinkSync(`${file}-real`, file);
};

for (const [what, make] of BAD_FILES) {
  test(`a file that is not ours as we wrote it (${what}): one warning, and it is replaced`, () => {
    const folder = newFolder();
    openClock(folder, YEAR_2100_MS);
    const file = clockFile(folder, KEY);
    make(file);
    const { clock, said } = openClock(folder, NOW_MS);
    assert.equal(said.length, 1, said.join("\n"));
    assert.match(said[0]!, /^warn: The clock file .* is not used/);
    const sent = clock.next(null, NOW_MS);
    assert.deepEqual(sent, tai64n(NOW_MS));
    const again = openClock(folder, 0);
    assert.deepEqual(again.said, []);
    assertNewer(again.clock.next(null, 0), sent);
  });
}

test("a label that no clock gives is not believed, whatever its checksum", () => {
  const folder = newFolder();
  openClock(folder, 8.64e15);
  assert.deepEqual(openClock(folder, NOW_MS).said, [], "JavaScript's last day is refused");
  const text = `p2pvpn-clock-1\n${"f".repeat(24)}\n`;
  const sum = createHash("sha256").update(text).digest("hex").slice(0, 16);
  writeFileSync(clockFile(folder, KEY), `${text}${sum}\n`);
  const { clock, said } = openClock(folder, NOW_MS);
  assert.match(said.join(), /^warn: .*it is damaged/);
  assert.deepEqual(clock.next(null, NOW_MS), tai64n(NOW_MS));
});

/** Gives a long run of labels from a clock whose file cannot be written. */
const assertGoesOn = (clock: SentClock): void => {
  let last = clock.next(null, NOW_MS);
  for (let i = 0; i < 100; i++) {
    const label = clock.next(last, i % 2 === 0 ? 0 : NOW_MS + i * AHEAD_MS);
    assertNewer(label, last);
    last = label;
  }
};

test("a folder that cannot be made: one warning, and the engine goes on", async () => {
  const file = join(root, "plain");
  writeFileSync(file, "");
  const { clock, said } = openClock(join(file, "state"), NOW_MS);
  assertGoesOn(clock);
  await sleep(50);
  clock.close();
  assert.equal(said.length, 1, said.join("\n"));
  assert.match(said[0]!, /^warn: .*ENOTDIR/);
});

/** Runs the body on a small file system of its own. */
const onTmpfs = async (options: string, body: (folder: string) => Promise<void>): Promise<void> => {
  const folder = newFolder();
  mkdirSync(folder, { mode: 0o700 });
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]);
  assert.equal(mounted.status, 0, String(mounted.stderr));
  try {
    await body(folder);
  } finally {
    assert.equal(spawnSync("umount", [folder]).status, 0);
  }
};

const canMount = (): string | false => {
  if (process.geteuid?.() !== 0) return "needs root";
  const folder = newFolder();
  mkdirSync(folder);
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "tmpfs", folder]);
  if (status !== 0) return `mount was refused: ${String(stderr).trim()}`;
  spawnSync("umount", [folder]);
  return false;
};
const noMount = canMount();

test("a full disk: one warning, the old file stays, and later it is written again", {
  skip: noMount,
}, async () => {
  await onTmpfs("size=64k", async (folder) => {
    const sent = openClock(folder, YEAR_2100_MS).clock.next(null, YEAR_2100_MS);
    const file = clockFile(folder, KEY);
    const before = readFileSync(file, "utf8");
    writeFileSync(join(folder, "ballast"), Buffer.alloc(8_192));
    const filler = spawnSync("dd", ["if=/dev/zero", `of=${join(folder, "filler")}`, "bs=4096"]);
    assert.notEqual(filler.status, 0, "the disk did not become full");
    const { clock, said } = openClock(folder, 0);
    assertGoesOn(clock);
    await sleep(50);
    assert.equal(said.length, 1, said.join("\n"));
    assert.match(said[0]!, /^warn: The clock file .* cannot be written \(ENOSPC\)/);
    assert.equal(readFileSync(file, "utf8"), before);
    rmSync(join(folder, "filler"));
    let last = sent;
    for (let i = 0; i < 100 && said.length < 2; i++) {
      last = clock.next(last, 0);
      await sleep(5);
    }
    assert.match(said[1] ?? "", /^info: .* is written again/);
    assertNewer(openClock(folder, 0).clock.next(null, 0), last);
  });
});

test("a read-only disk: what it holds is used; one warning", { skip: noMount }, async () => {
  await onTmpfs("size=64k", async (folder) => {
    const sent = openClock(folder, YEAR_2100_MS).clock.next(null, YEAR_2100_MS);
    assert.equal(spawnSync("mount", ["-o", "remount,ro", folder]).status, 0);
    const { clock, said } = openClock(folder, 0);
    assertNewer(clock.next(null, 0), sent);
    assertGoesOn(clock);
    await sleep(50);
    clock.close();
    assert.equal(said.length, 1, said.join("\n"));
    assert.match(said[0]!, /^warn: The clock file .* cannot be written \(EROFS\)/);
  });
});
