/** pubkey — `pubkey` and `keygen --wireguard`: keys that wg has, too. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../../src/schema/load-config.ts";

const cli = fileURLToPath(new URL(`../../src/cli${extname(import.meta.url)}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "p2pvpn-pubkey-"));
after(() => rmSync(folder, { recursive: true }));

const run = (words: readonly string[], input = "") =>
  spawnSync(process.execPath, [cli, ...words], { cwd: folder, encoding: "utf8", input });

const noWg = spawnSync("wg", ["--version"]).error === undefined ? false : "wg is not installed";

test("keygen --wireguard makes a key that wg reads, and says that it has no node id", {
  skip: noWg,
}, () => {
  const made = run(["keygen", "--wireguard", "--out", "plain.key"]);
  assert.equal(made.status, 0, made.stderr);
  assert.equal(statSync(join(folder, "plain.key")).mode & 0o777, 0o600);
  const text = readFileSync(join(folder, "plain.key"), "utf8");
  assert.match(text, /^[A-Za-z0-9+/]{43}=\n$/);
  const theirs = spawnSync("wg", ["pubkey"], { input: text, encoding: "utf8" }).stdout;
  assert.match(made.stdout, /^node id: +none: a plain WireGuard key signs nothing, so /m);
  assert.ok(made.stdout.includes(theirs.trim()), made.stdout);
  assert.equal(run(["pubkey", "plain.key"]).stdout, theirs);
  assert.equal(run(["pubkey"], text).stdout, theirs);
  const generated = spawnSync("wg", ["genkey"], { encoding: "utf8" }).stdout;
  const expected = spawnSync("wg", ["pubkey"], { input: generated, encoding: "utf8" }).stdout;
  assert.equal(run(["pubkey"], generated).stdout, expected);
});

test("pubkey prints what keygen printed of an identity", () => {
  const ids = JSON.parse(run(["keygen", "--out", "own.key", "--json"]).stdout) as object;
  assert.deepEqual(JSON.parse(run(["pubkey", "own.key", "--json"]).stdout), ids);
  const { wireguardPublicKey } = ids as { wireguardPublicKey: string };
  assert.equal(run(["pubkey", "own.key"]).stdout, `${wireguardPublicKey}\n`);
  const text = readFileSync(join(folder, "own.key"), "utf8");
  assert.equal(run(["pubkey"], text).stdout, `${wireguardPublicKey}\n`);
});

test("both kinds of key are in JSON without --out, and start a configuration", () => {
  const { wireguardPrivateKey, nodeId } = JSON.parse(
    run(["keygen", "--wireguard", "--json"]).stdout,
  ) as Record<string, unknown>;
  assert.equal(nodeId, null);
  writeFileSync(join(folder, "json.key"), String(wireguardPrivateKey), { mode: 0o600 });
  writeFileSync(join(folder, "p2p0.toml"), '[interface]\nprivate_key_file = "json.key"\n');
  const { identity } = loadConfig(join(folder, "p2p0.toml")).interface;
  const shown = Buffer.from(identity!.publicKey).toString("base64");
  assert.equal(run(["pubkey", "json.key"]).stdout, `${shown}\n`);
});

test("what is no key is refused in a sentence that repeats nothing", () => {
  const wrong = run(["pubkey"], "not a key\n");
  assert.equal(wrong.status, 2);
  assert.match(
    wrong.stderr,
    /is neither an identity nor a WireGuard private key; give what keygen/,
  );
  writeFileSync(join(folder, "bad.key"), "not a key", { mode: 0o600 });
  const bad = run(["pubkey", "bad.key"]);
  assert.equal(bad.status, 2);
  assert.match(bad.stderr, /bad\.key is no identity/);
  assert.match(
    run(["pubkey", "none.key"]).stderr,
    /none\.key cannot be read: there is no such file/,
  );
  assert.ok(!`${wrong.stderr}${bad.stderr}`.includes("not a key"));
});
