/**
 * signals — what asks an engine to stop.
 */
import { isDaemon } from "./daemon.ts";

/** Resolves with the first signal that asks to stop; a second one ends the process at once. */
export const stopSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(1);
      asked = true;
      resolve(signal);
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
    // A terminal that goes away ends what runs in it; a daemon has none.
    process.on("SIGHUP", isDaemon() ? () => {} : onSignal);
  });
