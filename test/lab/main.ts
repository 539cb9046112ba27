/** main — how a benchmark's main function ends: with its exit code, or with one sentence. */
import { EngineError } from "../../src/schema/errors.ts";
import { LabError } from "./lab.ts";

/** Errors that are the user's to mend: their message is enough. */
const isPlain = (error: unknown): error is Error =>
  error instanceof LabError ||
  error instanceof EngineError ||
  (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") === true;

/** Runs a benchmark's main function: an error is one sentence and its exit code. */
export const runMain = async (main: () => Promise<number>): Promise<void> => {
  try {
    process.exit(await main());
  } catch (error) {
    const text = isPlain(error) ? error.message : String((error as Error)?.stack ?? error);
    process.stderr.write(`${text}\n`);
    process.exit(error instanceof LabError ? error.exitCode : 1);
  }
};
