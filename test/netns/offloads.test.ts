/** offloads — a tunnel works with each of them switched off, and the device is as it should be. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OFFLOADS, type OffloadName } from "../../src/offloads.ts";
import type { StatusValue } from "../../src/schema/requests.ts";
import { cli, hostJson, interfaceOf, makeKeys, runCli, writeConfig } from "../lab/engines.ts";
import { cannotRun, type Host, Lab } from "../lab/lab.ts";
import { firstPing, flow, ping } from "../lab/measure.ts";

const skip = cannotRun(["iperf3", "ethtool"]);
let lab: Lab;
before(async () => {
  if (skip === false) lab = await Lab.make();
});
after(() => lab?.remove());

/** Less than this through an idle tunnel means that it does not work. */
const SLOWEST_MEGABITS = 20;

/** Two engines with flags of their own; both have moved TCP when `look` sees them. */
const withTunnel = async (
  flags: readonly [a: string, b: string],
  look: (a: StatusValue, b: StatusValue) => Promise<void> | void,
): Promise<void> => {
  const a = makeKeys(lab, lab.a, "identity");
  const b = makeKeys(lab, lab.b, "identity");
  const words = (text: string): string[] => text.split(" ").filter((word) => word !== "");
  const programs = await Promise.all([
    runCli(lab, lab.a, writeConfig(lab, lab.a, a, b.publicKey), words(flags[0])),
    runCli(lab, lab.b, writeConfig(lab, lab.b, b, a.publicKey), words(flags[1])),
  ]);
  try {
    await firstPing(lab, lab.a, lab.b.inner4);
    for (const reverse of [false, true]) {
      const tcp = await flow(lab, lab.a, lab.b.inner4, { seconds: 1, reverse });
      assert.ok(tcp.megabitsPerSecond > SLOWEST_MEGABITS, `${tcp.megabitsPerSecond} Mbit/s`);
    }
    assert.equal((await ping(lab, lab.a, lab.b.inner6, 5, 10)).lost, 0);
    const status = (host: Host) => hostJson<StatusValue>(lab, host, "status");
    await look(await status(lab.a), await status(lab.b));
    for (const program of programs) assert.equal(program.errors, "");
  } finally {
    await Promise.all(programs.map((program) => program.stop()));
  }
};

/** What `ip` and `ethtool` say of the tunnel's device. */
const deviceOf = async (host: Host): Promise<Record<string, unknown>> => {
  const name = interfaceOf(host);
  const links = await lab.must(host, ["ip", "-d", "-j", "link", "show", "dev", name]);
  const [link] = JSON.parse(links) as Record<string, unknown>[];
  const { info_data: info } = link!.linkinfo as { info_data: Record<string, unknown> };
  const features = await lab.must(host, ["ethtool", "-k", name]);
  const feature = (of: string): string =>
    new RegExp(`^\\s*${of}: (on|off)`, "m").exec(features)?.[1] ?? "absent";
  return {
    queue: link!.txqlen,
    gsoSegments: link!.gso_max_segs,
    gsoBytes: link!.gso_max_size,
    queues: info.numqueues ?? 1,
    tcp4: feature("tx-tcp-segmentation"),
    tcp6: feature("tx-tcp6-segmentation"),
    udp: feature("tx-udp-segmentation"),
  };
};

const LIMITS = { queue: 500, gsoSegments: 45, gsoBytes: 61_612 };
const ON_LINES = /(?:UDP GSO|UDP GRO|TUN offload|TUN UDP offload|TCP merging|UDP merging) +on$/gm;

test("each is off on one end; check tells what is on", { skip }, async () => {
  const flags = ["--no-gro --no-tun-offload --io-threads 2", "--no-gso --quirks ignore"] as const;
  await withTunnel(flags, async (a, b) => {
    const off = "as configured";
    const device = { tunOffload: off, uso: off, mergeTcp: off, mergeUdp: off };
    assert.deepEqual(a.offBecause, { gro: off, ...device });
    assert.equal(a.features.gso, true);
    assert.equal(a.features.tunOffload || a.features.mergeTcp, false);
    assert.equal(a.counters.receives, a.counters.receivedDatagrams);
    assert.equal(a.counters.tunWrites, a.counters.tunWrittenPackets);
    assert.ok(a.counters.sends! < a.counters.sentDatagrams!);
    assert.equal(b.offBecause.gso, off);
    assert.deepEqual([b.features.gso, b.features.gro, b.features.mergeTcp], [false, true, true]);
    assert.equal(b.counters.sends, b.counters.sentDatagrams);
    assert.ok(b.counters.receives! < b.counters.receivedDatagrams!);
    assert.ok(b.counters.tunWrites! < b.counters.tunWrittenPackets!);
    assert.equal(b.counters.unmergedRewrites, 0);
    const none = { tcp4: "off", tcp6: "off", udp: "off" };
    assert.deepEqual(await deviceOf(lab.a), { ...LIMITS, queues: 2, ...none });
    const all = { tcp4: "on", tcp6: "on", udp: b.features.uso ? "on" : "off" };
    assert.deepEqual(await deviceOf(lab.b), { ...LIMITS, queues: 1, ...all });
    const { output } = await cli(lab, lab.b, "check");
    const on = (Object.keys(OFFLOADS) as OffloadName[]).filter((name) => b.features[name]).length;
    // `check` does not get the flag that has GSO off.
    assert.equal(output.match(ON_LINES)?.length, on + 1, output);
    assert.doesNotMatch(await lab.must(lab.b, ["ip", "-brief", "link"]), /p2pcheck/);
  });
});
