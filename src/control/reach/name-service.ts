/**
 * name-service — names (resolve.ts) with the threads that ask the system for them.
 */
import { addon } from "../../io/native/addon.ts";
import { NameThreads } from "../../io/native/names.ts";
import { type After, type Families, Names } from "./resolve.ts";

export interface NameService {
  readonly names: Names;
  readonly close: () => void;
}

/** `families`: those that our sockets have. `after`: calls once, later. Thread: control. */
export const openNames = (families: Families, after: After): NameService => {
  const threads = new NameThreads((id, answer) => names.onAnswer(id, answer));
  const names = new Names({
    families,
    ask: (id, name) => threads.ask(id, name),
    errorText: (errno) => addon.errorText(errno),
    linkIndex: (name) => addon.linkIndex(name),
    after,
  });
  return { names, close: () => threads.close() };
};
