/**
 * results — the folder of a run: what each scenario gave, and the report over all of them.
 *
 *     paper.jsonl     cells, one a line, each written when it was measured; `--resume` reads them,
 *                     and all that follows is made from them (redraw.ts)
 *     direct.jsonl …  the same of the others, made in the same sitting or in another one
 *     rows.json       {machine, rows} of all scenarios
 *     report.md       tables of all, and charts/*.svg
 *     report.html     the same in one file
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../test/lab/lab.ts";
import type { Machine } from "../test/lab/machine.ts";
import { Store } from "./cells.ts";
import { drawCharts } from "./charts.ts";
import type { ScenarioName } from "./options.ts";
import { leadOf } from "./page/lead.ts";
import { HOW_TO_READ, METHOD } from "./page/text.ts";
import { chartFile, chartsMarkdown, makePage } from "./page.ts";
import { ORDER, type Part, partOf } from "./part.ts";

const CHARTS = "charts";
const TITLE = "Benchmark of p2pvpn-engine";

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

  /** What all scenarios gave so far. Errors: LabError. */
  parts(): Part[] {
    const there = ORDER.filter((scenario) => existsSync(this.cells(scenario)));
    return there.map((scenario) => partOf(scenario, Store.read(this.cells(scenario))));
  }

  /** Writes the report over parts. */
  async write(machine: Machine, parts: readonly Part[]): Promise<void> {
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

  #save(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }
}
