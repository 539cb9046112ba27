/**
 * reload — a running engine reads its configuration again; peers that did not change keep their
 * sessions. When the file is wrong nothing changes.
 */
import type { Command } from "commander";
import { ask, chooseEngine } from "../client.ts";
import type { ReloadValue } from "../schema/answers.ts";
import { SaidError } from "../schema/errors.ts";
import {
  type EngineOptions,
  formatAmount,
  indent,
  printJson,
  printText,
  printWarnings,
} from "./print.ts";
import { addExamples, addInterface, addJsonOption } from "./shared.ts";

/** The text of `reload`. */
export const formatReload = (name: string, { changed, needsRestart }: ReloadValue): string => {
  const head =
    changed.length === 0
      ? `${name}: nothing has changed`
      : `${name}: ${formatAmount(changed.length, "change")}\n${indent(changed.join("\n"))}`;
  if (needsRestart.length === 0) return head;
  return `${head}\nnot before the engine is started again:\n${indent(needsRestart.join("\n"))}`;
};

const reload = async (options: EngineOptions): Promise<void> => {
  const name = await chooseEngine(options.interface);
  const value = await ask(name, { type: "engine.reload" }).catch((error: unknown) => {
    if (!(error instanceof SaidError)) throw error;
    throw new SaidError(`${error.message} Nothing has changed.`, error.said);
  });
  printWarnings(value.warnings);
  if (options.json) printJson({ interface: name, ...value });
  else printText(formatReload(name, value));
};

/** Describes `reload`. */
export const define = (command: Command): void => {
  addJsonOption(addInterface(command, reload));
  addExamples(command, [
    "p2pvpn-engine check -c /etc/p2pvpn/p2pvpn.toml && p2pvpn-engine reload",
    "p2pvpn-engine reload -i p2p0 --json | jq .needsRestart",
  ]);
};
