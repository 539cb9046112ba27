/** cli, live — commands that speak with an engine, as a user runs them, over a real socket. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type ControlHandlers,
  type ControlSocket,
  openControlSocket,
} from "../../src/control/doors/socket.ts";
import type { Change } from "../../src/schema/change.ts";
import type { LogLevel } from "../../src/schema/config.ts";
import { EngineError } from "../../src/schema/errors.ts";
import type { PeerValue } from "../../src/schema/requests.ts";
import { formatCidr } from "../../src/wire/cidr.ts";
import { cidr, keyOf, OFFICE, OTHER, ROUTES, STATS, STATUS, TWIN, textOf } from "./cli-values.ts";

const cli = fileURLToPath(new URL(`../../src/cli${extname(import.meta.url)}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "p2pvpn-live-"));
const runFolder = join(folder, "run");

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Not spawnSync: the engine's end of the socket is in this process. */
const run = (...words: string[]): Promise<Run> =>
  new Promise((resolve, reject) => {
    const env = { ...process.env, P2PVPN_RUN_DIR: runFolder, P2PVPN_DEBUG: "" };
    const child = spawn(process.execPath, [cli, ...words], { env, cwd: folder, timeout: 60_000 });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stdout, stderr }));
  });

const onLost = { removed: (): void => {} };

/** What the engine was asked. */
const asked: { changes: Change[]; rekeyed: (Uint8Array | null)[]; level: LogLevel; mtu: number } = {
  changes: [],
  rekeyed: [],
  level: "info",
  mtu: 1_420,
};

/** Whoever can be called has answered a handshake. */
const called = (peer: PeerValue): PeerValue =>
  asked.rekeyed.length === 0
    ? peer
    : { ...peer, state: "connected", cipher: "aes256gcm", lastHandshakeMs: 0 };

const handlers: ControlHandlers = {
  "status.get": () => STATUS,
  "peers.get": () => [OFFICE, called(OTHER), called(TWIN)],
  "routes.get": () => ({ routes: ROUTES, next: null }),
  "stats.get": () => STATS,
  "config.get": () => ({ "interface.mtu": asked.mtu, "interface.addresses": ["10.66.0.1/24"] }),
  "change.apply": (change) => {
    asked.changes.push(change);
    asked.mtu = change.mtu ?? asked.mtu;
    const prefix = change.peers?.[0]?.allowedIps?.[0];
    const left = prefix?.prefixLength === 0 && `${formatCidr(prefix)} gets no kernel route.`;
    return { warnings: left ? [left] : [] };
  },
  "engine.reload": () => ({
    changed: ["interface.mtu"],
    needsRestart: ["engine.threads"],
    warnings: [],
  }),
  "peers.rekey": (key) => {
    asked.rekeyed.push(key);
    return key === null ? 3 : 1;
  },
  "log.level": (level) => {
    asked.level = level ?? asked.level;
    return asked.level;
  },
  "network.explain": (subject) => ({ subject, sentences: [] }),
  "network.publish": () => {
    throw new EngineError("NO_NETWORK", { name: "cli0" });
  },
  "network.invite": () => {
    throw new EngineError("NO_NETWORK", { name: "cli0" });
  },
  "engine.stop": () => {},
};

let socket: ControlSocket;
before(async () => {
  socket = await openControlSocket({ name: "cli0", folder: runFolder, handlers, onLost });
});
beforeEach(() => {
  asked.changes.length = 0;
  asked.rekeyed.length = 0;
});
after(async () => {
  await socket.close();
  rmSync(folder, { recursive: true });
});

const good = async (...words: string[]): Promise<string> => {
  const { status, stdout, stderr } = await run(...words);
  assert.equal(stderr, "");
  assert.equal(status, 0);
  return stdout;
};

const json = async (...words: string[]): Promise<unknown> =>
  JSON.parse(await good(...words, "--json"));

const bad = async (code: number, sentence: RegExp, ...words: string[]): Promise<void> => {
  const { status, stdout, stderr } = await run(...words);
  assert.equal(stdout, "");
  assert.match(stderr, /^p2pvpn-engine: [^\n]+\n$/);
  assert.match(stderr, sentence);
  assert.equal(status, code);
  assert.deepEqual(asked.changes, []);
};

test("status", async () => {
  assert.deepEqual(await json("status"), STATUS);
  const short = await good("status");
  assert.match(
    short,
    /^cli0 {2}up 2 min {2}10\.66\.0\.2\/24 fd66::2\/64 {2}UDP 51820 {2}process 17294\n/,
  );
  assert.match(short, /^0 of 3 peers connected; 0 in, 4\.5 KiB out; drops: 3 noRoute/m);
  assert.doesNotMatch(short, /tunPackets/);
  const text = await good("status", "--all");
  assert.match(text, /^interface +cli0\n/m);
  assert.match(text, /UDP GSO on, UDP GRO off/);
  assert.match(text, /cipher +chacha20poly1305\n/);
  assert.match(text, /key log +off\n/);
  assert.match(text, /up for +2 minutes, 5 seconds/);
  assert.match(text, /tunPackets +1,234,567 +packets/);
  assert.match(text, /noRoute +3 +packets +No peer's allowed IPs/);
  assert.doesNotMatch(text, /replayed|tunReads/);
});

test("peers", async () => {
  assert.deepEqual(await json("peers"), [OFFICE, OTHER, TWIN]);
  const text = await good("peers");
  assert.match(text, /office +never connected/);
  assert.match(text, /vpn\.example\.org:51820 \(not resolved\)/);
  assert.match(text, /never.* 0 \/ 1\.5 KiB/);
});

test("routes", async () => {
  assert.deepEqual(await json("routes"), ROUTES);
  const text = await good("routes", "-i", "cli0");
  assert.match(text, /10\.66\.0\.2\/32 +office +0 +active\n/);
  assert.match(text, /10\.5\.0\.0\/16 +office +0 +eth0 has it\n/);
});

test("stats", async () => {
  assert.deepEqual(await json("stats"), STATS);
  assert.match(await good("stats"), /loops +7[\s\S]*worker0 +asleep +12[\s\S]*1\.0 MiB shared/);
});

test("reload tells what changed and what waits", async () => {
  const [changed, needsRestart] = [["interface.mtu"], ["engine.threads"]];
  const value = { interface: "cli0", changed, needsRestart, warnings: [] };
  assert.deepEqual(await json("reload"), value);
  const text = "cli0: 1 change\n  interface.mtu\nnot before the engine is started again:\n";
  assert.equal(await good("reload"), `${text}  engine.threads\n`);
});

test("peer add takes every setting of a peer", async () => {
  writeFileSync(join(folder, "psk"), `${textOf(7)}\n`, { mode: 0o600 });
  const words = ["--name", "home", "--allowed-ips", "10.7.0.1/16,fd66::7/128"];
  const more = ["--endpoint", "[fe80::1%eth0]:1", "--keepalive", "25"];
  const psk = ["--preshared-key-file", "psk"];
  const text = await good("peer", "add", textOf(3), ...words, ...more, ...psk);
  assert.equal(
    text,
    "cli0: peer home is added, until the engine stops or reloads; no file is written\n",
  );
  const peer = {
    publicKey: keyOf(3),
    name: "home",
    presharedKey: keyOf(7),
    endpoint: { host: "fe80::1%eth0", port: 1 },
    persistentKeepaliveS: 25,
    replaceAllowedIps: true,
    allowedIps: [cidr("10.7.0.0/16"), cidr("fd66::7/128")],
  };
  assert.deepEqual(asked.changes, [{ peers: [peer] }]);
});

test("peer add changes only what is given of a peer that is known", async () => {
  const value = { interface: "cli0", wireguardPublicKey: textOf(1), added: false };
  assert.deepEqual(await json("peer", "add", textOf(1), "--keepalive", "0"), value);
  assert.deepEqual(asked.changes, [{ peers: [{ publicKey: keyOf(1), persistentKeepaliveS: 0 }] }]);
});

test("peer add refuses what another peer has, and the host itself", async () => {
  // What is refused is no peer, and so no advice may name it.
  const instead = "take it from there with `p2pvpn-engine route remove 10.5.0.0/16`, then add";
  const taken = new RegExp(`10.5.0.0/16 leads to office already; ${instead} this one again.$`, "m");
  await bad(2, taken, "peer", "add", textOf(3), "--allowed-ips", "10.5.0.9/16");
  const known = new RegExp(`to move it, run .*route add 10.5.0.0/16 --peer ${textOf(2)}`);
  await bad(2, known, "peer", "add", textOf(2), "--allowed-ips", "10.5.0.9/16");
  await bad(
    2,
    /Another peer of cli0 is called OFFICE already/,
    "peer",
    "add",
    textOf(3),
    "--name",
    "OFFICE",
  );
  await bad(
    2,
    /This is the public key of cli0 itself; give the peer's\./,
    "peer",
    "add",
    textOf(9),
  );
});

test("a peer is named by name, by key and by how its key begins", async () => {
  for (const [word, n] of [
    ["office", 1],
    ["Office", 1],
    [textOf(2), 2],
    [textOf(1).slice(0, 4), 1],
  ] as const) {
    asked.changes.length = 0;
    const value = { interface: "cli0", wireguardPublicKey: textOf(n), removed: true };
    assert.deepEqual(await json("peer", "remove", word), value);
    assert.deepEqual(asked.changes, [{ peers: [{ publicKey: keyOf(n), remove: true }] }]);
  }
  asked.changes.length = 0;
  await bad(1, /No peer of cli0 is called AQE; `p2pvpn/, "peer", "remove", textOf(1).slice(0, 3));
  await bad(1, /No peer of cli0 is called nobody;/, "peer", "remove", "nobody");
  const several = /Several peers of cli0 have a key that begins with AgIC/;
  await bad(2, several, "peer", "remove", textOf(2).slice(0, 4));
});

test("route add moves a prefix, and says from whom", async () => {
  const { stdout } = await run("route", "add", "10.5.1.2/16", "--peer", textOf(2));
  assert.ok(stdout.startsWith(`cli0: 10.5.0.0/16 leads to ${textOf(2)} (it led to office), until`));
  const peer = { publicKey: keyOf(2), updateOnly: true, allowedIps: [cidr("10.5.0.0/16")] };
  assert.deepEqual(asked.changes, [{ peers: [peer] }]);
  const value = { interface: "cli0", prefix: "fd67::/64", wireguardPublicKey: textOf(1) };
  assert.deepEqual(await json("route", "add", "fd67::/64", "--peer", "office"), value);
});

test("what the kernel does not route is said on stderr, and the change is made", async () => {
  for (const json of [[], ["--json"]]) {
    const add = ["route", "add", "0.0.0.0/0", "--peer", "office", ...json];
    const { status, stderr } = await run(...add);
    assert.equal(status, 0);
    assert.equal(stderr, "p2pvpn-engine: 0.0.0.0/0 gets no kernel route.\n");
  }
  assert.match(await good("routes"), /10\.5\.0\.0\/16 +office +0 +eth0 has it\n/);
});

test("route remove takes a prefix from whoever has it, or from the one that is named", async () => {
  for (const named of [[], ["--peer", "office"]]) {
    asked.changes.length = 0;
    assert.match(
      await good("route", "remove", "10.5.0.0/16", ...named),
      /^cli0: 10\.5\.0\.0\/16 leads nowhere, until/,
    );
    const removedAllowedIps = [cidr("10.5.0.0/16")];
    const peer = { publicKey: keyOf(1), updateOnly: true, removedAllowedIps };
    assert.deepEqual(asked.changes, [{ peers: [peer] }]);
  }
  asked.changes.length = 0;
  await bad(1, /10\.9\.0\.0\/16 is no route; `p2pvpn/, "route", "remove", "10.9.0.0/16");
  const wrong = new RegExp(`10\\.5\\.0\\.0/16 is no route of ${textOf(2).slice(0, 20)}`);
  await bad(1, wrong, "route", "remove", "10.5.0.0/16", "--peer", textOf(2));
});

test("config get and set", async () => {
  assert.equal(await good("config", "get", "interface.mtu"), "1420\n");
  assert.equal(await json("config", "get", "interface.mtu"), 1_420);
  assert.equal(
    await good("config", "get"),
    'interface.mtu = 1420\ninterface.addresses = ["10.66.0.1/24"]\n',
  );
  const sentence = "until the engine stops or reloads; no file is written";
  assert.equal(
    await good("config", "set", "interface.mtu", "1380"),
    `cli0: interface.mtu = 1380, ${sentence}\n`,
  );
  await good("config", "set", "interface.fwmark", "0xca6c");
  await good("config", "set", "interface.listen_port", "0");
  assert.deepEqual(asked.changes, [{ mtu: 1_380 }, { fwmark: 0xca6c }, { listenPort: 0 }]);
  await good("config", "set", "engine.log_level", "debug");
  assert.equal(asked.level, "debug");
  asked.changes.length = 0;
  await bad(
    2,
    /peer\.endpoint is told by `p2pvpn-engine peers -i cli0`/,
    "config",
    "get",
    "peer.endpoint",
  );
});

test("rekey and log-level", async () => {
  const lines = [
    "cli0: new keys with 2 of 3 peers",
    "office: not called, its address is not known or cli0 is down",
    `${textOf(2)}: new keys, connected, AES`,
    `${TWIN.wireguardPublicKey}: new keys, connected, AES`,
  ];
  assert.equal(await good("rekey"), `${lines.join("\n  ")}\n`);
  const peer = { name: null, wireguardPublicKey: textOf(2), outcome: "done" };
  const value = { interface: "cli0", handshakes: 1, peers: [peer] };
  assert.deepEqual(await json("rekey", "--peer", textOf(2)), value);
  assert.deepEqual(asked.rekeyed, [null, keyOf(2)]);
  assert.match(await good("log-level", "warn"), /^cli0: warn is logged, until the engine stops/);
  assert.equal(await good("log-level"), "warn\n");
});

test("what the engine refuses is its sentence and its exit code", async () => {
  const refusing = await openControlSocket({
    onLost,
    name: "cli1",
    folder: runFolder,
    handlers: {
      ...handlers,
      "engine.reload": () => {
        throw new EngineError("CONFIG_INVALID", { file: "x.toml", reason: "line 1: no." });
      },
      "change.apply": () => {
        throw new EngineError("PORT_TAKEN", { port: 53 });
      },
    },
  });
  try {
    await bad(2, /engine: x\.toml: line 1: no\. Nothing has changed\.\n$/, "reload", "cli1");
    const taken = /UDP port 53 is in use; stop what uses it or set another listen_port\.\n$/;
    await bad(1, taken, "config", "set", "interface.listen_port", "53", "-i", "cli1");
    // The one that has it, by its status.
    const held = /UDP port 51820 is in use by the engine on cli0 \(process 17294\); stop it with /;
    await bad(1, held, "config", "set", "interface.listen_port", "51820", "-i", "cli1");
    await bad(2, /Several engines are running \(cli0, cli1\); choose one with -i IFACE\./, "rekey");
    const elsewhere = /No engine is running on nope; there is one on cli0 and one on cli1\.$/m;
    await bad(1, elsewhere, "peers", "-i", "nope");
    await bad(2, /Several engines are running/, "status", "--json");
    for (const command of ["status", "peers", "routes", "stats"]) {
      const text = await good(command);
      assert.match(text, /^cli0:\n.+\n\ncli1:\n/s, command);
      assert.ok(!(await good(command, "cli1")).includes("cli0:"), command);
    }
  } finally {
    await refusing.close();
  }
});

test("stop waits until the engine is gone", async () => {
  const script = `
    import { openControlSocket } from ${JSON.stringify(
      new URL(`../../src/control/doors/socket${extname(import.meta.url)}`, import.meta.url).href,
    )};
    const onLost = { removed: () => {} };
    const handlers = { "engine.stop": () => process.exit(0) };
    await openControlSocket({ name: "cli2", onLost, handlers });
    console.log("open");`;
  const env = { ...process.env, P2PVPN_RUN_DIR: runFolder };
  const engine = spawn(process.execPath, ["--input-type=module", "-e", script], { env });
  const ended = new Promise((resolve) => engine.once("exit", resolve));
  await new Promise((resolve) => engine.stdout.once("data", resolve));
  try {
    assert.equal(await good("stop", "-i", "cli2"), "p2pvpn-engine: cli2 is down\n");
    assert.equal(await ended, 0);
    assert.equal((await run("status", "-i", "cli2")).status, 1);
  } finally {
    engine.kill("SIGKILL");
  }
});
