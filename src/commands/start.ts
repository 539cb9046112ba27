/**
 * start — runs the engine until SIGTERM, SIGINT or `stop`; SIGHUP reloads.
 *
 * Flags come from the [engine] table of `schema/config.ts` and go before the file. Ready is a line
 * on stdout and `READY=1` for systemd.
 */
import { resolve } from "node:path";
import type { Command } from "commander";
import { ask, runningEngines } from "../client.ts";
import type { Engine } from "../engine.ts";
import {
  DEFAULT_FILE,
  type EngineConfig,
  type EngineSettings,
  type Flags,
  SETTINGS,
} from "../schema/config.ts";
import { EngineError } from "../schema/errors.ts";
import { ipv6Problems } from "../schema/ipv6.ts";
import { loadConfig } from "../schema/load-config.ts";
import { routeWarnings } from "./check-routes.ts";
import { reportFailure, reportReady, startDaemon } from "./daemon.ts";
import { namingHolder } from "./holder.ts";
import { formatAmount, printText } from "./print.ts";
import { addExamples, optionName, settingOption, warn } from "./shared.ts";
import { stopSignal } from "./signals.ts";

interface Options {
  readonly config: string;
  readonly daemon?: boolean;
  readonly keyLog?: string;
}

const ENGINE_FLAGS = SETTINGS.filter(
  (setting) => setting.section === "engine" && setting.flag !== undefined,
);

/** The flags that were given, by their names in the file. */
const givenFlags = (command: Command, { keyLog }: Options): Flags => {
  const given: Record<string, unknown> = {};
  for (const setting of ENGINE_FLAGS) {
    const name = optionName(setting);
    if (command.getOptionValueSource(name) === "cli") {
      given[setting.key] = command.getOptionValue(name);
    }
  }
  // A path on the command line is meant from here; in the configuration, from there.
  if (typeof given.log_file === "string") given.log_file = resolve(given.log_file);
  return { ...given, ...(keyLog === undefined ? {} : { key_log: resolve(keyLog) }) };
};

const flagWords = (flags: Flags): string[] => {
  const words = ENGINE_FLAGS.flatMap(({ key, flag }) => {
    const value = flags[key as keyof EngineSettings];
    if (value === undefined) return [];
    return value === false ? [`--no-${flag}`] : [`--${flag}`, String(value)];
  });
  return flags.key_log === undefined ? words : [...words, "--key-log", flags.key_log];
};

/** `port`: what the kernel chose where the configuration has 0. */
const readyLine = ({ interface: link, peers, engine }: EngineConfig, port: number): string => {
  const facts = [
    `UDP port ${port}`,
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

/** Reads the configuration, and says what of it will not work. */
const read = (file: string, flags: Flags, say: (sentence: string) => void): EngineConfig => {
  const config = loadConfig(file, flags, say);
  for (const problem of ipv6Problems(config)) say(problem);
  return config;
};

/** Errors: EngineError ALREADY_RUNNING. */
const refuseSecond = async (name: string): Promise<void> => {
  if (!(await runningEngines()).includes(name)) return;
  const status = await ask(name, { type: "status.get" }).catch(() => null);
  const process = status === null ? "" : ` (process ${status.pid})`;
  throw new EngineError("ALREADY_RUNNING", { name, process });
};

const run = async (file: string, flags: Flags): Promise<void> => {
  let engine: Engine | null = null;
  let missed = false;
  const signalled = stopSignal(() => {
    missed = engine === null;
    engine?.reload();
  });
  const warned: string[] = [];
  const config = read(file, flags, (sentence) => {
    warned.push(sentence);
    warn(sentence);
  });
  const { name } = config.interface;
  await refuseSecond(name);
  const { createEngine } = await import("../engine.ts");
  engine = await createEngine(config, { warned }).catch(namingHolder(config.interface.listenPort));
  if (missed) engine.reload();
  const line = readyLine(config, engine.listenPort);
  // Whoever read the line may go away, and the disk may be full: the engine goes on.
  process.stdout.removeAllListeners("error").on("error", () => {});
  if (!reportReady(line)) printText(line);
  await notify("READY=1");
  const signal = await Promise.race([signalled, engine.stopped]);
  await notify("STOPPING=1");
  await engine.stop(signal ? `${signal} came` : undefined);
};

const start = async (options: Options, command: Command): Promise<void> => {
  const { limitPrivileges } = await import("./privileges.ts");
  limitPrivileges();
  const flags = givenFlags(command, options);
  if (options.daemon) {
    // The daemon itself has nobody to warn; what it said meanwhile, its status tells.
    const warned: string[] = [];
    const config = read(options.config, flags, (sentence) => warned.push(sentence));
    const { addon } = await import("../io/native/addon.ts");
    warned.push(...(await routeWarnings(config, addon)));
    warned.forEach(warn);
    const words = ["start", "-c", resolve(options.config), ...flagWords(flags)];
    printText(await startDaemon(words, { retry: "p2pvpn-engine start" }));
    const { warnings } = await ask(config.interface.name, { type: "status.get" });
    for (const { text } of warnings) if (!warned.includes(text)) warn(text);
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
  command.option("-c, --config <FILE>", "configuration, TOML or a wg-quick .conf", DEFAULT_FILE);
  for (const setting of ENGINE_FLAGS) command.addOption(settingOption(setting));
  command.option(
    "--key-log <FILE>",
    "write the secrets of every session to a new file, for Wireshark: whoever has it reads all; " +
      "sessions stay on ChaCha20-Poly1305, which it reads",
  );
  command.option("--daemon", "return to the shell when the engine is up").action(start);
  addExamples(command, [
    "p2pvpn-engine start",
    "p2pvpn-engine start -c laptop.toml --threads 3",
    "p2pvpn-engine start -c laptop.toml --daemon && p2pvpn-engine status",
    "p2pvpn-engine start -c wg0.conf --key-log wg0.keys",
  ]);
};
