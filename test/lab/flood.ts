/**
 * flood — many initiations with a valid mac1, as anybody can send who knows a public key.
 *
 *   node flood.js '{"to":"192.0.2.2","port":51820,"publicKey":"…","perSecond":20000,"seconds":10}'
 *
 * Says "flooding" when the first ones are on their way and how many went out at the end. Behind
 * mac1 they are random bytes, so that each costs the responder an X25519 unless it asks for a
 * cookie. With "kind":"data" it is data that no session has asked for. Only for addresses of a lab:
 * everything but loopback and documentation is refused.
 */
import { randomFillSync } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { addon } from "../../src/io/native/addon.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { makeInitiations } from "./initiations.ts";
import { LabError } from "./lab.ts";
import { runMain } from "./main.ts";

export interface FloodOptions {
  /** IPv4. */
  readonly to: string;
  readonly port: number;
  /** Base64, of whom it goes to. */
  readonly publicKey: string;
  /** Left out: initiations. */
  readonly kind?: "data";
  readonly perSecond: number;
  readonly seconds: number;
}

const DIFFERENT = 512;
const DATA_BYTES = 1_452;
const TURN_MS = 2;
/** Loopback and TEST-NET-1. Source: RFC 5737. */
const ALLOWED = /^(?:127\.|192\.0\.2\.)/;

/** Transport data of full size under random receiver indices. */
const makeData = (): Uint8Array[] =>
  Array.from({ length: DIFFERENT }, () => {
    const datagram = randomFillSync(new Uint8Array(DATA_BYTES));
    datagram.set([4, 0, 0, 0]);
    return datagram;
  });

const main = async (options: FloodOptions): Promise<number> => {
  if (!ALLOWED.test(options.to)) throw new LabError(`${options.to} is no address of a lab.`);
  const to = makeSockaddr(Uint8Array.from(options.to.split(".").map(Number)), options.port);
  const publicKey = Buffer.from(options.publicKey, "base64");
  const datagrams = options.kind === "data" ? makeData() : makeInitiations(publicKey, DIFFERENT);
  const fd = addon.udpOpen(4, "", 0, 0, "");
  if (fd < 0) throw new LabError(`No socket: ${addon.errorText(-fd)}.`);
  const none = new Uint8Array(0);
  const startMs = addon.bootMs();
  process.stdout.write("flooding\n");
  let sent = 0;
  let refused = 0;
  for (;;) {
    const elapsedMs = addon.bootMs() - startMs;
    if (elapsedMs >= options.seconds * 1_000) break;
    const due = (elapsedMs * options.perSecond) / 1_000;
    for (; sent < due; sent++) {
      if (addon.datagramSend(fd, datagrams[sent % DIFFERENT]!, to, none) < 0) refused++;
    }
    await sleep(TURN_MS);
  }
  addon.close(fd);
  process.stdout.write(`${JSON.stringify({ sent, refused })}\n`);
  return 0;
};

await runMain(() => main(JSON.parse(process.argv[2] ?? "{}") as FloodOptions));
