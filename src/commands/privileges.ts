/**
 * privileges — gives up what an engine does not need, before it starts (security.md 33, 39).
 */
import { NO_INSPECTOR } from "../doors.ts";
import { addon } from "../io/native/addon.ts";

/** Set across the second execution. */
const LIMITED = "P2PVPN_LIMITED";
/**
 * Variables by which node loads code, writes reports, dumps and profiles, or opens its inspector:
 * all of its own but for those of the channel to a daemon's parent and the place of its data.
 */
const NODES_OWN = /^NODE_(?!CHANNEL_|ICU_DATA$)/;

/**
 * Keeps CAP_NET_ADMIN alone and no way to a debugger: executes the program again, once. Where the
 * process may not limit itself, as in some containers, it keeps its capabilities.
 *
 * Thread: main, before any other.
 */
export const limitPrivileges = (): void => {
  const excess = addon.privilegesExcess() === 1 && process.env[LIMITED] !== "1";
  const closed = process.execArgv.includes(NO_INSPECTOR);
  const variables = Object.keys(process.env).filter((name) => NODES_OWN.test(name));
  if (!excess && closed && variables.length === 0) return;
  for (const name of variables) delete process.env[name];
  process.env[LIMITED] = "1"; // whatever happens, only once
  const flags = closed ? process.execArgv : [...process.execArgv, NO_INSPECTOR];
  addon.privilegesReexecute([process.argv0, ...flags, ...process.argv.slice(1)]);
};
