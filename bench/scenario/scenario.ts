/**
 * scenario — what a scenario is to the runner: what is to be measured, how, and how it is told.
 */
import type { Cell, Done, Figures, Task } from "../cells.ts";
import type { Options, ScenarioName } from "../options.ts";
import type { Row, SchemeFacts } from "../report.ts";

export interface Missing {
  readonly id: string;
  readonly why: string;
}

/** What a scenario found on its machine: kept with the cells, so that they can be told later. */
export interface About {
  readonly schemes: readonly SchemeFacts[];
  /** Schemes whose programs are not there, and a sentence that says what to do. */
  readonly missing: readonly Missing[];
}

/** How a scenario is told, from what was kept alone. */
export interface Telling {
  readonly rows: (about: About, done: readonly Done[]) => Row[];
  /** All tables, as Markdown. */
  readonly page: (about: About, done: readonly Done[]) => string;
}

export interface Scenario extends About {
  readonly name: ScenarioName;
  readonly tasks: readonly Task[];
  /** Errors: LabError, EngineError: the cell failed, and the run goes on. */
  readonly measure: (cell: Cell) => Promise<Figures>;
  /** What a cell gave, in a few words, for progress. */
  readonly tell: (cell: Cell, figures: Figures) => string;
}

/** Makes a scenario; `root` is the folder of package.json. Errors: LabError, UsageError. */
export type ScenarioMaker = (options: Options, version: string, root: string) => Promise<Scenario>;
