/**
 * signals — what signals ask of an engine.
 *
 *     TERM, INT    stop; a second one ends the process at once
 *     HUP          read the configuration again; or stop, when the terminal has gone away
 *     USR1, USR2   nothing (doors.ts)
 */
import { closeSync, openSync } from "node:fs";

/** Does this process have a terminal? One that hung up is nobody's. Source: tty(4). */
const hasTerminal = (): boolean => {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
};

/**
 * Resolves with the first signal that asks to stop. `reload`: called at each that asks for that,
 * from now on until then.
 */
export const stopSignal = (reload: () => void): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    const terminal = hasTerminal();
    let asked = false;
    const onStop = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(1);
      asked = true;
      resolve(signal);
    };
    const onHangUp = (): void => {
      // A terminal that goes away ends what runs in it.
      if (terminal && !hasTerminal()) onStop("SIGHUP");
      else if (!asked) reload();
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onStop);
    process.on("SIGHUP", onHangUp);
  });
