/**
 * log-level — what a running engine logs: tells it, or changes it.
 */
import { Argument, type Command, InvalidArgumentError } from "commander";
import { ask, chooseEngine } from "../client.ts";
import { LOG_LEVELS, type LogLevel } from "../schema/config.ts";
import { type EngineOptions, printJson, printText } from "./print.ts";
import { addExamples, addInterfaceOption, addJsonOption, UNTIL_STOP } from "./shared.ts";

const levelArgument = (text: string): LogLevel => {
  const level = LOG_LEVELS.find((one) => one === text);
  if (level === undefined) throw new InvalidArgumentError(`must be ${LOG_LEVELS.join(" or ")}`);
  return level;
};

const logLevel = async (level: LogLevel | undefined, options: EngineOptions): Promise<void> => {
  const name = await chooseEngine(options.interface);
  const now = await ask(name, { type: "log.level", level: level ?? null });
  if (options.json) printJson({ interface: name, level: now });
  else printText(level === undefined ? now : `${name}: ${now} is logged, ${UNTIL_STOP}`);
};

/** Describes `log-level`. */
export const define = (command: Command): void => {
  const level = new Argument("[LEVEL]", "what is logged from now on").choices(LOG_LEVELS);
  command.addArgument(level.argParser(levelArgument));
  addJsonOption(addInterfaceOption(command)).action(logLevel);
  addExamples(command, ["p2pvpn-engine log-level", "p2pvpn-engine log-level debug -i p2p0"]);
};
