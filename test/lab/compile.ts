/**
 * compile — small C programs that a lab runs on its hosts.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Lab, LabError } from "./lab.ts";

/** Compiles test/lab/NAME.c into the lab's folder; returns the program. Errors: LabError. */
export const compile = (lab: Pick<Lab, "folder">, name: string): string => {
  const binary = join(lab.folder, name);
  // Sources lie beside this file, or beside dist/ when this is built.
  const places = [`./${name}.c`, `../../../test/lab/${name}.c`];
  const paths = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const source = paths.find(existsSync) ?? `${name}.c`;
  const built = spawnSync("cc", ["-O2", "-o", binary, source], { encoding: "utf8" });
  if (built.error !== undefined) {
    throw new LabError("cc was not found; run `apt-get install gcc libc6-dev`.");
  }
  if (built.status !== 0) throw new LabError(`cc could not compile ${name}.c: ${built.stderr}`);
  return binary;
};
