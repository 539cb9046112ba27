/**
 * generate — files made from tables: the C header from src/memory/layout.ts and numbers.ts, two
 * documents from the former, a third from src/schema/config.ts, a fourth from the first lines of
 * all files (files-page.ts).
 *
 * `npm run generate` writes them; test/tidy/generated.test.ts fails when one is out of date.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as layout from "../src/memory/layout.ts";
import { NUMBERS, RESULTS } from "../src/memory/numbers.ts";
import { DEFAULT_FILE, SETTINGS, type Setting } from "../src/schema/config.ts";
import { LIVE_SETTINGS } from "../src/schema/settings.ts";
import { filesPage } from "./files-page.ts";

export interface Generated {
  /** Path from the project's root. */
  readonly path: string;
  readonly text: string;
}

/** camelCase to UPPER_CASE. */
const upper = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();

/** `#define`s of numbers and of tables of them, with their suffix in C. */
const defines = (
  table: Readonly<Record<string, number | bigint | Readonly<Record<string, number>>>>,
  suffix: string,
): string[] =>
  Object.entries(table).flatMap(([name, value]) => {
    if (typeof value === "bigint") return [`#define ${name} UINT64_C(${value})`];
    if (typeof value === "number") return [`#define ${name} ${value}${suffix}`];
    const rows = Object.entries(value).map(
      ([key, each]) => `#define ${name}_${upper(key)} ${each >>> 0}${suffix}`,
    );
    return ["", ...rows, ""];
  });

const header = (): string => {
  const lines = [
    "/* Made from src/memory/layout.ts and numbers.ts by `npm run generate`; do not edit. */",
    "#ifndef P2PVPN_LAYOUT_GEN_H",
    "#define P2PVPN_LAYOUT_GEN_H",
    "",
    ...defines(RESULTS, ""),
    ...defines(NUMBERS, "u"),
  ];
  for (const struct of layout.STRUCTS) {
    const prefix = upper(struct.name);
    lines.push("", `/* ${struct.doc} */`, `#define ${prefix}_SIZE ${struct.size}u`);
    for (const [name, field] of Object.entries(struct.fields)) {
      lines.push(`#define ${prefix}_${upper(name)} ${field.at}u`);
    }
  }
  lines.push("", "/* framesPerSecond, framesAtOnce, bytesPerSecond, bytesAtOnce */");
  const budgets = layout.FRAME_BUDGETS.map(
    (one) =>
      `{ ${one.framesPerSecond}, ${one.framesAtOnce}, ${one.bytesPerSecond}, ${one.bytesAtOnce} }`,
  );
  lines.push(`#define FRAME_BUDGETS { ${budgets.join(", ")} }`);
  lines.push("", "enum region {");
  for (const region of layout.REGIONS) lines.push(`    REGION_${upper(region.name)},`);
  lines.push("    REGION_COUNT", "};", "", "#endif", "");
  return lines.join("\n").replace(/\n{3,}/g, "\n\n");
};

const cell = (text: string): string => text.replaceAll("|", "\\|");

const memoryPage = (): string => {
  const one = { ioThreads: 1, workers: 1, peers: 1, routes: 1 };
  const lines = [
    "# Memory that threads share",
    "",
    "Made from `src/memory/layout.ts` by `npm run generate`; do not edit.",
    "",
    "All of it is one SharedArrayBuffer, the arena, allocated once at start. Its size is the " +
      "sum of",
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
    "With one I/O thread, one worker, 1,000 peers and 16,384 routes: " +
      `${sum.bytes} bytes of address space.`,
  );
  for (const struct of layout.STRUCTS) {
    lines.push("", `## ${struct.name}`, "", struct.doc, "");
    lines.push(
      "| at | bytes | field | writer | unit | what |",
      "| --- | --- | --- | --- | --- | --- |",
    );
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

/** What a setting must be, as its own check says it. */
const rule = (setting: Setting): string => {
  // A word, nothing and a number: together they meet every check of the table.
  for (const wrong of ["\u0000", "", 0.5]) {
    const result = setting.check(wrong);
    if ("problem" in result && result.problem !== "must be text") return result.problem;
  }
  return "must be text";
};

/** Defaults that the machine decides are said in words; a value would differ from host to host. */
const COMPUTED: Readonly<Record<string, string>> = { threads: "cores − 1, at least 1" };

const fallback = ({ key, required, fallback: value }: Setting): string => {
  if (required) return "none: required";
  return COMPUTED[key] ?? (value === undefined ? "none" : `\`${JSON.stringify(value)}\``);
};

const flagOf = ({ flag, value }: Setting): string => {
  if (flag === undefined) return "";
  return value === "" ? `\`--no-${flag}\`` : `\`--${flag} ${value}\``;
};

// biome-ignore format: a table
const CONFIG_SECTIONS = [
  { section: "interface", title: "[interface]", about: "Once." },
  { section: "peer", title: "[[peer]]", about: "Once for each peer, or not at all. The flags are those of `peer add`, for an engine that runs." },
  { section: "network", title: "[network]", about: "Once, or not at all: the network that this host is a member of (NETWORK.md). May stand beside [[peer]]." },
  { section: "engine", title: "[engine]", about: "Once, or not at all. Flags of `start` go before the file." },
] as const;

// biome-ignore format: a table
const WG_QUICK = [
  "",
  "## wg-quick files",
  "",
  "`start -c wg0.conf`, `check -c wg0.conf` and `reload` read them; the interface is called as the file. They hold",
  "keys, so nobody but their owner may read them. What is left out has the default above, but for",
  "`ListenPort`: the kernel chooses. Mistakes are told as those of a TOML file.",
  "",
  "| key | is |",
  "| --- | --- |",
  "| `PrivateKey`, `PresharedKey`, `PublicKey` | the key itself, in base64 |",
  "| `Address`, `AllowedIPs` | `addresses`, `allowed_ips`; several lines, or commas |",
  "| `ListenPort`, `MTU`, `Endpoint` | `listen_port`, `mtu`, `endpoint` |",
  "| `FwMark`, `PersistentKeepalive` | `fwmark`, `persistent_keepalive`; `off` is 0 |",
  '| `Table` | `auto` is `routes = "install"`, `off` is `routes = "leave"`, `main` is `auto`; another table is refused |',
  "| `DNS`, `SaveConfig` | ignored, with a warning |",
  "| `PreUp`, `PostUp`, `PreDown`, `PostDown` | never run; a warning says so. A key that `wg set %i private-key FILE` would set there is asked for as `PrivateKey`, or as `private_key_file` of a TOML file |",
  "| `IncludedApplications`, `ExcludedApplications` | of WireGuard's app on Android; ignored, with a warning |",
  "| `Jc`, `Jmin`, `Jmax`, `S1`, `H1`, `I1` and the like | refused: no WireGuard understands AmneziaWG's messages |",
];

const configPage = (): string => {
  const lines = [
    "# Configuration",
    "",
    "Made from `src/schema/config.ts` by `npm run generate`; do not edit.",
    "",
    `A TOML file, \`${DEFAULT_FILE}\` unless \`start -c FILE\` names another. Paths are ` +
      "relative to",
    "the file; `~` is not known. README.md has an example, and",
    "`p2pvpn-engine check -c FILE` tests one. A file whose name ends in `.conf` is read as",
    "[wg-quick's](#wg-quick-files).",
    "",
    "Every mistake is told, each with its line and what to write instead; a key that is not",
    "below is one. Host bits in `allowed_ips`, an address of our own there, and a file that",
    "everybody may change are warned of.",
    "",
    "A running engine reads its file again with `p2pvpn-engine reload`, or at SIGHUP, whose result",
    "is logged. SIGTERM and SIGINT stop it, a second one at once; SIGUSR1 and SIGUSR2 do nothing.",
    "`config set` changes",
    `${LIVE_SETTINGS.map((name) => `\`${name}\``).join(", ")} without a file;`,
    "the rest needs a new start.",
  ];
  for (const { section, title, about } of CONFIG_SECTIONS) {
    lines.push("", `## ${title}`, "", about, "");
    lines.push("| key | default | it must … | flag | what |", "| --- | --- | --- | --- | --- |");
    for (const one of SETTINGS.filter((setting) => setting.section === section)) {
      const must = rule(one).replace(/^must /, "");
      const cells = [`\`${one.key}\``, fallback(one), must, flagOf(one), one.help];
      lines.push(`| ${cells.map(cell).join(" | ")} |`);
    }
  }
  return `${[...lines, ...WG_QUICK].join("\n")}\n`;
};

/** Everything that is made from tables. */
export const generated = (): Generated[] => [
  { path: "src/io/native/layout.gen.h", text: header() },
  { path: "docs/MEMORY.md", text: memoryPage() },
  { path: "docs/DROPS.md", text: dropsPage() },
  { path: "docs/CONFIG.md", text: configPage() },
  { path: "docs/FILES.md", text: filesPage() },
];

const isMain = process.argv[1] === fileURLToPath(import.meta.url);
if (isMain) {
  for (const file of generated()) writeFileSync(file.path, file.text);
}
