/**
 * explain — what a running engine knows of a peer or an address: where each piece came from, how old
 * it is, and what is wrong.
 */
import type { Command } from "commander";
import { ask, chooseEngine } from "../client.ts";
import type { ExplainValue, Finding } from "../schema/requests.ts";
import { type EngineOptions, formatDuration, printJson, printText } from "./print.ts";
import { paint, type Screen, screenOf, wrap } from "./screen.ts";
import { addExamples, addInterfaceOption, addJsonOption } from "./shared.ts";

const MARK = "!";

/** "…, 34 s ago; it came here 2 s ago". */
const aged = ({ text, ageMs, heardMs, untilMs }: Finding): string => {
  const age = ageMs === null ? "" : ` ${formatDuration(ageMs)} ago`;
  const heard = heardMs === undefined ? "" : `, and came here ${formatDuration(heardMs)} ago`;
  if (untilMs === undefined) return `${text}${age}${heard}`;
  return untilMs < 0
    ? `${text}: ${formatDuration(-untilMs)} ago`
    : `${text} in ${formatDuration(untilMs)}`;
};

/** A line each; what is wrong is marked. */
export const formatExplained = ({ findings }: ExplainValue, screen: Screen): string =>
  findings
    .map((finding) => {
      const text = `${finding.wrong ? MARK : " "} ${aged(finding)}`;
      const line = wrap(text.split(" "), screen, { gap: " " });
      return finding.wrong ? paint(screen, "odd", line) : line;
    })
    .join("\n");

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
