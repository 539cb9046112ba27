/**
 * shared — options that several commands have, and what their words mean.
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { chooseEngine, engineNames } from "../client.ts";
import { journalPrefix } from "../log.ts";
import type { Setting } from "../schema/config.ts";
import { EngineError } from "../schema/errors.ts";
import { ipv6Problem } from "../schema/ipv6.ts";
import { isInterfaceName } from "../schema/names.ts";
import type { PeerValue } from "../schema/requests.ts";
import { rawValue } from "../schema/settings.ts";
import type { Cidr } from "../wire/cidr.ts";
import { type EngineOptions, printJson, printText } from "./print.ts";

/** Of `-i`. */
export const interfaceName = (text: string): string => {
  if (!isInterfaceName(text))
    throw new InvalidArgumentError("must be 1 to 15 letters, digits or _ = + . -");
  return text;
};

/** `-i`: may be left out when one engine is running. */
export const addInterfaceOption = (command: Command): Command =>
  command.option(
    "-i, --interface <IFACE>",
    "interface of the engine; may be left out when one is running",
    interfaceName,
  );

/** `-i`, or the interface as the only argument: `status p2p0`. */
export const addInterface = <Options extends EngineOptions>(
  command: Command,
  act: (options: Options) => Promise<void>,
): Command =>
  addInterfaceOption(command)
    .argument("[IFACE]", "the same as -i IFACE", interfaceName)
    .action((name: string | undefined, options: Options) =>
      act({ ...options, interface: name ?? options.interface }),
    );

/**
 * Prints what `show` says of the engine that is meant, or of each that runs when none is named.
 * JSON is always that of one. Errors: as `chooseEngine`, `ask`.
 */
export const showEngines = async (
  options: EngineOptions,
  read: (name: string) => Promise<{ readonly value: unknown; readonly text: () => string }>,
): Promise<void> => {
  const names = await engineNames(options.interface);
  if (options.json || names.length === 1) {
    const { value, text } = await read(await chooseEngine(options.interface));
    return options.json ? printJson(value) : printText(text());
  }
  const texts: string[] = [];
  for (const name of names) {
    // One that ends meanwhile does not hide the others.
    const text = await read(name).then(
      (one) => one.text(),
      (error: Error) => {
        process.exitCode = 1;
        return error.message;
      },
    );
    texts.push(`${name}:\n${text}`);
  }
  printText(texts.join("\n\n"));
};

/** `--json`. */
export const addJsonOption = (command: Command): Command => command.option("--json", "print JSON");

/** Lines under the help of a command; one that begins with a space goes on with the last. */
export const addExamples = (command: Command, lines: readonly string[]): Command => {
  const text = lines.map((line) => (line.startsWith(" ") ? `  ${line}` : `  $ ${line}`));
  return command.addHelpText("after", `\nExamples:\n${text.join("\n")}`);
};

/** A sentence of the table as a clause, as commander's own help is written. */
const clause = (sentence: string): string => {
  const text = sentence.replace(/\.$/, "");
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
};

const checkedValue =
  (setting: Setting) =>
  (text: string): unknown => {
    const result = setting.check(rawValue(setting, text));
    if ("problem" in result) throw new InvalidArgumentError(result.problem);
    return result.value;
  };

/** The flag of a setting; its value is what the setting's own check gives. */
export const settingOption = (setting: Setting): Option => {
  const help = clause(setting.help.replace("; relative to the configuration", ""));
  if (setting.value === "") return new Option(`--no-${setting.flag}`, `without ${help}`);
  const { fallback } = setting;
  // What `peer add` is not given stays as it is.
  const known = setting.section === "engine" && fallback !== undefined;
  const rest = known ? ` (default: ${fallback})` : "";
  const option = new Option(`--${setting.flag} <${setting.value}>`, `${help}${rest}`);
  if (setting.words !== null) option.choices(setting.words);
  return option.argParser(checkedValue(setting));
};

/** Name under which commander keeps the value of a setting's flag. */
export const optionName = (setting: Setting): string =>
  setting.flag!.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** A peer as it is called here: its name, else its key. */
export const calledPeer = (peer: {
  readonly name: string | null;
  readonly wireguardPublicKey: string;
}): string => peer.name ?? peer.wireguardPublicKey;

/** Protocol of the command line: fewer characters of a key name nobody. */
const KEY_PART_MIN = 4;

/**
 * The peer that is meant: by its key, its name, or the beginning of its key.
 *
 * Errors: EngineError PEER_UNKNOWN, PEER_AMBIGUOUS.
 */
export const findPeer = (peers: readonly PeerValue[], word: string, engine: string): PeerValue => {
  // As `peers` shows a key that goes on.
  const text = word.replace(/…$/, "");
  const lower = text.toLowerCase();
  const exact =
    peers.find((peer) => peer.wireguardPublicKey === text) ??
    peers.find((peer) => peer.name?.toLowerCase() === lower);
  if (exact !== undefined) return exact;
  const part = text.length >= KEY_PART_MIN;
  const [one, ...others] = peers.filter((peer) => part && peer.wireguardPublicKey.startsWith(text));
  const details = { name: engine, peer: text.slice(0, 64) };
  if (one === undefined) throw new EngineError("PEER_UNKNOWN", details);
  if (others.length > 0) throw new EngineError("PEER_AMBIGUOUS", details);
  return one;
};

/** Bytes of a key that the engine told. */
export const keyBytes = (peer: PeerValue): Uint8Array =>
  Uint8Array.from(Buffer.from(peer.wireguardPublicKey, "base64"));

/** Says on stderr what is no error. */
export const warn = (sentence: string): void => {
  process.stderr.write(`${journalPrefix("warn")}p2pvpn-engine: ${sentence}\n`);
};

/** Of prefixes that do nothing while IPv6 is off on the interface. */
export const warnOfIpv6 = (prefixes: readonly Cidr[], name: string): void => {
  const problem = ipv6Problem(prefixes, name);
  if (problem !== null) warn(problem);
};

/** Said after every change that is not written anywhere. */
export const UNTIL_STOP = "until the engine stops or reloads; no file is written";
