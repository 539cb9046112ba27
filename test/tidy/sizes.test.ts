/** sizes — nothing is too long, and what is too long is found. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FILE_LINES, FUNCTION_LINES, tooLong } from "./sizes.ts";
import { filesIn, report, sourceFile } from "./tree.ts";

test(`files of ${FILE_LINES}, functions of ${FUNCTION_LINES}, lines of 100 at most`, () => {
  const folders = ["src", "test", "bench", "scripts", "bin"];
  const files = filesIn(folders, [".ts", ".mjs", ".js", ".c", ".h"]);
  assert(files.length > 100);
  const findings = tooLong(files.filter((file) => !file.path.endsWith(".gen.h")));
  assert.equal(findings.length, 0, report(findings));
});

const repeat = (text: string, count: number): string => `${text}\n`.repeat(count);
const found = (path: string, text: string): string[] =>
  tooLong([sourceFile(path, text)]).map((finding) => `${finding.line}: ${finding.text}`);

test("a long file is found, one with a long table is not", () => {
  assert.deepEqual(found("a.ts", repeat("a();", 400)), []);
  assert.deepEqual(found("a.ts", repeat("a();", 401)), ["1: 401 lines"]);
  const table = `// biome-ignore format: a table\nconst T = [\n${repeat('  ["x"],', 500)}];\n`;
  assert.deepEqual(found("a.ts", table), []);
  assert.deepEqual(found("a.ts", `${table}${repeat("a();", 400)}`), ["1: 401 lines"]);
});

test("a long line is found, but not in a table", () => {
  const row = `  ["${"x".repeat(100)}"],`;
  assert.deepEqual(found("a.ts", "x".repeat(100)), []);
  assert.deepEqual(found("a.ts", `\n${"x".repeat(101)}`), ["2: 101 characters"]);
  assert.deepEqual(found("a.ts", `// biome-ignore format: a table\nconst T = [\n${row}\n];`), []);
  assert.equal(found("a.ts", `const T = [\n${row}\n];`).length, 1);
});

// biome-ignore format: a table
const OPENINGS: readonly (readonly [path: string, before: string, indent: string, after: string])[] = [
  ["a.ts", "const f = (a: number): void => {", "", "};"],
  ["a.ts", "export default function main(task: Task): void {", "", "}"],
  ["a.ts", "  read(): number {", "  ", "  }"],
  ["a.ts", "  async #died(worker: number): Promise<void> {", "  ", "  }"],
  ["a.ts", "  get free(): number {", "  ", "  }"],
  ["a.ts", "): Promise<Engine> => {", "", "};"],
  ["a.ts", "  ): boolean {", "  ", "  }"],
  ['a.ts', 'test("a", async () => {', "", "});"],
  ["a.ts", "    : text.flatMap((group) => {", "      ", "      });"],
  ["a.c", "{", "", "}"],
];

for (const [path, before, indent, after] of OPENINGS) {
  test(`a long function is found: ${before.trim()}`, () => {
    const body = (lines: number): string =>
      `${before}\n${repeat(`${indent}  a();`, lines)}${after}\n`;
    assert.deepEqual(found(path, body(68)), []);
    assert.deepEqual(found(path, body(69)), ["1: a function of 71 lines"]);
  });
}

test("a long loop or class is no long function", () => {
  for (const before of ["class A {", "  for (const a of b()) {", "  } else if (a()) {"]) {
    const indent = /^\s*/.exec(before)![0];
    assert.deepEqual(found("a.ts", `${before}\n${repeat("   a();", 90)}${indent}}\n`), []);
  }
});

test("a function in which tests are declared may be long", () => {
  const tests = repeat('  test("a", () => {\n    a();\n  });', 40);
  assert.deepEqual(found("a.ts", `const inNamespace = (): void => {\n${tests}};\n`), []);
});
