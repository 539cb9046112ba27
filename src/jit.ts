/**
 * jit — lets V8 optimise the packet path after thousands of bytecodes rather than a hundred
 * thousand. A quiet tunnel runs its loop a few times a second and would stay interpreted for
 * minutes, which shows in the round-trip time. Measured: bench/RESULTS.md, "idle ping".
 *
 * Thread: main, before any other thread is made; the flag holds for the process.
 */
import { setFlagsFromString } from "node:v8";

/** V8's default is 67,584 or 135,168, by version. */
const INTERRUPT_BUDGET = 10_000;

export const optimiseEarly = (): void =>
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
