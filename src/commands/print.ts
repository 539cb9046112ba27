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

/** "never", "just now", "4 seconds ago". */
export const formatAge = (milliseconds: number | null): string => {
  if (milliseconds === null) return "never";
  return milliseconds < 1_000 ? "just now" : `${formatDuration(milliseconds)} ago`;
};

/** "3 peers". */
export const formatAmount = plural;

/**
 * Columns padded to their widest cell, two spaces apart; columns whose numbers are in `right` are
 * flushed right. The last column is never padded.
 */
export const formatTable = (
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string => {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
};

/** Every line two spaces in. */
export const indent = (text: string): string => text.replace(/^/gm, "  ");
