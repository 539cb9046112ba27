/** clock-killed — timestamps of a real process that is killed at any moment, again and again. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { clockFile } from "../../src/control/handshake/timestamps.ts";
import { compareTai64n } from "../../src/wire/tai64n.ts";

const root = mkdtempSync(join(tmpdir(), "p2pvpn-clock-"));
after(() => rmSync(root, { recursive: true }));

const KEY = new Uint8Array(32).fill(7);
const NOW_MS = Date.UTC(2026, 0, 2);
const YEAR_2100_MS = Date.UTC(2100, 0, 1);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
const CLOCK = new URL(`../../src/control/handshake/timestamps${extension}`, import.meta.url).href;

/** Sends timestamps to one peer as fast as it can, over a clock that jumps about; seeded. */
const SENDER = `
const { writeSync } = await import("node:fs");
const { SentClock } = await import(${JSON.stringify(CLOCK)});
const [folder, seedText] = process.argv.slice(1);
let seed = Number(seedText) || 1;
const chance = () => (seed = (Math.imul(seed, 48271) >>> 0) % 2147483647) / 2147483647;
const CLOCKS = [0, ${NOW_MS}, ${NOW_MS} + 86400000, ${YEAR_2100_MS}];
let base = CLOCKS[Math.floor(chance() * (chance() < 0.1 ? 4 : 3))];
const log = { warn: (text) => writeSync(1, "warn " + text + "\\n"), info: () => {} };
const clock = SentClock.open({ folder, publicKey: new Uint8Array(32).fill(7), unixMs: base, log });
let last = null;
const send = () => {
  for (let i = 0; i < 8; i++) {
    base += chance() * 3e6;
    if (chance() < 0.02) base = CLOCKS[Math.floor(chance() * 3)];
    last = clock.next(last, base);
    writeSync(1, Buffer.from(last).toString("hex") + "\\n");
  }
  setImmediate(send);
};
send();
`;

/** Runs one sender and kills it; what it had sent. */
const runSender = async (folder: string, seed: number, killMs: number): Promise<string[]> => {
  const words = ["--input-type=module", "-e", SENDER, folder, String(seed)];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  let started: () => void = () => {};
  const first = new Promise<void>((resolve) => {
    started = resolve;
  });
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString("latin1");
    started();
  });
  const closed = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once("close", (_, signal) => resolve(signal)),
  );
  await Promise.race([first, closed]);
  await sleep(killMs);
  child.kill("SIGKILL");
  assert.equal(await closed, "SIGKILL", "it ended by itself");
  // The last line may be torn.
  return output.split("\n").slice(0, -1);
};

test("killed again and again, its clock jumping, it never sends what is not newer", async () => {
  const folder = join(root, "state");
  const runs = 25;
  const first = Math.floor(Math.random() * 1e9) + 1;
  let last: Uint8Array = new Uint8Array(12); // older than any clock
  let sent = 0;
  for (let run = 0; run < runs; run++) {
    const lines = await runSender(folder, first + run, Math.random() * 40);
    for (const line of lines) {
      assert.match(line, /^[0-9a-f]{24}$/, `seed ${first}, run ${run}: ${line}`);
      const label = Uint8Array.from(Buffer.from(line, "hex"));
      const newer = compareTai64n(label, last) > 0;
      assert.ok(newer, `${line} is not newer than ${hex(last)} (seed ${first}, run ${run})`);
      last = label;
      sent++;
    }
  }
  assert.ok(sent > runs * 10, `${sent} timestamps only`);
  assert.ok(readdirSync(folder).length <= 3, "parts pile up");
  assert.ok(existsSync(clockFile(folder, KEY)));
});
