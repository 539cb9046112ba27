/**
 * config — `config get` and `config set`: the settings of a running engine.
 *
 * What is set changes the engine that runs and no file.
 */
import type { Command } from "commander";
import { ask, chooseEngine } from "../client.ts";
import { EngineError } from "../schema/errors.ts";
import type { ConfigValue } from "../schema/requests.ts";
import { LIVE_SETTINGS, liveSet, settingCalled, settingName } from "../schema/settings.ts";
import { namingHolder } from "./holder.ts";
import { type EngineOptions, printJson, printText, printWarnings } from "./print.ts";
import { addExamples, addInterfaceOption, addJsonOption, UNTIL_STOP } from "./shared.ts";

/** The text of `config get`: lines as TOML has them. */
export const formatConfig = (values: ConfigValue): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
    .join("\n");

const get = async (key: string | undefined, options: EngineOptions): Promise<void> => {
  const setting = key === undefined ? null : settingCalled(key);
  const name = await chooseEngine(options.interface);
  const values = await ask(name, { type: "config.get" });
  if (setting === null) {
    if (options.json) printJson(values);
    else printText(formatConfig(values));
    return;
  }
  const value = values[settingName(setting)];
  if (value === undefined) {
    const reason = `${key} is told by \`p2pvpn-engine peers -i ${name}\`, for each peer.`;
    throw new EngineError("USAGE", { reason });
  }
  if (options.json) printJson(value);
  else printText(Array.isArray(value) ? value.join("\n") : String(value));
};

const set = async (key: string, text: string, options: EngineOptions): Promise<void> => {
  const wanted = liveSet(key, text);
  const name = await chooseEngine(options.interface);
  if (wanted.type === "change") {
    const { change } = wanted;
    const named = namingHolder(change.listenPort ?? 0);
    const { warnings } = await ask(name, { type: "change.apply", change }).catch(named);
    printWarnings(warnings);
  } else await ask(name, { type: "log.level", level: wanted.level });
  const value = (await ask(name, { type: "config.get" }))[key];
  if (options.json) printJson({ interface: name, [key]: value });
  else printText(`${name}: ${key} = ${JSON.stringify(value)}, ${UNTIL_STOP}`);
};

/** Describes `config`. */
export const define = (command: Command): void => {
  const getting = command
    .command("get")
    .description("print all settings of a running engine, or one")
    .argument("[KEY]", "a setting, as docs/CONFIG.md has it: interface.mtu");
  addJsonOption(addInterfaceOption(getting)).action(get);
  addExamples(getting, ["p2pvpn-engine config get", "p2pvpn-engine config get interface.mtu"]);
  const setting = command
    .command("set")
    .description("change a setting of a running engine; no file is written")
    .argument("<KEY>", LIVE_SETTINGS.join(", "))
    .argument("<VALUE>", "as the configuration has it");
  addJsonOption(addInterfaceOption(setting)).action(set);
  addExamples(setting, [
    "p2pvpn-engine config set interface.mtu 1380",
    "p2pvpn-engine config set interface.fwmark 0xca6c -i p2p0",
  ]);
  addExamples(command, ["p2pvpn-engine config get", "p2pvpn-engine config set interface.mtu 1380"]);
};
