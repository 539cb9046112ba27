/**
 * stores — an arena whose every store is announced before it is made, plain ones and atomic ones.
 *
 *     control ── store ──▶ watched arena ── act() ──▶ an I/O turn, perhaps ──▶ the store
 *
 * Real threads run between any two stores of one another; in a simulation nothing does, unless it
 * is let in here. The views are proxies, which `Atomics` does not take: so its functions are
 * replaced, for the process, by ones that look behind a proxy.
 */
import type { Arena } from "../../src/memory/region.ts";

type View = Arena["u8" | "u32" | "i32" | "f64" | "u64"];

/** What is behind a proxy, and what to do before it changes. */
interface Watched {
  readonly view: View;
  readonly act: () => void;
}

const watched = new WeakMap<object, Watched>();

/** Calls of `Atomics` that store something. */
const STORES = ["store", "exchange", "compareExchange", "add", "sub", "and", "or", "xor"] as const;
const LOADS = ["load"] as const;
/** Methods of a view that store something. */
const WRITES: readonly PropertyKey[] = ["set", "fill", "copyWithin"];

type Call = (view: object, ...values: unknown[]) => unknown;

const lookBehind = (name: (typeof STORES | typeof LOADS)[number], stores: boolean): void => {
  const calls = Atomics as unknown as Record<string, Call>;
  const real = calls[name]!;
  calls[name] = (view, ...values) => {
    const found = watched.get(view);
    if (found === undefined) return real(view, ...values);
    if (stores) found.act();
    return real(found.view, ...values);
  };
};

for (const name of STORES) lookBehind(name, true);
for (const name of LOADS) lookBehind(name, false);

const watchView = <Of extends View>(view: Of, act: () => void): Of => {
  const proxy = new Proxy(view, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...values: unknown[]) => {
        if (WRITES.includes(key)) act();
        return Reflect.apply(value as (...values: unknown[]) => unknown, target, values);
      };
    },
    set: (target, key, value) => {
      act();
      return Reflect.set(target, key, value, target);
    },
  });
  watched.set(proxy, { view, act });
  return proxy;
};

/** The same arena; `act` is called before each store that is made by way of it. */
export const watchStores = (arena: Arena, act: () => void): Arena => ({
  ...arena,
  u8: watchView(arena.u8, act),
  u32: watchView(arena.u32, act),
  i32: watchView(arena.i32, act),
  f64: watchView(arena.f64, act),
  u64: watchView(arena.u64, act),
});
