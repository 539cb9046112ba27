/**
 * greeter — TCP between hosts of a lab: a program on each, which answers who calls it, and calls
 * others when it is told to.
 *
 *     caller ── 64 KiB, end ──▶ answerer ── its name and how much came, end ──▶ caller
 *
 *   node greeter.js NAME
 */
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ours } from "./engines.ts";
import { LabError, type Program, spawnInside } from "./lab.ts";

const PORT = 4_700;
const BYTES = 65_536;
const AGAIN_MS = 100;

/** Whom to call, by address and name, and for how long. */
interface Order {
  readonly whom: readonly { readonly address: string; readonly name: string }[];
  readonly withinMs: number;
}

/** Names of those who did not answer. */
interface Done {
  readonly missing: readonly string[];
}

/** A greeter on a host. */
export class Greeter {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  /** Starts one, and waits until it answers. Errors: LabError. */
  static async start(namespace: string, name: string): Promise<Greeter> {
    const program = spawnInside(namespace, [process.execPath, ours("./greeter"), name], {}, true);
    await program.says("answering");
    return new Greeter(program);
  }

  /** Calls all of them at once. Errors: LabError when one did not answer in time. */
  async greet(order: Order): Promise<void> {
    const { child, ended } = this.#program;
    const done = new Promise<Done>((resolve) => child.once("message", resolve as () => void));
    child.send(order);
    const came = await Promise.race([done, ended]);
    if (typeof came !== "object") throw new LabError(`The greeter ended with ${came}.`);
    if (came.missing.length > 0) throw new LabError(`No TCP to ${came.missing.join(", ")}.`);
  }
}

/** One call; what the other end said, "" for nothing. */
const call = (address: string, deadlineMs: number): Promise<string> =>
  new Promise((resolve) => {
    let said = "";
    const socket = connect({ host: address, port: PORT });
    socket.setTimeout(Math.max(1, deadlineMs - performance.now()), () => socket.destroy());
    socket.on("connect", () => socket.end(Buffer.alloc(BYTES, 7)));
    socket.on("data", (text) => {
      said += text;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(said));
  });

const callUntil = async (address: string, name: string, deadlineMs: number): Promise<boolean> => {
  do {
    const said = await call(address, deadlineMs);
    if (said === `${name} ${BYTES}`) return true;
    await sleep(AGAIN_MS);
  } while (performance.now() < deadlineMs);
  return false;
};

const main = (name: string): void => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let bytes = 0;
    socket.on("data", (some) => {
      bytes += some.length;
    });
    socket.on("end", () => socket.end(`${name} ${bytes}`));
    socket.on("error", () => {});
  });
  server.listen(PORT, () => process.stdout.write("answering\n"));
  process.on("message", async ({ whom, withinMs }: Order) => {
    const deadlineMs = performance.now() + withinMs;
    const missing = await Promise.all(
      whom.map(async (one) =>
        (await callUntil(one.address, one.name, deadlineMs)) ? [] : [one.name],
      ),
    );
    process.send?.({ missing: missing.flat() } satisfies Done);
  });
};

if (process.argv[1] === ours("./greeter")) main(process.argv[2] ?? "");
