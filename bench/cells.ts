/**
 * cells — what a benchmark consists of, in which order it is run, and what is kept of it.
 *
 * A cell is one scheme, one thing that is measured and one load, measured once. Schemes take turns
 * (A-B-C-A-B-C), so that a machine whose speed changes does so for all of them. What a cell gave
 * is one line of JSON that is written when it is done.
 *
 *     speed.jsonl     {"plan": …, "machine": …, "schemes": …, "missing": …, "commands": [ … ]}
 *                     {"scenario": "speed", "scheme": …, "work": …, "run": 1, "figures": {…}}
 */
import { appendFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { LabError } from "../test/lab/lab.ts";
import type { Machine } from "../test/lab/machine.ts";
import type { About } from "./scenario/scenario.ts";

/** What stands in a plan once; each run of it is a cell. */
export interface Task {
  readonly scenario: string;
  /** Id of what is measured. */
  readonly scheme: string;
  /** Id of how it is measured. */
  readonly work: string;
  /** Kind of flood; null: none. */
  readonly class: string | null;
  /** Asked for; 0: no flood. */
  readonly attackMbps: number;
  /** Estimate of how long a run takes. */
  readonly seconds: number;
}

export interface Cell extends Omit<Task, "seconds"> {
  /** From 1. */
  readonly run: number;
}

/** By name; units stand in the names. */
export type Figures = Readonly<Record<string, number>>;

/** A cell that was measured, or could not be. */
export interface Done extends Cell {
  /** ISO 8601. */
  readonly at: string;
  readonly tookSeconds: number;
  /** Of the machine when the cell began: what else runs there. Source: proc(5). */
  readonly loadAverage: number;
  readonly figures: Figures | null;
  /** Why there are none; one sentence. */
  readonly failed: string | null;
}

/** What must be equal for a run to be gone on with. */
export interface Plan {
  readonly scenario: string;
  readonly seconds: number;
  readonly offloads: boolean;
  readonly versions: readonly string[];
  readonly commit: string;
}

/** What is told of all cells of a file. */
export interface Sitting extends About {
  readonly plan: Plan;
  readonly machine: Machine;
}

interface Head extends Sitting {
  /** That its cells were measured by, one of each sitting. */
  readonly commands: readonly string[];
}

/** Two cells are the same when this is. */
export const cellKey = (cell: Cell): string =>
  [cell.scenario, cell.scheme, cell.work, cell.class ?? "", cell.attackMbps, cell.run].join("|");

/**
 * The cells of all runs, in the order in which they are measured: works outside, then runs, then
 * floods, schemes inside. Runs of a work stand beside each other, so that what is compared was
 * measured within minutes.
 */
export const interleave = (tasks: readonly Task[], runs: number): Cell[] => {
  const loadOf = (task: Task): string => `${task.class ?? ""}|${task.attackMbps}`;
  const works = grouped(tasks, ({ scenario, work }) => `${scenario}|${work}`);
  return works.flatMap((own) => {
    const once = grouped(own, loadOf).flat();
    return Array.from({ length: runs }, (_, i) =>
      once.map(({ seconds: _seconds, ...task }) => ({ ...task, run: i + 1 })),
    ).flat();
  });
};

/** Tasks of the same key side by side, in the order in which keys come first. */
const grouped = (tasks: readonly Task[], keyOf: (task: Task) => string): Task[][] => {
  const groups = new Map<string, Task[]>();
  for (const task of tasks) {
    groups.set(keyOf(task), [...(groups.get(keyOf(task)) ?? []), task]);
  }
  return [...groups.values()];
};

/** Seconds that the cells will take: as the done ones of their kind did, else as estimated. */
export const secondsLeft = (
  left: readonly Cell[],
  done: readonly Done[],
  tasks: readonly Task[],
): number => {
  const kind = (cell: Task | Cell): string => `${cell.scheme}|${cell.work}`;
  const took = new Map<string, number[]>();
  for (const cell of done) {
    took.set(kind(cell), [...(took.get(kind(cell)) ?? []), cell.tookSeconds]);
  }
  const estimates = new Map(tasks.map((task) => [kind(task), task.seconds]));
  return left.reduce((sum, cell) => {
    const known = took.get(kind(cell));
    const mean = known && known.reduce((total, one) => total + one, 0) / known.length;
    return sum + (mean ?? estimates.get(kind(cell)) ?? 0);
  }, 0);
};

/** The file of one run; written line by line. */
export class Store {
  readonly file: string;
  readonly head: Head;
  readonly #done: Done[];

  private constructor(file: string, head: Head, done: Done[]) {
    this.file = file;
    this.head = head;
    this.#done = done;
  }

  /** Begins a new file. */
  static create(file: string, sitting: Sitting, command: string): Store {
    const head = { ...sitting, commands: [command] };
    writeFileSync(file, `${JSON.stringify(head)}\n`, { flag: "wx" });
    return new Store(file, head, []);
  }

  /** A file as it is, also cells that failed. Errors: LabError. */
  static read(file: string): Store {
    const [first, ...done] = readLines(file);
    const head = first as Partial<Head> | undefined;
    if (head?.plan === undefined || head.schemes === undefined) {
      throw new LabError(`${file} is no file of a benchmark's cells.`);
    }
    return new Store(file, head as Head, done as Done[]);
  }

  /**
   * Goes on with a file. A line that was cut short is given up; cells that failed are measured
   * again. Errors: LabError when the file was made with another plan.
   */
  static resume(file: string, sitting: Sitting, command: string): Store {
    const { head: known, done: all } = Store.read(file);
    const [before, plan] = [known.plan, sitting.plan].map((one) => new Map(Object.entries(one)));
    const differs = [...new Set([...before!.keys(), ...plan!.keys()])].filter(
      (key) => JSON.stringify(before!.get(key)) !== JSON.stringify(plan!.get(key)),
    );
    if (differs.length > 0) {
      const told = differs.map(
        (key) => `${key} was ${JSON.stringify(before!.get(key)) ?? "not set"}`,
      );
      throw new LabError(
        `The run in ${file} cannot be gone on with (${told.join(", ")}); ` +
          "give the same options, or leave --resume out.",
      );
    }
    const done = all.filter(({ failed }) => failed === null);
    const head = { ...sitting, commands: [...new Set([...known.commands, command])] };
    const text = [head, ...done].map((line) => `${JSON.stringify(line)}\n`).join("");
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
    return new Store(file, head, done);
  }

  get done(): readonly Done[] {
    return this.#done;
  }

  /** Of these, the ones that are still to be measured. */
  left(cells: readonly Cell[]): Cell[] {
    const known = new Set(this.#done.map(cellKey));
    return cells.filter((cell) => !known.has(cellKey(cell)));
  }

  add(done: Done): void {
    appendFileSync(this.file, `${JSON.stringify(done)}\n`);
    this.#done.push(done);
  }
}

/** The lines that are whole. */
const readLines = (file: string): unknown[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return line === "" ? [] : [JSON.parse(line) as unknown];
      } catch {
        return [];
      }
    });
