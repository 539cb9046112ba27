/**
 * version — that of this package.
 */
import { readFileSync } from "node:fs";

/** package.json lies beside src/, or beside dist/ when this is built. */
export const version = (): string => {
  for (const place of ["../package.json", "../../package.json"]) {
    try {
      const text = readFileSync(new URL(place, import.meta.url), "utf8");
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      // Looked for in the next place.
    }
  }
  return "unknown";
};
