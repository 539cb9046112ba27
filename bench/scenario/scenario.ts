/**
 * scenario — what a scenario is to the runner: what is to be measured, how, and how it is told.
 */
import type { Cell, Done, Figures, Task } from "../cells.ts";
import type { Options, ScenarioName } from "../options.ts";
import type { Row } from "../report.ts";

export interface Missing {
  readonly id: string;
  readonly why: string;
}

export interface Scenario {
  readonly name: ScenarioName;
  readonly tasks: readonly Task[];
  /** Versions of what is compared, for the plan that `--resume` compares. */
  readonly versions: readonly string[];
  /** Schemes whose programs are not there, and a sentence that says what to do. */
  readonly missing: readonly Missing[];
  /** Errors: LabError, EngineError: the cell failed, and the run goes on. */
  readonly measure: (cell: Cell) => Promise<Figures>;
  /** What a cell gave, in a few words, for progress. */
  readonly tell: (cell: Cell, figures: Figures) => string;
  readonly rows: (done: readonly Done[]) => Row[];
  /** All tables, as Markdown. */
  readonly page: (done: readonly Done[]) => string;
}

/** Makes a scenario; `root` is the folder of package.json. Errors: LabError, UsageError. */
export type ScenarioMaker = (options: Options, version: string, root: string) => Promise<Scenario>;
