/**
 * uapi — WireGuard's configuration socket: what `wg` and `wg-quick` talk to.
 *
 *   client ── get=1, set=1 ──▶ schema/uapi.ts ── Change ──▶ apply
 *          ◀── text in pieces ────────────────── DeviceState
 *
 * The folder is shared with other implementations, each socket named after its interface. A client
 * is answered one operation at a time; after each, and between two pieces of a long answer, the
 * others get their turn. Nothing that a client does throws here.
 *
 * Source: wireguard.com/xplatform.
 */
import { createServer, type Socket } from "node:net";
import { dirname } from "node:path";
import type { Change, DeviceState } from "../../schema/change.ts";
import { ERRNO, errnoOf, errnoText } from "../../schema/errno.ts";
import { EngineError } from "../../schema/errors.ts";
import { stateText, UapiReader, type UapiRequest, uapiFile } from "../../schema/uapi.ts";
import { Clients } from "./clients.ts";
import { Door, type OnLost } from "./door.ts";
import type { SocketErrors } from "./unix.ts";

/** Tuning: of more clients than this, those that say nothing go; then new ones, with an answer. */
export const UAPI_CLIENTS_MAX = 16;
/** Tuning: a client that neither reads nor asks for this long is closed. */
const IDLE_MS = 60_000;

export interface UapiOptions {
  /** Name of the interface, which names the socket. */
  readonly name: string;
  /** Instead of P2PVPN_WG_DIR, or else /var/run/wireguard. */
  readonly folder?: string;
  readonly state: () => DeviceState;
  /** All of it or nothing; an EngineError becomes an errno. */
  readonly apply: (change: Change) => Promise<void>;
  /** To have the socket's file removed is to be asked to end: so it is with wireguard-go. */
  readonly onLost: OnLost;
}

export interface UapiSocket {
  readonly file: string;
  /** The interface has another name now; clients stay. Errors: UAPI_*; all is as before then. */
  rename(name: string): Promise<void>;
  /** Takes no more clients, lets answers leave, removes the file. */
  close(): Promise<void>;
}

const ERRORS: SocketErrors = {
  taken: (file) => new EngineError("UAPI_TAKEN", { file }),
  failed: (file, reason, cause) => new EngineError("UAPI_FAILED", { file, reason, cause }),
};

/** Lets everything else that is due go first. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resolves when more may be written, or the client is gone. */
const send = async (client: Socket, text: string): Promise<void> => {
  if (!client.writable || client.write(text, "latin1")) return turn();
  await new Promise<void>((resolve) => {
    const done = (): void => {
      client.removeListener("drain", done);
      client.removeListener("close", done);
      resolve();
    };
    client.once("drain", done);
    client.once("close", done);
  });
};

/** Writes what the device is. False: it could not be told. */
const sendState = async (
  client: Socket,
  clients: Clients,
  state: () => DeviceState,
): Promise<boolean> => {
  try {
    for (const text of stateText(state())) {
      if (!client.writable) return false;
      await send(client, text);
      clients.heard(client);
    }
    return true;
  } catch {
    return false;
  }
};

/** False: the client cannot be served any further. */
const answer = async (
  client: Socket,
  clients: Clients,
  { state, apply }: UapiOptions,
  request: UapiRequest,
): Promise<boolean> => {
  let errno: number;
  if (request.type === "refused") errno = request.errno;
  else if (request.type === "get") errno = (await sendState(client, clients, state)) ? 0 : ERRNO.io;
  else {
    const { change } = request;
    errno = await clients.work(client, async () => apply(change)).then(() => 0, errnoOf);
  }
  // As wireguard-go and wg have it: what is refused is negative, what cannot be told is not.
  await send(client, errnoText(request.type === "get" ? errno : -errno));
  return request.type !== "refused" || !request.last;
};

const serveClient = async (
  client: Socket,
  clients: Clients,
  options: UapiOptions,
): Promise<void> => {
  const reader = new UapiReader();
  client.setTimeout(IDLE_MS, () => client.destroy());
  let goesOn = true;
  try {
    // The iterator must not destroy the socket when we stop: an answer may still be on its way.
    for await (const bytes of client.iterator({ destroyOnReturn: false })) {
      clients.heard(client);
      for (const request of reader.read(bytes as Buffer)) {
        goesOn = await answer(client, clients, options, request);
        if (!goesOn || !client.writable) break;
      }
      (bytes as Buffer).fill(0); // it may have held keys
      if (!goesOn || !client.writable) break;
    }
  } catch {
    // The connection broke.
  }
  const rest = reader.end();
  if (goesOn && rest !== null) await answer(client, clients, options, rest);
  client.destroySoon();
};

class OpenSocket implements UapiSocket {
  readonly #options: UapiOptions;
  readonly #door: Door;
  readonly #clients = new Clients(UAPI_CLIENTS_MAX, errnoText(ERRNO.tryAgain));
  #closed = false;

  constructor(options: UapiOptions) {
    this.#options = options;
    this.#door = new Door({
      file: uapiFile(options.name, options.folder),
      errors: ERRORS,
      makeServer: () => createServer({ allowHalfOpen: true }, (client) => this.#onClient(client)),
      onLost: options.onLost,
    });
  }

  get file(): string {
    return this.#door.file;
  }

  open(): Promise<void> {
    return this.#door.open();
  }

  rename(name: string): Promise<void> {
    return this.#door.rename(uapiFile(name, dirname(this.#door.file)));
  }

  close(): Promise<void> {
    this.#closed = true;
    const closed = this.#door.close();
    for (const client of this.#clients) client.destroySoon();
    return closed;
  }

  #onClient(client: Socket): void {
    if (this.#closed) client.destroy();
    else if (this.#clients.enter(client)) void serveClient(client, this.#clients, this.#options);
  }
}

/**
 * Opens the configuration socket of an interface.
 *
 * Thread: main or control.   Errors: EngineError UAPI_TAKEN, UAPI_FAILED.
 */
export const openUapiSocket = async (options: UapiOptions): Promise<UapiSocket> => {
  const socket = new OpenSocket(options);
  await socket.open();
  return socket;
};
