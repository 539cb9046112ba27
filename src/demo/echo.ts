/**
 * echo — round trips over UDP, for hosts without `ping`; run as a program inside the namespaces.
 *
 *   node echo.js answer ADDRESS            prints {"port"} when it listens; runs until it is ended
 *   node echo.js ask ADDRESS PORT COUNT    prints {"times"} in milliseconds, of those that came
 *   node echo.js knock ADDRESS             exit code 0: the host at this address answers
 */
import "../doors.ts";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Tuning: as `ping -i 0.05 -s 56` does. */
const INTERVAL_MS = 50;
const PAYLOAD_BYTES = 64;
const LAST_WAIT_MS = 500;

const print = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

const open = (address: string) => createSocket(address.includes(":") ? "udp6" : "udp4");

const answer = (address: string): void => {
  const socket = open(address);
  socket.on("message", (datagram, from) => socket.send(datagram, from.port, from.address));
  socket.bind(0, address, () => print({ port: socket.address().port }));
};

const ask = async (address: string, port: number, count: number): Promise<void> => {
  const socket = open(address);
  const sentNs = new Map<number, bigint>();
  const times: number[] = [];
  socket.on("message", (datagram) => {
    const sent = sentNs.get(datagram.readUInt32LE());
    if (sent !== undefined) times.push(Number(process.hrtime.bigint() - sent) / 1e6);
  });
  for (let i = 0; i < count; i++) {
    const datagram = Buffer.alloc(PAYLOAD_BYTES);
    datagram.writeUInt32LE(i);
    sentNs.set(i, process.hrtime.bigint());
    socket.send(datagram, port, address);
    await sleep(INTERVAL_MS);
  }
  if (times.length < count) await sleep(LAST_WAIT_MS);
  socket.close();
  print({ times });
};

/** A host that is there refuses a connection to a port that nobody listens at. */
const knock = (address: string): void => {
  const socket = connect({ host: address, port: 1, timeout: 1_000 });
  const end = (code: number) => (): void => {
    process.exitCode = code;
    socket.destroy();
  };
  socket.on("connect", end(0)).on("timeout", end(1));
  socket.on("error", ({ code }: NodeJS.ErrnoException) => end(code === "ECONNREFUSED" ? 0 : 1)());
};

const [role, address = "", port = "", count = ""] = process.argv.slice(2);
if (role === "answer") answer(address);
else if (role === "ask") void ask(address, Number(port), Number(count));
else if (role === "knock") knock(address);
else throw new Error("echo.js answer ADDRESS | ask ADDRESS PORT COUNT | knock ADDRESS");
