/** drop-in — starts `p2pvpn-wireguard` on a host of a lab, and looks at what it left. */
import { existsSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ToolResult } from "../../src/demo/tools.ts";
import { type Host, type Lab, LabError } from "../lab/lab.ts";
import { until } from "../lab/until.ts";

const PROGRAM = fileURLToPath(
  new URL(`../../src/wireguard${extname(import.meta.url)}`, import.meta.url),
);

/** Words that run it, after those that set where its control socket goes. */
export const dropInWords = (lab: Lab, ...words: string[]): string[] => [
  "env",
  "-u",
  "LOG_LEVEL",
  `P2PVPN_RUN_DIR=${lab.runFolder}`,
  `P2PVPN_STATE_DIR=${join(lab.folder, "state")}`,
  process.execPath,
  PROGRAM,
  ...words,
];

/** One file to run it, as wg-quick wants it. */
export const dropInFile = (lab: Lab): string => {
  const file = join(lab.folder, "p2pvpn-wireguard");
  const words = dropInWords(lab).map((word) => `'${word}'`);
  writeFileSync(file, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o755 });
  return file;
};

/** Runs it as a daemon. */
export const runDropIn = (lab: Lab, host: Host, name: string): Promise<ToolResult> =>
  lab.run(host, dropInWords(lab, name));

export const socketOf = (name: string): string => `/var/run/wireguard/${name}.sock`;

export const controlSocketOf = (lab: Lab, name: string): string =>
  join(lab.runFolder, `${name}.sock`);

/** Process id of the only program on a host. Errors: LabError. */
export const onlyProgram = async (lab: Lab, host: Host): Promise<number> => {
  const [pid, ...others] = await lab.programs(host);
  if (pid === undefined || others.length > 0) throw new LabError("There is not one program.");
  return pid;
};

/** Ends the daemon of a host, and waits until nothing of it is left. */
export const endDropIn = async (lab: Lab, host: Host, name: string): Promise<void> => {
  for (const pid of await lab.programs(host)) process.kill(pid, "SIGTERM");
  await untilGone(lab, host, name);
};

/** Waits until the daemon and its sockets are gone. */
export const untilGone = (lab: Lab, host: Host, name: string): Promise<void> =>
  until(`${name} is gone`, async () => {
    const left = [socketOf(name), controlSocketOf(lab, name)].some((file) => existsSync(file));
    return !left && (await lab.programs(host)).length === 0;
  });

/** What a process has open. */
export const handlesOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });

export const tookMs = async (work: () => Promise<unknown>): Promise<number> => {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
};
