/**
 * flooded — what scenarios `paper` and `direct` have in common: rivals, kinds of floods, loads.
 *
 * Each rival, work, kind and load is a cell; without a flood there is one cell for all kinds.
 */

import { FLOOD_CLASSES, type FloodClass } from "../../test/lab/floods.ts";
import type { Figures, Task } from "../cells.ts";
import { choose, type Options } from "../options.ts";
import {
  absentRow,
  factsOf,
  failureText,
  makeRows,
  type Row,
  type SchemeFacts,
} from "../report.ts";
import { type Rival, whyMissing } from "../rivals/rival.ts";
import type { Missing, Scenario, Telling } from "./scenario.ts";
import { FLOOD_WORKS, type FloodWork, measureCell, type Scene } from "./under-flood.ts";

/** What is asked of the attacker. Units: Mbit/s. */
const LOADS = [100, 500, 1_000] as const;
const QUICK_LOADS = [1_000] as const;
const QUICK_WORKS = ["ping", "tcp"];
/** Rows whose flood reached less of what was asked say so. */
const REACHED_SHARE = 0.95;

export interface Flooded {
  readonly name: "paper" | "direct";
  readonly rivals: readonly Rival[];
  /** Why a rival is not there, where its package is not the answer; by family. */
  readonly why: Readonly<Record<string, string>>;
  /** Kinds of floods that it can show, and those that it shows unless others are named. */
  readonly classes: readonly string[];
  readonly usual: readonly string[];
  readonly scene: Scene;
}

/** How it is told. */
export interface FloodedPage {
  readonly name: Flooded["name"];
  /** Lines over the tables. */
  readonly intro: readonly string[];
  readonly tables: (rows: readonly Row[], schemes: readonly SchemeFacts[]) => string[];
}

const classesOf = ({ classes, usual }: Flooded, options: Options): FloodClass[] => {
  const known = FLOOD_CLASSES.filter(({ id }) => classes.includes(id));
  if (options.classes.length > 0) return choose(options, "class", known, options.classes);
  const wanted = options.quick ? usual.slice(0, 1) : usual;
  return known.filter(({ id }) => wanted.includes(id));
};

const worksOf = ({ work, quick }: Options): readonly string[] =>
  work.length === 0 && quick ? QUICK_WORKS : work;

const tasksOf = (
  name: Flooded["name"],
  rivals: readonly Rival[],
  works: readonly FloodWork[],
  classes: readonly FloodClass[],
  options: Options,
): Task[] => {
  const usual = options.quick ? QUICK_LOADS : LOADS;
  const floods = classes.flatMap(({ id, loads = usual }) =>
    loads.map((load) => [id, load] as const),
  );
  return works.flatMap((work) =>
    [[null, 0] as const, ...floods].flatMap(([kind, attackMbps]) =>
      rivals.map(({ id }) => ({
        ...{ scenario: name, scheme: id, work: work.id, class: kind, attackMbps },
        seconds: work.takes(options.seconds),
      })),
    ),
  );
};

/** True: the flood came to the victim as it was asked for. */
export const reached = ({ attackMbps, attackAchievedMbps }: Row): boolean =>
  attackAchievedMbps !== null && attackAchievedMbps >= REACHED_SHARE * attackMbps;

const withNote = (row: Row): Row => {
  if (row.runs === 0 || reached(row)) return row;
  const came = `of ${row.attackMbps} Mbit/s asked, ${row.attackAchievedMbps?.toFixed(0)} came`;
  return { ...row, note: `${row.note}; ${came}` };
};

/** Errors: UsageError. */
export const floodedScenario = (plan: Flooded, options: Options): Scenario => {
  const { name, scene } = plan;
  const asked = choose(options, "only", plan.rivals, options.only);
  const versions = asked.map((rival) => [rival, rival.version()] as const);
  const rivals = versions.flatMap(([rival, version]) => (version === null ? [] : [rival]));
  const schemes = versions.flatMap(([rival, version]) =>
    version === null ? [] : [factsOf({ ...rival, version })],
  );
  const missing = versions.flatMap(([rival, version]): Missing[] =>
    version === null ? [{ id: rival.id, why: plan.why[rival.family] ?? whyMissing(rival) }] : [],
  );
  const works = choose(options, "work", FLOOD_WORKS, worksOf(options));
  const classes = classesOf(plan, options);
  const workOf = (id: string): FloodWork => FLOOD_WORKS.find((work) => work.id === id)!;
  return {
    name,
    tasks: tasksOf(name, rivals, works, classes, options),
    schemes,
    missing,
    measure: (cell) => {
      const rival = rivals.find(({ id }) => id === cell.scheme)!;
      const kind = FLOOD_CLASSES.find(({ id }) => id === cell.class);
      const flood = kind === undefined ? null : { kind, megabits: cell.attackMbps };
      return measureCell(scene, rival, workOf(cell.work), options.seconds, flood);
    },
    tell: tellFigures,
  };
};

const tellFigures = (_: unknown, figures: Figures): string => {
  const { latencyMs, lossPct, throughputMbps, attackAchievedMbps: came } = figures;
  const silent = lossPct === 100 ? "no answer" : "";
  return [
    latencyMs === undefined ? silent : `${latencyMs.toFixed(3)} ms`,
    throughputMbps === undefined ? "" : `${throughputMbps.toFixed(0)} Mbit/s`,
    came === undefined ? "" : `under ${came.toFixed(0)} Mbit/s`,
  ]
    .filter(Boolean)
    .join(", ");
};

/** Rows and page of a scenario under floods. */
export const floodedTelling = ({ name, intro, tables }: FloodedPage): Telling => {
  const rows: Telling["rows"] = ({ schemes, missing }, done) => [
    ...makeRows(name, schemes, FLOOD_WORKS, done).map(withNote),
    ...missing.map(({ id, why }) => absentRow(name, id, why)),
  ];
  const page: Telling["page"] = (about, done) => {
    const absent = about.missing.map(({ why }) => `- ${why}`).join("\n");
    const failed = failureText(done);
    return [
      ...intro,
      ...tables(rows(about, done), about.schemes),
      ...(absent === "" ? [] : ["## Not there", absent]),
      ...(failed === "" ? [] : ["## Not measured", failed]),
    ].join("\n\n");
  };
  return { rows, page };
};
