/**
 * cli — the command line: finds the command, loads it alone, and turns errors into one sentence.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
 */
import { Command, CommanderError } from "commander";
import { EngineError } from "./schema/errors.ts";
import { version } from "./version.ts";

interface CommandModule {
  readonly define: (command: Command) => void;
}

interface CommandRow {
  readonly name: string;
  readonly help: string;
  readonly load: () => Promise<CommandModule>;
}

// biome-ignore format: a table
const COMMANDS: readonly CommandRow[] = [
  { name: "keygen", help: "make an identity", load: () => import("./commands/keygen.ts") },
  { name: "start", help: "run the engine", load: () => import("./commands/start.ts") },
  { name: "stop", help: "stop a running engine", load: () => import("./commands/stop.ts") },
  { name: "status", help: "show what a running engine is and does", load: () => import("./commands/status.ts") },
  { name: "peers", help: "show the peers of a running engine", load: () => import("./commands/peers.ts") },
  { name: "stats", help: "show what each thread of a running engine did", load: () => import("./commands/stats.ts") },
  { name: "check", help: "test configuration, kernel and privileges", load: () => import("./commands/check.ts") },
  { name: "demo", help: "try it: two peers on this machine, ping and throughput", load: () => import("./commands/demo.ts") },
];

const EXAMPLES = `
Examples:
  $ sudo p2pvpn-engine demo
  $ p2pvpn-engine keygen --out laptop.key
  $ sudo p2pvpn-engine check -c laptop.toml
  $ sudo p2pvpn-engine start -c laptop.toml --daemon
  $ sudo p2pvpn-engine peers`;

const buildProgram = async (words: readonly string[]): Promise<Command> => {
  const program = new Command("p2pvpn-engine")
    .description("A peer-to-peer VPN engine for Linux, with WireGuard on the wire.")
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .addHelpText("after", EXAMPLES);
  if (words.some((word) => word === "-V" || word === "--version")) program.version(version());
  else program.option("-V, --version", "print the version");
  const named = words.filter((word) => !word.startsWith("-")).slice(0, 2);
  for (const row of COMMANDS) {
    const command = program.command(row.name).description(row.help).allowExcessArguments(false);
    if (named.includes(row.name)) (await row.load()).define(command);
  }
  return program;
};

const say = (sentence: string): void => {
  process.stderr.write(`p2pvpn-engine: ${sentence}\n`);
};

/** One clause from commander's lines; our argument checks throw the part after "must". */
const usageSentence = (message: string): string =>
  message
    .replace(/^error: /, "")
    .replace(/^(?:option )?(.*) argument '(.*)' is invalid\. (.*)$/s, "$1 $3, not '$2'")
    .replace(/\. Expected (\d+) .*$/s, ", which takes $1")
    .replace(/\s*\n\(Did you mean (.*)\?\)$/s, ", did you mean $1?")
    .replace(/\?$/, "");

/** Where the options of the command that was meant are told. */
const helpWords = (): string => {
  const word = process.argv.slice(2).find((one) => !one.startsWith("-"));
  const known = COMMANDS.some((row) => row.name === word);
  return known ? `p2pvpn-engine ${word} --help` : "p2pvpn-engine --help";
};

/** Says what went wrong; returns the exit code. */
const explain = (error: unknown): number => {
  if (process.env.P2PVPN_DEBUG === "1" && !(error instanceof CommanderError)) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  }
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    if (error.code === "commander.help") return 2;
    say(`${usageSentence(error.message)}; see ${helpWords()}.`);
    return 2;
  }
  if (error instanceof EngineError) {
    say(error.message);
    return error.exit;
  }
  const [reason] = (error instanceof Error ? error.message : String(error)).split("\n");
  say(`something unexpected failed: ${reason}; set P2PVPN_DEBUG=1 to see where.`);
  return 1;
};

const main = async (): Promise<void> => {
  // A reader that goes away, as `head` does, is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  process.on("uncaughtException", (error) => process.exit(explain(error)));
  try {
    const program = await buildProgram(process.argv.slice(2));
    await program.parseAsync(process.argv);
  } catch (error) {
    // At once: threads of an engine that failed may still run. Linux writes to pipes at once too.
    process.exit(explain(error));
  }
};

void main();
