/** charts — axes with units, what has no value, both themes, and no word that is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { looksOf } from "../../bench/charts/looks.ts";
import { render } from "../../bench/charts/render.ts";
import { scaleOf, spreadLabels } from "../../bench/charts/scale.ts";
import { toneOf } from "../../bench/charts/theme.ts";
import { type Chart, drawCharts } from "../../bench/charts.ts";
import { absentRow, type Row } from "../../bench/report.ts";
import { directRows, paperRows, speedRows } from "./chart-rows.ts";

/** What is written in a drawing, each text once. */
const wordsIn = ({ svg }: Chart): string[] => [
  ...new Set([...svg.matchAll(/<(?:text|tspan)[^>]*>([^<]+)</g)].map(([, text]) => text!)),
];
const says = (chart: Chart, word: string): boolean =>
  wordsIn(chart).some((text) => text.includes(word));
const crossesIn = ({ svg }: Chart): number =>
  svg.match(/d="M-[\d.]+,-[\d.]+L[\d.]+,[\d.]+M-/g)?.length ?? 0;
const named = (charts: readonly Chart[], name: string): Chart =>
  charts.find((chart) => chart.name === name) ?? assert.fail(`no chart ${name}`);

const ALL = [...paperRows(), ...directRows(), ...speedRows()];
/** Fewer panels, drawn faster. */
const isJunk = (row: Row): boolean => row.class === null || row.class === "junk";
const LIGHT = await drawCharts(ALL, "light");

test("each scenario has its charts, and an empty one has none", async () => {
  assert.deepEqual(
    LIGHT.map(({ name }) => name),
    [
      ...["paper-throughput", "paper-latency", "direct-throughput", "direct-latency"],
      ...["direct-share", "speed-more", "speed-less", "speed-latency"],
    ],
  );
  assert.deepEqual(await drawCharts([], "light"), []);
  const other = paperRows().map((row) => ({ ...row, class: row.class && "small" }));
  const names = (await drawCharts(other, "light")).map(({ name }) => name);
  assert.deepEqual(names, ["paper-throughput-small", "paper-latency-small"]);
});

test("axes have titles with units", () => {
  // biome-ignore format: a table
  const axes: Readonly<Record<string, readonly string[]>> = {
    "paper-throughput": ["throughput, one TCP stream, Mbit/s", "attack asked for, Mbit/s"],
    "paper-latency": ["latency, median of pings, ms (logarithmic)", "attack asked for, Mbit/s"],
    "direct-throughput": ["throughput, one TCP stream, Mbit/s", "attack at b, Mbit/s"],
    "direct-latency": ["latency, median of pings, ms (logarithmic)", "attack at b, Mbit/s"],
    "direct-share": ["of no VPN, %"],
    "speed-more": ["times wireguard-go"],
    "speed-less": ["times wireguard-go"],
    "speed-latency": ["round trip, ms"],
  };
  for (const [name, words] of Object.entries(axes)) {
    for (const word of words) assert.ok(says(named(LIGHT, name), word), `${name}: ${word}`);
  }
});

test("what came to nothing is a cross with a word, and no band is drawn without it", async () => {
  // Three rivals of ours at 1,000 Mbit/s, and two of the paper's.
  for (const name of ["paper-throughput", "paper-latency"]) {
    const chart = named(LIGHT, name);
    assert.equal(crossesIn(chart), 5, name);
    for (const who of ["OpenVPN: nothing", "strongSwan: nothing", "the paper: IPsec: nothing"]) {
      assert.ok(says(chart, who), who);
    }
  }
  assert.ok(says(named(LIGHT, "paper-throughput"), "nothing came through"));
  assert.match(named(LIGHT, "paper-latency").alt, /strongSwan no ping was answered/);
  assert.equal(crossesIn(named(LIGHT, "direct-latency")), 1);
  const well = directRows().filter((row) => row.scheme === "p2pvpn" && isJunk(row));
  const charts = await drawCharts(well, "light");
  assert.equal(crossesIn(named(charts, "direct-latency")), 0);
  assert.ok(!says(named(charts, "direct-latency"), "no ping was answered"));
});

const without = (row: Row): Row => ({
  ...{ ...row, runs: 0, spread: {}, throughputMbps: null, latencyMs: null },
});

test("what was not measured is named, and is no zero", async () => {
  const rows = paperRows().map((row) => (row.id === "strongswan" ? without(row) : row));
  const charts = await drawCharts(rows, "light");
  const chart = named(charts, "paper-throughput");
  assert.ok(
    says(chart, "Not measured: strongSwan at 0, 100, 500, 1000 Mbit/s."),
    wordsIn(chart)[1],
  );
  assert.equal(crossesIn(chart), 4);
  const gone = absentRow("paper", "wireguard-kernel", "no package brings it");
  const some = named(await drawCharts([...paperRows(), gone], "light"), "paper-latency");
  assert.ok(says(some, "Not measured: kernel WireGuard."));
  assert.ok(!says(named(LIGHT, "paper-throughput"), "Not measured"));
  // One of the fixture's rows of `speed` has no runs.
  assert.ok(says(named(LIGHT, "speed-more"), "not measured"));
});

test("floods that were weaker than asked are hollow, and a word says so", async () => {
  const hollow = 'fill="#ffffff" stroke="';
  const some = named(LIGHT, "direct-throughput");
  assert.ok(some.svg.includes(hollow) && says(some, "hollow: less than 95 %"));
  const strong = directRows().filter(isJunk);
  const none = named(await drawCharts(strong, "light"), "direct-throughput");
  assert.ok(!none.svg.includes(hollow) && !says(none, "hollow"));
});

test("bars say their ratios, the share of the bare link, and what has no bar", async () => {
  assert.ok(says(named(LIGHT, "speed-more"), "3.02 ×"));
  assert.ok(says(named(LIGHT, "speed-less"), "0.75 ×"));
  assert.ok(says(named(LIGHT, "speed-latency"), "19.00 / 49.40"));
  // 3,600 of 9,400, and 3,600 · 1.04 of it.
  for (const word of ["38 %", "40 %", "nothing came through"]) {
    assert.ok(says(named(LIGHT, "direct-share"), word), word);
  }
  const alone = speedRows().filter(({ id }) => id !== "wireguard-go");
  const names = (await drawCharts(alone, "light")).map(({ name }) => name);
  assert.deepEqual(names, ["speed-latency"]);
  const unlimited = directRows().filter((row) => row.id !== "none" && isJunk(row));
  assert.ok(!(await drawCharts(unlimited, "light")).some(({ name }) => name === "direct-share"));
});

test("both themes are whole, differ in colour and in nothing else", async () => {
  const dark = await drawCharts(ALL, "dark");
  const ground = (chart: Chart): string => /<rect[^>]* fill="(#\w+)"/.exec(chart.svg)![1]!;
  LIGHT.forEach((chart, i) => {
    const other = dark[i]!;
    assert.deepEqual([chart.name, chart.title, chart.alt], [other.name, other.title, other.alt]);
    assert.deepEqual([ground(chart), ground(other)], ["#ffffff", "#12161c"], chart.name);
    assert.deepEqual(wordsIn(chart), wordsIn(other), chart.name);
    assert.ok(
      chart.svg.includes(toneOf("aes20", "light")) && other.svg.includes(toneOf("aes20", "dark")),
    );
  });
});

test("a scheme has one colour in all charts, and no other has it", () => {
  const tones = new Map<string, string>();
  for (const rows of [paperRows(), directRows(), speedRows(), ALL]) {
    for (const { id, tone } of looksOf(rows)) {
      assert.equal(tones.get(id) ?? tone, tone, id);
      tones.set(id, tone);
    }
  }
  assert.equal(new Set(tones.values()).size, tones.size, JSON.stringify([...tones]));
});

test("what is asked at least and what is the aim differ in shape, and a note names both", () => {
  const chart = named(LIGHT, "speed-more");
  assert.ok(says(chart, "circle: what is asked at least; diamond: the aim"));
  const [hollow, full] = ["#ffffff", "#1b2026"].map(
    (fill) =>
      new RegExp(`d="[^"]*" fill="${fill}" stroke="${fill === "#ffffff" ? "#1b2026" : "#ffffff"}"`),
  );
  assert.match(chart.svg, hollow!);
  assert.match(chart.svg, full!);
});

test("a drawing is told in words, refers to nothing outside, and can stand twice in a page", () => {
  for (const { name, title, alt, svg } of LIGHT) {
    assert.ok(svg.includes(`<title>${title.replaceAll("&", "&amp;")}</title><desc>`), name);
    assert.ok(alt.length > title.length && alt.endsWith("."), alt);
    assert.doesNotMatch(alt, /NaN|Infinity|undefined|null/);
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/, name);
    const outside = svg.replaceAll(/ xmlns(?::xlink)?="[^"]*"/g, "").match(/https?:|url\(|@import/);
    assert.equal(outside, null, name);
    assert.doesNotMatch(svg, / id="|<script|<image|<foreignObject/, name);
    assert.match(svg, /font-family="[^"]*sans-serif"/);
  }
});

test("names from programs are text, and a warning of vega-lite is an error", async () => {
  const rows = paperRows().map((row) =>
    row.id === "openvpn" ? { ...row, id: `"><script>alert(1)</script>'` } : row,
  );
  for (const { svg } of await drawCharts(rows, "light")) {
    assert.ok(!svg.includes("<script") && svg.includes("&lt;script&gt;"));
  }
  const wrong = { data: { values: [] }, mark: "bar", encoding: { nowhere: { field: "x" } } };
  await assert.rejects(render(wrong, "t", "a"), /^Error: vega-lite: /);
});

test("axes end at 1, 2 or 5, and are logarithmic where values span a lot", () => {
  const linear = scaleOf([3, 1_100], 100, 0, "bottom");
  assert.deepEqual(
    [linear.type, linear.domain, linear.ticks.at(-1)],
    ["linear", [0, 1_200], 1_200],
  );
  const log = scaleOf([0.3, 41], 100, 0, "top");
  assert.deepEqual([log.type, log.domain, log.ticks[0]], ["log", [0.2, 50], 0.2]);
  assert.equal(scaleOf([1, 7], 100, 0, "top").type, "linear");
  // Nothing but crosses.
  assert.deepEqual(scaleOf([], 100, 1, "top").ticks.length > 1, true);
  for (const scale of [scaleOf([3, 1_100], 100, 2, "bottom"), scaleOf([0.3, 41], 100, 2, "top")]) {
    for (const value of [1, 7, 40]) {
      assert.ok(Math.abs(scale.fromPx(scale.toPx(value)) - value) < 1e-9);
    }
    const [inner, outer] = scale.band;
    const lanes = [scale.lane(0), scale.lane(1)].map(scale.toPx);
    for (const px of lanes) {
      assert.ok(px > Math.min(scale.toPx(inner), scale.toPx(outer)), `${px}`);
      assert.ok(px < Math.max(scale.toPx(inner), scale.toPx(outer)), `${px}`);
    }
  }
});

test("labels keep their gap, their order and their bounds, and move no more than they must", () => {
  assert.deepEqual(spreadLabels([50, 10, 90], 10, [0, 100]), [50, 10, 90]);
  assert.deepEqual(spreadLabels([50, 50], 10, [0, 100]), [45, 55]);
  assert.deepEqual(spreadLabels([0, 1, 100], 10, [0, 100]), [0, 10, 100]);
  assert.deepEqual(spreadLabels([], 10, [0, 100]), []);
  const placed = spreadLabels([99, 98, 97, 3, 40], 10, [0, 100]);
  const sorted = [...placed].sort((a, b) => a - b);
  assert.ok(
    sorted.every((y, i) => i === 0 || y - sorted[i - 1]! >= 10 - 1e-9),
    `${placed}`,
  );
  assert.ok(placed[0]! > placed[1]! && placed[1]! > placed[2]! && sorted.at(-1)! <= 100);
});
