/**
 * page — a report as one file of HTML: text, charts of both themes, tables. Nothing is fetched, no
 * script runs, and its own policy says so to the browser.
 */

import type { Theme } from "./charts/theme.ts";
import type { Chart } from "./charts.ts";
import { escapeHtml, type Heading, markdownHtml } from "./page/html.ts";
import { STYLE } from "./page/style.ts";
import { HOW_TO_READ, METHOD } from "./page/text.ts";

/** The same charts twice, by theme. */
export type ThemedCharts = Readonly<Record<Theme, readonly Chart[]>>;

export interface Report {
  readonly title: string;
  /** The result in a few sentences of Markdown, before all else; may be "". */
  readonly lead?: string;
  /**
   * What was measured, with or without the lines of `chartsMarkdown()`: a chart stands where they
   * are, and before all else where they are not. "How to read this" and "Method" are added.
   */
  readonly markdown: string;
  readonly charts: ThemedCharts;
}

/** The name of a chart's file. */
export const chartFile = ({ name }: Pick<Chart, "name">, theme: Theme): string =>
  `${name}-${theme}.svg`;

type Named = Pick<Chart, "name" | "title" | "alt">;

/** Lines for Markdown that show charts of a folder ("" or ending in "/"), in the reader's theme. */
export const chartsMarkdown = (charts: readonly Named[], prefix: string): string =>
  charts
    .map((chart) => {
      const file = (theme: Theme): string => escapeHtml(prefix + chartFile(chart, theme));
      return [
        "<picture>",
        `<source media="(prefers-color-scheme: dark)" srcset="${file("dark")}">`,
        `<img src="${file("light")}" alt="${escapeHtml(chart.alt)}">`,
        "</picture>",
      ].join("\n");
    })
    .join("\n\n");

const BLOCK =
  /^<picture>\n<source [^<>]*>\n<img src="(?:[^"]*\/)?([\w-]+)-light\.svg"[^<>]*>\n<\/picture>\s*$/;

/** The name in a block that `chartsMarkdown()` made; null: it made no such block. */
const nameIn = (block: string): string | null => BLOCK.exec(block)?.[1] ?? null;

const figureHtml = (chart: Chart, dark: Chart | undefined): string => {
  const drawing = (name: string, svg: string): string =>
    `<div class="drawing ${name}" tabindex="0" role="region" aria-label="chart">${svg}</div>\n`;
  return (
    `<figure id="chart-${escapeHtml(chart.name)}">\n` +
    drawing("day", chart.svg) +
    drawing("night", (dark ?? chart).svg) +
    `<figcaption><details><summary>${escapeHtml(chart.title)}, in words</summary>` +
    `${escapeHtml(chart.alt)}</details></figcaption>\n</figure>\n`
  );
};

const contents = (headings: readonly Heading[]): string => {
  const items = headings
    .filter(({ depth }) => depth <= 3)
    .map(({ id, depth, text }) => {
      const deep = depth > 2 ? ' class="deep"' : "";
      return `<li${deep}><a href="#${id}">${text.replace(/<[^>]*>/g, "")}</a></li>`;
    });
  return `<nav aria-label="contents"><ul>${items.join("")}</ul></nav>\n`;
};

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** A whole document, without references to anything outside. */
export const makePage = ({ title, lead = "", markdown, charts }: Report): string => {
  const figures = new Map(
    charts.light.map((chart) => {
      const dark = charts.dark.find(({ name }) => name === chart.name);
      return [chart.name, figureHtml(chart, dark)] as const;
    }),
  );
  const [first = ""] = charts.light.map(({ name }) => name);
  const opening = markdownHtml(lead).html + (figures.get(first) ?? "");
  const shown = new Set([first]);
  const own = markdownHtml(markdown, (block) => {
    const name = nameIn(block);
    const figure = name === null ? undefined : figures.get(name);
    if (name === null || figure === undefined) return null;
    if (shown.has(name)) return "";
    shown.add(name);
    return figure;
  });
  const [before, after] = [markdownHtml(HOW_TO_READ), markdownHtml(METHOD)];
  const rest = [...figures].filter(([name]) => !shown.has(name)).map(([, figure]) => figure);
  const headings = [before, own, after].flatMap((made) => made.headings);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<section class="lead">
${opening}</section>
${contents(headings)}${before.html}${rest.join("")}${own.html}${after.html}</main>
</body>
</html>
`;
};
