/**
 * key-log — tshark, another implementation, decrypts what we sent and received with our key log.
 *
 *     a: ours ── under, dumpcap ── b: wireguard-go
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { runTool } from "../../src/demo/tools.ts";
import {
  type Keys,
  makeKeys,
  makePresharedKey,
  type Plan,
  runNode,
  runWireguardGo,
  writeConfig,
} from "../lab/engines.ts";
import { cannotRun, Lab, type Program } from "../lab/lab.ts";
import { firstPing, ping } from "../lab/measure.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun(["wg", "wireguard-go", "dumpcap", "tshark"]);
let lab: Lab;
let ours: Keys;
let theirs: Keys;
before(async () => {
  if (skip !== false) return;
  lab = await Lab.make();
  ours = makeKeys(lab, lab.a, "identity");
  theirs = makeKeys(lab, lab.b, "wireguard");
});
after(() => lab?.remove());

const PINGS = 5;
/** Milliseconds that a capture may take to begin, or to hold what was sent. */
const CAPTURE_MS = 10_000;
const CHANGE_OVER_MS = 1_500;
/** Sent last: where a capture has it, it has everything before it. */
const MARKER = "the-end-of-the-capture";

/** Records host a's cable. */
const startCapture = async (file: string): Promise<Program> => {
  rmSync(file, { force: true });
  const words = ["dumpcap", "-q", "-i", "under", "-f", "udp port 51820", "-w", file];
  const capture = lab.start(lab.a, words);
  const records = () => capture.errors.includes("File:") && existsSync(file);
  await until("dumpcap records", records, CAPTURE_MS);
  return capture;
};

/** What dumpcap has not read yet when it is told to end, it leaves out. */
const endCapture = async (capture: Program, file: string): Promise<void> => {
  const send = `printf ${MARKER} > /dev/udp/${lab.b.under4}/51820`;
  await lab.must(lab.a, ["bash", "-c", send]);
  const hasEnd = () => readFileSync(file, "latin1").includes(MARKER);
  await until("the capture has its end", hasEnd, CAPTURE_MS);
  await capture.stop();
};

interface Frame {
  /** 1 initiation, 2 response, 4 data. */
  readonly type: string;
  /** Of an initiation, decrypted: the caller's public key, and the timestamp's nanoseconds. */
  readonly caller: string;
  readonly nanoseconds: string;
  /** Of a response, "1" or "True": the keys fit the whole handshake. */
  readonly handshakeOk: string;
  readonly keepalive: string;
  /** Types of inner ICMP and ICMPv6; empty when not decrypted or something else. */
  readonly icmp: string;
  readonly icmpv6: string;
  /** Inner TCP and the like would show up here. */
  readonly protocols: string;
}

const FIELDS = [
  "wg.type",
  "wg.static",
  "wg.timestamp.nanoseconds",
  "wg.handshake_ok",
  "wg.keepalive",
  "icmp.type",
  "icmpv6.type",
  "frame.protocols",
] as const;

/** What tshark makes of a capture. */
const dissect = async (capture: string, keyLog: string | null): Promise<Frame[]> => {
  const keys = keyLog === null ? [] : ["-o", `wg.keylog_file:${keyLog}`];
  const fields = FIELDS.flatMap((field) => ["-e", field]);
  const words = ["tshark", "-n", "-r", capture, ...keys, "-Y", "wg", "-T", "fields", ...fields];
  // A home of its own: preferences of whoever runs this must not count.
  const { code, output, errors } = await runTool(["env", `HOME=${lab.folder}`, ...words]);
  assert.equal(code, 0, errors);
  return output
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [type, caller, nanoseconds, handshakeOk, keepalive, icmp, icmpv6, protocols] = [
        ...line.split("\t"),
        ...FIELDS.map(() => ""),
      ] as [string, string, string, string, string, string, string, string];
      return { type, caller, nanoseconds, handshakeOk, keepalive, icmp, icmpv6, protocols };
    });
};

const isYes = (value: string): boolean => value === "1" || value === "True";
const inner = (frames: readonly Frame[], field: "icmp" | "icmpv6", type: number): number =>
  frames.filter((frame) => frame[field] === String(type)).length;

/** One tunnel, pings through it, and its capture and key log. */
const record = async (
  name: string,
  caller: "ours" | "theirs",
  plan: Plan,
): Promise<{ readonly capture: string; readonly keyLog: string }> => {
  const capture = join(lab.folder, `${name}.pcapng`);
  const keyLog = join(lab.folder, `${name}.keys`);
  const dumpcap = await startCapture(capture);
  const wireguard = await runWireguardGo(lab, lab.b, theirs, ours.publicKey, {
    ...plan,
    knowsEndpoint: caller === "theirs",
  });
  try {
    const config = writeConfig(lab, lab.a, ours, theirs.publicKey, {
      ...plan,
      knowsEndpoint: caller === "ours",
    });
    const engine = await runNode(lab, lab.a, config, { host: { keyLogFile: keyLog } });
    try {
      const [from, to] = caller === "ours" ? [lab.a, lab.b] : [lab.b, lab.a];
      await firstPing(lab, from, to.inner4);
      for (const address of [to.inner4, to.inner6]) {
        assert.equal((await ping(lab, from, address, PINGS, 50)).lost, 0);
      }
      const { counters } = await engine.sample();
      const made = caller === "ours" ? counters.handshakesInitiated : counters.handshakesAnswered;
      assert.ok(made! >= 1, `${made} handshakes`);
    } finally {
      assert.equal(await engine.program.stop(), 0, engine.program.errors);
    }
  } finally {
    await wireguard.stop();
    await endCapture(dumpcap, capture);
  }
  return { capture, keyLog };
};

/** Every handshake and every packet is read. */
const assertDecrypted = (frames: readonly Frame[], caller: Keys): void => {
  const ofType = (wanted: string): Frame[] => frames.filter(({ type }) => type === wanted);
  assert.ok(ofType("1").length >= 1 && ofType("2").length >= 1, "no handshake");
  for (const frame of ofType("1")) {
    assert.equal(frame.caller, caller.publicKey);
    assert.match(frame.nanoseconds, /^\d+$/);
    assert.equal(Number(frame.nanoseconds) % 2 ** 24, 0);
  }
  for (const frame of ofType("2")) assert.ok(isYes(frame.handshakeOk), JSON.stringify(frame));
  for (const [field, request, reply] of [
    ["icmp", 8, 0],
    ["icmpv6", 128, 129],
  ] as const) {
    assert.ok(inner(frames, field, request) >= PINGS, `${field} requests`);
    assert.ok(inner(frames, field, reply) >= PINGS, `${field} replies`);
  }
  // Our one hello is read too, and taken for an IP packet that ends at once.
  const hellos = ofType("4").filter(({ protocols }) => protocols.endsWith(":wg:ip"));
  assert.equal(hellos.length, 1);
  for (const frame of ofType("4")) {
    const read = isYes(frame.keepalive) || /wg:ip(v6)?:/.test(frame.protocols);
    assert.ok(read || hellos.includes(frame), `not decrypted: ${JSON.stringify(frame)}`);
  }
};

/** Not one packet is read. */
const assertSealed = (frames: readonly Frame[]): void => {
  assert.ok(frames.some(({ type }) => type === "4"));
  assert.equal(frames.filter(({ icmp, icmpv6 }) => icmp !== "" || icmpv6 !== "").length, 0);
};

for (const caller of ["ours", "theirs"] as const) {
  const callerKeys = (): Keys => (caller === "ours" ? ours : theirs);
  const who = caller === "ours" ? "we call" : "we are called";

  test(`${who}: tshark reads every message with the key log, and none without`, {
    skip,
  }, async () => {
    const { capture, keyLog } = await record(`plain-${caller}`, caller, {});
    assert.equal(statSync(keyLog).mode & 0o777, 0o600);
    assert.doesNotMatch(readFileSync(keyLog, "utf8"), /PRESHARED_KEY/);
    assertDecrypted(await dissect(capture, keyLog), callerKeys());
    assertSealed(await dissect(capture, null));
  });

  test(`${who}, with a preshared key: the key log needs its line`, { skip }, async () => {
    const plan: Plan = { presharedKeyFile: makePresharedKey(lab) };
    const { capture, keyLog } = await record(`psk-${caller}`, caller, plan);
    assertDecrypted(await dissect(capture, keyLog), callerKeys());
    const without = join(lab.folder, "without-psk.keys");
    const lines = readFileSync(keyLog, "utf8").split("\n");
    const kept = lines.filter((line) => !line.startsWith("PRESHARED_KEY"));
    assert.ok(kept.length < lines.length);
    writeFileSync(without, kept.join("\n"), { mode: 0o600 });
    assertSealed(await dissect(capture, without));
  });
}

test("two engines stay on what tshark reads while one has a key log", { skip }, async () => {
  const capture = join(lab.folder, "engines.pcapng");
  const keyLog = join(lab.folder, "engines.keys");
  const called = writeConfig(lab, lab.b, theirs, ours.publicKey, { knowsEndpoint: false });
  const calling = writeConfig(lab, lab.a, ours, theirs.publicKey);
  const dumpcap = await startCapture(capture);
  const b = await runNode(lab, lab.b, called);
  try {
    const a = await runNode(lab, lab.a, calling, { host: { keyLogFile: keyLog } });
    try {
      await firstPing(lab, lab.a, lab.b.inner4);
      // Two engines change over within half a second of the first packet.
      await sleep(CHANGE_OVER_MS);
      for (const address of [lab.b.inner4, lab.b.inner6]) {
        assert.equal((await ping(lab, lab.a, address, PINGS, 50)).lost, 0);
      }
    } finally {
      assert.equal(await a.program.stop(), 0, a.program.errors);
    }
  } finally {
    assert.equal(await b.program.stop(), 0, b.program.errors);
    await endCapture(dumpcap, capture);
  }
  const frames = await dissect(capture, keyLog);
  for (const [field, request, reply] of [
    ["icmp", 8, 0],
    ["icmpv6", 128, 129],
  ] as const) {
    assert.ok(inner(frames, field, request) >= PINGS, `${field} requests`);
    assert.ok(inner(frames, field, reply) >= PINGS, `${field} replies`);
  }
});

test("a key log that is there already: one sentence, and nothing starts", { skip }, async () => {
  const keyLog = join(lab.folder, "there.keys");
  writeFileSync(keyLog, "mine\n", { mode: 0o600 });
  const config = writeConfig(lab, lab.a, ours, theirs.publicKey);
  const started = runNode(lab, lab.a, config, { host: { keyLogFile: keyLog } });
  await assert.rejects(started, /there\.keys exists already; remove it or choose another name\./);
  assert.equal(readFileSync(keyLog, "utf8"), "mine\n");
});
