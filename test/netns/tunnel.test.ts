/** tunnel — two engines, started and asked as a user does, in namespaces of their own. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import type { PeerValue, StatsValue, StatusValue } from "../../src/schema/requests.ts";
import {
  cli,
  hostJson,
  interfaceOf,
  type Keys,
  makeKeys,
  makePresharedKey,
  type Plan,
  PORT,
  runCli,
  writeConfig,
} from "../lab/engines.ts";
import { cannotRun, type Host, Lab, type Program } from "../lab/lab.ts";
import { firstPing, flow, ping } from "../lab/measure.ts";

const skip = cannotRun(["iperf3"]);
let lab: Lab;
before(async () => {
  if (skip === false) lab = await Lab.make();
});
after(() => lab?.remove());

/** Drops of a tunnel in good health: the kernel's own multicast has no peer, and TCP is told. */
const HARMLESS = new Set(["linkOnly", "standingQueue"]);
/** Less than this through an idle tunnel means that it does not work. */
const SLOWEST_MEGABITS = 20;
/** A fifth of a second of it fits iperf3's own queue. */
const UDP_MEGABITS = 5;

interface Tunnel {
  readonly keys: readonly [Keys, Keys];
  readonly programs: readonly [Program, Program];
}

const open = async (flags: readonly string[], planA: Plan = {}, planB = planA): Promise<Tunnel> => {
  const a = makeKeys(lab, lab.a, "identity");
  const b = makeKeys(lab, lab.b, "identity");
  const programs = await Promise.all([
    runCli(lab, lab.a, writeConfig(lab, lab.a, a, b.publicKey, planA), flags),
    runCli(lab, lab.b, writeConfig(lab, lab.b, b, a.publicKey, planB), flags),
  ]);
  return { keys: [a, b], programs };
};

/** Stops both by the command line and looks for what is left. */
const close = async ({ programs }: Tunnel): Promise<void> => {
  for (const [i, host] of [lab.a, lab.b].entries()) {
    const { code, output, errors } = await cli(lab, host, "stop", "-i", interfaceOf(host));
    assert.equal(code, 0, errors);
    assert.equal(output, `p2pvpn-engine: ${interfaceOf(host)} is down\n`);
    assert.equal(await programs[i]!.ended, 0);
    assert.equal(programs[i]!.errors, "");
    await assertGone(host);
  }
  assert.deepEqual(readdirSync(lab.runFolder), []);
};

/** No device, no process. */
const assertGone = async (host: Host): Promise<void> => {
  const links = await lab.must(host, ["ip", "-brief", "link"]);
  assert.doesNotMatch(links, new RegExp(interfaceOf(host)));
  assert.deepEqual(await lab.programs(host), []);
};

const closeByForce = async ({ programs }: Tunnel): Promise<void> => {
  for (const program of programs) await program.stop();
};

const withTunnel = async (tunnel: Tunnel, body: () => Promise<void>): Promise<void> => {
  try {
    await body();
    await close(tunnel);
  } finally {
    await closeByForce(tunnel);
  }
};

const assertPings = async (address: string): Promise<void> => {
  await firstPing(lab, lab.a, address);
  const { lost } = await ping(lab, lab.a, address, 20, 10);
  assert.equal(lost, 0, `pings of ${address} were lost`);
};

const assertHealthy = async (host: Host): Promise<StatusValue> => {
  const status = await hostJson<StatusValue>(lab, host, "status");
  const drops = Object.entries(status.drops).filter(([name, n]) => n > 0 && !HARMLESS.has(name));
  assert.deepEqual(Object.fromEntries(drops), {}, `drops on ${host.name}`);
  return status;
};

const assertStatus = async (host: Host, keys: Keys): Promise<void> => {
  const status = await assertHealthy(host);
  assert.equal(status.interface, interfaceOf(host));
  assert.equal(status.nodeId, keys.nodeId);
  assert.equal(status.wireguardPublicKey, keys.publicKey);
  assert.equal(status.listenPort, PORT);
  assert.equal(status.mtu, 1_420);
  for (const feature of ["gso", "gro", "tunOffload", "connectedSockets"] as const) {
    assert.equal(typeof status.features[feature], "boolean");
  }
  assert.deepEqual(status.defence, { state: "calm", rung: 0 });
  assert.ok(status.counters.tunPackets! > 0);
  assert.ok(status.startedMs > 0);
};

const assertPeers = async (host: Host, peerKeys: Keys, outer: 4 | 6): Promise<void> => {
  const other = lab.peerOf(host);
  const [peer, ...more] = await hostJson<PeerValue[]>(lab, host, "peers");
  assert.equal(more.length, 0);
  const endpoint = outer === 4 ? `${other.under4}:${PORT}` : `[${other.under6}]:${PORT}`;
  assert.deepEqual(peer, {
    name: null,
    nodeId: null,
    origin: "file",
    wireguardPublicKey: peerKeys.publicKey,
    addresses: [`${other.inner4}/32`, `${other.inner6}/128`],
    endpoint,
    endpointName: endpoint,
    endpointProblem: null,
    state: "connected",
    silentMs: null,
    path: "direct",
    cipher: peer!.cipher,
    lastHandshakeMs: peer!.lastHandshakeMs,
    rxBytes: peer!.rxBytes,
    txBytes: peer!.txBytes,
    rttMs: peer!.rttMs,
    mtu: 1_420,
  });
  assert.match(peer!.cipher!, /^(chacha20poly1305|aes256gcm)$/);
  assert.ok(peer!.lastHandshakeMs! >= 0 && peer!.lastHandshakeMs! < 60_000);
  assert.ok(peer!.rxBytes > 0 && peer!.txBytes > 0);
};

const assertStats = async (host: Host, workers: number): Promise<void> => {
  const stats = await hostJson<StatsValue>(lab, host, "stats");
  assert.deepEqual(
    stats.threads.map((thread) => thread.name),
    ["io 0", "control"],
  );
  assert.equal(stats.workers.length, workers);
  for (const worker of stats.workers) assert.match(worker.state, /^(awake|asleep)$/);
  assert.ok(stats.threads[0]!.counters.tunBytes! > 0);
  assert.ok(stats.memory.arenaBytes > 0 && stats.memory.rssBytes > stats.memory.arenaBytes / 100);
};

for (const outer of [4, 6] as const) {
  test(`IPv4 and IPv6 inside IPv${outer}: ping, TCP, status, peers, stats, stop`, {
    skip,
  }, async () => {
    const tunnel = await open(["--threads", "1"], { outer });
    await withTunnel(tunnel, async () => {
      const [a, b] = tunnel.keys;
      await assertPings(lab.b.inner4);
      await assertPings(lab.b.inner6);
      for (const address of [lab.b.inner4, lab.b.inner6]) {
        const tcp = await flow(lab, lab.a, address, { seconds: 1 });
        assert.ok(tcp.megabitsPerSecond > SLOWEST_MEGABITS, `${tcp.megabitsPerSecond} Mbit/s`);
      }
      const udp = await flow(lab, lab.a, lab.b.inner4, { seconds: 1, udpMegabits: UDP_MEGABITS });
      assert.ok(udp.lostPct < 1, `${udp.lostPct} % of UDP lost`);
      await assertStatus(lab.a, a);
      await assertStatus(lab.b, b);
      await assertPeers(lab.a, b, outer);
      await assertPeers(lab.b, a, outer);
      await assertStats(lab.a, 1);
    });
  });
}

// biome-ignore format: a table
const SETTINGS: readonly (readonly [string, (status: StatusValue) => boolean])[] = [
  ["--threads 6", (status) => status.threads === 6],
  ["--threads 0", (status) => status.threads === 0 && status.counters.jobsHandedOver === 0],
  ["--io-threads 2", (status) => status.ioThreads === 2],
  ["--hand-over always", (status) => status.counters.jobsHandedOver! > 100],
  ["--hand-over inline", (status) => status.counters.jobsHandedOver === 0],
  ["--no-gso --no-gro --no-tun-offload --no-connected-sockets", ({ features }) => !features.gso && !features.gro && !features.tunOffload && !features.connectedSockets],
];

for (const [flags, holds] of SETTINGS) {
  test(`start ${flags}: ping, TCP both ways, stop`, { skip }, async () => {
    const tunnel = await open(flags.split(" "));
    await withTunnel(tunnel, async () => {
      await assertPings(lab.b.inner4);
      for (const reverse of [false, true]) {
        const tcp = await flow(lab, lab.a, lab.b.inner4, { seconds: 1, reverse });
        assert.ok(tcp.megabitsPerSecond > SLOWEST_MEGABITS, `${tcp.megabitsPerSecond} Mbit/s`);
      }
      await assertPings(lab.b.inner6);
      for (const host of [lab.a, lab.b]) {
        const status = await assertHealthy(host);
        assert.ok(holds(status), JSON.stringify(status));
      }
    });
  });
}

test("a preshared key that both have works; one that only one has does not", { skip }, async () => {
  const plan: Plan = { presharedKeyFile: makePresharedKey(lab) };
  const good = await open([], plan);
  await withTunnel(good, () => assertPings(lab.b.inner4));
  const bad = await open([], plan, {});
  await withTunnel(bad, async () => {
    const { times } = await ping(lab, lab.a, lab.b.inner4, 3, 200);
    assert.equal(times.length, 0);
    const drops = (await hostJson<StatusValue>(lab, lab.a, "status")).drops;
    assert.ok(drops.handshakeInvalid! > 0, JSON.stringify(drops));
  });
});

test("a source outside the peer's allowed IPs is dropped and counted", { skip }, async () => {
  const stray = "10.66.0.77";
  const own: Plan = { addresses: [`${lab.a.inner4}/24`, `${stray}/24`] };
  const tunnel = await open([], own, { allowedIps: [`${lab.a.inner4}/32`] });
  await withTunnel(tunnel, async () => {
    await firstPing(lab, lab.a, lab.b.inner4);
    const { code } = await lab.run(lab.a, [
      ...["ping", "-n", "-c", "4", "-i", "0.05", "-W", "1", "-I", stray, lab.b.inner4],
    ]);
    assert.equal(code, 1, "the stray address had an answer");
    const before = await hostJson<StatusValue>(lab, lab.b, "status");
    assert.equal(before.drops.innerSource, 4);
    const { lost } = await ping(lab, lab.a, lab.b.inner4, 5, 10);
    assert.equal(lost, 0);
  });
});
