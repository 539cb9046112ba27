/**
 * lock — one command at a time on an authority.
 *
 * The lock is an abstract Unix socket, which the kernel takes back when its holder ends, however
 * that ends: there is no file that a dead command could leave behind. Commands in other network
 * namespaces do not see it; so a file that changed meanwhile is not replaced (authority.ts).
 *
 * Every user of the host may take such a name: it is made of something that only who may read the
 * file knows, so that nobody else keeps anybody from revoking.
 *
 * Source: unix(7), "Abstract sockets".
 */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../../schema/errors.ts";

/** Tuning: a command holds it for a second or two. */
const WAIT_MS = 20_000;
const POLL_MS = 50;

const nameOf = (file: string, known: Uint8Array): string => {
  const hash = createHash("sha256").update("p2pvpn lock\0").update(known).update(file);
  return `\0p2pvpn-authority-${hash.digest("hex").slice(0, 32)}`;
};

/** Null: somebody has it. */
const take = (name: string): Promise<Server | null> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(null);
      else reject(error);
    });
    server.listen(name, () => resolve(server));
  });

/**
 * Does something while nobody else does so with this file. `known`: to its readers alone, and the
 * same as long as the file is; borrowed. Errors: AUTHORITY_BUSY, and its own.
 */
export const locked = async <Value>(
  file: string,
  known: Uint8Array,
  act: () => Promise<Value>,
): Promise<Value> => {
  const name = nameOf(file, known);
  let lock = await take(name);
  for (let waited = 0; lock === null && waited < WAIT_MS; waited += POLL_MS) {
    await sleep(POLL_MS);
    lock = await take(name);
  }
  if (lock === null) {
    throw new EngineError("AUTHORITY_BUSY", { file, seconds: WAIT_MS / 1_000 });
  }
  try {
    return await act();
  } finally {
    lock.close();
  }
};
