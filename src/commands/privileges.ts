/**
 * privileges — gives up what an engine does not need, before it starts (security.md 33).
 */
import { addon } from "../io/native/addon.ts";

/** Set across the second execution. */
const LIMITED = "P2PVPN_LIMITED";

/**
 * Keeps CAP_NET_ADMIN alone: executes the program again, once. Where the process may not limit
 * itself, as in some containers, it goes on as it is.
 *
 * Thread: main, before any other.
 */
export const limitPrivileges = (): void => {
  if (addon.privilegesExcess() !== 1 || process.env[LIMITED] === "1") return;
  process.env[LIMITED] = "1"; // whatever happens, only once
  addon.privilegesReexecute([process.argv0, ...process.execArgv, ...process.argv.slice(1)]);
};
