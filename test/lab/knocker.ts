/**
 * knocker — sends datagrams to one address, one after the other, and tells what came back; run as a
 * program on a lab's host.
 *
 *   node knocker.js ADDRESS PORT FILE [TOGETHER]      FILE: {u16 length, bytes} for each datagram
 *
 * So many together, then a pause. Says one line of JSON: an array of what came back, in hex.
 */
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const PAUSE_MS = 4;
/** Tuning: a host that does much else answers this late. */
const LAST_MS = 3_000;

const [, , address = "", port = "", file = "", together = "1"] = process.argv;

const main = async (): Promise<void> => {
  const all = readFileSync(file);
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  const answers: string[] = [];
  socket.on("message", (answer) => answers.push(answer.toString("hex")));
  for (let at = 0, i = 1; at < all.length; i++) {
    const end = at + 2 + all.readUInt16LE(at);
    const datagram = all.subarray(at + 2, end);
    await new Promise((sent) => socket.send(datagram, Number(port), address, sent));
    if (i % Number(together) === 0) await sleep(PAUSE_MS);
    at = end;
  }
  await sleep(LAST_MS);
  socket.close();
  process.stdout.write(`${JSON.stringify(answers)}\n`);
};

void main();
