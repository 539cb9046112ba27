/**
 * redraw — `npm run bench:redraw -- FOLDER`: a folder's report and charts anew, from its cells.
 */
import { existsSync } from "node:fs";
import { LabError } from "../test/lab/lab.ts";
import { runMain } from "../test/lab/main.ts";
import { Results } from "./results.ts";

await runMain(async () => {
  const [folder, ...more] = process.argv.slice(2);
  if (folder === undefined || more.length > 0 || !existsSync(folder)) {
    throw new LabError("Name one folder of results: npm run bench:redraw -- bench/results/DATE");
  }
  const results = Results.open(".", folder);
  const parts = results.parts();
  const last = parts.at(-1);
  if (last === undefined) throw new LabError(`${folder} has no SCENARIO.jsonl to draw.`);
  await results.write(last.machine, parts);
  return 0;
});
