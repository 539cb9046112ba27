/**
 * docs — one title a page, links that lead somewhere, no path of somebody's machine; every file of
 * src/ says what it is, and has its place in a page.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileRows, sentenceOf } from "../../scripts/files-page.ts";
import { deadLinks, machinePaths, strayFigures, unnamed, wrongTitles } from "./docs.ts";
import { filesIn, report, root, rootFiles, sourceFile } from "./tree.ts";

const TEXTS = [".ts", ".mjs", ".js", ".c", ".h", ".md", ".sh", ".json", ".toml", ".yml"];
const pages = [
  ...rootFiles((name) => name.endsWith(".md")),
  ...filesIn(["docs", "src", "bench", "test"], [".md"]),
];

test("every page has one title, on its first line", () => {
  assert(pages.length >= 3);
  const findings = wrongTitles(pages);
  assert.equal(findings.length, 0, report(findings));
});

test("links between pages lead somewhere", () => {
  const findings = deadLinks(pages, (path) => existsSync(join(root, path)));
  assert.equal(findings.length, 0, report(findings));
});

test("no absolute path of somebody's machine", () => {
  const texts = [
    ...rootFiles((name) => TEXTS.some((end) => name.endsWith(end))),
    ...filesIn(["src", "test", "bench", "scripts", "bin", "docs"], TEXTS),
  ].filter((file) => !file.path.startsWith("test/tidy/docs"));
  const findings = machinePaths(texts);
  assert.equal(findings.length, 0, report(findings));
});

test("every TypeScript file says first what it is: docs/FILES.md has it", () => {
  const rows = fileRows();
  assert(rows.length > 100);
  assert.deepEqual(
    rows.filter(({ what }) => what === null).map(({ path }) => path),
    [],
  );
});

test("every C file is named in the addon's page", () => {
  const [readme] = filesIn(["src/io/native"], ["README.md"]);
  const findings = unnamed(readme!, filesIn(["src/io/native"], [".c", ".h"]));
  assert.equal(findings.length, 0, report(findings));
});

test("rows of figures in README are those of a report", () => {
  const readme = rootFiles((name) => name === "README.md");
  const reports = filesIn(["bench"], [".md"])
    .filter(({ path }) => path.endsWith("/report.md"))
    .flatMap(({ lines }) => lines)
    .join("\n");
  const findings = strayFigures(readme, reports);
  assert.equal(findings.length, 0, report(findings));
  // That there are some to be compared.
  assert(strayFigures(readme, "").length >= 10);
});

test("what a file is, is its first sentence", () => {
  assert.equal(sentenceOf("a/b.ts", "/** b — does that. And more. */\n"), "Does that.");
  assert.equal(
    sentenceOf("a/b.ts", "/**\n * a/b — one\n * of b.ts:\n *\n * x\n */"),
    "One of b.ts.",
  );
  assert.equal(sentenceOf("a/b.ts", "/** c — another. */\n"), null);
  assert.equal(sentenceOf("a/b.ts", "/** What it does. */\n"), null);
  assert.equal(sentenceOf("a/b.ts", 'import "./c.ts";\n/** b — late. */\n'), null);
});

test("a C file that no page names is found", () => {
  const files = ["a.c", "a.h", "b_c.c", "bc.c"].map((name) => sourceFile(`x/${name}`, ""));
  const found = (text: string) => unnamed(sourceFile("x/README.md", text), files).length;
  assert.equal(found("| `a.*`, `b_c.c` | one |\n| `bc.c` | two |"), 0);
  assert.equal(found("| `a.c`, `b_c.c`, `bc.c` | one |"), 1);
  assert.equal(found("a.h"), 4);
});

const page = (text: string) => [sourceFile("docs/X.md", text)];

test("a page with no title, with two, or with a late one is found", () => {
  assert.equal(wrongTitles(page("# One\n\ntext\n")).length, 0);
  assert.equal(wrongTitles(page("# One\n\n```\n# a comment\n```\n")).length, 0);
  assert.equal(wrongTitles(page("text\n")).length, 1);
  assert.equal(wrongTitles(page("# One\n\n# Two\n")).length, 1);
  assert.equal(wrongTitles(page("\n# One\n")).length, 1);
});

test("a dead link is found", () => {
  const exists = (path: string): boolean => path === "docs/Y.md" || path === "README.md";
  assert.equal(deadLinks(page("[y](Y.md) [r](../README.md) [w](https://a.b/c)"), exists).length, 0);
  assert.equal(deadLinks(page("[z](Z.md#part)"), exists).length, 1);
});

test("a row of figures that no report has is found", () => {
  const row = "| ours | 805 | 79.3 | – | N/A | 0 ○ |";
  assert.equal(strayFigures(page(row), `| x |\n${row}\n`).length, 0);
  assert.equal(strayFigures(page(row), row.replace("805", "804")).length, 1);
  assert.equal(strayFigures(page("| two | 1 | 2 |"), "").length, 0);
});

/** A path, put together here so that this file holds none that the rule would find. */
const path = (...parts: string[]): string => `/${parts.join("/")}`;

// biome-ignore format: a table
const BAD = [`cd ${path("home", "ann", "vpn")}`, `see ${path("work", "thing")}`, path("root", "x"), `path = "${path("tmp", "out-ann", "x")}"`, `in ${path("Users", "ann")}`];
// biome-ignore format: a table
const GOOD = ["/dev/net/tun", "/etc/p2pvpn/x.toml", `https://a.b${path("work", "c")}`, "/tmp/p2pvpn-1", "/tmp/a-test-XXXXXX", path("home", "user", "x"), `.${path("work", "x")}`, "in /tmp"];

for (const text of BAD) {
  test(`a machine's path is found: ${text}`, () => {
    assert.equal(machinePaths(page(text)).length, 1);
  });
}
for (const text of GOOD) {
  test(`no machine's path: ${text}`, () => {
    assert.equal(machinePaths(page(text)).length, 0);
  });
}
