/**
 * wireguard — the command line of `p2pvpn-wireguard`, which stands in for wireguard-go.
 *
 *   p2pvpn-wireguard [-f|--foreground] INTERFACE-NAME
 *
 * It makes a device that is down and knows nobody, and the socket over which `wg` tells it the
 * rest. The device's deletion, SIGTERM or SIGINT, or the removal of the socket ends it.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage. Source: wireguard.com/xplatform, "Interface".
 */
import "./doors.ts";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { isDaemon, reportFailure, reportReady, startDaemon } from "./commands/daemon.ts";
import { stopSignal } from "./commands/signals.ts";
import { journalPrefix } from "./log.ts";
import { WORKERS_MAX } from "./memory/layout.ts";
import type { EngineConfig, LogLevel } from "./schema/config.ts";
import { EngineError } from "./schema/errors.ts";
import { isInterfaceName } from "./schema/names.ts";

const PROGRAM = "p2pvpn-wireguard";
/** Tuning: an engine ends in well under a second. */
const FORMER_MS = 2_000;
const LOOK_MS = 20;

const HELP = `Usage: ${PROGRAM} [-f|--foreground] INTERFACE-NAME

A WireGuard device in user space; wg and wg-quick configure it, as they do wireguard-go.

Options:
  -f, --foreground  stay, instead of returning to the shell when the device is there
  -V, --version     print the version
  -h, --help        print this

Environment:
  LOG_LEVEL         verbose, error or silent; where it is set, the daemon keeps this output

Examples:
  $ sudo ${PROGRAM} wg0 && sudo wg setconf wg0 wg0.conf
  $ sudo WG_QUICK_USERSPACE_IMPLEMENTATION=${PROGRAM} wg-quick up wg0
`;

/** Where timestamps outlive a restart; the engine goes on where it may not write there. */
const stateDir = (): string => process.env.P2PVPN_STATE_DIR || "/var/lib/p2pvpn";

/** Words of wireguard-go. */
const LOG_LEVELS: Readonly<Record<string, LogLevel>> = {
  verbose: "debug",
  debug: "debug",
  error: "error",
  silent: "silent",
};

const logLevel = (): LogLevel => LOG_LEVELS[process.env.LOG_LEVEL ?? ""] ?? "error";

interface Words {
  readonly foreground: boolean;
  readonly name: string;
}

const usage = (reason: string): EngineError =>
  new EngineError("USAGE", { reason: `${reason}; see ${PROGRAM} --help.` });

/** Errors: EngineError USAGE. */
const readWords = (words: readonly string[]): Words => {
  const flags = words.filter((word) => word.startsWith("-"));
  const unknown = flags.find((word) => word !== "-f" && word !== "--foreground");
  if (unknown !== undefined) throw usage(`unknown option '${unknown}'`);
  const [name, ...others] = words.filter((word) => !word.startsWith("-"));
  if (name === undefined) throw usage("the interface's name is missing");
  if (others.length > 0) throw usage(`one interface at a time, not '${name} ${others.join(" ")}'`);
  if (!isInterfaceName(name)) {
    const rule = "1 to 15 letters, digits or _ = + . - and not all or default";
    throw usage(`an interface's name is ${rule}, not '${name}'`);
  }
  return { foreground: flags.length > 0 || process.env.WG_PROCESS_FOREGROUND === "1", name };
};

const configOf = (name: string): EngineConfig => ({
  interface: {
    name,
    identity: null,
    addresses: [],
    listenPort: 0,
    listenAddress: "",
    bindDevice: "",
    fwmark: 0,
    mtu: 1_420,
    cipher: "auto",
  },
  peers: [],
  network: null,
  host: {
    bringUp: false,
    installRoutes: false,
    stateDir: stateDir(),
    keyLogFile: null,
    logLevel: logLevel(),
    logFile: null,
  },
  engine: {
    // One core is left to the I/O thread.
    threads: Math.min(WORKERS_MAX, Math.max(1, availableParallelism() - 1)),
    ioThreads: 1,
    gso: true,
    gro: true,
    connectedSockets: true,
    tunOffload: true,
    quirks: "avoid",
    handOver: "auto",
  },
});

/**
 * After `wg-quick down` the device is gone at once, its program a moment later: who comes up again
 * waits for it.
 */
const waitForFormer = async (name: string): Promise<void> => {
  const { isAlive } = await import("./control/doors/unix.ts");
  const { uapiFile } = await import("./schema/uapi.ts");
  for (let waitedMs = 0; waitedMs < FORMER_MS; waitedMs += LOOK_MS) {
    if (!(await isAlive(uapiFile(name)))) return;
    await sleep(LOOK_MS);
  }
};

const run = async (name: string): Promise<void> => {
  // What it is comes from `wg`: there is nothing to read again.
  const signalled = stopSignal(() => {});
  await waitForFormer(name);
  const { createEngine } = await import("./engine.ts");
  const engine = await createEngine(configOf(name));
  reportReady(`${name} is there`);
  const signal = await Promise.race([signalled, engine.stopped]);
  await engine.stop(signal ? `${signal} came` : undefined);
};

/** Runs in the background; this process returns when the device is there. */
const runDaemon = (name: string): Promise<string> => {
  const keepOutput = process.env.LOG_LEVEL !== undefined && logLevel() !== "silent";
  return startDaemon(["-f", name], { retry: `${PROGRAM} -f ${name}`, keepOutput });
};

/** Says what went wrong; returns the exit code. */
const explain = (error: unknown): number => {
  const known = error instanceof EngineError;
  if (process.env.P2PVPN_DEBUG === "1" && error instanceof Error && !known) {
    process.stderr.write(`${error.stack}\n`);
  }
  const [reason] = (error instanceof Error ? error.message : String(error)).split("\n");
  const unexpected = `something unexpected failed: ${reason}; set P2PVPN_DEBUG=1 to see where.`;
  process.stderr.write(
    `${journalPrefix("error")}${PROGRAM}: ${known ? error.message : unexpected}\n`,
  );
  return known ? error.exit : 1;
};

const main = async (words: readonly string[]): Promise<void> => {
  if (words.includes("-h") || words.includes("--help")) {
    process.stdout.write(HELP);
    return;
  }
  if (words.includes("-V") || words.includes("--version")) {
    const { version } = await import("./version.ts");
    process.stdout.write(`${PROGRAM} ${version()}\n`);
    return;
  }
  // There is nobody to tell.
  process.stderr.on("error", () => {});
  process.on("uncaughtException", (error) => process.exit(explain(error)));
  try {
    const { foreground, name } = readWords(words);
    const { limitPrivileges } = await import("./commands/privileges.ts");
    limitPrivileges();
    // The sockets are their user's alone (security.md 31); threads inherit it.
    process.umask(0o077);
    if (foreground || isDaemon()) await run(name);
    else await runDaemon(name);
    process.exit(0);
  } catch (error) {
    if (error instanceof EngineError && isDaemon()) {
      await reportFailure(error.message, error.exit); // the parent says it
      process.exit(error.exit);
    }
    process.exit(explain(error));
  }
};

void main(process.argv.slice(2));
