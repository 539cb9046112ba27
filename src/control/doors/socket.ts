/**
 * socket — the control socket: one Unix socket per engine, a few clients, one envelope at a time.
 *
 *   1. make the folder, 0700, ours                 unix.ts
 *   2. bind; replace what a dead engine left       unix.ts, door.ts
 *   3. read envelopes, answer in order                serveClient
 *   4. close: replies leave, then clients          openControlSocket
 *
 * A damaged envelope is answered once, then its client is closed: what follows cannot be trusted.
 * A client that does not read is not read from either, and closed after a while; when others want
 * its place, at once (clients.ts).
 */
import { createServer, type Socket } from "node:net";
import type { ChangeValue, ExplainValue, ReloadValue } from "../../schema/answers.ts";
import type { Change } from "../../schema/change.ts";
import type { LogLevel } from "../../schema/config.ts";
import { EngineError } from "../../schema/errors.ts";
import type { InviteRequest, InviteValue } from "../../schema/invite.ts";
import type { PublishRequest, PublishValue } from "../../schema/publish.ts";
import {
  CONTROL_VERSION,
  type ConfigValue,
  type ControlReply,
  type ControlRequest,
  controlFile,
  controlFolder,
  EnvelopeError,
  EnvelopeReader,
  encodeEnvelope,
  type PeersPage,
  type PeerValue,
  type RoutesPage,
  readRequest,
  type StatsValue,
  type StatusValue,
} from "../../schema/requests.ts";
import { Clients } from "./clients.ts";
import { Door, type OnLost } from "./door.ts";
import { errorText, type SocketErrors } from "./unix.ts";

/** Tuning: of more clients than this, those that say nothing go; then new ones, with one reply. */
export const CLIENTS_MAX = 16;
/** Tuning: a client that neither reads nor asks for this long is closed. */
const IDLE_MS = 60_000;
/** Tuning: 400 peers with 5,000 prefixes, and ROUTES_MAX of the last, stay under an envelope. */
const PAGE_PEERS = 400;
const PAGE_PREFIXES = 5_000;
/**
 * Tuning: 1,000 routes with the longest prefixes, names and reasons stay under an envelope, and the
 * kernel is asked about them in some 20 ms.
 */
const PAGE_ROUTES = 1_000;

type Awaitable<Value> = Value | Promise<Value>;

/** What the engine answers with. A handler that throws becomes an error reply. */
export interface ControlHandlers {
  readonly "status.get": () => Awaitable<StatusValue>;
  /** All peers; they are sent in pages. */
  readonly "peers.get": () => Awaitable<readonly PeerValue[]>;
  /** At most so many routes, from one on. */
  readonly "routes.get": (from: number, most: number) => Awaitable<RoutesPage>;
  readonly "stats.get": () => Awaitable<StatsValue>;
  /** Every setting by "section.key", as it is now; schema/settings.ts makes it. */
  readonly "config.get": () => Awaitable<ConfigValue>;
  /** Whole or not at all. */
  readonly "change.apply": (change: Change) => Awaitable<ChangeValue>;
  /** Reads the configuration again. */
  readonly "engine.reload": () => Awaitable<ReloadValue>;
  /** Begins a handshake with one peer or, for null, with all; returns how many were begun. */
  readonly "peers.rekey": (publicKey: Uint8Array | null) => Awaitable<number>;
  /** Sets the level unless it is null; returns the level. */
  readonly "log.level": (level: LogLevel | null) => Awaitable<LogLevel>;
  /** What is known of a peer or an address, and what is wrong. */
  readonly "network.explain": (subject: string) => Awaitable<ExplainValue>;
  /** Tells all members; answers when they know it, or after a few seconds. */
  readonly "network.publish": (request: PublishRequest) => Awaitable<PublishValue>;
  readonly "network.invite": (request: InviteRequest) => Awaitable<InviteValue>;
  /** Called after the reply has been sent. */
  readonly "engine.stop": () => void;
}

export interface ControlSocketOptions {
  /** Name of the interface, which names the socket. */
  readonly name: string;
  readonly handlers: ControlHandlers;
  /** Instead of /run/p2pvpn. */
  readonly folder?: string;
  readonly onLost: OnLost;
}

export interface ControlSocket {
  /** At first. */
  readonly file: string;
  /** The interface has another name now; clients stay. Errors: as for opening. */
  rename(name: string): Promise<void>;
  /** Takes no more requests, lets replies leave, closes clients, removes the file. */
  close(): Promise<void>;
}

const errorsOf = (name: string): SocketErrors => ({
  taken: () => new EngineError("ALREADY_RUNNING", { name, process: "" }),
  failed: (file, reason, cause) =>
    new EngineError("CONTROL_SOCKET_FAILED", { file, reason, cause }),
});

/** As many peers from `from` on as fit an envelope, at least one. */
export const pageOf = (all: readonly PeerValue[], from: number): PeersPage => {
  let end = Math.min(from, all.length);
  let prefixes = 0;
  while (end < all.length && end - from < PAGE_PEERS && prefixes < PAGE_PREFIXES) {
    prefixes += all[end]!.addresses.length;
    end++;
  }
  return { peers: all.slice(from, end), next: end < all.length ? end : null };
};

const replyValue = async (handlers: ControlHandlers, request: ControlRequest): Promise<unknown> => {
  switch (request.type) {
    case "peers.get":
      return pageOf(await handlers["peers.get"](), request.from);
    case "routes.get":
      return await handlers["routes.get"](request.from, PAGE_ROUTES);
    case "change.apply":
      return await handlers["change.apply"](request.change);
    case "peers.rekey":
      return await handlers["peers.rekey"](request.publicKey);
    case "log.level":
      return await handlers["log.level"](request.level);
    case "network.explain":
      return await handlers["network.explain"](request.subject);
    case "network.publish":
      return await handlers["network.publish"](request);
    case "network.invite":
      return await handlers["network.invite"](request);
    case "engine.stop":
      return { pid: process.pid };
    default:
      return await handlers[request.type]();
  }
};

const failure = (id: number, error: unknown): ControlReply => {
  if (error instanceof EngineError) {
    return { id, ok: false, code: error.code, message: error.message };
  }
  const bad = new EngineError("CONTROL_BAD_ENVELOPE");
  if (error instanceof EnvelopeError)
    return { id, ok: false, code: bad.code, message: bad.message };
  return { id, ok: false, code: "ENGINE_SAID", message: `The engine failed: ${errorText(error)}.` };
};

/** Resolves when the bytes were handed to the kernel, or the client is gone. */
const send = (client: Socket, reply: ControlReply): Promise<void> =>
  new Promise((resolve) => {
    if (!client.writable) {
      resolve();
      return;
    }
    const done = (): void => {
      client.removeListener("close", done);
      resolve();
    };
    client.once("close", done);
    let envelope: Buffer;
    try {
      envelope = encodeEnvelope({ version: CONTROL_VERSION, ...reply }, "reply");
    } catch (error) {
      envelope = encodeEnvelope({ version: CONTROL_VERSION, ...failure(reply.id, error) });
    }
    client.write(envelope, done);
  });

const answer = async (
  client: Socket,
  clients: Clients,
  handlers: ControlHandlers,
  fields: Readonly<Record<string, unknown>>,
): Promise<void> => {
  const { id, type, request, problem: reason } = readRequest(fields);
  if (request === null) {
    const code = reason === null ? "CONTROL_UNKNOWN" : "CONTROL_BAD_REQUEST";
    return send(client, failure(id, new EngineError(code, { type, reason })));
  }
  const reply = await clients
    .work(client, () => replyValue(handlers, request))
    .then(
      (value): ControlReply => ({ id, ok: true, value }),
      (error: unknown) => failure(id, error),
    );
  await send(client, reply);
  clients.heard(client);
  if (request.type === "engine.stop") handlers["engine.stop"]();
};

/** Reads, answers and waits in turn, so that at most one reply waits for a slow reader. */
const serveClient = async (
  client: Socket,
  clients: Clients,
  handlers: ControlHandlers,
): Promise<void> => {
  const reader = new EnvelopeReader();
  client.setTimeout(IDLE_MS, () => client.destroy());
  try {
    // The iterator must not destroy the socket when an envelope throws: one reply is still due.
    for await (const bytes of client.iterator({ destroyOnReturn: false })) {
      clients.heard(client);
      for (const fields of reader.push(bytes as Buffer)) {
        await answer(client, clients, handlers, fields);
      }
    }
  } catch (error) {
    if (error instanceof EnvelopeError) await send(client, failure(0, error));
  }
  client.destroySoon();
};

/**
 * Opens the control socket of an engine.
 *
 * Thread: main or control; a worker thread cannot set the umask, see `unix.ts`.
 * Errors: EngineError ALREADY_RUNNING, CONTROL_SOCKET_FAILED.
 */
export const openControlSocket = async (options: ControlSocketOptions): Promise<ControlSocket> => {
  const { name, handlers, folder = controlFolder() } = options;
  const reason = `More than ${CLIENTS_MAX} clients ask the engine at once; try again.`;
  const farewell = failure(0, new EngineError("ENGINE_SAID", { reason }));
  const clients = new Clients(
    CLIENTS_MAX,
    encodeEnvelope({ version: CONTROL_VERSION, ...farewell }),
  );
  const onClient = (client: Socket): void => {
    if (clients.enter(client)) void serveClient(client, clients, handlers);
  };
  const door = new Door({
    file: controlFile(name, folder),
    errors: errorsOf(name),
    makeServer: () => createServer({ allowHalfOpen: true }, onClient),
    onLost: options.onLost,
  });
  await door.open();
  return {
    file: door.file,
    rename: (called) => door.rename(controlFile(called, folder)),
    close: () => {
      const closed = door.close();
      for (const client of clients) client.destroySoon();
      return closed;
    },
  };
};
