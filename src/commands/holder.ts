/**
 * holder — which engine of ours has a UDP port: asked over the control sockets of this user.
 */
import { statSync } from "node:fs";
import { ask, runningEngines } from "../client.ts";
import { EngineError, SaidError } from "../schema/errors.ts";

/** Tuning: an engine that is alive answers within milliseconds. */
const TIMEOUT_MS = 1_000;

export interface Holder {
  readonly name: string;
  readonly pid: number;
}

/** In the network namespace of this process; null: none that answers. Errors: never. */
export const portHolder = async (port: number): Promise<Holder | null> => {
  const { ino } = statSync("/proc/self/ns/net");
  for (const name of await runningEngines().catch((): string[] => [])) {
    const options = { timeoutMs: TIMEOUT_MS };
    const status = await ask(name, { type: "status.get" }, options).catch(() => null);
    if (status?.listenPort === port && status.network === ino) return { name, pid: status.pid };
  }
  return null;
};

/** Throws what it is given or, where an engine of ours has the port, an error that names it. */
export const namingHolder =
  (port: number) =>
  async (error: unknown): Promise<never> => {
    const code = error instanceof SaidError ? error.said : (error as { code?: unknown }).code;
    const holder = code === "PORT_TAKEN" ? await portHolder(port) : null;
    throw holder === null ? error : new EngineError("PORT_HELD", { port, ...holder });
  };
