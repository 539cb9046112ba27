/**
 * simulate-directory — what the directory takes, by size: real dht-rpc, real certificates and
 * records, the real store in each node, on virtual time.
 *
 *   npm run simulate:directory -- --nodes 10,100,1000,2000 [--storers 0.1] [--loss 0.01] [--seed 1]
 *   npm run simulate:directory -- --twin --nodes 10000 [--json]
 *   npm run simulate:directory -- --members --nodes 60 [--liars 2] [--storers 0.1] [--loss 0.02]
 *
 * All start within ten seconds and publish; 300 are looked for; all rest for ten minutes; the first
 * two storers die, and 100 are looked for. One way takes 5 to 45 ms. `--members`: the whole of each
 * member, with channels that are opened when they are needed, and nobody else to ask; 60 are looked
 * for each time; one storer dies, and comes back with nothing. Exit code 1 when somebody is not
 * found who should be.
 */
import { parseArgs } from "node:util";
import { LabError } from "../lab/lab.ts";
import { runMain } from "../lab/main.ts";
import type { Looked, MembersOptions, MembersRun } from "../simulation/directory-members.ts";
import { runMeasured, runMembers } from "../simulation/directory-order.ts";
import type { Measured } from "../simulation/directory-run.ts";

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const NODES_MAX = 65_536;
const STORERS_LEAST = 3;
/** A storer may be out of sight for its neighbours, seldom: of those who should be found. */
const FOUND_LEAST = 0.99;

const number = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text);
  if (text !== "" && value >= least && value <= most) return value;
  throw new LabError(`--${name} must be a number from ${least} to ${most}, not '${text}'.`);
};

const whole = (name: string, text: string, least: number, most: number): number => {
  const value = number(name, text, least, most);
  if (Number.isInteger(value)) return value;
  throw new LabError(`--${name} must be a whole number, not '${text}'.`);
};

const spread = (values: readonly number[]): string => {
  if (values.length === 0) return "–";
  const order = [...values].sort((a, b) => a - b);
  return `${Math.round(order[order.length >> 1]!)} (${Math.round(order.at(-1)!)})`;
};

const HEAD = [
  "nodes",
  "storers",
  "together after",
  "put",
  "get",
  "found",
  "get, two dead",
  "found",
  "publishing: member, storer",
  "at rest: member, storer",
  "memory",
  "processor: put, get",
];

const rate = ({ member, storer }: { readonly member: number; readonly storer: number }): string =>
  `${member.toFixed(0)}, ${storer.toFixed(0)} B/s`;

/** Who only asks has next to nothing, at rest. */
const memory = ({ bytesANode, nodes, storers }: Measured): string =>
  `${((bytesANode * nodes) / storers / 1e6).toFixed(1)} MB a storer`;

const row = (run: Measured, isTwin: boolean): string[] => [
  String(run.nodes),
  isTwin ? "twin" : String(run.storers),
  `${(run.convergeMs / 1_000).toFixed(1)} s`,
  `${spread(run.putMs)} ms`,
  `${spread(run.getMs)} ms`,
  `${run.found} of ${run.asked}`,
  isTwin ? "–" : `${spread(run.afterMs)} ms`,
  isTwin ? "–" : `${run.afterFound} of ${run.afterAsked}`,
  isTwin ? "–" : rate(run.publishBytes),
  isTwin ? "–" : rate(run.restBytes),
  isTwin ? `${run.bytesANode.toFixed(0)} bytes a record` : memory(run),
  `${run.cpuMsAPut.toFixed(1)}, ${run.cpuMsAGet.toFixed(1)} ms`,
];

const MEMBERS_HEAD = [
  ...["nodes", "storers, liars", "stored", "get", "found", "get, one dead", "found"],
  ...["get, it is back", "found", "at rest: member, storer", "channels opened"],
];

const looked = ({ ms, found, asked }: Looked): string[] => [
  `${spread(ms)} ms`,
  `${found} of ${asked}`,
];

const membersRow = (run: MembersRun): string[] => [
  String(run.nodes),
  `${run.storers}, ${run.liars}`,
  `${Math.min(...run.stored)} at least`,
  ...[run.first, run.oneDead, run.oneBack].flatMap(looked),
  rate(run.restBytes),
  String(run.counts.storersOpened),
];

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

/** Each as the real network's room. How many sizes failed. */
const simulateMembers = async (orders: readonly MembersOptions[], isJson: boolean) => {
  let failures = 0;
  if (!isJson)
    for (const cells of [MEMBERS_HEAD, MEMBERS_HEAD.map(() => "---")]) print(line(cells));
  for (const order of orders) {
    const run = await runMembers({ what: "members", ...order });
    print(isJson ? JSON.stringify(run) : line(membersRow(run)));
    const all = [run.first, run.oneDead, run.oneBack];
    if (all.some(({ found, asked }) => found < FOUND_LEAST * asked)) failures++;
  }
  return failures;
};

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      nodes: { type: "string", default: "10,100,1000" },
      storers: { type: "string", default: "0.1" },
      loss: { type: "string", default: "0.01" },
      seed: { type: "string", default: "1" },
      twin: { type: "boolean", default: false },
      members: { type: "boolean", default: false },
      liars: { type: "string", default: "0" },
      json: { type: "boolean", default: false },
    },
  });
  const sizes = values.nodes.split(",").map((text) => whole("nodes", text, 2, NODES_MAX));
  const share = number("storers", values.storers, 0, 1);
  const loss = number("loss", values.loss, 0, 0.5);
  const seed = whole("seed", values.seed, 0, Number.MAX_SAFE_INTEGER);
  const liars = whole("liars", values.liars, 0, NODES_MAX);
  const storersOf = (nodes: number): number =>
    Math.min(nodes, Math.max(STORERS_LEAST, Math.round(share * nodes)));
  if (values.members) {
    const orders = sizes.map((nodes) => ({ nodes, storers: storersOf(nodes), seed, loss, liars }));
    return (await simulateMembers(orders, values.json)) === 0 ? 0 : 1;
  }
  const what = values.twin ? "twin" : "measure";
  let failures = 0;
  if (!values.json) for (const cells of [HEAD, HEAD.map(() => "---")]) print(line(cells));
  for (const nodes of sizes) {
    const run = await runMeasured({ what, nodes, storers: storersOf(nodes), seed, loss });
    print(values.json ? JSON.stringify(run) : line(row(run, values.twin)));
    const good =
      run.found >= FOUND_LEAST * run.asked &&
      run.afterFound >= FOUND_LEAST * run.afterAsked &&
      run.wrong === 0;
    if (!good) failures++;
  }
  return failures === 0 ? 0 : 1;
};

void runMain(main);
