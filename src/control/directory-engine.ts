/**
 * directory-engine — dht-rpc for the network's room, loaded when there is a storer to talk to, or
 * others talk to us: a host that has none does without its memory. Thread: control.
 */
import type { DhtOptions, DhtStore } from "../directory/dht.ts";
import type { Name } from "../directory/names.ts";
import type { Timer } from "../directory/store.ts";
import type { DirectoryEngine } from "./network/world.ts";

/** For NetworkWorld.openDirectory. */
export const directoryEngine =
  (timer: Timer) =>
  (options: Omit<DhtOptions, "timer">): DirectoryEngine => {
    let storers: readonly Name[] = [];
    let store: Promise<DhtStore> | null = null;
    const open = (): Promise<DhtStore> => {
      store ??= import("../directory/dht.ts").then(({ DhtStore }) => {
        const opened = new DhtStore({ ...options, timer });
        opened.setStorers(storers);
        return opened;
      });
      return store;
    };
    return {
      put: async (pair) => (await open()).put(pair),
      get: async (target) => (await open()).get(target),
      setStorers: (names) => {
        storers = [...names];
        if (store !== null || storers.length > 0 || options.isStorer)
          void open().then((one) => one.setStorers(storers));
      },
      stop: async () => (await store)?.stop(),
    };
  };
