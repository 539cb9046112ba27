/** addonless — nothing that an index node loads reaches the C addon: it runs where node does. */
import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { importsOf } from "./imports.ts";
import { filesIn, type SourceFile, sourceFile } from "./tree.ts";

const ADDON = /^src\/io\/native\//;

/** All that these files import, and what that imports; types too. */
const reached = (files: readonly SourceFile[], from: readonly string[]): string[] => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const found = new Set<string>();
  const left = [...from];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    const file = byPath.get(path);
    if (file === undefined || found.has(path)) continue;
    found.add(path);
    for (const { target } of importsOf(file)) {
      if (target.startsWith(".")) left.push(normalize(join(dirname(path), target)));
    }
  }
  return [...found];
};

test("an index node, and its command, load no addon", () => {
  const files = filesIn(["src"], [".ts"]);
  const rooms = ["src/index-node/", "src/directory/"];
  const own = files.map(({ path }) => path).filter((path) => rooms.some((r) => path.startsWith(r)));
  const all = reached(files, [...own, "src/commands/network/index-node.ts"]);
  assert.ok(own.length > 15 && all.length > 60, `${own.length}, ${all.length}`);
  assert.deepEqual(
    all.filter((path) => ADDON.test(path)),
    [],
  );
});

test("an import that leads there is found, also through others", () => {
  const files = [
    sourceFile("src/index-node/a.ts", 'import { b } from "../wire/b.ts";'),
    sourceFile("src/wire/b.ts", 'import type { C } from "../io/native/c.ts";'),
    sourceFile("src/io/native/c.ts", "export type C = number;"),
  ];
  assert.ok(reached(files, ["src/index-node/a.ts"]).some((path) => ADDON.test(path)));
});
