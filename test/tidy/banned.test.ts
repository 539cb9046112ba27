/** banned — no call that a file may not make; and each ban finds a bad sample. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BANS, type Ban, banned, C_BANS } from "./banned.ts";
import { filesIn, report, sourceFile } from "./tree.ts";

test("TypeScript: clocks, timers, chance and shared memory only where they belong", () => {
  const findings = banned(filesIn(["src"], [".ts"]), BANS);
  assert.equal(findings.length, 0, report(findings));
});

test("C: no copy without a bound, no state at file level, no shell", () => {
  const findings = banned(filesIn(["src/io/native"], [".c", ".h"]), C_BANS);
  assert.equal(findings.length, 0, report(findings));
});

test("every file that may, does", () => {
  const sources = filesIn(["src"], [".ts"]);
  for (const ban of BANS) {
    for (const home of ban.allowed) {
      const users = sources.filter(
        (file) =>
          (home.endsWith("/") ? file.path.startsWith(home) : file.path === home) &&
          file.lines.some((text) => ban.pattern.test(text)),
      );
      assert(users.length > 0, `${home} does not use ${ban.what}: strike it from the table`);
    }
  }
});

// biome-ignore format: a table
const BAD: readonly (readonly [bans: readonly Ban[], what: string, text: string])[] = [
  [BANS, "Date.now", "const now = Date.now();"],
  [BANS, "Date.now", "const now = new Date();"],
  [BANS, "performance.now", "const now = performance.now();"],
  [BANS, "Math.random", "const chance = Math.random() * 3;"],
  [BANS, "setEndpoint", "    entries.setEndpoint(peer.index, address);"],
  [BANS, "a change of the roster", "    roster.remove(peer);"],
  [BANS, "another active peer", "    this.roster.groups.setActive(hop, peer);"],
  [BANS, "setTimeout and setInterval", "  setTimeout(() => {}, 10);"],
  [BANS, "setTimeout and setInterval", 'import { setTimeout as sleep } from "node:timers/promises";'],
  [BANS, "new SharedArrayBuffer", "const words = new Int32Array(new SharedArrayBuffer(4));"],
  [BANS, "a number as index into a shared view", "const tail = arena.u32[12];"],
  [BANS, "Atomics on a number", "Atomics.store(i32, 5, 1);"],
  [BANS, "process.exit", "process.exit(1);"],
  [BANS, "console", 'console.log("here");'],
  [C_BANS, "a copy without a bound", "    strcpy(name, text);"],
  [C_BANS, "a number read without errors", "    int port = atoi(text);"],
  [C_BANS, "state at file level", "static int opened = 0;"],
  [C_BANS, "state at file level", "static uint8_t buffer[2048];"],
  [C_BANS, "state at file level", "unsigned long total;"],
  [C_BANS, "a shell", '    system("ip link");'],
];

for (const [bans, what, text] of BAD) {
  test(`a bad sample is found: ${text.trim()}`, () => {
    const findings = banned([sourceFile("src/attic/x", text)], bans);
    assert.deepEqual(
      findings.map((finding) => finding.text.split(":")[0]),
      [what],
    );
  });
}

// biome-ignore format: a table
const GOOD: readonly (readonly [bans: readonly Ban[], text: string])[] = [
  [BANS, "// Date.now is not for here"],
  [BANS, " * never setTimeout( in this room"],
  [BANS, "socket.setTimeout(IDLE_MS);"],
  [BANS, "const first = u32[word + F.count]!;"],
  [BANS, "Atomics.add(i32, bell, 1);"],
  [C_BANS, "static const uint8_t sigma[10] = { 0 };"],
  [C_BANS, "static int set_up(struct io *io);"],
  [C_BANS, "typedef int job_function(struct io *io);"],
];

for (const [bans, text] of GOOD) {
  test(`a good sample passes: ${text}`, () => {
    assert.deepEqual(banned([sourceFile("src/attic/x", text)], bans), []);
  });
}
