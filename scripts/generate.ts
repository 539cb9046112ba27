/**
 * generate — files made from the tables in src/memory/layout.ts: the C header and two documents.
 *
 * `npm run generate` writes them; test/tidy/generated.test.ts fails when one is out of date.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as layout from "../src/memory/layout.ts";

export interface Generated {
  /** Path from the project's root. */
  readonly path: string;
  readonly text: string;
}

/** camelCase to UPPER_CASE. */
const upper = (name: string): string =>
  name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();

const constants: readonly (readonly [string, number])[] = [
  ["DATA_HEADER_BYTES", layout.DATA_HEADER_BYTES],
  ["TAG_BYTES", layout.TAG_BYTES],
  ["SEGMENT_OVERHEAD_BYTES", layout.SEGMENT_OVERHEAD_BYTES],
  ["PADDING_BYTES", layout.PADDING_BYTES],
  ["SLOT_BYTES", layout.SLOT_BYTES],
  ["JOB_SEGMENTS", layout.JOB_SEGMENTS],
  ["JOB_BYTES", layout.JOB_BYTES],
  ["RING_JOBS", layout.RING_JOBS],
  ["REPLAY_BITS", layout.REPLAY_BITS],
  ["COUNTERS_PER_THREAD", layout.COUNTERS_PER_THREAD],
];

const header = (): string => {
  const lines = [
    "/* Made from src/memory/layout.ts by `npm run generate`; do not edit. */",
    "#ifndef P2PVPN_LAYOUT_GEN_H",
    "#define P2PVPN_LAYOUT_GEN_H",
    "",
    ...constants.map(([name, value]) => `#define ${name} ${value}u`),
  ];
  for (const struct of layout.STRUCTS) {
    const prefix = upper(struct.name);
    lines.push("", `/* ${struct.doc} */`, `#define ${prefix}_SIZE ${struct.size}u`);
    for (const [name, field] of Object.entries(struct.fields)) {
      lines.push(`#define ${prefix}_${upper(name)} ${field.at}u`);
    }
  }
  const numbers = (prefix: string, table: Readonly<Record<string, number>>): void => {
    lines.push("");
    for (const [name, value] of Object.entries(table)) {
      lines.push(`#define ${prefix}_${upper(name)} ${value}u`);
    }
  };
  numbers("DROP", layout.DROP);
  numbers("COUNT", layout.COUNT);
  numbers("SUITE", layout.SUITE);
  numbers("KIND", layout.JOB_KIND);
  lines.push("", "enum region {");
  for (const region of layout.REGIONS) lines.push(`    REGION_${upper(region.name)},`);
  lines.push("    REGION_COUNT", "};", "", "#endif", "");
  return lines.join("\n");
};

const cell = (text: string): string => text.replaceAll("|", "\\|");

const memoryPage = (): string => {
  const one = { ioThreads: 1, workers: 1, peers: 1, routes: 1 };
  const lines = [
    "# Memory that threads share",
    "",
    "Made from `src/memory/layout.ts` by `npm run generate`; do not edit.",
    "",
    "All of it is one SharedArrayBuffer, the arena, allocated once at start. Its size is the sum of",
    "the regions below, each rounded up to a page; untouched pages cost nothing. `io`, `workers`,",
    "`peers` and `routes` are the numbers of the configuration.",
    "",
    "| region | bytes of one entry | entries | what |",
    "| --- | --- | --- | --- |",
  ];
  for (const region of layout.REGIONS) {
    lines.push(`| ${region.name} | ${region.size} | ${term(region)} | ${cell(region.doc)} |`);
  }
  const sum = layout.arenaLayout({ ...one, workers: 1, peers: 1000, routes: 16_384 });
  lines.push(
    "",
    `With one I/O thread, one worker, 1,000 peers and 16,384 routes: ${sum.bytes} bytes of address space.`,
  );
  for (const struct of layout.STRUCTS) {
    lines.push("", `## ${struct.name}`, "", struct.doc, "");
    lines.push("| at | bytes | field | writer | unit | what |", "| --- | --- | --- | --- | --- | --- |");
    for (const [name, f] of Object.entries(struct.fields)) {
      lines.push(`| ${f.at} | ${f.bytes} | ${name} | ${f.writer} | ${f.unit} | ${cell(f.doc)} |`);
    }
  }
  return `${lines.join("\n")}\n`;
};

/** How a region's entry count follows from the limits, found by trying. */
const term = (region: layout.Region): string => {
  const at = (l: layout.Limits): number => region.count(l);
  const base = { ioThreads: 1, workers: 1, peers: 1, routes: 1 };
  const one = at(base);
  const parts: string[] = [];
  const keys = ["ioThreads", "workers", "peers", "routes"] as const;
  let rest = one;
  for (const key of keys) {
    const step = at({ ...base, [key]: 2 }) - one;
    if (step === 0) continue;
    const name = key === "ioThreads" ? "io" : key;
    parts.push(step === 1 ? name : `${step} × ${name}`);
    rest -= step;
  }
  if (rest !== 0 || parts.length === 0) parts.push(String(rest));
  return parts.join(" + ");
};

const dropsPage = (): string => {
  const lines = [
    "# Drops and counts",
    "",
    "Made from `src/memory/layout.ts` by `npm run generate`; do not edit.",
    "",
    "Every packet or datagram that goes no further is counted under one reason. `status` shows the",
    "reasons that are not 0, `status --json` and `stats --json` show all.",
    "",
    "| reason | counts | why |",
    "| --- | --- | --- |",
    ...layout.DROPS.map((row) => `| ${row.name} | ${row.unit} | ${cell(row.doc)} |`),
    "",
    "## Counts",
    "",
    "| name | counts | what |",
    "| --- | --- | --- |",
    ...layout.COUNTS.map((row) => `| ${row.name} | ${row.unit} | ${cell(row.doc)} |`),
  ];
  return `${lines.join("\n")}\n`;
};

/** Everything that is made from tables. */
export const generated = (): Generated[] => [
  { path: "src/io/native/layout.gen.h", text: header() },
  { path: "docs/MEMORY.md", text: memoryPage() },
  { path: "docs/DROPS.md", text: dropsPage() },
];

const isMain = process.argv[1] === fileURLToPath(import.meta.url);
if (isMain) {
  for (const file of generated()) writeFileSync(file.path, file.text);
}
