/** uapi — `wg` on p2pvpn-wireguard, beside what it does on wireguard-go. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inside, mustRun, runTool, type ToolResult } from "../../src/demo/tools.ts";
import { type Keys, makeKeys, makePresharedKey, PORT, runWireguardGo } from "../lab/engines.ts";
import { cannotRun, type Host, Lab, type Program, wireguardName } from "../lab/lab.ts";
import { firstPing, flow, ping, programSeconds } from "../lab/measure.ts";
import { until } from "../lab/until.ts";
import {
  controlSocketOf,
  dropInWords,
  endDropIn,
  handlesOf,
  onlyProgram,
  runDropIn,
  socketOf,
  tookMs,
  untilGone,
} from "./drop-in.ts";

const skip = cannotRun(["iperf3", "wg", "wireguard-go"]);
/** Processor time for 130,000 allowed IPs, which a busy machine does not make longer. */
const LONGEST_SECONDS = 2;
let lab: Lab;
let ours: Keys;
let theirs: Keys;
before(async () => {
  if (skip !== false) return;
  lab = await Lab.make();
  ours = makeKeys(lab, lab.a, "wireguard");
  theirs = makeKeys(lab, lab.b, "wireguard");
});
after(() => lab?.remove());

const ip = (host: Host, ...words: string[]): Promise<string> => lab.must(host, ["ip", ...words]);
const wg = (host: Host, ...words: string[]): Promise<string> => lab.must(host, ["wg", ...words]);

const withDropIn = async (body: (name: string) => Promise<void>): Promise<void> => {
  const name = wireguardName(lab.a);
  const { code, output, errors } = await runDropIn(lab, lab.a, name);
  assert.deepEqual({ code, output, errors }, { code: 0, output: "", errors: "" });
  try {
    await body(name);
  } finally {
    await endDropIn(lab, lab.a, name);
  }
};

test("it returns when device and socket are there, and keeps nothing of the shell's", {
  skip,
}, async () => {
  const name = wireguardName(lab.a);
  const held = join(lab.folder, "held");
  const words = dropInWords(lab, name).map((word) => `'${word}'`);
  // Below and above where node looks by itself.
  const script = `exec 7>"${held}" 37>"${held}" 250>"${held}"; ${words.join(" ")} 9>"${held}"`;
  const blank = () => tookMs(() => lab.must(lab.a, [process.execPath, "-e", "0"]));
  const beforeMs = await blank();
  let result: ToolResult | null = null;
  const startMs = await tookMs(async () => {
    result = await lab.run(lab.a, ["bash", "-c", script]);
  });
  const blankMs = Math.max(beforeMs, await blank());
  try {
    assert.deepEqual(result, { code: 0, output: "", errors: "" });
    // 0.4 s where node itself takes 0.04 s; a busy machine makes both longer.
    assert.ok(startMs < 20 * blankMs, `${startMs} ms, and ${blankMs} ms for node itself`);
    const link = await ip(lab.a, "link", "show", name);
    assert.match(link, /mtu 1420/);
    assert.doesNotMatch(link, /[<,]UP[,>]/);
    assert.equal(statSync(socketOf(name)).mode & 0o777, 0o600);
    assert.equal(statSync("/var/run/wireguard").mode & 0o777, 0o700);
    const pid = await onlyProgram(lab, lab.a);
    const handles = handlesOf(pid);
    assert.equal(handles.filter((handle) => handle === held).length, 0);
    assert.equal(handles.filter((handle) => handle === "/dev/null").length >= 3, true);
    assert.deepEqual((await wg(lab.a, "show", "interfaces")).split(/\s+/).includes(name), true);
    assert.match(await wg(lab.a, "show", name), /^interface: \S+\n {2}listening port: \d+\n*$/);
  } finally {
    await endDropIn(lab, lab.a, name);
  }
});

/** What `wg showconf` says, in an order of its own. */
const configOf = async (host: Host): Promise<string[]> => {
  const text = await wg(host, "showconf", wireguardName(host));
  const sections = text.trim().split(/\n\n/);
  return sections
    .map((section) =>
      section.replace(
        /(AllowedIPs = )(.*)/,
        (_, head: string, list: string) => `${head}${list.split(", ").sort().join(", ")}`,
      ),
    )
    .sort();
};

const key = (byte: number): string => Buffer.alloc(32, byte).toString("base64");

test("set, setconf, addconf, syncconf and showconf do what they do on wireguard-go", {
  skip,
}, async () => {
  const other: Program = lab.start(lab.b, ["wireguard-go", "-f", wireguardName(lab.b)]);
  try {
    await until("wireguard-go is there", () => existsSync(socketOf(wireguardName(lab.b))));
    await withDropIn(async () => {
      const file = join(lab.folder, "conf");
      const both = async (command: string, ...rest: string[]): Promise<void> => {
        for (const host of [lab.a, lab.b]) await wg(host, command, wireguardName(host), ...rest);
        assert.deepEqual(await configOf(lab.a), await configOf(lab.b), `${command} ${rest}`);
      };
      const conf = (command: string, ...lines: string[]): Promise<void> => {
        writeFileSync(file, `${lines.join("\n")}\n`);
        return both(command, file);
      };
      const device = ["[Interface]", `PrivateKey = ${readFileSync(ours.file, "utf8").trim()}`];
      const peer = (byte: number, ...lines: string[]) => [
        "[Peer]",
        `PublicKey = ${key(byte)}`,
        ...lines,
      ];
      const psk = makePresharedKey(lab);
      await conf(
        "setconf",
        ...device,
        "ListenPort = 40000",
        "FwMark = 0xca6c",
        ...peer(9, "AllowedIPs = 10.1.0.0/16, fd01::/64, 0.0.0.0/0", "PersistentKeepalive = 25"),
        ...peer(10, "AllowedIPs = 10.2.0.0/16", `PresharedKey = ${key(7)}`),
        ...peer(11, "Endpoint = [2001:db8::2]:1234", "AllowedIPs = 10.1.2.3/32, ::/0"),
      );
      await both("set", "peer", key(10), "allowed-ips", "10.1.0.0/16,10.3.0.0/16");
      await both("set", "peer", key(9), "preshared-key", psk, "persistent-keepalive", "0");
      await both("set", "peer", key(9), "preshared-key", "/dev/null");
      await both("set", "fwmark", "0", "peer", key(11), "remove");
      await both("set", "peer", key(12), "endpoint", "192.0.2.2:7");
      await conf("addconf", ...peer(13, "AllowedIPs = 10.4.0.0/16"));
      await conf(
        "syncconf",
        ...device,
        "ListenPort = 40001",
        ...peer(13, "AllowedIPs = 10.5.0.0/16, 10.4.0.0/17"),
        ...peer(14, "AllowedIPs = 10.6.0.0/16"),
      );
      const port = "ListenPort = 40002"; // without it any would be taken
      await conf("setconf", ...device, port, ...peer(14, "AllowedIPs = 10.6.0.0/16"), ...peer(13));
      await conf("setconf", "[Interface]", port);
    });
  } finally {
    await other.stop();
  }
});

const PREFIXES = 130_000;

test("130,000 allowed IPs go through setconf and show in under two seconds each", {
  skip,
}, async () => {
  await withDropIn(async (name) => {
    const prefixes = Array.from({ length: PREFIXES }, (_, i) =>
      i % 2 === 0
        ? `10.${i >> 16}.${(i >> 8) & 0xff}.${i & 0xff}/32`
        : `fd00:${((i >> 8) + 1).toString(16)}:${((i & 0xff) + 1).toString(16)}::/64`,
    );
    const file = join(lab.folder, "many.conf");
    const lines = ["[Peer]", `PublicKey = ${key(9)}`];
    for (let i = 0; i < PREFIXES; i += 100) {
      lines.push(`AllowedIPs = ${prefixes.slice(i, i + 100).join(", ")}`);
    }
    writeFileSync(file, `${lines.join("\n")}\n`);
    const shown = join(lab.folder, "many.shown");
    const script = `wg show ${name} allowed-ips >"${shown}"`;
    const setting = () => wg(lab.a, "setconf", name, file);
    const showing = () => lab.must(lab.a, ["sh", "-c", script]);
    const pid = await onlyProgram(lab, lab.a);
    const spent = async (work: () => Promise<unknown>): Promise<number> => {
      const before = programSeconds([pid]);
      await work();
      return programSeconds([pid]) - before;
    };
    const setSeconds = await spent(setting);
    const showSeconds = await spent(showing);
    const [peer, ...found] = readFileSync(shown, "utf8").trim().split(/\s+/);
    assert.equal(peer, key(9));
    assert.deepEqual(found.sort(), prefixes.sort());
    const took = `setconf ${setSeconds} s, show ${showSeconds} s`;
    assert.ok(setSeconds < LONGEST_SECONDS && showSeconds < LONGEST_SECONDS, took);
  });
});

/** Ours on a, set up by `wg` and `ip`, with wireguard-go on b. */
const withTunnel = async (body: (name: string) => Promise<void>): Promise<void> => {
  const wireguard = await runWireguardGo(lab, lab.b, theirs, ours.publicKey, {
    knowsEndpoint: false,
  });
  try {
    await withDropIn(async (name) => {
      await wg(lab.a, "set", name, "private-key", ours.file, "listen-port", String(PORT));
      const peer = ["peer", theirs.publicKey, "endpoint", `${lab.b.under4}:${PORT}`];
      const allowed = ["allowed-ips", `${lab.b.inner4}/32,${lab.b.inner6}/128`];
      await wg(lab.a, "set", name, ...peer, ...allowed);
      await ip(lab.a, "address", "add", `${lab.a.inner4}/24`, "dev", name);
      await ip(lab.a, "address", "add", `${lab.a.inner6}/64`, "dev", name, "nodad");
      await ip(lab.a, "link", "set", name, "up");
      await body(name);
    });
  } finally {
    await wireguard.stop();
  }
};

test("a tunnel set up by wg carries traffic; show tells of it", { skip }, async () => {
  await withTunnel(async (name) => {
    await firstPing(lab, lab.a, lab.b.inner4);
    assert.equal((await ping(lab, lab.b, lab.a.inner6, 20, 10)).lost, 0);
    assert.ok((await flow(lab, lab.a, lab.b.inner4, { seconds: 1 })).megabitsPerSecond > 20);
    const dump = (await wg(lab.a, "show", name, "dump")).trim().split("\n");
    const [, psk, endpoint, allowed, handshake, received, sent, keepalive] = dump[1]!.split("\t");
    assert.equal(dump[0]!.split("\t")[1], ours.publicKey);
    assert.deepEqual([psk, endpoint, keepalive], ["(none)", `${lab.b.under4}:${PORT}`, "off"]);
    assert.deepEqual(allowed!.split(",").sort(), [`${lab.b.inner4}/32`, `${lab.b.inner6}/128`]);
    assert.ok(Math.abs(Date.now() / 1_000 - Number(handshake)) < 30, handshake);
    assert.ok(Number(received) > 10_000 && Number(sent) > 1_000_000, `${received} ${sent}`);
  });
});

test("a refused change is told by wg, and the tunnel goes on as it was", { skip }, async () => {
  await withTunnel(async (name) => {
    await firstPing(lab, lab.a, lab.b.inner4);
    const take = `require("node:dgram").createSocket("udp4").bind(45000, () => console.log("up"))`;
    const taker = lab.start(lab.a, [process.execPath, "-e", take]);
    await taker.says("up");
    const before = await wg(lab.a, "showconf", name);
    const words = ["wg", "set", name, "listen-port", "45000", "peer", key(9)];
    const refused = await lab.run(lab.a, words);
    assert.equal(refused.code, 1);
    assert.match(refused.errors, /^Unable to modify interface: /);
    assert.equal(await wg(lab.a, "showconf", name), before);
    await taker.stop();
    assert.equal((await ping(lab, lab.a, lab.b.inner4, 10, 10)).lost, 0);
    await wg(lab.a, "set", name, "listen-port", "45000");
    await firstPing(lab, lab.a, lab.b.inner4);
    assert.equal(
      (await wg(lab.b, "show", wireguardName(lab.b), "endpoints")).includes(":45000"),
      true,
    );
  });
});

test("the device is renamed, set down and up", { skip }, async () => {
  await withTunnel(async (name) => {
    await firstPing(lab, lab.a, lab.b.inner4);
    const other = `${name.slice(0, -1)}c`;
    await ip(lab.a, "link", "set", name, "down");
    await ip(lab.a, "link", "set", name, "name", other);
    await until(
      "the socket moves",
      () => existsSync(socketOf(other)) && !existsSync(socketOf(name)),
    );
    assert.match(await wg(lab.a, "show", other), /interface: /);
    assert.equal((await ping(lab, lab.b, lab.a.inner4, 2, 100)).times.length, 0);
    await ip(lab.a, "link", "set", other, "up");
    await ip(lab.a, "address", "replace", `${lab.a.inner4}/24`, "dev", other);
    await firstPing(lab, lab.a, lab.b.inner4);
    await ip(lab.a, "link", "set", other, "down");
    await ip(lab.a, "link", "set", other, "name", name);
    await until("the socket comes back", () => existsSync(socketOf(name)));
  });
});

/** More than two looks at a device that is out of sight (control/host.ts). */
const LOOKS_MS = 2_500;

test("the device goes to a third namespace; its sockets stay", { skip }, async () => {
  const third = lab.a.namespace.replace(/a$/, "c");
  await withTunnel(async (name) => {
    await firstPing(lab, lab.a, lab.b.inner4);
    // Not inside `ip netns exec`, whose mounts nobody else sees.
    const outside = (...words: string[]) => mustRun(["ip", ...words]);
    await outside("netns", "add", third);
    try {
      await outside("-netns", lab.a.namespace, "link", "set", name, "netns", third);
      await outside("-netns", third, "link", "set", "lo", "up");
      await outside("-netns", third, "address", "add", `${lab.a.inner4}/24`, "dev", name);
      await outside("-netns", third, "link", "set", name, "up");
      const pings = inside(third, ["ping", "-c", "1", "-W", "1", lab.b.inner4]);
      await until("it answers", async () => (await runTool(pings)).code === 0);
      assert.match(await wg(lab.a, "show", name, "endpoints"), /192\.0\.2\.2:51820/);
      assert.equal(existsSync(socketOf(name)), true);
      // Nothing is written to it but what comes through the tunnel, while it is looked after.
      const received = async (): Promise<number> => {
        const [link] = JSON.parse(
          await outside("-netns", third, "-json", "-s", "link", "show", name),
        );
        return link.stats64.rx.packets;
      };
      const before = await received();
      await sleep(LOOKS_MS);
      assert.equal(await received(), before);
      // Set down, it leaves its port; set up, it takes it again.
      const sockets = () => lab.must(lab.a, ["ss", "-Hlun", `sport = :${PORT}`]);
      await outside("-netns", third, "link", "set", name, "down");
      await until("it is seen to be down", async () => (await sockets()).trim() === "");
      await outside("-netns", third, "link", "set", name, "up");
      await until("it answers again", async () => (await runTool(pings)).code === 0);
    } finally {
      await outside("netns", "delete", third);
    }
    // The device went with its namespace.
    await untilGone(lab, lab.a, name);
  });
});

// biome-ignore format: a table
const ENDS: readonly (readonly [string, (name: string, pid: number) => Promise<unknown>])[] = [
  ["the device's deletion", (name) => ip(lab.a, "link", "delete", name)],
  ["SIGTERM", async (_, pid) => process.kill(pid, "SIGTERM")],
  ["SIGINT", async (_, pid) => process.kill(pid, "SIGINT")],
  ["removal of the socket", async (name) => rmSync(socketOf(name))],
];

for (const [what, end] of ENDS) {
  test(`${what} ends it, and nothing is left`, { skip }, async () => {
    await withDropIn(async (name) => {
      await end(name, await onlyProgram(lab, lab.a));
      await untilGone(lab, lab.a, name);
      assert.doesNotMatch(await ip(lab.a, "-brief", "link"), new RegExp(`\\b${name}\\b`));
    });
  });
}

const shell = (...words: string[]): string => words.map((word) => `'${word}'`).join(" ");

/** Starts one that has to fail; nothing of it may be left. */
const refuse = async (
  words: readonly string[],
  exit: number,
  sentence: RegExp,
  name = wireguardName(lab.a),
): Promise<void> => {
  const links = await ip(lab.a, "-brief", "link");
  const there = existsSync(socketOf(name));
  const { code, output, errors } = await lab.run(lab.a, words);
  assert.equal(code, exit, errors);
  assert.equal(output, "");
  assert.match(errors, /^p2pvpn-wireguard: [^\n]+\n$/);
  assert.match(errors, sentence);
  assert.equal(await ip(lab.a, "-brief", "link"), links);
  assert.equal(existsSync(socketOf(name)), there);
  assert.equal(existsSync(controlSocketOf(lab, name)), there);
};

test("what it says no to: one sentence, nothing left behind", { skip }, async () => {
  const name = wireguardName(lab.a);
  const words = dropInWords(lab, name);
  await refuse(dropInWords(lab), 2, /the interface's name is missing; see/);
  await refuse(dropInWords(lab, "wg0", "wg1"), 2, /one interface at a time, not 'wg0 wg1'/);
  await refuse(dropInWords(lab, "--frob", name), 2, /unknown option '--frob'/);
  for (const bad of ["a/b", "..", "all", "sixteen-letters-"]) {
    await refuse(dropInWords(lab, bad), 2, /an interface's name is 1 to 15 letters/);
  }
  for (const flag of [[], ["-f"]]) {
    const own = dropInWords(lab, ...flag, name);
    await ip(lab.a, "link", "add", name, "type", "bridge");
    await refuse(own, 1, /The interface \S+ is in use already/);
    await ip(lab.a, "link", "delete", name);
    const hide = `mount -t tmpfs none /dev/net && ${shell(...own)}`;
    await refuse(["unshare", "--mount", "sh", "-c", hide], 1, /\/dev\/net\/tun is not there/);
    const powerless = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"];
    await refuse([...powerless, ...own], 1, /was refused; run as root or with CAP_NET_ADMIN/);
  }
  const taker = lab.start(lab.b, ["wireguard-go", "-f", name]);
  await until("wireguard-go is there", () => existsSync(socketOf(name)));
  const { code, errors } = await lab.run(lab.a, words);
  assert.equal(code, 1);
  assert.match(errors, /^p2pvpn-wireguard: The WireGuard socket \S+ belongs to another program/);
  assert.match(await wg(lab.b, "show", name), /interface: /);
  await taker.stop();
});

test("in the foreground it stays, and a signal ends it with 0", { skip }, async () => {
  const name = wireguardName(lab.a);
  const program = lab.start(lab.a, dropInWords(lab, "--foreground", name));
  await until("its socket is there", () => existsSync(socketOf(name)));
  await sleep(200);
  assert.equal(program.child.exitCode, null);
  assert.equal(await program.stop(), 0, program.errors);
  assert.equal(existsSync(socketOf(name)), false);
});
