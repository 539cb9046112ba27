/**
 * drawing — a chart before it has colours.
 */
import type { Spec } from "./render.ts";
import type { Theme } from "./theme.ts";

export interface Drawing {
  /** Of the file, without theme and ending. */
  readonly name: string;
  readonly title: string;
  /** What a reader who does not see it is told. */
  readonly alt: string;
  readonly spec: (theme: Theme) => Spec;
}
