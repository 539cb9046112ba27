/**
 * knocker — sends datagrams to one address, one after the other, and tells what came back for each;
 * run as a program on a lab's host.
 *
 *   node knocker.js ADDRESS PORT FILE      FILE: {u16 length, bytes} for each datagram
 *
 * Each is waited for so long as a host on the same switch may take to answer. Says one line of
 * JSON: an array of [bytes sent, bytes that came, first byte of the last answer].
 */
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Tuning: datagrams that are sent together, and how long they are waited for. */
const TOGETHER = Number(process.argv[5] ?? 1);
const WAIT_MS = 4;
const LAST_MS = 300;

const [, , address = "", port = "", file = ""] = process.argv;

const main = async (): Promise<void> => {
  const all = readFileSync(file);
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  const rows: [number, number, number][] = [];
  socket.on("message", (answer) => {
    const row = rows.at(-1);
    if (row === undefined) return;
    row[1] += answer.length;
    row[2] = answer[0]!;
  });
  for (let at = 0, i = 0; at < all.length; i++) {
    const bytes = all.readUInt16LE(at);
    const datagram = all.subarray(at + 2, at + 2 + bytes);
    rows.push([bytes, 0, -1]);
    await new Promise((sent) => socket.send(datagram, Number(port), address, sent));
    if (i % TOGETHER === 0) await sleep(WAIT_MS);
    at += 2 + bytes;
  }
  await sleep(LAST_MS);
  socket.close();
  process.stdout.write(`${JSON.stringify(rows)}\n`);
};

void main();
