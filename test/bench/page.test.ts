/** page — one file, nothing of the input as markup, charts of both themes where they belong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawCharts } from "../../bench/charts.ts";
import { leadOf } from "../../bench/page/lead.ts";
import { chartsMarkdown, makePage } from "../../bench/page.ts";
import { markdownTable } from "../../bench/report.ts";
import { paperRows, speedRows } from "./chart-rows.ts";

const CHARTS = {
  light: await drawCharts(paperRows(), "light"),
  dark: await drawCharts(paperRows(), "dark"),
};
const pageOf = (markdown: string, title = "A report"): string =>
  makePage({ title, markdown, charts: { light: [], dark: [] } });
const count = (text: string, what: string): number => text.split(what).length - 1;

test("no HTML of the input gets through as markup, wherever it stands", () => {
  const evil = `<img src=x onerror="a()"><script>a()</script><b onclick='a()'>`;
  const places = [
    evil,
    `Words ${evil} words`,
    `# ${evil}`,
    `- ${evil}\n- <script>\n\n  a()`,
    `> ${evil}`,
    `[x${evil}](#y)`,
    `\`${evil}\``,
    `    ${evil}`,
    `\`\`\`"><script>\n${evil}\n\`\`\``,
    `<!-- --><script>a()</script>`,
    `<div>\n${evil}\n</div>`,
    markdownTable([evil, "version"], [["ours", evil]]),
    `<picture>\n<img src="a-light.svg" onerror="a()">\n</picture>`,
  ];
  for (const markdown of places) {
    const page = pageOf(markdown, evil);
    assert.doesNotMatch(page, /<(?:script|img|b|div|picture)\b(?! class="scroll")/, markdown);
    assert.doesNotMatch(page, /<[^>"]*(?:"[^"]*"[^>"]*)*\son\w+=/, markdown);
    assert.ok(page.includes("&lt;script&gt;"), markdown);
  }
});

test("links lead to the web or into the page, and pictures are not fetched", () => {
  const page = pageOf(
    "[a](javascript:a()) [b](data:text/html,x) [c](file:///etc/passwd) [d](https://d.example) " +
      "[e](#method) ![f](https://f.example/f.png) ![g](g.png)",
  );
  const hrefs = [...page.matchAll(/<a [^>]*href="([^"]*)"/g)].map(([, href]) => href!);
  assert.deepEqual(
    hrefs.filter((href) => !href.startsWith("#") || href === "#method"),
    ["https://d.example", "#method"],
  );
  assert.ok(!page.includes("f.example") && !page.includes("g.png"));
});

test("a page is one file without references to anything outside", () => {
  const markdown = `# Scenario paper\n\n${chartsMarkdown(CHARTS.light, "charts/")}\n`;
  const page = makePage({ title: "A report", markdown, charts: CHARTS });
  assert.doesNotMatch(page.replaceAll(/ xmlns(?::xlink)?="[^"]*"/g, ""), /https?:/);
  assert.doesNotMatch(page, /<(?:script|img|iframe|object|source)\b|@import|url\(/);
  assert.deepEqual([...page.matchAll(/<link [^>]*>/g)].map(String), [
    '<link rel="icon" href="data:,">',
  ]);
  assert.match(page, /Content-Security-Policy" content="default-src 'none';/);
  const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  assert.deepEqual(ids, [...new Set(ids)]);
});

test("every chart stands once, in both themes, with its words", () => {
  const lines = chartsMarkdown(CHARTS.light, "charts/");
  for (const markdown of [`# One\n\n${lines}\n\n# Two\n`, "# Two\n", `${lines}\n\n${lines}`]) {
    const page = makePage({ title: "A report", markdown, charts: CHARTS });
    assert.equal(count(page, "<figure "), 2, markdown);
    assert.ok(!page.includes("&lt;picture&gt;"));
    CHARTS.light.forEach((chart, i) => {
      assert.equal(count(page, chart.svg), 1);
      assert.equal(count(page, CHARTS.dark[i]!.svg), 1);
      assert.ok(page.includes(`<summary>${chart.title}, in words</summary>`));
    });
    if (markdown.startsWith("# One")) {
      // The first opens the page, the others stand where the lines are.
      assert.ok(page.indexOf("<figure ") < page.indexOf("<nav "));
      assert.ok(page.indexOf('id="one"') < page.lastIndexOf("<figure "));
      assert.ok(page.lastIndexOf("<figure ") < page.indexOf('id="two"'));
    }
  }
  const page = makePage({ title: "A report", markdown: "", charts: CHARTS });
  assert.match(page, /@media \(prefers-color-scheme:dark\)\{\.day\{display:none\}/);
});

test("a page opens with its result, before its contents and how to read it", () => {
  const page = makePage({
    title: "A report",
    lead: leadOf(paperRows()),
    markdown: "",
    charts: CHARTS,
  });
  const at = (what: string): number => page.indexOf(what);
  assert.match(page, /What one TCP stream keeps under a flood of 1,000 Mbit\/s.*<strong>ours, AES/);
  const order = ["<h1>", "What one TCP", "<figure ", "<nav ", "How to read this</h2>"].map(at);
  assert.deepEqual(
    order,
    [...order].sort((x, y) => x - y),
  );
  assert.ok(!order.includes(-1), String(order));
  assert.match(leadOf(speedRows()), /^Without a flood, one TCP stream .* \*\*ours, AES/);
  assert.equal(leadOf([]), "");
});

test("lines for Markdown name both files and tell the chart in words", () => {
  const chart = { name: "x-y", title: "X", alt: 'a "b" <c> & d.' };
  assert.equal(
    chartsMarkdown([chart, chart], "bench/").split("\n\n")[1],
    [
      "<picture>",
      '<source media="(prefers-color-scheme: dark)" srcset="bench/x-y-dark.svg">',
      '<img src="bench/x-y-light.svg" alt="a &quot;b&quot; &lt;c&gt; &amp; d.">',
      "</picture>",
    ].join("\n"),
  );
});

test("tables scroll, numbers stand right, ours and verdicts are seen", () => {
  const table = markdownTable(
    ["scheme", "ms", "of it came", "verdict"],
    [
      ["ours, AES", "0.45 (0.42–0.49)", "940 ○", "aim reached"],
      ["wireguard-go", "–", "985", "not reached"],
      ["none", "N/A", "", ""],
    ],
  );
  const page = pageOf(table);
  const own = page.slice(page.lastIndexOf('<div class="scroll"', page.indexOf("ours, AES")));
  assert.match(own, /<div class="scroll"[^>]* tabindex="0"><table>/);
  assert.match(own, /<tr class="ours"><td>ours, AES<\/td><td class="number">0\.45 /);
  assert.match(own, /<td class="number bad">940 ○<\/td><td class="good">aim reached</);
  assert.match(
    own,
    /<tr><td>wireguard-go<\/td><td class="number">–<\/td>.*class="bad">not reached/,
  );
});

test("headings are below the title, listed, and told apart", () => {
  const page = pageOf("# Speed & more\n\n## Goals\n\n# Direct\n\n## Goals\n");
  const found = [...page.matchAll(/<h(\d) id="([^"]*)"/g)].map(([, depth, id]) => `${depth} ${id}`);
  assert.deepEqual(found.slice(1, -1), ["2 speed-more", "3 goals", "2 direct", "3 goals--2"]);
  assert.deepEqual([found[0], found.at(-1)], ["2 how-to-read-this", "2 method-and-its-pitfalls"]);
  for (const [, id] of page.matchAll(/<a href="#([^"]*)"/g)) {
    assert.ok(page.includes(` id="${id}"`), id);
  }
});
