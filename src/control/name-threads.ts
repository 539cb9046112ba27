/**
 * name-threads — gives `Names` the addon's threads: one end of a pair of sockets for their answers,
 * the other read by this thread's event loop. Thread: control.
 */
import { addon } from "../io/native/addon.ts";
import { EngineError } from "../schema/errors.ts";
import { type Families, type NameServices, Names } from "./resolve.ts";

const BATCH = 32;
const ANSWER_BYTES = 2_048;
const META_BYTES = 64;

export interface NameThreads {
  readonly names: Names;
  /** Threads that still wait for an answer end by themselves, unheard. */
  close(): void;
}

/** Errors: EngineError SOCKET_FAILED. */
export const openNames = (families: Families, after: NameServices["after"]): NameThreads => {
  const pair = new Int32Array(2);
  const result = addon.datagramPair(new Uint8Array(pair.buffer));
  if (result < 0) throw new EngineError("SOCKET_FAILED", { reason: addon.errorText(-result) });
  const [ours = -1, theirs = -1] = pair;
  const names = new Names({
    families,
    ask: (id, name) => addon.nameAsk(theirs, id, name),
    errorText: (errno) => addon.errorText(errno),
    linkIndex: (name) => addon.linkIndex(name),
    after,
  });
  const bytes = new Uint8Array(BATCH * ANSWER_BYTES);
  const meta = new Uint8Array(BATCH * META_BYTES);
  const lengths = new DataView(meta.buffer);
  const watch = addon.watch(ours, () => {
    const count = addon.datagramReceive(ours, bytes, meta);
    for (let i = 0; i < count; i++) {
      const at = i * ANSWER_BYTES;
      names.onAnswer(bytes.subarray(at, at + lengths.getUint32(i * META_BYTES, true)));
    }
  });
  return {
    names,
    close: () => {
      addon.unwatch(watch);
      addon.close(ours);
      addon.close(theirs);
    },
  };
};
