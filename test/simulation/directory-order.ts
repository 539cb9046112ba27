/** directory-order — has a process of its own run a simulation of the directory. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Order } from "./directory-child.ts";
import type { Compared } from "./directory-compare.ts";
import type { MembersRun } from "./directory-members.ts";
import type { Measured } from "./directory-run.ts";

const CHILD = fileURLToPath(new URL("./directory-child.js", import.meta.url));
const OUTPUT_BYTES_MAX = 1 << 26;

const run = <Result>(order: Order): Promise<Result> =>
  new Promise((resolve, reject) => {
    const given = ["--expose-gc", "--max-old-space-size=12000", CHILD, JSON.stringify(order)];
    execFile(process.execPath, given, { maxBuffer: OUTPUT_BYTES_MAX }, (error, out) => {
      if (error) reject(error);
      else resolve(JSON.parse(out) as Result);
    });
  });

export const runMeasured = (order: Order & { readonly what: "measure" | "twin" }) =>
  run<Measured>(order);

export const runCompared = (order: Order & { readonly what: "compare" }) => run<Compared>(order);

export const runMembers = (order: Order & { readonly what: "members" }) => run<MembersRun>(order);
