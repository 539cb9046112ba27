/** cli — the program itself: exit codes, help, one sentence for every mistake. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { addon } from "../../src/io/native/addon.ts";
import { loadIdentity } from "../../src/schema/identity.ts";

const cli = fileURLToPath(new URL(`../../src/cli${extname(import.meta.url)}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "p2pvpn-cli-"));
after(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const env = { ...process.env, P2PVPN_RUN_DIR: join(folder, "run"), P2PVPN_DEBUG: "" };
const run = (...words: string[]): Run =>
  spawnSync(process.execPath, [cli, ...words], {
    encoding: "utf8",
    env,
    cwd: folder,
    timeout: 60_000,
  });

// biome-ignore format: a table
const COMMANDS = [
  "keygen", "pubkey", "start", "stop", "reload", "status", "peers", "routes", "stats", "peer", "peer add", "peer remove",
  "route", "route add", "route remove", "config", "config get", "config set", "rekey", "log-level", "check", "demo",
  "completion", "request", "network", "network create", "network sign", "network issuer", "network revoke", "network publish",
  "network rotate-secret", "network rotate-authority", "network backup", "network restore", "network show",
];
/** They print nothing, a shell script, or only lead to others. */
const WITHOUT_JSON = ["start", "completion", "peer", "route", "config", "network"];

test("--help lists every command, and each has help with examples", () => {
  const { stdout, status } = run("--help");
  assert.equal(status, 0);
  for (const name of COMMANDS) {
    if (!name.includes(" ")) assert.match(stdout, new RegExp(`^  ${name}\\b`, "m"));
    const help = run(...name.split(" "), "--help");
    assert.equal(help.status, 0);
    assert.match(help.stdout, new RegExp(`Usage: p2pvpn-engine ${name} .*Examples:\\n  \\$ `, "s"));
    if (!WITHOUT_JSON.includes(name)) assert.match(help.stdout, /--json/, name);
  }
  assert.equal(run("help", "status").stdout, run("status", "--help").stdout);
  assert.equal(run("help", "peer", "add").stdout, run("peer", "add", "--help").stdout);
  assert.equal(run("help").stdout, stdout);
});

test("--version is that of package.json", () => {
  for (const word of ["--version", "-V", "-v", "version"]) {
    assert.match(run(word).stdout, /^\d+\.\d+\.\d+\n$/);
  }
});

test("no command at all shows the help and is wrong usage", () => {
  const { status, stderr } = run();
  assert.equal(status, 2);
  assert.match(stderr, /Usage:/);
});

// biome-ignore format: a table
const MISTAKES: readonly (readonly [string, number, RegExp])[] = [
  ["frobnicate", 2, /unknown command 'frobnicate'; see/],
  ["statsu", 2, /unknown command 'statsu', did you mean .*stat/],
  ["--frob", 2, /unknown option '--frob'/],
  ["start --treads 3", 2, /unknown option '--treads', did you mean --threads; see/],
  ["start --threads 65", 2, /'--threads <N>' must be a whole number from 0 to 64, not '65'; see p2pvpn-engine start --help\.$/m],
  ["start --threads 1.5", 2, /from 0 to 64, not '1\.5'/],
  ["start --threads", 2, /argument missing/],
  ["start --io-threads 0", 2, /'--io-threads <N>' must be a whole number from 1 to 8, not '0'/],
  ["start --hand-over never", 2, /must be "auto" or "inline" or "always", not 'never'/],
  ["start -c none.toml", 2, /none\.toml cannot be read \(there is no such file\)/],
  ["start -c bad.toml", 2, /bad\.toml: line 3: unknown key mtuu in \[interface\]; did you mean mtu\?/],
  ["start -c exposed.toml", 2, /exposed\.key can be read by others; run `chmod 600 /],
  ["start -c pipe", 2, /pipe cannot be read \(it is no plain file\)/],
  ["start -c piped.toml", 2, /pipe cannot be read: it is no plain file/],
  ["start -c none.toml --daemon", 2, /none\.toml cannot be read/],
  ["status p2p7 extra", 2, /too many arguments for 'status', which takes 1/],
  ["status p2p7", 1, /No engine is running on p2p7/],
  ["status ../p2p0", 2, /IFACE must be 1 to 15/],
  ["show", 1, /No engine is running; start one with/],
  ["ls", 1, /No engine is running; start one with/],
  ["route del 10.0.0.0/8", 1, /No engine is running; start one with/],
  ["peer rm office", 1, /No engine is running; start one with/],
  ["route list --json", 1, /No engine is running; start one with/],
  ["up", 2, /unknown command 'up'; `p2pvpn-engine start -c FILE` runs an engine\.$/m],
  ["down", 2, /unknown command 'down'; `p2pvpn-engine stop` ends an engine\.$/m],
  ["rm office", 2, /unknown command 'rm'; write `p2pvpn-engine peer remove PEER` or `p2pvpn-engine route remove PREFIX`\.$/m],
  ["shop", 2, /unknown command 'shop'; see/],
  ["stpo", 2, /unknown command 'stpo'; see/],
  ["constructor", 2, /unknown command 'constructor'; see/],
  ["status -i ../p2p0", 2, /'-i, --interface <IFACE>' must be 1 to 15/],
  ["status", 1, /No engine is running; start one with/],
  ["status -i p2p7", 1, /No engine is running on p2p7/],
  ["peers --json", 1, /No engine is running/],
  ["stats", 1, /No engine is running/],
  ["stop", 1, /No engine is running/],
  ["start -c wg0.conf", 2, /wg0\.conf can be read by others; run `chmod 600 /],
  ["start -c wg1.conf", 2, /wg1\.conf: line 3: unknown key Mtuu in \[Interface\]; did you mean MTU\?$/m],
  ["start -c twice.toml", 2, /\[\[peer\]\] 1 and \[\[peer\]\] 2 both have 10\.0\.0\.0\/8 in allowed_ips; take it from one of them\.$/m],
  ["start -c type.toml", 2, /mtu in \[interface\] must be a whole number from 576 to 65455, not "1420"; write mtu = 1420\.$/m],
  ["start -c wg0.conf --daemon", 2, /wg0\.conf can be read by others/],
  ["start --log-level loud", 2, /must be "silent" or "error" or "warn" or "info" or "debug", not 'loud'/],
  ["start --key-log", 2, /argument missing/],
  ["reload", 1, /No engine is running; start one with/],
  ["routes --json", 1, /No engine is running/],
  ["peer add", 2, /missing required argument 'KEY'; see p2pvpn-engine peer add --help\.$/m],
  ["peer add abc", 2, /KEY must be the peer's WireGuard public key, 44 characters of base64/],
  ["peer add AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 2, /KEY is nobody's public key/],
  ["peer add AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", 1, /No engine is running/],
  ["peer add k --endpoint host", 2, /'--endpoint <HOST:PORT>' must be like "host:51820".*, not 'host'/],
  ["peer add k --keepalive x", 2, /'--keepalive <SECONDS>' must be a whole number from 0 to 65535, not 'x'/],
  ["peer add k --allowed-ips 10.0.0.0/33", 2, /'--allowed-ips <PREFIXES>' must be like .* not '10\.0\.0\.0\/33'/],
  ["peer add k --name a_b", 2, /'--name <NAME>' must be 1 to 63 letters, digits or hyphens/],
  ["peer add AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= --preshared-key-file none", 2, /none cannot be read: there is no such file/],
  ["peer frob", 2, /unknown command 'frob'; see p2pvpn-engine peer --help\.$/m],
  ["peer remove office", 1, /No engine is running/],
  ["route add 10.0.0.0/8", 2, /required option '--peer <PEER>' not specified; see p2pvpn-engine route add --help\.$/m],
  ["route add 10.0.0.0/33 --peer x", 2, /PREFIX must be like "10\.66\.0\.0\/24" or "fd66::\/64", not '10\.0\.0\.0\/33'; see/],
  ["route remove 10.0.0.0/8 -i p2p7", 1, /No engine is running on p2p7/],
  ["config get interface.mtuu", 2, /There is no setting interface\.mtuu; did you mean interface\.mtu\?$/m],
  ["config get mtu", 2, /There is no setting mtu; did you mean interface\.mtu\?$/m],
  ["config set interface.mtu 100", 2, /interface\.mtu must be a whole number from 576 to 65455, not "100"\.$/m],
  ["config set interface.mtu", 2, /missing required argument 'VALUE'/],
  ["config set interface.name x", 2, /interface\.name cannot be changed while the engine runs; set it in the configuration and start the engine again\.$/m],
  ["config set peer.endpoint x", 2, /peer\.endpoint cannot be changed while the engine runs; change a peer with `p2pvpn-engine peer add KEY`\.$/m],
  ["config set engine.log_level loud", 2, /engine\.log_level must be "silent" or .*, not "loud"\.$/m],
  ["config set __proto__ x", 2, /There is no setting __proto__/],
  ["config get nonsense", 2, /There is no setting nonsense; `p2pvpn-engine config get` shows them\.$/m],
  ["help frob", 2, /unknown command 'frob'; see p2pvpn-engine --help\.$/m],
  ["help peer frob", 2, /unknown command 'frob'; see p2pvpn-engine --help\.$/m],
  ["rekey --peer", 2, /argument missing/],
  ["log-level loud", 2, /LEVEL must be silent or error or warn or info or debug, not 'loud'/],
  ["completion tcsh", 2, /SHELL must be bash or zsh or fish, not 'tcsh'/],
  ["keygen --out exposed.key", 1, /exposed\.key exists already/],
  ["keygen --out nowhere/x.key", 1, /nowhere\/x\.key cannot be written \(there is no such folder\); choose another place\.$/m],
  ["demo --seconds 0", 2, /'--seconds <N>' must be a whole number from 1 to 30, not '0'/],
];

writeFileSync(join(folder, "bad.toml"), '[interface]\nprivate_key_file = "plain.key"\nmtuu = 3');
writeFileSync(join(folder, "wg0.conf"), "[Interface]\n", { mode: 0o644 });
writeFileSync(
  join(folder, "wg1.conf"),
  `[Interface]\nPrivateKey = ${Buffer.alloc(32, 3).toString("base64")}\nMtuu = 3\n`,
  { mode: 0o600 },
);
writeFileSync(
  join(folder, "type.toml"),
  '[interface]\nprivate_key_file = "plain.key"\nmtu = "1420"',
);
writeFileSync(
  join(folder, "twice.toml"),
  `[interface]\nprivate_key_file = "plain.key"\n${[1, 2]
    .map((n) => `[[peer]]\npublic_key = "${Buffer.alloc(32, n).toString("base64")}"\n`)
    .map((text) => `${text}allowed_ips = ["10.0.0.0/8"]\n`)
    .join("")}`,
);
writeFileSync(join(folder, "plain.key"), Buffer.alloc(32, 3).toString("base64"), { mode: 0o600 });
writeFileSync(join(folder, "exposed.key"), "x", { mode: 0o644 });
writeFileSync(join(folder, "exposed.toml"), '[interface]\nprivate_key_file = "exposed.key"');
writeFileSync(join(folder, "piped.toml"), '[interface]\nprivate_key_file = "pipe"');
// Nobody writes to it: whoever opens it to read and waits, waits for ever.
assert.equal(spawnSync("mkfifo", ["-m", "600", join(folder, "pipe")]).status, 0);

for (const [words, code, sentence] of MISTAKES) {
  test(`mistake: ${words}`, () => {
    const { status, stdout, stderr } = run(...words.split(" "));
    assert.equal(stdout, "");
    assert.match(stderr, /^p2pvpn-engine: [^\n]+\n$/);
    assert.match(stderr, sentence);
    assert.equal(status, code);
  });
}

test("keygen writes a file that loads, or prints the secret and the ids apart", () => {
  const made = run("keygen", "--out", "a.key", "--json");
  assert.equal(made.status, 0);
  assert.equal(statSync(join(folder, "a.key")).mode & 0o777, 0o600);
  const ids = JSON.parse(made.stdout) as Record<string, string>;
  const identity = loadIdentity(join(folder, "a.key"));
  assert.deepEqual(ids, {
    nodeId: identity.nodeId,
    wireguardPublicKey: Buffer.from(identity.publicKey).toString("base64"),
  });
  assert.ok(!made.stdout.includes(readFileSync(join(folder, "a.key"), "utf8").split("\n")[1]!));
  const printed = run("keygen");
  writeFileSync(join(folder, "b.key"), printed.stdout, { mode: 0o600 });
  const { nodeId } = loadIdentity(join(folder, "b.key"));
  assert.ok(printed.stderr.includes(nodeId!));
  const object = JSON.parse(run("keygen", "--json").stdout) as Record<string, string>;
  assert.match(object.identity!, /^p2pvpn-identity-1\n.{43}\n$/);
});

test("what cannot be printed is said in a sentence", () => {
  const full = openSync("/dev/full", "w");
  const { status, stderr } = spawnSync(process.execPath, [cli, "completion", "bash"], {
    encoding: "utf8",
    env,
    stdio: ["ignore", full, "pipe"],
    timeout: 60_000,
  });
  closeSync(full);
  assert.equal(status, 1);
  const sentence = "The output cannot be written (the disk is full); send it to another place.";
  assert.equal(stderr, `p2pvpn-engine: ${sentence}\n`);
});

test("check sees a port that another engine holds", () => {
  const fd = addon.udpOpen(4, "127.0.0.1", 0, 0, "");
  assert.ok(fd >= 0);
  const port = addon.udpPort(fd);
  const lines = ["[interface]", 'private_key_file = "port.key"', 'listen_address = "127.0.0.1"'];
  writeFileSync(join(folder, "port.toml"), `${lines.join("\n")}\nlisten_port = ${port}\n`);
  run("keygen", "--out", "port.key");
  const line = (): string =>
    /^.*UDP port.*$/m.exec(run("check", "-c", "port.toml").stdout)?.[0] ?? "";
  assert.match(line(), new RegExp(`^wrong .* ${port} is in use; `));
  addon.close(fd);
  assert.match(line(), new RegExp(`^ok .* ${port} is free$`));
});

test("check and start say what of a wg-quick file is not done", () => {
  const key = readFileSync(join(folder, "plain.key"), "utf8");
  const lines = ["[Interface]", `PrivateKey = ${key}`, "PostUp = touch ran", "DNS = 192.0.2.53"];
  writeFileSync(join(folder, "wg2.conf"), lines.join("\n"), { mode: 0o600 });
  const { stdout } = run("check", "-c", "wg2.conf");
  assert.match(stdout, /^ok +configuration +wg2\.conf, 0 peers$/m);
  assert.match(
    stdout,
    /^warning +configuration +wg2\.conf: line 3: PostUp is never run; do what /m,
  );
  assert.match(stdout, /^warning +configuration +wg2\.conf: line 4: DNS is ignored; set the /m);
  assert.ok(!existsSync(join(folder, "ran")));
});

test("check says that a default route is left to others", () => {
  const key = Buffer.alloc(32, 1).toString("base64");
  const lines = ["[[peer]]", `public_key = "${key}"`, 'allowed_ips = ["0.0.0.0/0"]'];
  const config = (routes: string): string => {
    const text = `[interface]\nprivate_key_file = "plain.key"\nroutes = "${routes}"\n`;
    writeFileSync(join(folder, "default.toml"), `${text}${lines.join("\n")}\n`);
    return run("check", "-c", "default.toml").stdout;
  };
  const said = config("install");
  assert.match(said, /^warning +routes +0\.0\.0\.0\/0 gets no kernel route; /m);
  assert.equal(said.split("gets no kernel route").length, 2, "once is enough");
  assert.doesNotMatch(config("leave"), /no kernel route/);
});

test("check names every mistake on a line of its own and ends as start does", () => {
  const { status, stdout } = run("check", "-c", "bad.toml");
  assert.equal(status, 2);
  assert.match(stdout, /^wrong +configuration +.*unknown key mtuu/m);
  for (const line of stdout.trim().split("\n")) assert.match(line, /^(ok|warning|missing|wrong) /);
  const json = JSON.parse(run("check", "-c", "bad.toml", "--json").stdout) as {
    ok: boolean;
    tests: { test: string; state: string }[];
  };
  assert.equal(json.ok, false);
  assert.equal(json.tests.find((one) => one.test === "configuration")?.state, "wrong");
  assert.equal(json.tests.find((one) => one.test === "node")?.state, "ok");
});
