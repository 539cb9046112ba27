/**
 * lock — one benchmark at a time on a machine: two would measure each other.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { lockHolder, type PidLock, takeLock } from "../src/schema/pid-lock.ts";
import { LabError } from "../test/lab/lab.ts";

/** Only root writes there. Source: hier(7). */
const LOCK = "/run/p2pvpn-bench.pid";

/** Process id of the benchmark that runs on this machine; null: none does. */
export const benchRunning = (): string | null => lockHolder(LOCK);

const take = (file: string): PidLock => {
  try {
    mkdirSync(dirname(file), { recursive: true });
    return takeLock(file);
  } catch (error) {
    throw new LabError(`${file} cannot be written: ${(error as Error).message}.`);
  }
};

/** Takes it until this process ends. Errors: LabError when another process holds it. */
export const lockBench = (file = LOCK): void => {
  const lock = take(file);
  if ("heldBy" in lock) {
    throw new LabError(
      `Another benchmark is running (process ${lock.heldBy}); wait until it has ended.`,
    );
  }
  process.once("exit", lock.release);
};
