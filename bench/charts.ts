/**
 * charts — draws what a benchmark's rows show: SVG as text, for light or for dark ground.
 *
 *   rows ─▶ charts/{paper,direct,speed}.ts: vega-lite ─▶ charts/render.ts: SVG
 */
import { directDrawings } from "./charts/direct.ts";
import type { Drawing } from "./charts/drawing.ts";
import { paperDrawings } from "./charts/paper.ts";
import { render } from "./charts/render.ts";
import { shareDrawings } from "./charts/share.ts";
import { speedDrawings } from "./charts/speed.ts";
import { configOf, type Theme } from "./charts/theme.ts";
import type { Row } from "./report.ts";

export interface Chart extends Pick<Drawing, "name" | "title" | "alt"> {
  /** A whole document, without references to anything outside. */
  readonly svg: string;
}

const DRAWINGS = [paperDrawings, directDrawings, shareDrawings, speedDrawings] as const;

/** Charts of all scenarios that rows have, in the order in which a report shows them. */
export const drawCharts = async (rows: readonly Row[], theme: Theme): Promise<Chart[]> => {
  const drawings = DRAWINGS.flatMap((drawingsOf) => drawingsOf(rows));
  const charts: Chart[] = [];
  for (const { name, title, alt, spec } of drawings) {
    const whole = { ...spec(theme), config: configOf(theme) };
    charts.push({ name, title, alt, svg: await render(whole, title, alt) });
  }
  return charts;
};
