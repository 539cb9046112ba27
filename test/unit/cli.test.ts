/** cli — the program itself: exit codes, one sentence for every mistake, JSON. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { addon } from "../../src/io/native/addon.ts";
import type { PeerValue, StatsValue, StatusValue } from "../../src/schema/control.ts";
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

const COMMANDS = ["keygen", "start", "stop", "status", "peers", "stats", "check", "demo"];

test("--help lists every command, and each has help with examples", () => {
  const { stdout, status } = run("--help");
  assert.equal(status, 0);
  for (const name of COMMANDS) {
    assert.match(stdout, new RegExp(`^  ${name}\\b`, "m"));
    for (const words of [
      [name, "--help"],
      ["help", name],
    ]) {
      const help = run(...words);
      assert.equal(help.status, 0);
      assert.match(
        help.stdout,
        new RegExp(`Usage: p2pvpn-engine ${name} .*Examples:\\n  \\$ `, "s"),
      );
      if (name !== "start") assert.match(help.stdout, /--json/);
    }
  }
});

test("--version is that of package.json", () => {
  assert.match(run("--version").stdout, /^\d+\.\d+\.\d+\n$/);
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
  ["start -c bad.toml", 2, /bad\.toml: unknown key mtuu in \[interface\]; did you mean mtu\?/],
  ["start -c exposed.toml", 2, /exposed\.key can be read by others; run `chmod 600 /],
  ["start -c pipe", 2, /pipe cannot be read \(it is no plain file\)/],
  ["start -c piped.toml", 2, /pipe cannot be read: it is no plain file/],
  ["start -c none.toml --daemon", 2, /none\.toml cannot be read/],
  ["status extra", 2, /too many arguments for 'status', which takes 0/],
  ["status -i ../p2p0", 2, /'-i, --interface <IFACE>' must be 1 to 15/],
  ["status", 1, /No engine is running; start one with/],
  ["status -i p2p7", 1, /No engine is running on p2p7/],
  ["peers --json", 1, /No engine is running/],
  ["stats", 1, /No engine is running/],
  ["stop", 1, /No engine is running/],
  ["keygen --out exposed.key", 1, /exposed\.key exists already/],
  ["keygen --out nowhere/x.key", 1, /nowhere\/x\.key cannot be written: there is no such folder/],
  ["demo --seconds 0", 2, /'--seconds <N>' must be a whole number from 1 to 30, not '0'/],
];

writeFileSync(join(folder, "bad.toml"), "[interface]\nmtuu = 3");
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

test("check sees a port that another engine holds", () => {
  const fd = addon.udpOpen(4, "127.0.0.1", 0, 0, "");
  assert.ok(fd >= 0);
  const port = addon.udpPort(fd);
  const lines = ["[interface]", 'private_key_file = "port.key"', 'listen_address = "127.0.0.1"'];
  writeFileSync(join(folder, "port.toml"), `${lines.join("\n")}\nlisten_port = ${port}\n`);
  run("keygen", "--out", "port.key");
  const line = (): string =>
    /^.*UDP port.*$/m.exec(run("check", "-c", "port.toml").stdout)?.[0] ?? "";
  assert.match(line(), new RegExp(`^missing .* ${port} is in use; `));
  addon.close(fd);
  assert.match(line(), new RegExp(`^ok .* ${port} is free$`));
});

test("check names every mistake on a line of its own and ends with 1", () => {
  const { status, stdout } = run("check", "-c", "bad.toml");
  assert.equal(status, 1);
  assert.match(stdout, /^missing +configuration +.*unknown key mtuu/m);
  for (const line of stdout.trim().split("\n")) assert.match(line, /^(ok|warning|missing) /);
  const json = JSON.parse(run("check", "-c", "bad.toml", "--json").stdout) as {
    ok: boolean;
    tests: { test: string; state: string }[];
  };
  assert.equal(json.ok, false);
  assert.equal(json.tests.find((one) => one.test === "configuration")?.state, "missing");
  assert.equal(json.tests.find((one) => one.test === "node")?.state, "ok");
});

// biome-ignore format: a table
const STATUS: StatusValue = {
  interface: "cli0", nodeId: null, wireguardPublicKey: "k=", listenPort: 51_820, mtu: 1_420, cipher: "auto",
  threads: 1, ioThreads: 1, startedMs: 125_000, keyLog: false, defence: { state: "calm", rung: 0 },
  features: { gso: true, gro: false, tunOffload: true, uso: false, aesHardware: true },
  counters: { tunPackets: 1_234_567, tunReads: 0 }, drops: { noRoute: 3, replayed: 0 },
};
// biome-ignore format: a table
const PEER: PeerValue = {
  name: null, nodeId: null, wireguardPublicKey: "peerkey=", addresses: ["10.66.0.2/32"], endpoint: null, endpointName: null, path: "none",
  cipher: null, lastHandshakeMs: null, rxBytes: 0, txBytes: 1_536, rttMs: null, mtu: 1_420,
};
const STATS: StatsValue = {
  threads: [{ name: "io0", counters: { loops: 7 } }],
  workers: [{ name: "worker0", state: "asleep", jobs: 12 }],
  memory: { arenaBytes: 1_048_576, rssBytes: 2_097_152 },
};

test("status, peers, stats and stop speak with an engine, as text and as JSON", async () => {
  const socket = new URL(`../../src/control/socket${extname(import.meta.url)}`, import.meta.url);
  const script = `
    import { openControlSocket } from ${JSON.stringify(socket.href)};
    const socket = await openControlSocket({ name: "cli0", handlers: {
      "status.get": () => (${JSON.stringify(STATUS)}),
      "peers.get": () => [${JSON.stringify(PEER)}],
      "stats.get": () => (${JSON.stringify(STATS)}),
      "engine.stop": () => process.exit(0),
    }});
    console.log("open");`;
  const engine = spawn(process.execPath, ["--input-type=module", "-e", script], { env });
  const ended = new Promise((resolve) => engine.once("exit", resolve));
  await new Promise((resolve) => engine.stdout.once("data", resolve));
  try {
    assert.deepEqual(JSON.parse(run("status", "--json").stdout), STATUS);
    assert.deepEqual(JSON.parse(run("peers", "--json").stdout), [PEER]);
    assert.deepEqual(JSON.parse(run("stats", "--json").stdout), STATS);
    const text = run("status").stdout;
    assert.match(text, /^interface +cli0\n/);
    assert.match(text, /UDP GSO on, UDP GRO off/);
    assert.match(text, /up for +2 minutes, 5 seconds/);
    assert.match(text, /tunPackets +1,234,567 +packets/);
    assert.match(text, /noRoute +3 +packets +No peer's allowed IPs/);
    assert.doesNotMatch(text, /replayed|tunReads/);
    assert.match(
      run("peers").stdout,
      /peerkey= +10\.66\.0\.2\/32 +unknown +none .* never .* 1\.5 KiB/,
    );
    assert.match(run("stats").stdout, /loops +7[\s\S]*worker0 +asleep +12[\s\S]*1\.0 MiB shared/);
    assert.equal(run("stop", "-i", "cli0").stdout, "p2pvpn-engine: cli0 is down\n");
    assert.equal(await ended, 0);
    assert.equal(run("status", "-i", "cli0").status, 1);
  } finally {
    engine.kill("SIGKILL");
  }
});
