/**
 * print — numbers, ages and tables for people; JSON for programs.
 */

/** Options of every command that talks to a running engine. */
export interface EngineOptions {
  readonly interface?: string;
  readonly json?: boolean;
}

/** Writes a value as JSON, indented, with a newline. */
export const printJson = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
};

/** Writes text and a newline. */
export const printText = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** Writes sentences to stderr: what was not done of a thing that was done. */
export const printWarnings = (sentences: readonly string[]): void => {
  for (const sentence of sentences) process.stderr.write(`p2pvpn-engine: ${sentence}\n`);
};

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** "999 bytes", "1.2 KiB". */
export const formatBytes = (bytes: number): string => {
  let value = bytes;
  let unit = 0;
  while (value >= 1_024 && unit < UNITS.length - 1) {
    value /= 1_024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
};

/** 1234567 → "1,234,567". */
export const formatCount = (count: number): string =>
  String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

/** "4 seconds", "2 minutes, 5 seconds", "3 days, 1 hour": the two largest units. */
export const formatDuration = (milliseconds: number): string => {
  const seconds = Math.floor(milliseconds / 1_000);
  const parts = [
    [Math.floor(seconds / 86_400), "day"],
    [Math.floor(seconds / 3_600) % 24, "hour"],
    [Math.floor(seconds / 60) % 60, "minute"],
    [seconds % 60, "second"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 seconds";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, word]) => plural(count, word))
    .join(", ");
};

/** "3 peers". */
export const formatAmount = plural;

/** "5 s", "2 min", "3 h", "4 d": one unit, for columns. */
export const formatShort = (milliseconds: number): string => {
  const seconds = Math.max(0, Math.floor(milliseconds / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.floor(seconds / 3_600)} h`
    : `${Math.floor(seconds / 86_400)} d`;
};

/** A count of bytes as number and unit, KiB at least: ["1.5", "MiB"]; 0 has no unit. */
const scaled = (bytes: number): [number: string, unit: string] => {
  if (bytes <= 0) return ["0", ""];
  let value = Math.max(0.1, bytes / 1_024);
  let unit = 1;
  while (Math.round(value) >= 1_024 && unit < UNITS.length - 1) {
    value /= 1_024;
    unit++;
  }
  const text = value < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : String(Math.round(value));
  return [text, UNITS[unit]!];
};

/** "0", "0.1 KiB", "3 GiB". */
export const formatTraffic = (bytes: number): string => scaled(bytes).join(" ").trimEnd();

/** In and out, the unit once where it is the same: "1 / 3 GiB", "0 / 4 KiB", "4 KiB / 3 GiB". */
export const formatBoth = (received: number, sent: number): string => {
  const [number, unit] = scaled(received);
  const other = scaled(sent)[1];
  const one = unit === "" || other === "" || unit === other;
  const common = other === "" ? unit : "";
  return one
    ? `${number} / ${formatTraffic(sent)} ${common}`.trimEnd()
    : `${number} ${unit} / ${formatTraffic(sent)}`;
};

/**
 * Columns padded to their widest cell, two spaces apart; columns whose numbers are in `right` are
 * flushed right. The last column is never padded. `paint` gets a cell with its padding.
 */
export const formatTable = (
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
  paint: (cell: string, row: number, column: number) => string = (cell) => cell,
): string => {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  const line = (row: readonly string[], at: number): string =>
    row
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .map((cell, i) => paint(cell, at, i))
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
};

/** Every line two spaces in. */
export const indent = (text: string): string => text.replace(/^/gm, "  ");
