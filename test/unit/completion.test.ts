/** completion — the scripts, sourced by the shell that they are for. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL(`../../src/cli${extname(import.meta.url)}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "p2pvpn-shell-"));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "run"));
for (const name of ["p2p0.sock", "$(touch ran).sock", "note"]) {
  writeFileSync(join(folder, "run", name), "");
}
writeFileSync(join(folder, "a file.toml"), "");

const has = (shell: string): boolean => spawnSync(shell, ["-c", "true"]).status === 0;
const scriptOf = (shell: string): string => {
  const { status, stdout } = spawnSync(process.execPath, [cli, "completion", shell], {
    encoding: "utf8",
  });
  assert.equal(status, 0);
  const file = join(folder, `script.${shell}`);
  writeFileSync(file, stdout);
  return file;
};

const noBash = has("bash") ? false : "bash is not installed";
const file = noBash === false ? scriptOf("bash") : "";

/** What bash offers after these words; the last one is being written. */
const offers = (...words: string[]): string[] => {
  const script = `
    set -u
    source "$1"; shift
    complete -p p2pvpn-engine > /dev/null || exit 3
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _p2pvpn_engine
    ((\${#COMPREPLY[@]})) && printf '%s\\n' "\${COMPREPLY[@]}"
    exit 0`;
  const env = { ...process.env, P2PVPN_RUN_DIR: join(folder, "run") };
  const args = ["--norc", "-c", script, "bash", file, "p2pvpn-engine", ...words];
  const run = spawnSync("bash", args, { encoding: "utf8", env, cwd: folder });
  assert.equal(run.stderr, "");
  assert.equal(run.status, 0);
  return run.stdout.split("\n").filter((line) => line !== "");
};

// biome-ignore format: a table
const OFFERS: readonly (readonly [readonly string[], readonly string[]])[] = [
  [["st"], ["start", "stop", "status", "stats"]],
  [["peer", ""], ["add", "remove"]],
  [["peer", "add", "--k"], ["--keepalive"]],
  [["peer", "remove", "--k"], []],
  [["route", "r"], ["remove"]],
  [["start", "--no-g"], ["--no-gso", "--no-gro"]],
  [["start", "--hand-over", ""], ["auto", "inline", "always"]],
  [["start", "--log-level", "d"], ["debug"]],
  [["start", "--threads", ""], []],
  [["start", "-c", "a"], ["a file.toml"]],
  [["pubkey", "a"], ["a file.toml"]],
  [["pubkey", "--j"], ["--json"]],
  [["start", "-c", "peer", "--dae"], ["--daemon"]],
  [["status", "-i", ""], ["p2p0"]],
  [["status", ""], ["p2p0"]],
  [["status", "--a"], ["--all"]],
  [["config", "set", ""], ["interface.mtu", "interface.listen_port", "interface.fwmark", "engine.log_level"]],
  [["config", "get", "engine.g"], ["engine.gso", "engine.gro"]],
  [["log-level", ""], ["silent", "error", "warn", "info", "debug"]],
  [["completion", ""], ["bash", "zsh", "fish"]],
  [["keygen", ""], ["-o", "--out", "--wireguard", "--json", "-h", "--help"]],
];

for (const [words, wanted] of OFFERS) {
  test(`bash completes: ${words.join(" ")}`, { skip: noBash }, () => {
    assert.deepEqual(offers(...words), wanted);
  });
}

test("bash is offered every command that the help lists", { skip: noBash }, () => {
  const help = spawnSync(process.execPath, [cli, "--help"], { encoding: "utf8" }).stdout;
  const commands = help.slice(help.indexOf("Commands:"), help.indexOf("Examples:"));
  const names = [...commands.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map((match) => match[1]!);
  assert.deepEqual(
    offers(""),
    names.filter((name) => name !== "help"),
  );
});

for (const shell of ["zsh", "fish"]) {
  const skip = has(shell) ? false : `${shell} is not installed`;
  test(`${shell} takes its script`, { skip }, () => {
    const { status, stderr } = spawnSync(shell, ["-n", scriptOf(shell)], { encoding: "utf8" });
    assert.equal(stderr, "");
    assert.equal(status, 0);
  });
}
