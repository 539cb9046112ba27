/** generated — what is made from tables is up to date; UPDATE=1 rewrites it. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { generated } from "../../scripts/generate.ts";
import { root } from "./tree.ts";

for (const file of generated()) {
  test(`${file.path} is up to date`, () => {
    const path = join(root, file.path);
    if (process.env.UPDATE === "1") writeFileSync(path, file.text);
    assert(existsSync(path), `${file.path} is not there; run UPDATE=1 npm test`);
    const text = readFileSync(path, "utf8");
    const line = text.split("\n").findIndex((row, i) => row !== file.text.split("\n")[i]);
    assert(text === file.text, `${file.path}:${line + 1} differs; run UPDATE=1 npm test`);
  });
}

test("the generator knows several files, and its text is not empty", () => {
  assert(generated().length >= 3);
  for (const file of generated()) assert(file.text.length > 500, file.path);
});
