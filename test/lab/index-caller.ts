/**
 * index-caller — opens a channel with an index node, or a member that stores, over a real socket,
 * as a member does; run as a program on a lab's host, or used by a test.
 *
 *   node index-caller.js ADDRESS PORT FILE [MILLISECONDS]     FILE: JSON, `CallerFile`
 *
 * Says one line of JSON when the channel is open, {"ms":N,"tries":N}, or {"ms":null} in the end.
 */
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { Callee } from "../../src/directory/callee.ts";
import { channelKind, PROOF, PURPOSE } from "../../src/wire/channel.ts";
import { parseAddress } from "../../src/wire/cidr.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";

/** What a caller needs; hexadecimal digits. */
export interface CallerFile {
  readonly networkId: string;
  readonly privateKey: string;
  readonly publicKey: string;
  /** What OPEN says. */
  readonly payload: string;
  /** Tags the KNOCK, for a member that stores; absent: an index node asks for none. */
  readonly proof?: { readonly low: number; readonly key: string };
}

const TICK_MS = 20;
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

/** A channel that is open, and its socket. */
export interface OpenChannel {
  /** From the first KNOCK. */
  readonly ms: number;
  readonly knocks: number;
  /** What OPENED said. */
  readonly answer: Uint8Array;
  say(plain: Uint8Array): void;
  /** Messages that came, as they come. */
  readonly heard: Uint8Array[];
  close(): void;
}

/** Null: it is not open after so long. Units: milliseconds. */
export const openChannel = (
  address: string,
  port: number,
  { networkId, privateKey, publicKey, payload, proof }: CallerFile,
  mostMs: number,
): Promise<OpenChannel | null> =>
  new Promise((resolve) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    const sockaddr = makeSockaddr(parseAddress(address)!, port);
    const heard: Uint8Array[] = [];
    const beganMs = performance.now();
    let knocks = 0;
    const close = (): void => {
      clearInterval(timer);
      socket.close();
    };
    const callee = new Callee({
      ...{ networkId: bytesOf(networkId), sockaddr, nodeKey: null, purpose: PURPOSE.member },
      us: { privateKey: bytesOf(privateKey), publicKey: bytesOf(publicKey) },
      proof: () =>
        proof === undefined
          ? { proof: PROOF.none, low: 0, key: null }
          : { proof: PROOF.secret, low: proof.low, key: bytesOf(proof.key) },
      payload: () => bytesOf(payload),
      random: Math.random,
      randomBytes: (bytes) => new Uint8Array(randomBytes(bytes)),
      send: (datagram) => {
        knocks++;
        socket.send(datagram, port, address, () => undefined);
        return true;
      },
      onOpen: (answer) => {
        const ms = performance.now() - beganMs;
        const say = (plain: Uint8Array): void => void callee.say(plain);
        resolve({ ms, knocks, answer: answer.slice(), say, heard, close });
      },
      onMessage: (_, plain) => heard.push(plain.slice()),
      onOther: () => undefined,
    });
    socket.on("message", (bytes) => {
      const kind = channelKind(bytes);
      if (kind === null || !callee.takes(kind, bytes, sockaddr)) return;
      callee.datagram(kind, bytes, performance.now());
    });
    const timer = setInterval(() => {
      callee.tick(performance.now());
      if (callee.state === "open" || performance.now() - beganMs < mostMs) return;
      close();
      resolve(null);
    }, TICK_MS);
    callee.call(performance.now());
  });

const main = async ([address = "", port = "", file = "", most = "60000"]: string[]) => {
  const given = JSON.parse(readFileSync(file, "utf8")) as CallerFile;
  const open = await openChannel(address, Number(port), given, Number(most));
  open?.close();
  const told = open === null ? { ms: null } : { ms: Math.round(open.ms), knocks: open.knocks };
  process.stdout.write(`${JSON.stringify(told)}\n`);
};

if (process.argv[1]?.endsWith("index-caller.js")) void main(process.argv.slice(2));
