/**
 * tree — the checkout's files, for the tests that read sources.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

export interface SourceFile {
  /** From the checkout's root, with "/". */
  readonly path: string;
  readonly lines: readonly string[];
}

/** One place that breaks a rule. */
export interface Finding {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

const findRoot = (): string => {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, "src/memory/layout.ts"))) return folder;
  }
  throw new Error("src/memory is not above this test; run it inside a checkout");
};

/** The checkout, from test/tidy as well as from dist/test/tidy. */
export const root: string = findRoot();

/** A file from its text; for samples too. */
export const sourceFile = (path: string, text: string): SourceFile => ({
  path,
  lines: text.split("\n"),
});

/** Files below the folders whose names end in one of `ends`. */
export const filesIn = (folders: readonly string[], ends: readonly string[]): SourceFile[] => {
  const found: SourceFile[] = [];
  for (const folder of folders) {
    const start = join(root, folder);
    if (!existsSync(start)) continue;
    for (const entry of readdirSync(start, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !ends.some((end) => entry.name.endsWith(end))) continue;
      const file = join(entry.parentPath ?? entry.path, entry.name);
      found.push(sourceFile(relative(root, file), readFileSync(file, "utf8")));
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
};

/** Files directly in the root that `wanted` takes. */
export const rootFiles = (wanted: (name: string) => boolean): SourceFile[] =>
  readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isFile() && wanted(entry.name))
    .map((entry) => sourceFile(entry.name, readFileSync(join(root, entry.name), "utf8")));

/** "path:line text" of each, for a failed assertion's message. */
export const report = (findings: readonly Finding[]): string =>
  findings.map((finding) => `${finding.path}:${finding.line}  ${finding.text}`).join("\n");

/** Line numbers (from 1) of tables: what follows a comment `biome-ignore format: a table`. */
export const tableLines = (file: SourceFile): ReadonlySet<number> => {
  const rows = new Set<number>();
  for (let i = 0; i < file.lines.length; i++) {
    if (!/^\s*\/\/ biome-ignore format: a table$/.test(file.lines[i]!)) continue;
    const indent = /^\s*/.exec(file.lines[i]!)![0];
    for (let row = i + 1; row < file.lines.length; row++) {
      rows.add(row + 1);
      if (file.lines[row]!.startsWith(`${indent}}`)) break;
      if (file.lines[row]!.startsWith(`${indent}]`)) break;
    }
  }
  return rows;
};
