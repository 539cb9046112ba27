/**
 * tcp — a sender and a receiver; run as a program inside the demo's namespaces.
 *
 *   node tcp.js receive ADDRESS            prints {"port"}, and {"bytes","seconds"} at the end
 *   node tcp.js send ADDRESS PORT SECONDS
 */
import "../doors.ts";
import { connect, createServer } from "node:net";

/** Tuning: large enough that system calls do not count. */
const CHUNK_BYTES = 262_144;

const print = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

/** Takes one connection; the clock runs from its first to its last byte. */
const receive = (address: string): void => {
  const server = createServer((socket) => {
    let bytes = 0;
    let firstNs = 0n;
    server.close();
    socket.on("data", (chunk) => {
      if (bytes === 0) firstNs = process.hrtime.bigint();
      bytes += chunk.length;
    });
    socket.on("end", () => {
      const seconds = Number(process.hrtime.bigint() - firstNs) / 1e9;
      print({ bytes, seconds });
      socket.end();
    });
  });
  server.listen(0, address, () => {
    const bound = server.address();
    if (bound !== null && typeof bound === "object") print({ port: bound.port });
  });
};

const send = (address: string, port: number, seconds: number): void => {
  const chunk = Buffer.alloc(CHUNK_BYTES, 0x5a);
  const socket = connect(port, address);
  let ended = false;
  const fill = (): void => {
    while (!ended && socket.write(chunk));
  };
  socket.on("drain", fill);
  socket.on("connect", () => {
    setTimeout(() => {
      ended = true;
      socket.end();
    }, seconds * 1_000);
    fill();
  });
};

const [role, address = "", port = "", seconds = ""] = process.argv.slice(2);
if (role === "receive") receive(address);
else if (role === "send") send(address, Number(port), Number(seconds));
else throw new Error("tcp.js receive ADDRESS | send ADDRESS PORT SECONDS");
