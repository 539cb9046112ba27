/** until — a test waits for what is to be seen, and not for a time. */
import { setTimeout as sleep } from "node:timers/promises";
import { LabError } from "./lab.ts";

const WAIT_MS = 15_000;
const POLL_MS = 20;

/** Waits until it is so. Errors: LabError. */
export const until = async (
  what: string,
  holds: () => boolean | Promise<boolean>,
  mostMs = WAIT_MS,
): Promise<void> => {
  for (let waited = 0; !(await holds()); waited += POLL_MS) {
    if (waited > mostMs) throw new LabError(`It never came that ${what}.`);
    await sleep(POLL_MS);
  }
};
