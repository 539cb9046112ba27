/**
 * micro-crypto — seal, open and the replay window, by size and by cipher. See micro.ts.
 */
import assert from "node:assert";
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

// biome-ignore format: a table
const CIPHERS = [
  { name: "ChaCha20-Poly1305, sodium-native", suite: "chacha20poly1305", seal: (run: Run) => sealChaCha(run.segments, run.word), open: (run: Run) => openChaCha(run.segments, run.word) },
  { name: "AES-256-GCM, addon", suite: "aes256gcm", seal: addonSeal, open: addonOpen },
] as const;

/** Seal and open, each size and cipher in a slot of its own. */
export const aeadTasks = (arena: Arena): MicroTask[] =>
  CIPHERS.flatMap((cipher, c) =>
    SIZES.flatMap(({ name, count, bytes }, s): MicroTask[] => {
      const run = makeRun(arena, 0, count, bytes, c * SIZES.length + s);
      setSuite(run, cipher.suite);
      const shared = { count, bytes, unit: "packet", cipher: cipher.name } as const;
      const once = (work: (run: Run) => void) => (): void => work(run);
      return [
        { ...shared, name: `seal ${name}`, run: once(cipher.seal) },
        { ...shared, name: `open ${name}`, run: once(cipher.open), before: once(cipher.seal) },
      ];
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
    const run = makeRun(arena, 0, count, FULL_BYTES, 8 + i);
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
