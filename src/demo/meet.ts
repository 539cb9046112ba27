/**
 * meet — does every member of the demo reach every other one? Asked over and over, for a while.
 */
import { EngineError } from "../schema/errors.ts";
import { reaches } from "./measure.ts";
import { addressesOf } from "./members.ts";
import { MEMBERS, namespaceOf } from "./topology.ts";

/** Tuning: on an idle machine it takes two seconds. */
const MEET_S = 30;

const nowS = (): number => Number(process.hrtime.bigint()) / 1e9;

export interface Meeting {
  /** From the first question to the last answer. */
  readonly seconds: number;
  /** Who has an answer of whom: "a to b". */
  readonly pairs: readonly string[];
}

/** Every member asks every other one until it answers. Errors: DEMO_FAILED: one did not; abort. */
export const meet = async (signal: AbortSignal): Promise<Meeting> => {
  const from = nowS();
  const pairs = MEMBERS.flatMap((a) => MEMBERS.filter((b) => b !== a).map((b) => [a, b] as const));
  await Promise.all(
    pairs.map(async ([a, b]) => {
      const [address] = addressesOf(b);
      while (!(await reaches(namespaceOf(process.pid, a), address, signal))) {
        if (nowS() - from < MEET_S) continue;
        const reason = `${a} does not reach ${b} in ${MEET_S} seconds`;
        throw new EngineError("DEMO_FAILED", { reason });
      }
    }),
  );
  const seconds = nowS() - from;
  return { seconds, pairs: pairs.map(([a, b]) => `${a} to ${b}`) };
};
