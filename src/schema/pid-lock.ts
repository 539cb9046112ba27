/**
 * pid-lock — a file that says which process has something. It holds as long as that process lives,
 * however it ends; a process of another host, or of a container's own numbers, is not seen.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";

/** Ours until it is released, or whose it is: a process id, or "unknown". */
export type PidLock = { readonly release: () => void } | { readonly heldBy: string };

/** When a process began, in clock ticks since boot; "" when there is none. Source: proc(5). */
const beganAt = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")[19] ?? "";
  } catch {
    return "";
  }
};

/** Process id of who holds it; null: nobody does, or that process has ended. */
export const lockHolder = (file: string): string | null => {
  try {
    const [pid = "", began = ""] = readFileSync(file, "utf8").trim().split(" ");
    return /^\d+$/.test(pid) && began !== "" && beganAt(pid) === began ? pid : null;
  } catch {
    return null;
  }
};

/** Takes it, also from a process that has ended. Errors: what the system says of the file. */
export const takeLock = (file: string): PidLock => {
  const pid = String(process.pid);
  for (const last of [false, true]) {
    try {
      writeFileSync(file, `${pid} ${beganAt(pid)}\n`, { flag: "wx", mode: 0o600 });
      return { release: () => rmSync(file, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const heldBy = lockHolder(file);
      if (heldBy !== null || last) return { heldBy: heldBy ?? "unknown" };
      rmSync(file, { force: true });
    }
  }
  return { heldBy: "unknown" };
};
