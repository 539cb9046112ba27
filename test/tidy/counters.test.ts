/** counters — every drop reason and every count is counted somewhere, in TypeScript or in C. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { COUNT, COUNTERS_PER_THREAD, COUNTS, DROP, DROPS } from "../../src/memory/layout.ts";
import { filesIn, type SourceFile } from "./tree.ts";

const upper = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();

/** Names that no file uses, as `DROP.name` or "name" in TypeScript or DROP_NAME in C. */
const unused = (
  files: readonly SourceFile[],
  prefix: "DROP" | "COUNT",
  rows: readonly { readonly name: string }[],
): string[] => {
  const text = files.flatMap((file) => file.lines).join("\n");
  return rows
    .map((row) => row.name)
    .filter((name) => {
      const pattern = new RegExp(
        `\\b(?:${prefix}\\.${name}|${prefix}_${upper(name)})\\b|"${name}"`,
      );
      return !pattern.test(text);
    });
};

const counting = filesIn(["src"], [".ts", ".c"]).filter(
  (file) => file.path !== "src/memory/layout.ts",
);

test("every drop reason is counted somewhere", () => {
  assert.deepEqual(unused(counting, "DROP", DROPS), []);
});

test("every count is counted somewhere", () => {
  assert.deepEqual(unused(counting, "COUNT", COUNTS), []);
});

test("a reason that nobody counts is found", () => {
  const rows = [{ name: "noRoute" }, { name: "neverSeen" }];
  assert.deepEqual(unused(counting, "DROP", rows), ["neverSeen"]);
});

test("names are unique, and one thread's block holds them all", () => {
  const names = [...Object.keys(DROP), ...Object.keys(COUNT)];
  assert.equal(new Set(names).size, DROPS.length + COUNTS.length);
  assert(DROPS.length + COUNTS.length <= COUNTERS_PER_THREAD);
});
