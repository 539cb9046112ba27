/** check — says what is wrong and what is missing, and ends as `start` would. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DEFAULT_FILE } from "../../src/schema/config.ts";
import { formatWireguardKey } from "../../src/schema/identity.ts";

const cli = fileURLToPath(new URL(`../../src/cli${extname(import.meta.url)}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "p2pvpn-check-"));
after(() => rmSync(folder, { recursive: true }));

const env = { ...process.env, P2PVPN_RUN_DIR: join(folder, "run"), P2PVPN_DEBUG: "" };
const run = (...words: string[]) =>
  spawnSync(process.execPath, [cli, ...words], { cwd: folder, encoding: "utf8", env });

writeFileSync(join(folder, "own.key"), formatWireguardKey(new Uint8Array(32).fill(7)), {
  mode: 0o600,
});

/** A file that `check` looks at, and its lines of one test. */
const lines = (text: string, name: string): string[] => {
  const file = join(folder, "p2p0.toml");
  writeFileSync(file, `[interface]\nprivate_key_file = "own.key"\nlisten_port = 0\n${text}`);
  const { stdout } = run("check", "-c", "p2p0.toml");
  return stdout.split("\n").filter((line) => line.split(/ {2,}/)[1] === name);
};

test("each mistake is a line, wrong and not missing, and the exit code is start's", () => {
  writeFileSync(join(folder, "bad.toml"), "[interface]\nname = p2p0\nmtuu = 1\n");
  const { status, stdout } = run("check", "-c", "bad.toml");
  assert.equal(status, run("start", "-c", "bad.toml").status);
  const said = stdout.split("\n").filter((line) => line.includes("configuration"));
  assert.equal(said.length, 3);
  assert.match(said[0]!, /^wrong +configuration +bad\.toml: line 1: \[interface\] needs private_/);
  assert.match(said[1]!, /^wrong +configuration +bad\.toml: line 2, column 8: text is written in /);
  assert.match(said[2]!, /^wrong +configuration +bad\.toml: line 3: unknown key mtuu /);
});

test("a file that is not there is missing, also the default one", {
  skip: existsSync(DEFAULT_FILE) ? `${DEFAULT_FILE} is there` : false,
}, () => {
  for (const words of [[], ["-c", "none.toml"]]) {
    const { status, stdout } = run("check", ...words);
    assert.match(stdout, /^missing +configuration +.*(is not there; write it|no such file)/m);
    assert.equal(status, 2);
    assert.equal(run("start", ...words).status, 2);
  }
});

test("a state_dir that cannot be written is warned of, as the engine would find it", () => {
  mkdirSync(join(folder, "closed"));
  chmodSync(join(folder, "closed"), 0o500);
  assert.match(lines("", "state_dir")[0]!, /^ok +state_dir +\/var\/lib\/p2pvpn$/);
  assert.match(lines('state_dir = ""', "state_dir")[0]!, /^ok +state_dir +none: nothing outlives/);
  assert.match(lines('state_dir = "new/deep"', "state_dir")[0]!, /^ok +state_dir +\/.*new\/deep$/);
  assert.ok(!existsSync(join(folder, "new")), "check makes nothing");
  for (const [dir, reason] of [
    ["own.key", "it is no folder"],
    ["own.key/deep", "a part of its path is no folder"],
    ["closed", "permission denied"],
    ["closed/deep", "permission denied"],
  ]) {
    const [line] = lines(`state_dir = "${dir}"`, "state_dir");
    assert.match(
      line!,
      new RegExp(`^warning +state_dir +/.*${dir} cannot be written \\(${reason}\\)`),
    );
    assert.match(line!, /; make it writable for its owner, or set another state_dir$/);
  }
});

test("what only an unlimited root may read is refused by check as by start", {
  skip: process.getuid?.() === 0 ? false : "needs root",
}, () => {
  const file = join(folder, "other.key");
  writeFileSync(file, formatWireguardKey(new Uint8Array(32).fill(7)), { mode: 0o600 });
  assert.equal(spawnSync("chown", ["65534", file]).status, 0);
  writeFileSync(join(folder, "other.toml"), '[interface]\nprivate_key_file = "other.key"\n');
  const started = run("start", "-c", "other.toml");
  const checked = run("check", "-c", "other.toml");
  assert.match(
    started.stderr,
    /line 2: the key file .*other\.key cannot be read: permission denied/,
  );
  assert.match(checked.stdout, /^wrong +configuration +.*other\.key cannot be read: permission /m);
  assert.deepEqual([started.status, checked.status], [2, 2]);
});
