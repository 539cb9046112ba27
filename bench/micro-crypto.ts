/**
 * micro-crypto — seal, open and the replay window, by size and by cipher. See micro.ts.
 */
import assert from "node:assert";
import { createCipheriv, createSecretKey } from "node:crypto";
import { openChaCha } from "../src/crypto/open.ts";
import { sealChaCha } from "../src/crypto/seal.ts";
import { addon, type IoHandle } from "../src/io/native/addon.ts";
import { JOB, JOB_KIND } from "../src/memory/layout.ts";
import { type Arena, fieldWord } from "../src/memory/region.ts";
import { FULL_BYTES, FULL_RUN, makeRun, type Run, setSuite } from "../test/lab/runs.ts";
import type { MicroTask } from "./micro.ts";

/** Inner bytes of a ping. */
const PING_BYTES = 84;
// biome-ignore format: a table
const SIZES = [
  { name: `1 x ${PING_BYTES}`, count: 1, bytes: PING_BYTES },
  { name: `1 x ${FULL_BYTES}`, count: 1, bytes: FULL_BYTES },
  { name: `${FULL_RUN} x ${FULL_BYTES}`, count: FULL_RUN, bytes: FULL_BYTES },
] as const;

const KIND = fieldWord(JOB.fields.kind);
const addonSeal = ({ job }: Run): void => assert(addon.seal(job) >= 0);
const addonOpen = ({ job }: Run): void => assert(addon.open(job) >= 0);
const NODE_KEY = createSecretKey(new Uint8Array(32).fill(7));

/** One cipher object a packet: node:crypto cannot use one again. */
const nodeSeal =
  (name: "chacha20-poly1305" | "aes-256-gcm") =>
  (run: Run): void => {
    const { u8 } = run.segments.arena;
    const start = run.segments.slotByte(run.place);
    for (let i = 0; i < run.count; i++) {
      const at = start + i * (run.bytes + 32);
      const nonce = u8.subarray(at + 4, at + 16);
      const cipher =
        name === "aes-256-gcm"
          ? createCipheriv(name, NODE_KEY, nonce)
          : createCipheriv(name, NODE_KEY, nonce, { authTagLength: 16 });
      cipher.update(u8.subarray(at + 16, at + 16 + run.bytes));
      cipher.final();
      cipher.getAuthTag();
    }
  };

interface Way {
  readonly name: string;
  readonly suite: Parameters<typeof setSuite>[1];
  readonly seal: (run: Run) => void;
  /** Null: not measured. */
  readonly open: ((run: Run) => void) | null;
}

/** The engine's own ways, then what was not chosen. */
// biome-ignore format: a table
const WAYS: readonly Way[] = [
  { name: "ChaCha20-Poly1305, sodium-native", suite: "chacha20poly1305", seal: (run: Run) => sealChaCha(run.segments, run.word), open: (run: Run) => openChaCha(run.segments, run.word) },
  { name: "AES-256-GCM, addon", suite: "aes256gcm", seal: addonSeal, open: addonOpen },
  { name: "ChaCha20-Poly1305, addon", suite: "chacha20poly1305", seal: addonSeal, open: addonOpen },
  { name: "ChaCha20-Poly1305, node:crypto", suite: "chacha20poly1305", seal: nodeSeal("chacha20-poly1305"), open: null },
  { name: "AES-256-GCM, node:crypto", suite: "aes256gcm", seal: nodeSeal("aes-256-gcm"), open: null },
];
/** Slots behind those of seal and open. */
const REPLAY_PLACE = WAYS.length * SIZES.length;

/** Seal and open, each size and way in a slot of its own. */
export const aeadTasks = (arena: Arena): MicroTask[] =>
  WAYS.flatMap((way, w) =>
    SIZES.flatMap(({ name, count, bytes }, s): MicroTask[] => {
      const run = makeRun(arena, 0, count, bytes, w * SIZES.length + s);
      setSuite(run, way.suite);
      const shared = { count, bytes, unit: "packet", cipher: way.name } as const;
      const once = (work: (run: Run) => void) => (): void => work(run);
      const seal = { ...shared, name: `seal ${name}`, run: once(way.seal) };
      if (way.open === null) return [seal];
      const open = { ...shared, name: `open ${name}`, run: once(way.open) };
      return [seal, { ...open, before: once(way.seal) }];
    }),
  );

/** An IPv4 header in every segment of a run: what the inner checks want to see. */
const writeHeaders = (run: Run): void => {
  const { u8 } = run.segments.arena;
  const stride = FULL_BYTES + 32;
  for (let i = 0; i < run.count; i++) {
    const at = run.segments.slotByte(run.place) + i * stride + 16;
    u8.set([0x45, 0, run.bytes >>> 8, run.bytes & 255], at);
    u8.set([10, 0, 0, 1, 10, 0, 0, 2], at + 12);
  }
};

/** Replay window, inner length and source of an opened run; counters are new each time. */
export const replayTasks = (arena: Arena, io: IoHandle): MicroTask[] =>
  [1, FULL_RUN].map((count, i) => {
    const run = makeRun(arena, 0, count, FULL_BYTES, REPLAY_PLACE + i);
    arena.u32[run.word + KIND] = JOB_KIND.open;
    writeHeaders(run);
    const renew = (): void => assert(addon.prepare(run.job) >= 0);
    renew();
    assert(addon.accept(io, run.job) > 0, "accept takes the run");
    return {
      name: `replay window and inner source, ${count} a run`,
      cipher: null,
      count,
      bytes: FULL_BYTES,
      unit: "packet",
      before: renew,
      run: () => void addon.accept(io, run.job),
    };
  });
