/**
 * name-service — names (resolve.ts) with the threads that ask the system for them.
 */
import { addon } from "../../io/native/addon.ts";
import { NameThreads } from "../../io/native/names.ts";
import { Names } from "./resolve.ts";
import { later } from "../timer.ts";

export interface NameService {
  readonly names: Names;
  readonly close: () => void;
}

/** `families`: those that our sockets have. Thread: control. */
export const openNames = (families: {
  readonly v4: boolean;
  readonly v6: boolean;
}): NameService => {
  const threads = new NameThreads((id, answer) => names.onAnswer(id, answer));
  const names = new Names({
    families,
    ask: (id, name) => threads.ask(id, name),
    errorText: (errno) => addon.errorText(errno),
    linkIndex: (name) => addon.linkIndex(name),
    after: later,
  });
  return { names, close: () => threads.close() };
};
