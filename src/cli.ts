/**
 * cli — the command line: finds the command, loads it alone, and turns errors into one sentence.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
 */
import "./doors.ts";
import { Command, CommanderError } from "commander";
import { journalPrefix } from "./log.ts";
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
  { name: "pubkey", help: "print the WireGuard public key of an identity or private key", load: () => import("./commands/pubkey.ts") },
  { name: "start", help: "run the engine", load: () => import("./commands/start.ts") },
  { name: "stop", help: "stop a running engine", load: () => import("./commands/stop.ts") },
  { name: "reload", help: "make a running engine read its configuration again", load: () => import("./commands/reload.ts") },
  { name: "status", help: "show what a running engine is and does", load: () => import("./commands/status.ts") },
  { name: "peers", help: "show the peers of a running engine", load: () => import("./commands/peers.ts") },
  { name: "routes", help: "show which prefix leads to which peer", load: () => import("./commands/routes.ts") },
  { name: "explain", help: "say what is known of a peer or an address, and what is wrong", load: () => import("./commands/explain.ts") },
  { name: "stats", help: "show what each thread of a running engine did", load: () => import("./commands/stats.ts") },
  { name: "peer", help: "add or remove a peer of a running engine", load: () => import("./commands/peer.ts") },
  { name: "route", help: "add or remove a route of a running engine", load: () => import("./commands/route.ts") },
  { name: "config", help: "show or change the settings of a running engine", load: () => import("./commands/config.ts") },
  { name: "rekey", help: "make new session keys with a peer, or with all", load: () => import("./commands/rekey.ts") },
  { name: "log-level", help: "show or change what a running engine logs", load: () => import("./commands/log-level.ts") },
  { name: "network", help: "say who belongs to a network, as its authority", load: () => import("./commands/network/network.ts") },
  { name: "request", help: "ask to be a member of a network", load: () => import("./commands/network/request.ts") },
  { name: "index", help: "run an index node, by which members find each other", load: () => import("./commands/network/index-node.ts") },
  { name: "invite", help: "let somebody join a network, once", load: () => import("./commands/network/invite.ts") },
  { name: "join", help: "become a member of a network, by an invitation", load: () => import("./commands/network/join.ts") },
  { name: "check", help: "test configuration, kernel and privileges", load: () => import("./commands/check.ts") },
  { name: "demo", help: "try it: a network on this machine, ping and throughput", load: () => import("./commands/demo.ts") },
  { name: "completion", help: "print what makes a shell complete these commands", load: () => import("./commands/completion.ts") },
];

/** Words of other programs that can only mean one thing, and harm nothing. */
const MEANT: Readonly<Record<string, readonly string[]>> = {
  show: ["status"],
  list: ["peers"],
  ls: ["peers"],
  version: ["--version"],
  "-v": ["--version"],
  "peer rm": ["peer", "remove"],
  "peer del": ["peer", "remove"],
  "peer delete": ["peer", "remove"],
  "peer list": ["peers"],
  "peer ls": ["peers"],
  "peer show": ["peers"],
  "route rm": ["route", "remove"],
  "route del": ["route", "remove"],
  "route delete": ["route", "remove"],
  "route list": ["routes"],
  "route ls": ["routes"],
  "route show": ["routes"],
  "config list": ["config", "get"],
  "config show": ["config", "get"],
  "network init": ["network", "create"],
  "network new": ["network", "create"],
  "network request": ["request"],
  "network inspect": ["network", "show"],
};

const EITHER = "`p2pvpn-engine peer remove PEER` or `p2pvpn-engine route remove PREFIX`";
/** Words that may mean several things, or do something: what to write instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  up: "`p2pvpn-engine start -c FILE` runs an engine",
  down: "`p2pvpn-engine stop` ends an engine",
  restart: "`p2pvpn-engine reload` reads the file again; `stop`, then `start`, is a new engine",
  rm: `write ${EITHER}`,
  del: `write ${EITHER}`,
  delete: `write ${EITHER}`,
  remove: `write ${EITHER}`,
  add: "write `p2pvpn-engine peer add KEY` or `p2pvpn-engine route add PREFIX`",
  set: "write `p2pvpn-engine config set KEY VALUE` or `p2pvpn-engine peer add KEY`",
  get: "write `p2pvpn-engine config get KEY`",
  genkey: "`p2pvpn-engine keygen --out FILE` makes a key",
  log: "`p2pvpn-engine start --log-file FILE` writes one, `status` has the last warnings",
  logs: "`p2pvpn-engine start --log-file FILE` writes one, `status` has the last warnings",
  setconf: "edit the file and run `p2pvpn-engine reload`",
  syncconf: "edit the file and run `p2pvpn-engine reload`",
};

/** The words as this program has them. */
const meantWords = (words: readonly string[]): readonly string[] => {
  for (const count of [2, 1]) {
    const said = words.slice(0, count).join(" ");
    if (Object.hasOwn(MEANT, said)) return [...MEANT[said]!, ...words.slice(count)];
  }
  return words;
};

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

/** A configuration may have several mistakes, a line each. */
const say = (sentences: string): void => {
  for (const sentence of sentences.split("\n")) {
    process.stderr.write(`${journalPrefix("error")}p2pvpn-engine: ${sentence}\n`);
  }
};

/** What ends an engine is no guess at a word that only looks like it. */
const withoutStop = (message: string): string =>
  message.replace(/\(Did you mean (?:one of )?(.*)\?\)$/, (_, list: string) => {
    const words = list.split(", ").filter((word) => word !== "stop");
    return words.length === 0 ? "" : `(Did you mean ${words.join(" or ")}?)`;
  });

/** One clause from commander's lines; our argument checks throw the part after "must". */
const usageSentence = (message: string): string =>
  withoutStop(message)
    .trimEnd()
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
    const [word = ""] = process.argv.slice(2);
    if (error.code === "commander.unknownCommand" && Object.hasOwn(INSTEAD, word)) {
      say(`unknown command '${word}'; ${INSTEAD[word]}.`);
      return 2;
    }
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
 * `start` executes the program a second time: before what it needs is loaded, not after; and so
 * does `check`, which finds out what `start` may do. Whoever asks for help starts nothing.
 */
const limitEarly = async (words: readonly string[]): Promise<void> => {
  const help = words.some((word) => word === "-h" || word === "--help");
  const command = words.find((word) => !word.startsWith("-"));
  if (help || (command !== "start" && command !== "check")) return;
  const { limitPrivileges } = await import("./commands/privileges.ts");
  limitPrivileges();
};

const main = async (): Promise<void> => {
  // A reader that goes away, as `head` does, is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw new EngineError("OUTPUT_FAILED", { reason: writeProblem(error), cause: error });
  });
  // There is nobody to tell.
  process.stderr.on("error", () => {});
  process.argv.splice(2, Number.POSITIVE_INFINITY, ...meantWords(process.argv.slice(2)));
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
