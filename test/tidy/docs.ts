/**
 * docs — rules for pages and for all texts of the checkout.
 */
import type { Finding, SourceFile } from "./tree.ts";

/** Lines of a page that are not inside a fenced block. */
const prose = (file: SourceFile): (readonly [line: number, text: string])[] => {
  let fenced = false;
  return file.lines.flatMap((text, i) => {
    if (/^\s*(```|~~~)/.test(text)) fenced = !fenced;
    return fenced ? [] : [[i + 1, text] as const];
  });
};

/** A page has one title, on its first line. */
export const wrongTitles = (pages: readonly SourceFile[]): Finding[] =>
  pages.flatMap((file) => {
    const titles = prose(file).filter(([, text]) => /^# \S/.test(text));
    if (titles.length === 1 && titles[0]![0] === 1) return [];
    return [{ path: file.path, line: titles[1]?.[0] ?? 1, text: `${titles.length} titles` }];
  });

/** Links to files of the checkout that are not there. */
export const deadLinks = (
  pages: readonly SourceFile[],
  exists: (path: string) => boolean,
): Finding[] =>
  pages.flatMap((file) =>
    prose(file).flatMap(([line, text]) =>
      [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .map((match) => match[1]!)
        .filter((target) => !/^[a-z]+:/.test(target))
        .map((target) => new URL(target, `file:///${file.path}`).pathname.slice(1))
        .filter((target) => !exists(target))
        .map((target) => ({ path: file.path, line, text: `no file ${target}` })),
    ),
  );

const FIGURE = /^(?:[\d.]+|–|N\/A)(?: ○)?$/;
const FIGURES_LEAST = 4;

/** Rows of figures that no report of a benchmark has: a page shows what was measured. */
export const strayFigures = (pages: readonly SourceFile[], reports: string): Finding[] =>
  pages.flatMap((file) =>
    prose(file)
      .filter(([, text]) => {
        const cells = text.split("|").map((cell) => cell.trim());
        return cells.filter((cell) => FIGURE.test(cell)).length >= FIGURES_LEAST;
      })
      .filter(([, text]) => !reports.includes(text))
      .map(([line, text]) => ({ path: file.path, line, text: `in no report: ${text}` })),
  );

/** Folders of somebody's machine; what Linux has everywhere is none. */
const MACHINE = /(?<![\w.@/-])\/(?:home\/(?!user\b|you\b)\w|work\/|Users\/|root\/|mnt\/|srv\/)/;
/** A scratch folder with a name in it; its bare name, or one made unique, is fine. */
const SCRATCH = /(?<![\w.@/-])\/tmp\/(?!(?:p2pvpn|[\w-]*XXXXXX|[\w-]*-test|\$))\w/;

/** Absolute paths of one machine. */
export const machinePaths = (files: readonly SourceFile[]): Finding[] =>
  files.flatMap((file) =>
    file.lines.flatMap((text, i) =>
      MACHINE.test(text) || SCRATCH.test(text)
        ? [{ path: file.path, line: i + 1, text: text.trim().slice(0, 80) }]
        : [],
    ),
  );

/** A page's names of files: `one.c`, or `one.*` for all of that name. */
const namedIn = (page: SourceFile): RegExp[] =>
  [...page.lines.join("\n").matchAll(/`([\w.]+)\.(\*|[ch])`/g)].map(
    ([, name, end]) => new RegExp(`^${name}\\.${end === "*" ? "[ch]" : end}$`),
  );

/** C files that the page of their folder does not name. */
export const unnamed = (page: SourceFile, files: readonly SourceFile[]): Finding[] => {
  const names = namedIn(page);
  return files
    .map(({ path }) => ({ path, name: path.slice(path.lastIndexOf("/") + 1) }))
    .filter(({ name }) => !names.some((pattern) => pattern.test(name)))
    .map(({ path, name }) => ({ path, line: 1, text: `${page.path} does not name ${name}` }));
};
