/**
 * dns — a name server for hosts of a lab: it answers what a file says, {"NAME": ["ADDRESS"]}, which
 * is read at each question, so that names can move. Says "serving" when it is ready.
 *
 *   node dns.js FILE
 *
 * Source: RFC 1035, 4.1; RFC 3596 for AAAA.
 */
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { parseAddress } from "../../src/wire/cidr.ts";

const PORT = 53;
const HEAD_BYTES = 12;
/** Answer, authoritative; no error. */
const FLAGS = 0x8400;
const NO_SUCH_NAME = 3;
const CLASS_IN = 1;
/** By the bytes of an address. */
const TYPES: Readonly<Record<number, number>> = { 4: 1, 16: 28 };
/** Where the question's name stands. */
const NAME_POINTER = 0xc000 | HEAD_BYTES;

/** Name and type of the first question, and where it ends; null: it is none. */
const questionOf = (query: Buffer) => {
  const labels: string[] = [];
  let at = HEAD_BYTES;
  for (let length = query[at] ?? 0; length !== 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  if (at + 5 > query.length) return null;
  const name = labels.join(".").toLowerCase();
  return { name, type: query.readUInt16BE(at + 1), endAt: at + 5 };
};

const record = (type: number, address: Uint8Array): Buffer => {
  const bytes = Buffer.alloc(12 + address.length);
  [NAME_POINTER, type, CLASS_IN].forEach((word, i) => void bytes.writeUInt16BE(word, 2 * i));
  // It may be kept for no time at all: bytes 6 to 9 are zero.
  bytes.writeUInt16BE(address.length, 10);
  bytes.set(address, 12);
  return bytes;
};

const answerOf = (query: Buffer, names: Readonly<Record<string, readonly string[]>>) => {
  const question = questionOf(query);
  if (question === null) return null;
  const found = names[question.name];
  const records = (found ?? [])
    .map((address) => parseAddress(address)!)
    .filter((address) => TYPES[address.length] === question.type)
    .map((address) => record(question.type, address));
  const head = Buffer.alloc(HEAD_BYTES);
  const flags = FLAGS | (found === undefined ? NO_SUCH_NAME : 0);
  [query.readUInt16BE(0), flags, 1, records.length].forEach(
    (word, i) => void head.writeUInt16BE(word, 2 * i),
  );
  return Buffer.concat([head, query.subarray(HEAD_BYTES, question.endAt), ...records]);
};

const [file = ""] = process.argv.slice(2);
const socket = createSocket("udp4");
socket.on("message", (query, { port, address }) => {
  const answer = answerOf(query, JSON.parse(readFileSync(file, "utf8")));
  if (answer !== null) socket.send(answer, port, address);
});
socket.bind(PORT, () => process.stdout.write("serving\n"));
