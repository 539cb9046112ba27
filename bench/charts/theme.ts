/**
 * theme — colours and type of charts, on light and on dark ground.
 *
 * A colour is one scheme's in all charts. Ours has the two strong ones, which the colour-blind tell
 * apart (blue and orange, as in Okabe and Ito's palette), lighter under Node 20; rivals are nearly
 * grey and told apart by shape and name. SVG asks for fonts that a system has, and for none of the
 * web's.
 */
import type { Spec } from "./render.ts";

export type Theme = "light" | "dark";

/** Light, dark. */
type Pair = readonly [light: string, dark: string];

// biome-ignore format: a table
const TONES = {
  aes:       ["#0059b8", "#5db0ff"],
  aes20:     ["#4a90d9", "#3d8bd9"],
  chacha:    ["#b84a00", "#ffa45c"],
  chacha20:  ["#dd8436", "#d17a30"],
  unsealed:  ["#007d6c", "#4fd1bd"],
  unsealed20: ["#4dab9d", "#2b9c8b"],
  paper:     ["#b0307e", "#f08cc6"],
  openvpn:   ["#85703f", "#cdb888"],
  strongswan: ["#7d6793", "#bfaad4"],
  n2n:       ["#4b6b43", "#a9c4a1"],
  n2nHub:    ["#8a9f3a", "#d3e08a"],
  wireguard: ["#56626e", "#aab5c0"],
  wireguardHub: ["#93a0ac", "#6f7d8a"],
  kernel:    ["#35706d", "#8cc4c0"],
  kernelHub: ["#6fa5a2", "#5c9290"],
  none:      ["#111111", "#f4f4f4"],
  other:     ["#777777", "#999999"],
} as const satisfies Readonly<Record<string, Pair>>;

// biome-ignore format: a table
const GROUND = {
  background: ["#ffffff", "#12161c"],
  text:       ["#1b2026", "#e6eaef"],
  quiet:      ["#566069", "#a2abb5"],
  grid:       ["#e3e7eb", "#2b323b"],
  band:       ["#f3ece6", "#292321"],
} as const satisfies Readonly<Record<string, Pair>>;

export type Tone = keyof typeof TONES;

const of = (pair: Pair, theme: Theme): string => pair[theme === "light" ? 0 : 1];

/** Colour of a scheme. */
export const toneOf = (tone: Tone, theme: Theme): string => of(TONES[tone], theme);

/** Colour of what stands around the schemes. */
export const groundOf = (name: keyof typeof GROUND, theme: Theme): string =>
  of(GROUND[name], theme);

const FONT = "Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif";

/** Sizes of type. Units: pixels of the drawing. */
export const TYPE = { title: 17, text: 13, small: 12 } as const;

/** What vega-lite needs to know once: background, fonts, axes, headers, legends. */
export const configOf = (theme: Theme): Spec => {
  const [text, quiet, grid] = (["text", "quiet", "grid"] as const).map((one) =>
    groundOf(one, theme),
  );
  return {
    background: groundOf("background", theme),
    font: FONT,
    padding: 16,
    aria: false,
    view: { stroke: grid },
    title: {
      ...{ anchor: "start", frame: "bounds", color: text, fontSize: TYPE.title, fontWeight: 600 },
      ...{ subtitleColor: quiet, subtitleFontSize: TYPE.text, subtitlePadding: 6, offset: 14 },
    },
    axis: {
      ...{ labelColor: text, titleColor: quiet, gridColor: grid, domainColor: quiet },
      ...{ tickColor: quiet, labelFontSize: TYPE.small, titleFontSize: TYPE.small },
      ...{ titleFontWeight: "normal", titlePadding: 8, labelLimit: 260, labelFlush: false },
      labelPadding: 5,
    },
    header: {
      ...{ title: null, labelColor: text, labelFontSize: TYPE.small, labelFontWeight: 600 },
      ...{ labelAnchor: "start", labelPadding: 6, labelLimit: 400 },
    },
    legend: {
      ...{ title: null, labelColor: text, labelFontSize: TYPE.text, labelLimit: 300 },
      ...{ symbolSize: 32, symbolOpacity: 1, symbolFillColor: "transparent" },
      ...{ symbolStrokeWidth: 4.5, columnPadding: 18, rowPadding: 4 },
    },
  };
};
