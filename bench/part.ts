/**
 * part — what a scenario's cells add up to, from their file alone: rows, and a page of tables.
 */
import type { Machine } from "../test/lab/machine.ts";
import { median } from "../test/lab/statistics.ts";
import { cellKey, type Done, type Plan, type Store } from "./cells.ts";
import type { ScenarioName } from "./options.ts";
import type { Row } from "./report.ts";
import { directTelling } from "./scenario/direct.ts";
import { paperTelling } from "./scenario/paper.ts";
import type { Telling } from "./scenario/scenario.ts";
import { speedTelling } from "./scenario/speed.ts";

/** In the order in which a report shows them. */
const TELLINGS: Readonly<Record<ScenarioName, Telling>> = {
  paper: paperTelling,
  direct: directTelling,
  speed: speedTelling("speed"),
  ladder: speedTelling("ladder"),
};

export const ORDER = Object.keys(TELLINGS) as readonly ScenarioName[];

/** What one scenario gave. */
export interface Part {
  readonly machine: Machine;
  readonly rows: readonly Row[];
  /** Tables, and what they were measured by; Markdown, headings of the second level. */
  readonly page: string;
}

/** "3" or "1 to 3": how often cells were measured. */
const runsText = (done: readonly Done[]): string => {
  const counts = new Map<string, number>();
  for (const cell of done) {
    const key = cellKey({ ...cell, run: 0 });
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const [least, most] = [Math.min(...counts.values()), Math.max(...counts.values())];
  return least === most ? String(most) : `${least} to ${most}`;
};

const linksText = ({ scenario, offloads }: Plan): string => {
  if (scenario === "paper" || scenario === "direct") return "links segment as network cards do";
  return offloads ? "veth as it is where nothing else is said" : "veth with offloads off";
};

const headOf = ({ head, done }: Store): string => {
  const { machine, plan, commands } = head;
  const cubic = done.every(({ figures }) => figures === null || figures.cubic === 1);
  const load = median(done.map(({ loadAverage }) => loadAverage));
  const facts = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB`,
    `${machine.system}, Linux ${machine.kernel}`,
    `iperf3 ${machine.iperf3}`,
    cubic ? "TCP cubic" : "TCP: the kernel's default algorithm (cubic was refused)",
    linksText(plan),
    `${runsText(done)} runs of ${plan.seconds} s, interleaved`,
    `load average before a cell ${load.toFixed(1)} (median)`,
  ];
  const times = done.map(({ at }) => at).sort();
  return [
    `# Scenario \`${plan.scenario}\``,
    `${times[0] ?? "?"} to ${times.at(-1) ?? "?"}.`,
    commands.map((command) => `    ${command}`).join("\n"),
    `p2pvpn-engine ${machine.version} (${machine.commit}); ${facts.join("; ")}.`,
    "Medians, with the lowest and the highest run in brackets; ratios are of medians, with the " +
      "lowest and the highest of runs that stood beside each other in time.",
  ].join("\n\n");
};

/** A scenario's part of a report. */
export const partOf = (scenario: ScenarioName, store: Store): Part => {
  const { head, done } = store;
  const { rows, page } = TELLINGS[scenario];
  const text = `${headOf(store)}\n\n${page(head, done)}`;
  return { machine: head.machine, rows: rows(head, done), page: text };
};
