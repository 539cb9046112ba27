/**
 * stop — ends a running engine and waits until it is gone.
 */
import type { Command } from "commander";
import { chooseEngine, stopEngine } from "../client.ts";
import { type EngineOptions, printJson, printText } from "./print.ts";
import { addExamples, addInterface, addJsonOption } from "./shared.ts";

const stop = async (options: EngineOptions): Promise<void> => {
  const name = await chooseEngine(options.interface);
  await stopEngine(name);
  if (options.json) printJson({ interface: name, stopped: true });
  else printText(`p2pvpn-engine: ${name} is down`);
};

/** Describes `stop`. */
export const define = (command: Command): void => {
  addJsonOption(addInterface(command, stop));
  addExamples(command, ["p2pvpn-engine stop", "p2pvpn-engine stop -i p2p0"]);
};
