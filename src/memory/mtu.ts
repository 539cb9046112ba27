/**
 * mtu — the tunnel's MTU, which lives in the arena alone and may change while the engine runs.
 *
 * C reads it once a call, crypto/segments.ts once a job. Packets in the device that are larger than
 * it are dropped (tunInvalid): who changes it raises it here before the link's, and lowers it here
 * after the link's.
 */
import { ENGINE } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

const mtuWord = (arena: Arena): number =>
  wordOf(arena, "engine", ENGINE.size, 0) + fieldWord(ENGINE.fields.mtu);

/** Bytes of the largest inner packet. */
export const readMtu = (arena: Arena): number => Atomics.load(arena.u32, mtuWord(arena));

/** Thread: control; main before it starts. */
export const writeMtu = (arena: Arena, mtu: number): void => {
  Atomics.store(arena.u32, mtuWord(arena), mtu);
};
