/**
 * suites — which message types are on the cable between two engines of ours, by their `cipher`, and
 * between ours and wireguard-go. The kernel of host b counts them.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EngineConfig } from "../../src/schema/config.ts";
import type { PeerValue, StatusValue } from "../../src/schema/requests.ts";
import { hostJson, PORT, runCli, writeConfig } from "../lab/engines.ts";
import type { Host, Lab } from "../lab/lab.ts";
import { firstPing, ping } from "../lab/measure.ts";
import { until } from "../lab/until.ts";
import { measured, Scene, SHORT } from "./scene.ts";
import { WIREGUARDS } from "./versions.ts";

type Cipher = EngineConfig["interface"]["cipher"];

const TYPES = [1, 2, 3, 4, 5, 6, 7, 8] as const;
/** Hellos, a moment, and a handshake. */
const UPGRADE_MS = 4_000;

/** Counts datagrams of our port by their first byte, both ways, for as long as `body` takes. */
const countTypes = async (
  lab: Lab,
  body: () => Promise<void>,
): Promise<Readonly<Record<number, number>>> => {
  const nft = (...words: string[]) => lab.must(lab.b, ["nft", ...words]);
  await nft("add", "table", "inet", "suites");
  for (const [hook, port] of [
    ["input", "dport"],
    ["output", "sport"],
  ] as const) {
    await nft("add", "chain", "inet", "suites", hook, `{ type filter hook ${hook} priority 0 ; }`);
    for (const type of TYPES) {
      const rule = ["udp", port, String(PORT), "@th,64,8", String(type), "counter"];
      await nft("add", "rule", "inet", "suites", hook, ...rule, "comment", `"type ${type}"`);
    }
  }
  try {
    await body();
    const rules = await nft("list", "table", "inet", "suites");
    const counts: Record<number, number> = {};
    for (const [, packets, type] of rules.matchAll(/packets (\d+) .*comment "type (\d)"/g)) {
      counts[Number(type)] = (counts[Number(type)] ?? 0) + Number(packets);
    }
    assert.deepEqual(Object.keys(counts).map(Number), [...TYPES]);
    return counts;
  } finally {
    await nft("delete", "table", "inet", "suites");
  }
};

const cipherOf = async (lab: Lab, host: Host): Promise<string | null> => {
  const [peer] = await hostJson<PeerValue[]>(lab, host, "peers");
  return peer?.cipher ?? null;
};

/** Packets that a busy machine left in the device's queue for too long, which has a counter. */
const late = async (lab: Lab): Promise<number> => {
  const all = [lab.a, lab.b].map((host) => hostJson<StatusValue>(lab, host, "status"));
  return (await Promise.all(all)).reduce((sum, { drops }) => sum + (drops.standingQueue ?? 0), 0);
};

// biome-ignore format: a table
const ROWS: readonly { a: Cipher; b: Cipher; made: readonly number[] }[] = [
  { a: "auto", b: "auto", made: [1, 2, 4, 5, 6, 8] },
  { a: "aes256gcm", b: "auto", made: [5, 6, 8] },
];

describe("two engines of ours", () => {
  const scene = new Scene(["nft"]);

  /** Pings, and AES at both ends soon after the first one. Returns milliseconds. */
  const upgrade = async (lab: Lab): Promise<number> => {
    const aes = async (host: Host) => (await cipherOf(lab, host)) === "aes256gcm";
    await firstPing(lab, lab.a, lab.b.inner4);
    const beganMs = performance.now();
    const asked = ping(lab, lab.a, lab.b.inner4, 100, 10);
    await until("the sessions are AES-256-GCM", async () => (await aes(lab.a)) && aes(lab.b));
    // When it was made, not when both had answered who asked.
    const [peer] = await hostJson<PeerValue[]>(lab, lab.a, "peers");
    const tookMs = performance.now() - beganMs - peer!.lastHandshakeMs!;
    const { lost } = await asked;
    assert.ok(
      lost <= (await late(lab)),
      `replacing a session loses nothing, and not ${lost} pings`,
    );
    return tookMs;
  };

  for (const { a, b, made } of ROWS) {
    test(`${a} calls ${b}: AES-256-GCM, of types ${made.join()}`, {
      skip: scene.skip,
    }, async (context) => {
      const { lab, ours, theirs } = scene;
      const start = (host: Host, cipher: Cipher) => {
        const own = host === lab.a;
        const plan = { cipher, knowsEndpoint: own };
        const [keys, peer] = own ? [ours, theirs] : [theirs, ours];
        const file = writeConfig(lab, host, keys, peer.publicKey, plan);
        return runCli(lab, host, file, ["--threads", "0"]);
      };
      const programs = await Promise.all([start(lab.a, a), start(lab.b, b)]);
      try {
        const { features, cipher } = await hostJson<StatusValue>(lab, lab.a, "status");
        assert.equal(cipher, a);
        if (!features.aes256gcm) return context.skip("AES-256-GCM is not faster here");
        const counts = await countTypes(lab, async () => {
          const tookMs = await upgrade(lab);
          measured(context, `both within ${tookMs.toFixed(0)} ms`);
          assert.ok(tookMs < UPGRADE_MS, `${tookMs} ms`);
        });
        for (const type of TYPES) {
          const there = counts[type]! > 0;
          assert.equal(there, made.includes(type), `type ${type}: ${JSON.stringify(counts)}`);
        }
      } finally {
        for (const program of programs) assert.equal(await program.stop(), 0, program.errors);
      }
    });
  }
});

describe("ours and wireguard-go", () => {
  const scene = new Scene(["nft"]);
  const wireguard = WIREGUARDS.findLast(({ skip }) => skip === false) ?? WIREGUARDS[0]!;

  test(`${wireguard.name}: nothing of types 5 to 8, over many handshakes`, {
    skip: scene.skipFor(wireguard),
  }, async () => {
    const counts = await countTypes(scene.lab, () =>
      scene.withPair({ wireguard, node: SHORT }, async (pair) => {
        await scene.firstPing("ours");
        await ping(scene.lab, scene.lab.a, scene.lab.b.inner4, 300, 10);
        const { counters } = await pair.engine.sample();
        assert.ok(counters.handshakesInitiated! >= 2, `${counters.handshakesInitiated}`);
      }),
    );
    for (const type of [1, 2, 4]) assert.ok(counts[type]! > 0);
    for (const type of [5, 6, 7, 8]) assert.equal(counts[type], 0);
  });
});
