/**
 * render — from a specification of vega-lite to SVG as text. Nothing is fetched, nothing is random.
 */
import * as vega from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** Vega-lite's JSON, or a part of it. Source: vega.github.io/vega-lite/docs. */
export type Spec = Readonly<Record<string, unknown>>;

/** Widths in ems, about those of DejaVu Sans, which is wider than most. */
// biome-ignore format: a table
const EMS: readonly (readonly [pattern: RegExp, em: number])[] = [
  [/[ijl.,:;|'!()[\] tf/r-]/, 0.36],
  [/[mwMW%@—×]/, 0.93],
  [/[A-Z]/, 0.71],
];
const EM = 0.62;

/** About as wide as a font draws it; there is no canvas that could tell. */
const widthOf = (text: string, fontPx: number): number =>
  [...text].reduce((sum, one) => sum + (EMS.find(([found]) => found.test(one))?.[1] ?? EM), 0) *
  fontPx;

interface TextItem {
  readonly fontSize?: number;
  readonly text?: string;
}

/** Vega measures text with this; its own guess without a canvas is half as much again. */
const { textMetrics } = vega as unknown as {
  readonly textMetrics: { width: (item: TextItem, text?: string) => number };
};
textMetrics.width = (item, text) => widthOf(`${text ?? item.text ?? ""}`, item.fontSize ?? 11);

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const refuse = (...words: readonly unknown[]): never => {
  throw new Error(`vega-lite: ${words.join(" ")}`);
};

/** Hundredths of a pixel are enough; what is text keeps its digits. */
const rounded = (svg: string): string =>
  svg.replace(/ (?:d|transform|[xy][12]?)="[^"]*"/g, (words) =>
    words.replace(/\d+\.\d{3,}/g, (one) => String(Number(Number(one).toFixed(2)))),
  );

/**
 * Draws a specification; `title` and `alt` are what a reader who does not see it is told.
 * Errors: Error when vega-lite has so much as a warning.
 */
export const render = async (spec: Spec, title: string, alt: string): Promise<string> => {
  const logger = {
    ...{ warn: refuse, error: refuse, info: () => logger, debug: () => logger },
    level: (() => logger) as never,
  };
  const compiled = compile(spec as unknown as TopLevelSpec, { logger });
  const view = new vega.View(vega.parse(compiled.spec), { renderer: "none" });
  const svg = rounded(await view.toSVG());
  view.finalize();
  const told = `<title>${escapeXml(title)}</title><desc>${escapeXml(alt)}</desc>`;
  return svg.replace(/^<svg([^>]*)>/, (_, words: string) => `<svg role="img"${words}>${told}`);
};
