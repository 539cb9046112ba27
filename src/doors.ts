/**
 * doors — what node would open to others, closed. Every program of ours imports this first.
 *
 *     SIGUSR1                 node opens its inspector on 127.0.0.1, where any user of this host
 *                             may run code as us; a listener takes the place of that
 *     SIGUSR2                 ends a process that does not listen
 *     NODE_OPTIONS=--inspect  an inspector is open already, and is closed
 *
 * Until this line runs, and where no line of ours helps (reports, heap dumps, profiles by NODE_*
 * variables), the first line of `bin/*.js` and `commands/privileges.ts` do it: NO_INSPECTOR.
 * Source: nodejs.org, "Signal events"; security.md 39.
 */
import { close, url } from "node:inspector";

for (const signal of ["SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => {});
if (url() !== undefined) close();

/**
 * A flag of node: should its inspector be asked for, by whatever, it finds no place to listen. The
 * address is reserved and no host's (RFC 1112, class E).
 */
export const NO_INSPECTOR = "--inspect-port=240.0.0.1:9229";
