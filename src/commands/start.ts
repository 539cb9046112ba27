/**
 * start — runs the engine until a signal or `stop`.
 *
 * Flags come from the [engine] table of `schema/config.ts` and go before the file. Ready is a line
 * on stdout and `READY=1` for systemd.
 */
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { runningEngines } from "../client.ts";
import {
  DEFAULT_FILE,
  type EngineConfig,
  type EngineSettings,
  SETTINGS,
  type Setting,
} from "../schema/config.ts";
import { EngineError } from "../schema/errors.ts";
import { loadConfig } from "../schema/load.ts";
import { reportFailure, reportReady, startDaemon } from "./daemon.ts";
import { formatAmount, printText } from "./print.ts";
import { addExamples } from "./shared.ts";
import { stopSignal } from "./signals.ts";

interface Options {
  readonly config: string;
  readonly daemon?: boolean;
}

type Flags = Readonly<Partial<EngineSettings>>;

const FLAGS = SETTINGS.filter((setting) => setting.flag !== undefined);

const isSwitch = (setting: Setting): boolean => setting.value === "";

const flagValue =
  (setting: Setting) =>
  (text: string): unknown => {
    const numeric = typeof setting.fallback === "number";
    const given = numeric ? (/^\d+$/.test(text) ? Number(text) : Number.NaN) : text;
    const result = setting.check(given);
    if ("problem" in result) throw new InvalidArgumentError(result.problem);
    return result.value;
  };

/** A sentence of the table as a clause, as commander's own help is written. */
const clause = (sentence: string): string => {
  const text = sentence.replace(/\.$/, "");
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
};

const flagOption = (setting: Setting): Option => {
  const help = clause(setting.help);
  if (isSwitch(setting)) return new Option(`--no-${setting.flag}`, `without ${help}`);
  const flag = `--${setting.flag} <${setting.value}>`;
  const fallback = `(default: ${String(setting.fallback)})`;
  return new Option(flag, `${help} ${fallback}`).argParser(flagValue(setting));
};

/** The flags that were given, by their names in the file. */
const givenFlags = (command: Command): Flags => {
  const given: Record<string, unknown> = {};
  for (const setting of FLAGS) {
    const name = setting.flag!.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    if (command.getOptionValueSource(name) === "cli") {
      given[setting.key] = command.getOptionValue(name);
    }
  }
  return given as Flags;
};

const flagWords = (flags: Flags): string[] =>
  FLAGS.flatMap(({ key, flag }) => {
    const value = flags[key as keyof EngineSettings];
    if (value === undefined) return [];
    return value === false ? [`--no-${flag}`] : [`--${flag}`, String(value)];
  });

const readyLine = ({ interface: link, peers, engine }: EngineConfig): string => {
  const port = link.listenPort === 0 ? [] : [`UDP port ${link.listenPort}`];
  const facts = [
    ...port,
    `MTU ${link.mtu}`,
    formatAmount(peers.length, "peer"),
    formatAmount(engine.ioThreads, "I/O thread"),
    formatAmount(engine.threads, "worker"),
  ];
  return `p2pvpn-engine: ${link.name} is up (${facts.join(", ")})`;
};

/** Tells systemd, when it asked to be told. */
const notify = async (state: string): Promise<void> => {
  if (process.env.NOTIFY_SOCKET === undefined) return;
  const { addon } = await import("../io/native/addon.ts");
  addon.notify(state);
};

const run = async (file: string, flags: Flags): Promise<void> => {
  const signalled = stopSignal();
  const config = loadConfig(file, flags);
  const { name } = config.interface;
  if ((await runningEngines()).includes(name)) throw new EngineError("ALREADY_RUNNING", { name });
  const { createEngine } = await import("../engine.ts");
  const engine = await createEngine(config);
  const line = readyLine(config);
  if (!reportReady(line)) printText(line);
  await notify("READY=1");
  await Promise.race([signalled, engine.stopped]);
  await notify("STOPPING=1");
  await engine.stop();
};

const start = async (options: Options, command: Command): Promise<void> => {
  const { limitPrivileges } = await import("./privileges.ts");
  limitPrivileges();
  const flags = givenFlags(command);
  if (options.daemon) {
    const words = ["start", "-c", resolve(options.config), ...flagWords(flags)];
    printText(await startDaemon(words, { retry: "p2pvpn-engine start" }));
    return;
  }
  // Sockets and files of this process are its user's alone (security.md 31); threads inherit it.
  process.umask(0o077);
  try {
    await run(options.config, flags);
  } catch (error) {
    if (error instanceof EngineError) await reportFailure(error.message, error.exit);
    throw error;
  }
  process.exit(0);
};

/** Describes `start`. */
export const define = (command: Command): void => {
  command.option("-c, --config <FILE>", "configuration, TOML", DEFAULT_FILE);
  for (const setting of FLAGS) command.addOption(flagOption(setting));
  command.option("--daemon", "return to the shell when the engine is up").action(start);
  addExamples(command, [
    "p2pvpn-engine start",
    "p2pvpn-engine start -c laptop.toml --threads 3",
    "p2pvpn-engine start -c laptop.toml --daemon && p2pvpn-engine status",
  ]);
};
