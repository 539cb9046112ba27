/**
 * files-page — docs/FILES.md, from the sentence with which each TypeScript file of src/ begins.
 *
 * Names and sentences can't drift apart from the files. C files stand in src/io/native/README.md.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";

/** A file and what it says it is; null: it does not begin with `name — what it is`. */
export interface FileRow {
  /** From src/. */
  readonly path: string;
  readonly what: string | null;
}

/** From the text of a file called `path`: its first sentence. */
export const sentenceOf = (path: string, text: string): string | null => {
  const comment = /^\/\*\*\s*(.*?)\s*\*\//s.exec(text)?.[1] ?? "";
  const lines = comment.split("\n").map((line) => line.replace(/^\s*\* ?/, "").trim());
  const end = lines.indexOf("");
  const first = lines.slice(0, end < 0 ? lines.length : end).join(" ");
  const [, name, what] = /^(\S+) — (.+)$/.exec(first) ?? [];
  if (name === undefined || what === undefined) return null;
  if (basename(name) !== basename(path).replace(/(\.d)?\.ts$/, "")) return null;
  const sentence = /^.*?[.?](?= |$)/.exec(what)?.[0] ?? what.replace(/:$/, ".");
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
};

/** The checkout, from scripts/ as well as from dist/scripts. */
const findSources = (): string => {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, "src/memory/layout.ts"))) return join(folder, "src");
  }
  throw new Error("src is not above this script; run it inside a checkout");
};

export const fileRows = (): FileRow[] => {
  const sources = findSources();
  return readdirSync(sources, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((file) => ({
      path: relative(sources, file),
      what: sentenceOf(file, readFileSync(file, "utf8")),
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
};

export const filesPage = (rows: readonly FileRow[] = fileRows()): string => {
  const lines = [
    "# Files",
    "",
    "Made from the first sentence of each file by `npm run generate`; do not edit. How they go",
    "together is in [ARCHITECTURE.md](ARCHITECTURE.md), what the C files are in",
    "[the addon's page](../src/io/native/README.md).",
  ];
  for (const room of [...new Set(rows.map(({ path }) => dirname(path)))].sort()) {
    const title = room === "." ? "src" : `src/${room}`;
    lines.push("", `## ${title}`, "", "| file | what it is |", "| --- | --- |");
    for (const { path, what } of rows.filter((row) => dirname(row.path) === room)) {
      lines.push(`| \`${basename(path)}\` | ${(what ?? "").replaceAll("|", "\\|")} |`);
    }
  }
  return `${lines.join("\n")}\n`;
};
