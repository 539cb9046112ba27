/**
 * cli — the command line: finds the command, loads it alone, and turns errors into one sentence.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
 */
import "./doors.ts";
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
  { name: "reload", help: "make a running engine read its configuration again", load: () => import("./commands/reload.ts") },
  { name: "status", help: "show what a running engine is and does", load: () => import("./commands/status.ts") },
  { name: "peers", help: "show the peers of a running engine", load: () => import("./commands/peers.ts") },
  { name: "routes", help: "show which prefix leads to which peer", load: () => import("./commands/routes.ts") },
  { name: "stats", help: "show what each thread of a running engine did", load: () => import("./commands/stats.ts") },
  { name: "peer", help: "add or remove a peer of a running engine", load: () => import("./commands/peer.ts") },
  { name: "route", help: "add or remove a route of a running engine", load: () => import("./commands/route.ts") },
  { name: "config", help: "show or change the settings of a running engine", load: () => import("./commands/config.ts") },
  { name: "rekey", help: "make new session keys with a peer, or with all", load: () => import("./commands/rekey.ts") },
  { name: "log-level", help: "show or change what a running engine logs", load: () => import("./commands/log-level.ts") },
  { name: "check", help: "test configuration, kernel and privileges", load: () => import("./commands/check.ts") },
  { name: "demo", help: "try it: two peers on this machine, ping and throughput", load: () => import("./commands/demo.ts") },
  { name: "completion", help: "print what makes a shell complete these commands", load: () => import("./commands/completion.ts") },
];

const EXAMPLES = `
Examples:
  $ sudo p2pvpn-engine demo
  $ p2pvpn-engine keygen --out laptop.key
  $ sudo p2pvpn-engine check -c laptop.toml
  $ sudo p2pvpn-engine start -c laptop.toml --daemon
  $ sudo p2pvpn-engine peers`;

/** `help` of words that are no command is a mistake; of a command in a command, that one's help. */
const describeHelp = (program: Command): void => {
  program
    .command("help [command...]")
    .description("display help for command")
    .action((words: readonly string[]) => {
      let command = program;
      for (const word of words) {
        const next = command.commands.find((one) => one.name() === word);
        if (next === undefined) {
          const reason = `unknown command '${word}'; see p2pvpn-engine --help.`;
          throw new EngineError("USAGE", { reason });
        }
        command = next;
      }
      command.outputHelp();
    });
};

/** Describes all commands; only the one that is meant is loaded. */
const describe = async (program: Command, words: readonly string[]): Promise<void> => {
  program
    .description("A peer-to-peer VPN engine for Linux, with WireGuard on the wire.")
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .addHelpText("after", EXAMPLES)
    .helpCommand(false);
  if (words.some((word) => word === "-V" || word === "--version")) program.version(version());
  else program.option("-V, --version", "print the version");
  const named = words.filter((word) => !word.startsWith("-")).slice(0, 2);
  for (const row of COMMANDS) {
    const command = program.command(row.name).description(row.help).allowExcessArguments(false);
    // Completion is made from all of them.
    const wanted = named.includes(row.name) || named[0] === "completion";
    if (wanted) (await row.load()).define(command);
  }
  describeHelp(program);
};

const say = (sentence: string): void => {
  process.stderr.write(`p2pvpn-engine: ${sentence}\n`);
};

/** One clause from commander's lines; our argument checks throw the part after "must". */
const usageSentence = (message: string): string =>
  message
    .replace(/^error: /, "")
    .replace(/^(?:option )?(.*) argument '(.*)' is invalid\. (.*)$/s, "$1 $3, not '$2'")
    .replace(
      /^command-argument value '(.*)' is invalid for argument '(.*)'\. (.*)$/s,
      "$2 $3, not '$1'",
    )
    .replace(/\. Expected (\d+) .*$/s, ", which takes $1")
    .replace(/\s*\n\(Did you mean (.*)\?\)$/s, ", did you mean $1?")
    .replace(/\?$/, "");

/** Where the options of the command that was meant are told. */
const helpWords = (program: Command): string => {
  const words = process.argv.slice(2).filter((one) => !one.startsWith("-"));
  const path = [program.name()];
  let command: Command | undefined = program;
  for (const word of words) {
    command = command.commands.find((one) => one.name() === word);
    if (command === undefined) break;
    path.push(word);
  }
  return `${path.join(" ")} --help`;
};

/** Says what went wrong; returns the exit code. */
const explain = (error: unknown, program: Command): number => {
  if (process.env.P2PVPN_DEBUG === "1" && !(error instanceof CommanderError)) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  }
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    if (error.code === "commander.help") return 2;
    say(`${usageSentence(error.message)}; see ${helpWords(program)}.`);
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

const writeProblem = ({ code, message }: NodeJS.ErrnoException): string =>
  code === "ENOSPC" ? "the disk is full" : (code ?? message);

/**
 * `start` executes the program a second time: before what it needs is loaded, not after. Whoever
 * asks for help starts nothing.
 */
const limitEarly = async (words: readonly string[]): Promise<void> => {
  const help = words.some((word) => word === "-h" || word === "--help");
  if (help || words.find((word) => !word.startsWith("-")) !== "start") return;
  const { limitPrivileges } = await import("./commands/privileges.ts");
  limitPrivileges();
};

const main = async (): Promise<void> => {
  // A reader that goes away, as `head` does, is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw new EngineError("OUTPUT_FAILED", { reason: writeProblem(error), cause: error });
  });
  const program = new Command("p2pvpn-engine");
  process.on("uncaughtException", (error) => process.exit(explain(error, program)));
  try {
    await limitEarly(process.argv.slice(2));
    await describe(program, process.argv.slice(2));
    await program.parseAsync(process.argv);
  } catch (error) {
    // At once: threads of an engine that failed may still run. Linux writes to pipes at once too.
    process.exit(explain(error, program));
  }
};

void main();
