/**
 * directory-child — one simulation of the directory, in a process of its own, whose time is
 * virtual: the order is its argument, what came of it goes to standard output, both JSON.
 */
import type { Compared } from "./directory-compare.ts";
import type { MembersRun } from "./directory-members.ts";
import type { Measured } from "./directory-run.ts";
import { replaceTime } from "./directory-time.ts";
import type { WorldOptions } from "./directory-world.ts";

export type Order =
  | ({ readonly what: "measure" | "twin" } & WorldOptions)
  | ({ readonly what: "members"; readonly liars: number } & WorldOptions)
  | ({ readonly what: "compare"; readonly steps: number } & WorldOptions);

const order = JSON.parse(process.argv[2]!) as Order;
const time = replaceTime(order.seed);
// dht-rpc must not be loaded before.
const { measure, measureTwin } = await import("./directory-run.ts");
const { compare } = await import("./directory-compare.ts");
const { runMembers: members } = await import("./directory-members.ts");

const run = (): Promise<Compared | MembersRun | Measured> => {
  if (order.what === "members") return members(time, order);
  if (order.what === "compare") return compare(time, order);
  return order.what === "twin" ? measureTwin(time, order) : measure(time, order);
};

const text = JSON.stringify(await run());
process.stdout.write(text, () => process.exit(0));
