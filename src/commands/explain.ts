/**
 * explain — what a running engine knows of a peer or an address: where each piece came from, how
 * old it is, and what is wrong.
 */
import type { Command } from "commander";
import { ask, chooseEngine } from "../client.ts";
import type { ExplainValue } from "../schema/answers.ts";
import { type EngineOptions, printJson, printText } from "./print.ts";
import { type Screen, screenOf, wrap } from "./screen.ts";
import { addExamples, addInterfaceOption, addJsonOption } from "./shared.ts";

/** A sentence a line. */
export const formatExplained = ({ sentences }: ExplainValue, screen: Screen): string =>
  sentences.map((sentence) => wrap(sentence.split(" "), screen, { gap: " " })).join("\n");

const explain = async (subject: string, options: EngineOptions): Promise<void> => {
  const name = await chooseEngine(options.interface);
  const value = await ask(name, { type: "network.explain", subject });
  if (options.json) printJson(value);
  else printText(formatExplained(value, screenOf()));
};

/** Describes `explain`. */
export const define = (command: Command): void => {
  command.argument("<PEER|IP>", "a name, a node id, a WireGuard public key or an inner address");
  addJsonOption(addInterfaceOption(command)).action(explain);
  addExamples(command, [
    "p2pvpn-engine explain laptop",
    "p2pvpn-engine explain 10.66.0.2",
    "p2pvpn-engine explain laptop --json",
  ]);
};
