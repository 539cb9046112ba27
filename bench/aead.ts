/**
 * aead — nanoseconds per packet of every way to seal and open that is at hand.
 *
 * `npm run bench:aead`; under another Node: `PATH_OF_NODE dist/bench/aead.js`. The first row is the
 * engine's own (src/crypto); the others are what was not chosen, or not yet.
 */
import assert from "node:assert";
import { createCipheriv, createSecretKey } from "node:crypto";
import { Bench } from "tinybench";
import { openChaCha } from "../src/crypto/open.ts";
import { sealChaCha } from "../src/crypto/seal.ts";
import { addon } from "../src/io/native/addon.ts";
import {
  FULL_BYTES,
  FULL_RUN,
  makeBenchArena,
  makeRun,
  type Run,
  setSuite,
} from "../test/lab/runs.ts";

/** Length of one measurement. */
const TIME_MS = 400;
const WARMUP_MS = 100;
/** Inner bytes of a ping. */
const PING_BYTES = 84;
const KEY = createSecretKey(new Uint8Array(32).fill(7));

interface Way {
  readonly name: string;
  readonly seal: (run: Run) => void;
  /** Null: not measured. */
  readonly open: ((run: Run) => void) | null;
  readonly suite: Parameters<typeof setSuite>[1];
}

const addonSeal = (run: Run): void => assert(addon.seal(run.job) >= 0);
const addonOpen = (run: Run): void => assert(addon.open(run.job) >= 0);

/** One cipher object a packet: node:crypto cannot use one again. */
const nodeSeal =
  (name: "chacha20-poly1305" | "aes-256-gcm") =>
  (run: Run): void => {
    const { u8 } = run.segments.arena;
    const start = run.segments.slotByte(0);
    for (let i = 0; i < run.count; i++) {
      const at = start + i * (run.bytes + 32);
      const cipher =
        name === "aes-256-gcm"
          ? createCipheriv(name, KEY, u8.subarray(at + 4, at + 16))
          : createCipheriv(name, KEY, u8.subarray(at + 4, at + 16), { authTagLength: 16 });
      cipher.update(u8.subarray(at + 16, at + 16 + run.bytes));
      cipher.final();
      cipher.getAuthTag();
    }
  };

// biome-ignore format: a table
const WAYS: readonly Way[] = [
  { name: "sodium-native, ChaCha20-Poly1305", suite: "chacha20poly1305", seal: (run) => sealChaCha(run.segments, run.word), open: (run) => openChaCha(run.segments, run.word) },
  { name: "addon and Node's OpenSSL, AES-256-GCM", suite: "aes256gcm", seal: addonSeal, open: addonOpen },
  { name: "addon and Node's OpenSSL, ChaCha20-Poly1305", suite: "chacha20poly1305", seal: addonSeal, open: addonOpen },
  { name: "node:crypto, ChaCha20-Poly1305", suite: "chacha20poly1305", seal: nodeSeal("chacha20-poly1305"), open: null },
  { name: "node:crypto, AES-256-GCM", suite: "aes256gcm", seal: nodeSeal("aes-256-gcm"), open: null },
];

interface Figures {
  /** Nanoseconds per packet. */
  readonly fastest: number;
  readonly median: number;
}

const measure = (run: Run, work: (run: Run) => void, before: (() => void) | null): Figures => {
  const bench = new Bench({ time: TIME_MS, warmupTime: WARMUP_MS });
  bench.add("one", () => work(run), before === null ? {} : { beforeEach: before });
  bench.runSync();
  const result = bench.tasks[0]?.result;
  if (result === undefined || !("latency" in result)) throw new Error("nothing was measured");
  const { min, p50 } = result.latency;
  return { fastest: (min * 1e6) / run.count, median: (p50 * 1e6) / run.count };
};

const cell = ({ fastest, median }: Figures): string =>
  `${fastest.toFixed(0)} (${median.toFixed(0)})`;

const table = (arena: ReturnType<typeof makeBenchArena>, count: number, bytes: number): void => {
  const run = makeRun(arena, 0, count, bytes);
  console.log(`\nPackets of ${bytes} bytes, ${count} a run; ns per packet: fastest (median)\n`);
  console.log("| way | seal | open | seal at its fastest, Gbit/s |\n| --- | --- | --- | --- |");
  for (const way of WAYS) {
    setSuite(run, way.suite);
    const sealed = measure(run, way.seal, null);
    const open = way.open;
    const opened = open === null ? null : measure(run, open, () => way.seal(run));
    const gigabits = ((bytes * 8) / sealed.fastest).toFixed(1);
    const openedCell = opened === null ? "" : cell(opened);
    console.log(`| ${way.name} | ${cell(sealed)} | ${openedCell} | ${gigabits} |`);
  }
};

const { openssl, aesHardware } = addon.cryptoProbe();
console.log(`Node ${process.version}, ${openssl}, AES instructions: ${aesHardware ? "yes" : "no"}`);
const arena = makeBenchArena(1);
table(arena, FULL_RUN, FULL_BYTES);
table(arena, 1, PING_BYTES);
