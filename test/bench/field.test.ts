/** field — floods and what came of them, the flooder's arguments, rivals that are not there. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Done } from "../../bench/cells.ts";
import { readOptions } from "../../bench/options.ts";
import { openvpn } from "../../bench/rivals/openvpn.ts";
import { paperScenario, paperTelling } from "../../bench/scenario/paper.ts";
import { mac1Key } from "../../src/control/handshake/noise.ts";
import { addon } from "../../src/io/native/addon.ts";
import { compile } from "../lab/compile.ts";
import { arrived, type Counters, type Field, receiveDrops } from "../lab/field.ts";
import { FLOOD_CLASSES, pack, type Tunnel, unpack } from "../lab/floods.ts";
import { meanBetween } from "../lab/measure.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-field-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const SECOND_NS = 1_000_000_000n;
const counters = (seconds: bigint, received: number, x: number, a: number): Counters => ({
  ...{ atNs: seconds * SECOND_NS, received, entered: { a, b: 0, s: 0, x } },
  ...{ switchDrops: Number(seconds), socketDrops: 0 },
});

test("of a flood came what was received less what others sent, and no more than was sent", () => {
  const before = counters(1n, 1_000, 5, 7);
  const after2 = (received: number, x: number, a: number): Counters =>
    counters(3n, 1_000 + received, 5 + x, 7 + a);
  const whole = arrived(before, after2(30_000_000, 25_000_000, 5_000_000), ["a"]);
  assert.deepEqual([whole.attackOfferedMbps, whole.attackAchievedMbps], [100, 100]);
  assert.equal(whole.switchDrops, 2);
  const lost = arrived(before, after2(20_000_000, 25_000_000, 5_000_000), ["a"]);
  assert.equal(lost.attackAchievedMbps, 60);
  const more = arrived(before, after2(40_000_000, 25_000_000, 5_000_000), ["a"]);
  assert.equal(more.attackAchievedMbps, 100);
  assert.equal(arrived(before, after2(0, 0, 5_000_000), ["a"]).attackAchievedMbps, 0);
});

test("drops of sockets and seconds of iperf3 are read", () => {
  const snmp =
    "Ip: A B\nIp: 1 2\nUdp: InDatagrams NoPorts InErrors RcvbufErrors\nUdp: 5 0 9 8\nUdpLite: A\n";
  assert.equal(receiveDrops(snmp), 8);
  assert.equal(receiveDrops(""), 0);
  const second = (from: number, rate: number, tail = ""): string =>
    `[  5]   ${from}.00-${from + 1}.00   sec  1.2 MBytes  ${rate} Mbits/sec${tail}\n`;
  const output = second(0, 10) + second(1, 100) + second(2, 0) + second(3, 50);
  const summary = "[  5]   0.00-4.00   sec  9 MBytes  999 Mbits/sec                  receiver\n";
  assert.equal(meanBetween(output + summary, 1, 4), 50);
  // What was never told of carried nothing.
  assert.equal(meanBetween(output, 1, 11), 15);
  assert.equal(meanBetween("", 0, 1), 0);
});

const tunnelOf = (dataTypes: readonly number[]): Tunnel =>
  ({ publicKey: Buffer.alloc(32, 7).toString("base64"), dataTypes }) as unknown as Tunnel;
const payloads = (id: string, ...types: number[]): Promise<readonly Uint8Array[]> =>
  FLOOD_CLASSES.find((kind) => kind.id === id)!.payloads({} as Field, tunnelOf(types));

test("floods are made of what their names say", async () => {
  assert.ok((await payloads("junk")).every(({ length }) => length === 1_400));
  assert.ok((await payloads("small")).every(({ length }) => length === 64));
  const stray = (await payloads("index", 4)).map((one) => Buffer.from(one));
  assert.ok(stray.every((one) => one.length === 1_452 && one.readUInt32LE(0) === 4));
  assert.ok(new Set(stray.map((one) => one.readUInt32LE(4))).size > stray.length - 10);
  const mixed = await payloads("spoofed", 4, 8);
  assert.deepEqual([...new Set(mixed.map(([type]) => type))], [4, 8]);
  const mac = new Uint8Array(16);
  for (const [types, type] of [
    [[4], 1],
    [[4, 8], 5],
  ] as const) {
    for (const one of [
      ...(await payloads("mac1", ...types)),
      ...(await payloads("onlink6", ...types)),
    ]) {
      addon.blake2sMac(mac, mac1Key(Buffer.alloc(32, 7)), one.subarray(0, 116));
      assert.deepEqual([one[0], one.length], [type, 148]);
      assert.deepEqual(one.subarray(116, 132), mac);
    }
  }
});

test("what a flooder reads is what was packed, and a record cut short is none", () => {
  const datagrams = [Uint8Array.of(1, 2, 3), new Uint8Array(1_472).fill(9), Uint8Array.of()];
  const packed = pack(datagrams);
  const plain = (all: readonly Uint8Array[]): number[][] => all.map((one) => [...one]);
  assert.deepEqual(plain(unpack(packed)), plain(datagrams));
  assert.deepEqual(plain(unpack(packed.subarray(0, 6))), plain(datagrams.slice(0, 1)));
});

test("the flooder refuses what is not the laboratory's, and what has no bound", () => {
  const flooder = compile({ folder }, "flooder");
  const file = join(folder, "payloads");
  writeFileSync(file, pack([Uint8Array.of(1)]));
  const run = (...words: string[]): readonly [number | null, string] => {
    const { status, stderr } = spawnSync(flooder, words, { encoding: "utf8", timeout: 5_000 });
    return [status, stderr];
  };
  const right = ["127.0.0.1:40000", "127.0.0.1", "9", file, "1", "1"];
  const wrong: readonly (readonly [number, string])[] = [
    ...([
      [0, "8.8.8.8:5"],
      [0, "192.0.2.1:0"],
      [0, "192.0.2.1"],
      [0, "198.18.0.0/14"],
    ] as const),
    ...([
      [0, "198.18.0.0/33"],
      [0, "2001:db8::/64"],
      [0, "2001:db9::/64"],
      [1, "192.0.3.1"],
      [1, "198.20.0.1"],
      [1, "name"],
    ] as const),
    ...([
      [2, "0"],
      [2, "65536"],
      [2, "9x"],
      [4, "0"],
      [4, "-1"],
      [5, "0"],
      [5, "901"],
    ] as const),
  ];
  for (const [at, word] of wrong) {
    const words = right.map((usual, i) => (i === at ? word : usual));
    const [code, said] = run(...words);
    assert.equal(code, 2, `${words.join(" ")}: ${said}`);
    assert.match(said, /^usage: flooder SOURCE/);
  }
  assert.equal(run(...right.slice(1))[0], 2);
  const recorder = compile({ folder }, "recorder");
  for (const words of [[], ["absent0", "9", "1", "1", file], ["lo", "9", "8193", "1", file]]) {
    assert.equal(spawnSync(recorder, words).status, 2, words.join(" "));
  }
  // Whoever may have no priority reads the same.
  chmodSync(folder, 0o755);
  const nobody = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const { stderr } = spawnSync(flooder, right.slice(1), { encoding: "utf8", ...nobody });
  assert.match(stderr, /^usage: flooder SOURCE/);
  const absent = right.map((usual, i) => (i === 3 ? join(folder, "absent") : usual));
  assert.deepEqual(run(...absent), [1, "flooder: No such file or directory\n"]);
  writeFileSync(file, Uint8Array.of(9, 0, 1));
  assert.equal(run(...right)[0], 1);
});

const scenarioOf = (...words: string[]) =>
  paperScenario(readOptions(["--scenario", "paper", ...words], {})!, "0.0.0", folder);

test("a rival that is not there has a row that names its package, and the rest runs", async (t) => {
  const { PATH } = process.env;
  t.after(() => {
    process.env.PATH = PATH;
  });
  process.env.PATH = folder;
  const about = await scenarioOf("--only", "openvpn,n2n-direct,p2pvpn");
  const { tasks, missing } = about;
  assert.deepEqual(
    missing.map(({ id }) => id),
    ["openvpn", "n2n-direct"],
  );
  assert.match(missing[0]!.why, /^OpenVPN, AES-256-GCM is not there; run `apt-get install .*`\.$/);
  assert.ok(tasks.length > 0 && tasks.every(({ scheme }) => scheme.startsWith("p2pvpn-")));
  const row = paperTelling.rows(about, []).find(({ id }) => id === openvpn.id)!;
  assert.deepEqual([row.runs, row.latencyMs, row.note], [0, null, missing[0]!.why]);
});

const done = (work: string, attackMbps: number, came: number, figure: Done["figures"]): Done => ({
  ...{ scenario: "paper", scheme: "p2pvpn-aes-node20", work, attackMbps, run: 1 },
  ...{ class: attackMbps === 0 ? null : "junk", at: "", tookSeconds: 1, loadAverage: 0 },
  ...{ figures: { ...figure, attackAchievedMbps: came }, failed: null },
});

test("the table has the paper's columns and figures; a weak flood is marked", async () => {
  const scenario = await scenarioOf("--only", "p2pvpn");
  const loads = new Set(scenario.tasks.map((task) => `${task.class} ${task.attackMbps}`));
  assert.deepEqual([...loads], ["null 0", "junk 100", "junk 500", "junk 1000"]);
  const cells = [
    done("ping", 0, 0, { latencyMs: 0.25, latencyP99Ms: 1, lossPct: 0 }),
    done("tcp", 0, 0, { throughputMbps: 700 }),
    done("ping", 1_000, 940, { lossPct: 100, switchDrops: 3 }),
    done("tcp", 1_000, 990, { throughputMbps: 0 }),
  ].map((cell) => ({ ...cell, scheme: scenario.tasks[0]!.scheme }));
  const page = paperTelling.page(scenario, cells);
  const lines = page.split("\n").filter((line) => line.startsWith("| ours"));
  assert.equal(lines.length, 5, page);
  // At a glance, with the paper's own row below.
  assert.match(lines[0]!, /\| 700 \| 0 \| 0\.25 \| N\/A ○ \|$/);
  assert.match(page, /^\| the paper: P2PVPN \| – \| 628 \| – \| 0\.54 \|$/m);
  assert.match(lines[1]!, /\| 0\.250 \| 700 \| 0 \|/);
  assert.match(
    lines[2]!,
    /\| N\/A \| 0 \| 1000 \| 940 ○ \| N\/A \| 100\.0 \|.*\| 0\.544 \| 628 \|/,
  );
  // Means and losses: what was not counted has a dash.
  assert.match(lines[3]!, /\| 0 \| 0\.250 \| 700 \| – \| – \| – \| – \|/);
  assert.match(lines[4]!, /\| 1000 \| – \| 0 \| 3 \| – \| – \| – \|/);
  const weak = paperTelling
    .rows(scenario, cells)
    .find(({ work, attackMbps }) => work === "ping" && attackMbps > 0)!;
  assert.match(weak.note, /of 1000 Mbit\/s asked, 940 came$/);
});
