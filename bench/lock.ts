/**
 * lock — one benchmark at a time on a machine: two would measure each other.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { LabError } from "../test/lab/lab.ts";

/** Only root writes there. Source: hier(7). */
const LOCK = "/run/p2pvpn-bench.pid";

/** When a process began, in clock ticks since boot; "" when there is none. Source: proc(5). */
const beganAt = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")[19] ?? "";
  } catch {
    return "";
  }
};

/** Process id and start of who holds it; null when that process has ended. */
const holder = (file: string): string | null => {
  try {
    const [pid = "", began = ""] = readFileSync(file, "utf8").trim().split(" ");
    return /^\d+$/.test(pid) && began !== "" && beganAt(pid) === began ? pid : null;
  } catch {
    return null;
  }
};

/** Process id of the benchmark that runs on this machine; null: none does. */
export const benchRunning = (): string | null => holder(LOCK);

/** Takes it until this process ends. Errors: LabError when another process holds it. */
export const lockBench = (file = LOCK): void => {
  mkdirSync(dirname(file), { recursive: true });
  const pid = String(process.pid);
  for (const last of [false, true]) {
    try {
      writeFileSync(file, `${pid} ${beganAt(pid)}\n`, { flag: "wx", mode: 0o600 });
      process.once("exit", () => rmSync(file, { force: true }));
      return;
    } catch (error) {
      const other = holder(file);
      const held = (error as NodeJS.ErrnoException).code === "EEXIST";
      if (!held) throw new LabError(`${file} cannot be written: ${(error as Error).message}.`);
      if (other !== null || last) {
        throw new LabError(
          `Another benchmark is running (process ${other ?? "unknown"}); wait until it has ended.`,
        );
      }
      rmSync(file, { force: true });
    }
  }
};
