/**
 * process — what the kernel says of a running process: resident memory and context switches.
 *
 * Source: proc_pid_status(5), proc_pid_smaps(5).
 */
import { readdirSync, readFileSync } from "node:fs";

/** Units: MB of 2^20 bytes. */
export interface Resident {
  readonly rssMb: number;
  /** What the process wrote itself: heaps, stacks, touched pages of the arena. */
  readonly anonymousMb: number;
  /** Pages of files: the node binary, libraries, the addon. */
  readonly filesMb: number;
}

/** Processor time of each thread of a process so far. Units: seconds. Source: sched-stats.rst. */
export const threadSeconds = (pid: number): Map<string, number> =>
  new Map(
    readdirSync(`/proc/${pid}/task`).map((task) => {
      const [ns] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ");
      return [task, Number(ns) / 1e9];
    }),
  );

/** One thread's voluntary context switches since it started. */
export interface Switches {
  readonly thread: number;
  readonly name: string;
  readonly voluntary: number;
}

/** A field of a status file. Errors: Error when it is not there. */
export const statusField = (text: string, field: string): number => {
  const found = new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1];
  if (found === undefined) throw new Error(`/proc says nothing of ${field}`);
  return Number(found);
};

/** Resident memory in the text of /proc/PID/status. */
export const residentIn = (status: string): Resident => {
  const mb = (field: string): number => statusField(status, field) / 1_024;
  return {
    rssMb: mb("VmRSS"),
    // The arena is shared memory of the process alone.
    anonymousMb: mb("RssAnon") + mb("RssShmem"),
    filesMb: mb("RssFile"),
  };
};

/** Resident memory of a process. Errors: Error when it is gone. */
export const resident = (pid: number): Resident =>
  residentIn(readFileSync(`/proc/${pid}/status`, "utf8"));

/** Of each thread that runs now. Errors: Error when the process is gone. */
export const switches = (pid: number): Switches[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    try {
      const text = readFileSync(`/proc/${pid}/task/${task}/status`, "utf8");
      const name = /^Name:\s+(.*)$/m.exec(text)?.[1] ?? "";
      const voluntary = statusField(text, "voluntary_ctxt_switches");
      return [{ thread: Number(task), name, voluntary }];
    } catch (error) {
      // The thread ended between the two calls.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  });

/** Switches of each thread between two looks; threads that came meanwhile count from nothing. */
export const switchesBetween = (
  before: readonly Switches[],
  after: readonly Switches[],
): Switches[] => {
  const known = new Map(before.map((row) => [row.thread, row.voluntary]));
  return after.map((row) => ({ ...row, voluntary: row.voluntary - (known.get(row.thread) ?? 0) }));
};
