/** ways — which way the kernel takes: routes, rules and marks, as they are now. */
import { addon } from "./addon.ts";

/** As schema/kernel-routes.ts has it. */
interface Found {
  readonly index: number;
  readonly prefixLength: number;
  readonly table: number;
  readonly metric: number;
}

/**
 * The way of a UDP datagram between two sockaddrs, `from` perhaps empty, with a firewall mark;
 * null: it has none. `match`: the route is wanted, with its prefix length. Thread: any.
 */
export const findWay = (
  to: Uint8Array,
  from: Uint8Array,
  mark: number,
  match: boolean,
): Found | null => {
  const words = new Uint32Array(5);
  const result = addon.routeFind(to, from, mark, match, new Uint8Array(words.buffer));
  if (result < 0) return null;
  return { index: words[0]!, prefixLength: words[1]!, table: words[2]!, metric: words[3]! };
};
