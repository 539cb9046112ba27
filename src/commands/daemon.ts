/**
 * daemon — the same program again, in a session of its own.
 *
 * The parent waits for one message on the child's IPC channel, "up" or "failed", and returns that.
 * The child's standard streams are /dev/null, its folder is /, and the channel is closed once the
 * message was sent. Whatever else the caller had open, as shells do, is closed to the child:
 * nothing of the caller's stays open.
 */
import { spawn } from "node:child_process";
import { EngineError } from "../schema/errors.ts";

/** Set for the child: somebody waits for the message. */
const MARK = "P2PVPN_DAEMON";
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
    env: { ...process.env, [MARK]: "1" },
    stdio: ["ignore", output, output, "ipc"],
  });
  return new Promise((resolveLine, reject) => {
    const stop = (): void => void child.kill("SIGTERM");
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
    const timer = setTimeout(() => {
      stop();
      fail(`it was not up in ${UP_MS / 1_000} seconds`);
    }, UP_MS);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop);
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code, signal) => fail(signal ?? `exit code ${code}`));
    child.once("message", (report: Report) => {
      end();
      if (report.up) resolveLine(`${report.line}, process ${child.pid}`);
      else reject(new ChildError(report));
    });
  });
};
