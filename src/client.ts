/**
 * client — asks a running engine over its control socket.
 */
import { readdir, readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError, SaidError } from "./schema/errors.ts";
import {
  type ControlReply,
  type ControlRequest,
  type ControlValues,
  controlFile,
  controlFolder,
  EnvelopeError,
  EnvelopeReader,
  encodeEnvelope,
  type PeerValue,
  type RouteValue,
  readReply,
  requestFields,
} from "./schema/requests.ts";

/** Tuning: an engine that is alive answers within milliseconds. */
const TIMEOUT_MS = 5_000;
/** Tuning: a change may hold 10,000 peers, each with a multiplication on the curve. */
const CHANGE_MS = 60_000;
const SLOW: readonly ControlRequest["type"][] = [
  "change.apply",
  "engine.reload",
  "peers.rekey",
  "network.publish",
];
/** Tuning: an engine closes its device and clears its keys in well under a second. */
const STOP_MS = 20_000;
const STOP_POLL_MS = 25;

export interface ClientOptions {
  /** Instead of /run/p2pvpn. */
  readonly folder?: string;
  readonly timeoutMs?: number;
}

const connectionError = (name: string, error: NodeJS.ErrnoException): EngineError => {
  const { code } = error;
  if (code === "ENOENT" || code === "ECONNREFUSED") {
    const remedy = "start one with `p2pvpn-engine start`";
    return new EngineError("NOT_RUNNING", { name, remedy, cause: error });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new EngineError("CONTROL_DENIED", { name, cause: error });
  }
  return new EngineError("CONTROL_LOST", { name, cause: error });
};

/** Reads until the first reply. */
const exchange = (socket: Socket, name: string, timeoutMs: number): Promise<ControlReply> =>
  new Promise((resolve, reject) => {
    const reader = new EnvelopeReader("reply");
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => {
      fail(new EngineError("CONTROL_TIMEOUT", { name, seconds: timeoutMs / 1_000 }));
    }, timeoutMs);
    socket.on("data", (bytes: Buffer) => {
      try {
        const [fields] = reader.push(bytes);
        if (fields !== undefined) resolve(readReply(fields));
      } catch (cause) {
        if (!(cause instanceof EnvelopeError)) throw cause;
        fail(new EngineError("CONTROL_BAD_ENVELOPE", { cause }));
      }
    });
    socket.on("error", (error) => fail(connectionError(name, error)));
    socket.on("close", () => {
      clearTimeout(timer);
      reject(new EngineError("CONTROL_LOST", { name }));
    });
  });

/**
 * Sends one request to the engine on the interface `name` and returns its value.
 *
 * Thread: main.   Errors: EngineError NOT_RUNNING, CONTROL_DENIED, CONTROL_LOST, CONTROL_TIMEOUT,
 * CONTROL_BAD_ENVELOPE, and ENGINE_SAID with the engine's own sentence and exit code.
 */
export const ask = async <Type extends ControlRequest["type"]>(
  name: string,
  request: Extract<ControlRequest, { readonly type: Type }>,
  options: ClientOptions = {},
): Promise<ControlValues[Type]> => {
  const socket = connect(controlFile(name, options.folder));
  try {
    const envelope = encodeEnvelope(requestFields(1, request));
    const usualMs = SLOW.includes(request.type) ? CHANGE_MS : TIMEOUT_MS;
    const pending = exchange(socket, name, options.timeoutMs ?? usualMs);
    socket.write(envelope);
    const reply = await pending;
    if (!reply.ok) throw new SaidError(reply.message, reply.code);
    return reply.value as ControlValues[Type];
  } finally {
    socket.destroy();
  }
};

/** All peers, page by page. Errors: as `ask`. */
export const askPeers = async (name: string, options: ClientOptions = {}): Promise<PeerValue[]> => {
  const peers: PeerValue[] = [];
  for (let from: number | null = 0; from !== null; ) {
    const page: ControlValues["peers.get"] = await ask(name, { type: "peers.get", from }, options);
    peers.push(...page.peers);
    from = page.next;
  }
  return peers;
};

/** All routes, page by page. Errors: as `ask`. */
export const askRoutes = async (
  name: string,
  options: ClientOptions = {},
): Promise<RouteValue[]> => {
  const routes: RouteValue[] = [];
  for (let from: number | null = 0; from !== null; ) {
    const page: ControlValues["routes.get"] = await ask(
      name,
      { type: "routes.get", from },
      options,
    );
    for (const route of page.routes) routes.push(route);
    from = page.next;
  }
  return routes;
};

/** True when something accepts connections on the engine's socket. */
const isListening = (name: string, options: ClientOptions): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const socket = connect(controlFile(name, options.folder));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EACCES") reject(connectionError(name, error));
      else resolve(error.code === "EAGAIN");
    });
  });

/** Names of the interfaces whose engines answer, sorted. Errors: EngineError CONTROL_DENIED. */
export const runningEngines = async (options: ClientOptions = {}): Promise<string[]> => {
  let files: string[];
  try {
    files = await readdir(options.folder ?? controlFolder());
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    if (code !== "EACCES" && code !== "EPERM") {
      const file = options.folder ?? controlFolder();
      throw new EngineError("CONTROL_SOCKET_FAILED", { file, reason: code, cause: error });
    }
    throw new EngineError("CONTROL_DENIED", { name: "the engine", cause: error });
  }
  const names = files.filter((file) => file.endsWith(".sock")).map((file) => file.slice(0, -5));
  const running = await Promise.all(
    names.map(async (name) => ((await isListening(name, options)) ? [name] : [])),
  );
  return running.flat().sort();
};

/**
 * Interfaces that are meant: the one that was named, else all that have an engine; at least one.
 *
 * Errors: EngineError NOT_RUNNING, NONE_RUNNING, CONTROL_DENIED.
 */
export const engineNames = async (
  named: string | undefined,
  options: ClientOptions = {},
): Promise<readonly string[]> => {
  const running = await runningEngines(options);
  if (named === undefined) {
    if (running.length === 0) throw new EngineError("NONE_RUNNING");
    return running;
  }
  if (running.includes(named) || running.length === 0) return [named];
  const remedy = `there is one on ${running.join(" and one on ")}`;
  throw new EngineError("NOT_RUNNING", { name: named, remedy });
};

/**
 * The interface that is meant: the one that was named, else the only one with an engine.
 *
 * Errors: EngineError NOT_RUNNING, NONE_RUNNING, SEVERAL_RUNNING, CONTROL_DENIED.
 */
export const chooseEngine = async (
  named: string | undefined,
  options: ClientOptions = {},
): Promise<string> => {
  const names = await engineNames(named, options);
  if (names.length === 1) return names[0]!;
  throw new EngineError("SEVERAL_RUNNING", { names: names.join(", ") });
};

/** False for a zombie too: its parent may never ask for it. Source: proc_pid_stat(5). */
const isAlive = async (pid: number): Promise<boolean> => {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    return !/^ [ZX]/.test(stat.slice(stat.lastIndexOf(")") + 1));
  } catch {
    return false;
  }
};

/**
 * Stops an engine and waits until its socket and its process are gone.
 *
 * Errors: as `ask`, and EngineError STOP_TIMEOUT.
 */
export const stopEngine = async (name: string, options: ClientOptions = {}): Promise<void> => {
  const { pid } = await ask(name, { type: "engine.stop" }, options);
  const polls = STOP_MS / STOP_POLL_MS;
  for (let i = 0; i < polls; i++) {
    if (!(await isListening(name, options)) && (pid === process.pid || !(await isAlive(pid))))
      return;
    await sleep(STOP_POLL_MS);
  }
  throw new EngineError("STOP_TIMEOUT", { name, pid, seconds: STOP_MS / 1_000 });
};
