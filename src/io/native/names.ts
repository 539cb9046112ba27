/**
 * names — the addon's threads that ask for names (names.h): their answers come to one end of a pair
 * of sockets, which this thread's event loop reads.
 */
import { DATAGRAM, NAMES_HEAD_BYTES } from "../../memory/numbers.ts";
import { EngineError } from "../../schema/errors.ts";
import { SOCKADDR_BYTES } from "../../wire/sockaddr.ts";
import { addon } from "./addon.ts";

/** Sockaddrs of 28 bytes without a port, one at least, in the system's order; or why none. */
export type NameAnswer = readonly Uint8Array[] | string;

/** Reads an answer as names.h has it; null when it is none. */
const readAnswer = (bytes: Uint8Array): readonly [id: number, answer: NameAnswer] | null => {
  if (bytes.length < NAMES_HEAD_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(4, true);
  const rest = bytes.slice(NAMES_HEAD_BYTES);
  if (count > rest.length / SOCKADDR_BYTES) return null;
  const addressAt = (_: unknown, i: number): Uint8Array =>
    rest.subarray(i * SOCKADDR_BYTES, (i + 1) * SOCKADDR_BYTES);
  const text = Buffer.from(rest).toString("latin1");
  return [view.getUint32(0, true), count === 0 ? text : Array.from({ length: count }, addressAt)];
};

/** Thread: any that has an event loop. */
export class NameThreads {
  readonly #ours: number;
  readonly #theirs: number;
  readonly #watch: ReturnType<typeof addon.watch>;

  /** Errors: EngineError SOCKET_FAILED. */
  constructor(onAnswer: (id: number, answer: NameAnswer) => void) {
    const pair = new Int32Array(2);
    const result = addon.datagramPair(new Uint8Array(pair.buffer));
    if (result < 0) throw new EngineError("SOCKET_FAILED", { reason: addon.errorText(-result) });
    const [ours = -1, theirs = -1] = pair;
    const bytes = new Uint8Array(DATAGRAM.most * DATAGRAM.bytes);
    const meta = new Uint8Array(DATAGRAM.most * DATAGRAM.metaBytes);
    const lengths = new DataView(meta.buffer);
    this.#ours = ours;
    this.#theirs = theirs;
    this.#watch = addon.watch(ours, () => {
      const count = addon.datagramReceive(ours, bytes, meta);
      for (let i = 0; i < count; i++) {
        const at = i * DATAGRAM.bytes;
        const length = Math.min(DATAGRAM.bytes, lengths.getUint32(i * DATAGRAM.metaBytes, true));
        const read = readAnswer(bytes.subarray(at, at + length));
        if (read !== null) onAnswer(...read);
      }
    });
  }

  /** Begins to ask. 0 or -errno: no answer will come. */
  ask(id: number, name: string): number {
    return addon.nameAsk(this.#theirs, id, name);
  }

  /** Threads that still wait for an answer end by themselves, unheard. */
  close(): void {
    addon.unwatch(this.#watch);
    addon.close(this.#ours);
    addon.close(this.#theirs);
  }
}
