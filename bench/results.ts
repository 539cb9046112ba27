/**
 * results — the folder of a run: what each scenario gave, and the report over all of them.
 *
 *     paper.jsonl     cells, one a line, each written when it was measured; `--resume` reads them
 *     paper.json      what they add up to: rows, tables
 *     direct.jsonl …  the same of the others, made in the same sitting or in another one
 *     rows.json       {machine, rows} of all scenarios
 *     report.md       tables of all, and charts/*.svg
 *     report.html     the same in one file
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../test/lab/lab.ts";
import type { Machine } from "../test/lab/machine.ts";
import { drawCharts } from "./charts.ts";
import type { ScenarioName } from "./options.ts";
import { leadOf } from "./page/lead.ts";
import { HOW_TO_READ, METHOD } from "./page/text.ts";
import { chartFile, chartsMarkdown, makePage } from "./page.ts";
import type { Row } from "./report.ts";

const ORDER: readonly ScenarioName[] = ["paper", "direct", "speed", "ladder"];
const CHARTS = "charts";
const TITLE = "Benchmark of p2pvpn-engine";

/** What one scenario gave. */
export interface Part {
  readonly scenario: ScenarioName;
  readonly machine: Machine;
  readonly rows: readonly Row[];
  /** Tables, and what they were measured by; Markdown, headings of the second level. */
  readonly page: string;
}

/** "2026-11-22-231500": sorts as time goes, in UTC. */
const folderName = (now: Date): string =>
  now.toISOString().slice(0, 19).replace("T", "-").replaceAll(":", "");

export class Results {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** A new folder, or the given one. `root`: the folder of package.json. */
  static open(root: string, out: string | null): Results {
    const folder = out ?? join(root, "bench/results", folderName(new Date()));
    mkdirSync(folder, { recursive: true });
    return new Results(folder);
  }

  /** The newest folder with cells of these scenarios. Errors: LabError when there is none. */
  static newest(root: string, scenarios: readonly ScenarioName[]): Results {
    const results = join(root, "bench/results");
    const names = existsSync(results) ? readdirSync(results).sort().reverse() : [];
    const found = names
      .map((name) => new Results(join(results, name)))
      .find((one) => scenarios.some((scenario) => existsSync(one.cells(scenario))));
    if (found !== undefined) return found;
    throw new LabError("There is no run to go on with; leave --resume out.");
  }

  /** The file of a scenario's cells. */
  cells(scenario: ScenarioName): string {
    return join(this.folder, `${scenario}.jsonl`);
  }

  /** Keeps what a scenario gave. */
  add(part: Part): void {
    writeFileSync(this.#part(part.scenario), `${JSON.stringify(part, null, 1)}\n`);
  }

  /** What all scenarios gave so far. */
  parts(): Part[] {
    return ORDER.map((scenario) => this.#part(scenario)).flatMap((file) =>
      existsSync(file) ? [JSON.parse(readFileSync(file, "utf8")) as Part] : [],
    );
  }

  /** Writes the report over all parts. */
  async write(machine: Machine): Promise<void> {
    const parts = this.parts();
    const rows = parts.flatMap((part) => part.rows);
    const charts = { light: await drawCharts(rows, "light"), dark: await drawCharts(rows, "dark") };
    mkdirSync(join(this.folder, CHARTS), { recursive: true });
    for (const theme of ["light", "dark"] as const) {
      for (const chart of charts[theme]) {
        this.#save(join(CHARTS, chartFile(chart, theme)), chart.svg);
      }
    }
    const pictures = chartsMarkdown(charts.light, `${CHARTS}/`);
    const markdown = [pictures, ...parts.map(({ page }) => page)].join("\n\n");
    const below = markdown.replaceAll(/^#/gm, "##");
    const words = [HOW_TO_READ, METHOD].join("\n\n");
    this.#save("rows.json", `${JSON.stringify({ machine, rows }, null, 2)}\n`);
    const lead = leadOf(rows);
    this.#save("report.md", `# ${TITLE}\n\n${[lead, below, words].filter(Boolean).join("\n\n")}\n`);
    this.#save("report.html", makePage({ title: TITLE, lead, markdown, charts }));
  }

  #part(scenario: ScenarioName): string {
    return join(this.folder, `${scenario}.json`);
  }

  #save(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }
}
