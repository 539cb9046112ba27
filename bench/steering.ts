/**
 * steering — which socket of the reuseport group gets what, with and without the program.
 *
 * `npm run bench:steering`; needs no root. A group is bound on loopback as the engine binds it: one
 * socket per I/O thread, then control's. Real datagrams go to the port, and each socket is asked
 * what it got. Then control's socket is flooded and left unread, and data is sent after the flood.
 */
import { randomFillSync } from "node:crypto";
import { addon } from "../src/io/native/addon.ts";
import { steeringProgram } from "../src/wire/bpf.ts";
import { OWNER_MASK } from "../src/wire/index.ts";
import { makeSockaddr } from "../src/wire/sockaddr.ts";

const IO_THREADS = [1, 2, 4, 8] as const;
const EACH = 200;
/** More handshakes than control's receive buffer holds. */
const FLOOD = 40_000;
const AFTER_FLOOD = 1_000;
/** Without the program the source's port decides, so one try tells nothing. */
const TRIES = 8;
const SLOT_BYTES = 2_048;
const META_BYTES = 64;
const BATCH = 32;
const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const NO_LOCAL = new Uint8Array(0);

/** First bytes, and whether an I/O thread should get it. */
interface Kind {
  readonly name: string;
  readonly type: number;
  readonly bytes: number;
  readonly data: boolean;
}

const DATA: Kind = { name: "4 data", type: 4, bytes: 128, data: true };
const INITIATION: Kind = { name: "1 initiation", type: 1, bytes: 148, data: false };

// biome-ignore format: a table
const KINDS: readonly Kind[] = [
  DATA,
  { name: "8 data, AES", type: 8, bytes: 128, data: true },
  INITIATION,
  { name: "2 response", type: 2, bytes: 92, data: false },
  { name: "3 cookie", type: 3, bytes: 64, data: false },
  { name: "5 initiation, AES", type: 5, bytes: 148, data: false },
  { name: "type 4, reserved bytes set", type: 0x0100_0004, bytes: 128, data: false },
  { name: "junk of 3 bytes", type: 0, bytes: 3, data: false },
  { name: "empty", type: 0, bytes: 0, data: false },
];

class Group {
  readonly fds: readonly number[];
  readonly #to: Uint8Array;
  readonly #ioThreads: number;
  readonly #bytes = new Uint8Array(BATCH * SLOT_BYTES);
  readonly #meta = new Uint8Array(BATCH * META_BYTES);

  constructor(ioThreads: number, steered: boolean) {
    const first = addon.udpOpen(4, "127.0.0.1", 0, 0, "");
    const port = addon.udpPort(first);
    const rest = Array.from({ length: ioThreads }, () =>
      addon.udpOpen(4, "127.0.0.1", port, 0, ""),
    );
    this.fds = [first, ...rest];
    this.#ioThreads = ioThreads;
    this.#to = makeSockaddr(LOOPBACK, port);
    if (this.fds.some((fd) => fd < 0)) throw new Error("a socket was refused");
    if (!steered) return;
    const result = addon.filterAttach(first, 1, steeringProgram(ioThreads));
    if (result < 0) throw new Error(`the program was refused: ${addon.errorText(-result)}`);
  }

  /** Sends `count` from a socket of its own, each with another index. Returns where they belong. */
  send(kind: Kind, count: number): number[] {
    const from = addon.udpOpen(4, "127.0.0.1", 0, 0, "");
    const wanted = this.fds.map(() => 0);
    const datagram = new Uint8Array(kind.bytes);
    for (let i = 0; i < count; i++) {
      randomFillSync(datagram);
      if (kind.bytes >= 4) new DataView(datagram.buffer).setUint32(0, kind.type, true);
      const owner = kind.data ? ((datagram[4] ?? 0) & OWNER_MASK) % this.#ioThreads : -1;
      const place = kind.data ? owner : this.#ioThreads;
      wanted[place] = (wanted[place] ?? 0) + 1;
      addon.datagramSend(from, datagram, this.#to, NO_LOCAL);
    }
    addon.close(from);
    return wanted;
  }

  /** Takes what lies in each socket: datagrams in all, and data among them. */
  take(): { all: number; data: number }[] {
    return this.fds.map((fd) => {
      const total = { all: 0, data: 0 };
      for (;;) {
        const count = addon.datagramReceive(fd, this.#bytes, this.#meta);
        if (count <= 0) return total;
        total.all += count;
        for (let i = 0; i < count; i++) {
          if (this.#bytes[i * SLOT_BYTES] === 4) total.data++;
        }
      }
    });
  }

  close(): void {
    for (const fd of this.fds) addon.close(fd);
  }
}

/** Datagrams that came to another socket than they belong to, or to none. */
const misplaced = (ioThreads: number, kind: Kind, steered: boolean): number => {
  const group = new Group(ioThreads, steered);
  const wanted = group.send(kind, EACH);
  const right = group.take().map(({ all }, i) => Math.min(all, wanted[i] ?? 0));
  group.close();
  return EACH - right.reduce((sum, n) => sum + n, 0);
};

/** Data datagrams of AFTER_FLOOD that arrive behind a flood of initiations that nobody reads. */
const throughFlood = (steered: boolean): number => {
  const group = new Group(1, steered);
  group.send(INITIATION, FLOOD);
  group.send(DATA, AFTER_FLOOD);
  const data = group.take().reduce((sum, one) => sum + one.data, 0);
  group.close();
  return data;
};

console.log(`Datagrams of ${EACH} that came to the wrong socket\n`);
const columns = IO_THREADS.map((n) => `${n} I/O`);
console.log(`| kind | ${columns.join(" | ")} | 2 I/O without the program |`);
console.log(`|${" --- |".repeat(columns.length + 2)}`);
for (const kind of KINDS) {
  const cells = [...IO_THREADS.map((n) => misplaced(n, kind, true)), misplaced(2, kind, false)];
  console.log(`| ${kind.name} | ${cells.join(" | ")} |`);
}
const whole = (steered: boolean): number =>
  Array.from({ length: TRIES }, () => throughFlood(steered)).filter((n) => n === AFTER_FLOOD)
    .length;
console.log(`\n${AFTER_FLOOD} data datagrams behind ${FLOOD} unread initiations, ${TRIES} times:`);
console.log(`all arrived ${whole(true)} times with the program, ${whole(false)} times without`);
