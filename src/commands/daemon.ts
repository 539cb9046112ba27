/**
 * daemon — the same program again, in a session of its own.
 *
 * The parent waits for one message on the child's IPC channel, "up" or "failed", and returns that.
 * The child's standard streams are /dev/null, its folder is /, and the channel is closed once the
 * message was sent. Whatever else the caller had open, as shells do, is closed to the child:
 * nothing of the caller's stays open.
 */
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { EngineError } from "../schema/errors.ts";

/** Set for the child: somebody waits for the message. */
const MARK = "P2PVPN_DAEMON";
/** Tuning: a child that does not end when told to is ended after this long. */
const END_MS = 5_000;
/** Tuning: an engine is up in well under a second; a slow disk or name server takes longer. */
const UP_MS = 30_000;

type Report =
  | { readonly up: true; readonly line: string }
  | { readonly up: false; readonly message: string; readonly exit: 1 | 2 };

const send = (report: Report): Promise<void> =>
  new Promise((done) => {
    if (process.send === undefined) return done();
    process.send(report, undefined, {}, () => {
      if (process.connected) process.disconnect();
      done();
    });
  });

/** True in the child, also after its report. */
export const isDaemon = (): boolean => process.env[MARK] === "1";

/** In the child: tells the parent that the engine is up. False when nobody waits. */
export const reportReady = (line: string): boolean => {
  if (!isDaemon()) return false;
  void send({ up: true, line });
  return true;
};

/** In the child: tells the parent why it failed; does nothing when nobody waits. */
export const reportFailure = async (message: string, exit: 1 | 2): Promise<void> => {
  if (isDaemon() && process.connected) await send({ up: false, message, exit });
};

const FOLDERS = ["P2PVPN_RUN_DIR", "P2PVPN_WG_DIR", "P2PVPN_STATE_DIR"] as const;

/** Folders as they are meant here: the child's own folder is /. */
const absoluteFolders = (): Record<string, string> =>
  Object.fromEntries(
    FOLDERS.flatMap((name) => (process.env[name] ? [[name, resolve(process.env[name])]] : [])),
  );

/** An error that another process made, with its words and its exit code. */
class ChildError extends EngineError {
  override readonly exit: 1 | 2;
  constructor(report: Report & { readonly up: false }) {
    super("ENGINE_SAID", { reason: report.message });
    this.exit = report.exit;
  }
}

export interface DaemonOptions {
  /** What shows why it failed, in the error's sentence. */
  readonly retry: string;
  /** The child writes where the parent does, for a log that was asked for. */
  readonly keepOutput?: boolean;
}

/**
 * Starts the program with other words in the background; resolves with its ready line when it is
 * up.
 *
 * Thread: main.   Errors: EngineError DAEMON_FAILED, or what the child said.
 */
export const startDaemon = async (
  words: readonly string[],
  { retry, keepOutput = false }: DaemonOptions,
): Promise<string> => {
  const { addon } = await import("../io/native/addon.ts");
  // What the child gets is made inheritable again by spawn.
  addon.handlesCloseOnExec([]);
  const output = keepOutput ? "inherit" : "ignore";
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...words], {
    cwd: "/",
    detached: true,
    env: { ...process.env, ...absoluteFolders(), [MARK]: "1" },
    stdio: ["ignore", output, output, "ipc"],
  });
  return new Promise((resolveLine, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.removeListener(signal, stop);
      child.removeAllListeners();
      if (child.connected) child.disconnect();
      child.unref();
    };
    const fail = (reason: string): void => {
      end();
      reject(new EngineError("DAEMON_FAILED", { reason, retry }));
    };
    let reason: string | null = null;
    /** Nothing half-started stays: `exit` follows, one way or the other. */
    const giveUp = (why: string): void => {
      reason ??= why;
      clearTimeout(timer);
      child.kill("SIGTERM");
      timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
    };
    const stop = (signal: NodeJS.Signals): void => giveUp(signal);
    let timer = setTimeout(giveUp, UP_MS, `it was not up in ${UP_MS / 1_000} seconds`);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop);
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code, signal) => fail(reason ?? signal ?? `exit code ${code}`));
    child.once("message", (report: Report) => {
      if (report.up && reason !== null) return;
      end();
      if (report.up) resolveLine(`${report.line}, process ${child.pid}`);
      else reject(new ChildError(report));
    });
  });
};
