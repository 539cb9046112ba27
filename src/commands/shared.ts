/**
 * shared — options that several commands have.
 */
import { type Command, InvalidArgumentError } from "commander";
import { isInterfaceName } from "../schema/names.ts";

const interfaceName = (text: string): string => {
  if (!isInterfaceName(text))
    throw new InvalidArgumentError("must be 1 to 15 letters, digits or _ = + . -");
  return text;
};

/** `-i`: may be left out when one engine is running. */
export const addInterfaceOption = (command: Command): Command =>
  command.option(
    "-i, --interface <NAME>",
    "interface of the engine; may be left out when one is running",
    interfaceName,
  );

/** `--json`. */
export const addJsonOption = (command: Command): Command => command.option("--json", "print JSON");

/** Lines under the help of a command. */
export const addExamples = (command: Command, lines: readonly string[]): Command =>
  command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}`);
