/**
 * fuzzer — sends a seeded mix of datagrams to an engine; a program on a lab's host.
 *
 *   node fuzzer.js OPTIONS      OPTIONS: JSON of FuzzerOptions; needs an IPC channel
 *
 * From many ports and addresses over IPv4 and IPv6, and from the engine's own peer: two sockets
 * join the reuseport group of the peer's port, as its last members, so that they send from its
 * address and its port and receive nothing. Without a rate it sends as fast as the engine reads,
 * which the kernel's receive queues tell. Only to addresses of a lab.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { addon } from "../../src/io/native/addon.ts";
import { unarmor } from "../../src/members/armor.ts";
import { decodeMemberFile, type MemberFile } from "../../src/members/bundle.ts";
import { signingPair } from "../../src/members/sign.ts";
import { loadIdentity } from "../../src/schema/identity.ts";
import { parseAddress } from "../../src/wire/cidr.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { Chance } from "../lab/chance.ts";
import { LabError } from "../lab/lab.ts";
import { runMain } from "../lab/main.ts";
import { udpQueues } from "../lab/udp-queues.ts";
import { Friend } from "./friend.ts";
import { Insider } from "./insider.ts";
import { Mix } from "./mix.ts";

export interface FuzzerOptions {
  /** Addresses of the engine, IPv4 and IPv6. */
  readonly to: readonly [string, string];
  /** Of the engine, and of its peer on this host. */
  readonly port: number;
  /** Extra addresses of this host to send from. */
  readonly from: readonly string[];
  /** Base64, of the engine. */
  readonly publicKey: string;
  /** Base64, the secret of a peer that the engine knows and nobody else is. */
  readonly friendKey: string;
  /** Files of a member of the engine's network that nobody else is, and of one more. */
  readonly insider: { readonly key: string; readonly certificate: string; readonly other: string };
  /** Key file of the engine's peer on this host. */
  readonly peerKeyFile: string;
  /** The engine's process, whose namespace's queues are looked at. */
  readonly enginePid: number;
  readonly seed: number;
  readonly datagrams: number;
  readonly seconds: number;
  /** Datagrams a second; 0: as fast as the engine reads. */
  readonly perSecond: number;
}

/** What the fuzzer is told. */
export interface FuzzerOrder {
  /** Receiver indices of the engine's live sessions. */
  readonly indexes: readonly number[];
}

/** What the fuzzer says. */
export interface FuzzerReport {
  readonly done: boolean;
  readonly sent: number;
  /** Those from the peer's own address and port. */
  readonly spoofed: number;
  /** Refused by our own kernel: too long for IPv6, or no room in the send buffer. */
  readonly refused: number;
  readonly made: Readonly<Record<string, number>>;
  readonly friendSessions: number;
}

/** Tuning. */
const PORTS = { 4: 16, 6: 8 } as const;
const BATCH = 256;
const BATCH_BYTES = 512 * 1024;
/** Tuning: bytes in the engine's receive queues that it may be behind; a seventh of one. */
const BEHIND_BYTES = 2 * 1024 * 1024;
const REOPEN_EVERY = 10_000;
const FRIEND_EVERY_MS = 4_000;
const FRIEND_AGAIN_MS = 500;
/** The friend's first session is made before anything wrong is sent; so long it may take. */
const FRIEND_FIRST_MS = 10_000;
const REPORT_EVERY_MS = 500;
/** Documentation prefixes. Source: RFC 5737, RFC 3849. */
const LAB = /^(?:192\.0\.2\.|2001:db8:)/;
const EAGAIN = 11;

interface Port {
  fd: number;
  readonly to: Uint8Array;
  readonly family: 4 | 6;
  readonly spoofs: boolean;
}

const opened = (family: 4 | 6, port: number): number => {
  const fd = addon.udpOpen(family, "", port, 0, "");
  if (fd < 0) throw new LabError(`No socket: ${addon.errorText(-fd)}.`);
  return fd;
};

const certificateIn = (path: string): MemberFile => {
  const bytes = unarmor("certificate", readFileSync(path, "latin1"));
  const file = bytes.ok ? decodeMemberFile(bytes.value) : bytes;
  if (!file.ok) throw new LabError(`${path}: ${file.why}.`);
  return file.value;
};

const insiderOf = (
  { insider: { key, certificate, other } }: FuzzerOptions,
  engine: Uint8Array,
  chance: Chance,
): Insider => {
  const identity = loadIdentity(key);
  const keys = {
    file: certificateIn(certificate),
    identity,
    signingKey: signingPair(identity.seed!).secretKey,
    other: certificateIn(other).certificate.bytes,
    engine,
    unixMs: Date.now,
  };
  return new Insider(keys, chance);
};

class Fuzzer {
  readonly #options: FuzzerOptions;
  readonly #chance: Chance;
  readonly #friend: Friend;
  readonly #insider: Insider;
  readonly #mix: Mix;
  readonly #ports: readonly Port[];
  readonly #locals: Readonly<Record<4 | 6, readonly Uint8Array[]>>;
  readonly #bytes = new Uint8Array(32 * 2_048);
  readonly #meta = new Uint8Array(32 * 64);
  #sent = 0;
  #spoofed = 0;
  #refused = 0;
  #friendDueMs = 0;
  #reportDueMs = 0;

  constructor(options: FuzzerOptions) {
    this.#options = options;
    this.#chance = new Chance(options.seed);
    const publicKey = Buffer.from(options.publicKey, "base64");
    const friendKey = Buffer.from(options.friendKey, "base64");
    this.#friend = new Friend(friendKey, publicKey, this.#chance);
    this.#insider = insiderOf(options, publicKey, this.#chance);
    this.#mix = new Mix({
      chance: this.#chance,
      friend: this.#friend,
      insider: this.#insider,
      publicKey,
      peerPrivateKey: loadIdentity(options.peerKeyFile).privateKey,
      unixMs: Date.now,
    });
    const port = (family: 4 | 6, spoofs: boolean): Port => ({
      fd: opened(family, spoofs ? options.port : 0),
      to: makeSockaddr(parseAddress(options.to[family === 4 ? 0 : 1])!, options.port),
      family,
      spoofs,
    });
    const several = (family: 4 | 6): Port[] =>
      Array.from({ length: PORTS[family] }, () => port(family, false));
    this.#ports = [...several(4), ...several(6), port(4, true), port(6, true)];
    const none = new Uint8Array(0);
    const locals = options.from.map((text) => makeSockaddr(parseAddress(text)!, 0));
    const ofFamily = (af: number): Uint8Array[] => [none, ...locals.filter((l) => l[0] === af)];
    this.#locals = { 4: ofFamily(2), 6: ofFamily(10) };
    process.on("message", (order: FuzzerOrder) => {
      this.#mix.indexes = order.indexes;
    });
  }

  async run(): Promise<void> {
    const { datagrams, seconds, perSecond } = this.#options;
    await this.#firstSession();
    const startMs = addon.bootMs();
    for (;;) {
      const nowMs = addon.bootMs();
      const elapsedS = (nowMs - startMs) / 1_000;
      if (this.#sent + this.#refused >= datagrams || elapsedS >= seconds) break;
      const due = perSecond === 0 ? Number.POSITIVE_INFINITY : elapsedS * perSecond;
      this.#batch(Math.min(due, datagrams));
      this.#answers();
      this.#befriend(nowMs);
      if (nowMs >= this.#reportDueMs) this.#report(false);
      await this.#rest(this.#sent >= due);
    }
    this.#report(true);
    for (const { fd } of this.#ports) addon.close(fd);
  }

  async #firstSession(): Promise<void> {
    const untilMs = addon.bootMs() + FRIEND_FIRST_MS;
    while (this.#friend.made === 0) {
      const nowMs = addon.bootMs();
      if (nowMs >= untilMs) throw new LabError("The friend's first handshake is not answered.");
      this.#befriend(nowMs);
      await sleep(1);
      this.#answers();
    }
  }

  #batch(due: number): void {
    let bytes = 0;
    for (let i = 0; i < BATCH && bytes < BATCH_BYTES; i++) {
      if (this.#sent + this.#refused >= due) return;
      const datagram = this.#mix.next();
      const port = this.#aPort();
      // The peer's own address is the kernel's choice; answers come to the first one's.
      const local =
        port.spoofs || port === this.#ports[0]
          ? this.#locals[4][0]!
          : this.#chance.pick(this.#locals[port.family]);
      this.#send(port, datagram, local);
      bytes += datagram.length;
      if (this.#sent % REOPEN_EVERY === 0) this.#reopen();
    }
  }

  #aPort(): Port {
    if (this.#mix.isInsiders) return this.#ports[0]!;
    return this.#chance.once(8)
      ? this.#ports[this.#ports.length - 1 - this.#chance.below(2)]!
      : this.#chance.pick(this.#ports);
  }

  #send(port: Port, datagram: Uint8Array, local: Uint8Array): void {
    const result = addon.datagramSend(port.fd, datagram, port.to, local);
    if (result < 0) this.#refused++;
    else this.#sent++;
    if (result >= 0 && port.spoofs) this.#spoofed++;
    if (result < 0 && result !== -EAGAIN && datagram.length < 65_000) {
      throw new LabError(`A datagram was not sent: ${addon.errorText(-result)}.`);
    }
  }

  /** Another source port; the first one is the friend's own. */
  #reopen(): void {
    const port = this.#ports[1 + this.#chance.below(this.#ports.length - 3)]!;
    addon.close(port.fd);
    port.fd = opened(port.family, 0);
  }

  /** Takes what came back out of the sockets; the first one's may be the friend's. */
  #answers(): void {
    for (const [i, port] of this.#ports.entries()) {
      const count = addon.datagramReceive(port.fd, this.#bytes, this.#meta);
      for (let at = 0; i === 0 && at < count; at++) {
        const length = this.#meta[at * 64]! | (this.#meta[at * 64 + 1]! << 8);
        const datagram = this.#bytes.subarray(at * 2_048, at * 2_048 + Math.min(2_048, length));
        if (this.#insider.take(datagram)) continue;
        const again = this.#friend.take(datagram, Date.now());
        if (again !== null) this.#send(port, again, this.#locals[4][0]!);
      }
    }
  }

  #befriend(nowMs: number): void {
    const again =
      this.#friend.waits && nowMs >= this.#friendDueMs - FRIEND_EVERY_MS + FRIEND_AGAIN_MS;
    if (nowMs < this.#friendDueMs && !again) return;
    this.#friendDueMs = nowMs + FRIEND_EVERY_MS;
    this.#send(this.#ports[0]!, this.#friend.initiation(Date.now(), true), this.#locals[4][0]!);
  }

  #report(done: boolean): void {
    this.#reportDueMs = addon.bootMs() + REPORT_EVERY_MS;
    const report: FuzzerReport = {
      done,
      sent: this.#sent,
      spoofed: this.#spoofed,
      refused: this.#refused,
      made: this.#mix.made,
      friendSessions: this.#friend.made,
    };
    process.send?.(report);
  }

  /** Until there is something to do; at least a turn of the event loop. */
  async #rest(early: boolean): Promise<void> {
    if (early) await sleep(2);
    else await new Promise((resolve) => setImmediate(resolve));
    if (this.#options.perSecond > 0) return;
    const { enginePid, port } = this.#options;
    while (udpQueues(enginePid, port).bytes > BEHIND_BYTES) await sleep(1);
  }
}

const main = async (options: FuzzerOptions): Promise<number> => {
  const strange = [...options.to, ...options.from].find((address) => !LAB.test(address));
  if (strange !== undefined) throw new LabError(`${strange} is no address of a lab.`);
  readFileSync(`/proc/${options.enginePid}/net/udp`);
  process.once("disconnect", () => process.exit(1));
  await new Fuzzer(options).run();
  return 0;
};

await runMain(() => main(JSON.parse(process.argv[2] ?? "{}") as FuzzerOptions));
