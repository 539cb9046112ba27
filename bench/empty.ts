/**
 * empty — a node process with as many threads as an engine has and nothing in them: what the
 * engine's resident memory is compared with. Run as a program by memory.ts.
 *
 *   node empty.js THREADS [FILE]      FILE: what the threads run instead, to see what it costs
 *
 * Says "up" when all threads run; ends when its parent does.
 */
import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { type ResourceLimits, Worker } from "node:worker_threads";

/** As the engine's threads have it: src/engine.ts, src/workers/pool.ts. */
const LIMITS: ResourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };
const NOTHING = 'require("node:worker_threads").parentPort.on("message", () => {});';

const start = async (threads: number, file: string | undefined): Promise<void> => {
  const options = { resourceLimits: LIMITS, trackUnmanagedFds: false };
  const workers = Array.from({ length: threads }, () =>
    file === undefined
      ? new Worker(NOTHING, { ...options, eval: true })
      : new Worker(pathToFileURL(file), options),
  );
  await Promise.all(workers.map((worker) => once(worker, "online")));
  process.stdout.write("up\n");
};

const [threads = "0", file] = process.argv.slice(2);
process.once("disconnect", () => process.exit(0));
void start(Number(threads), file);
