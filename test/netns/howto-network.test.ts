/**
 * howto-network — docs/howto/network.md, done as it says: each command of the page is typed on the
 * host that the page names, each file is written as it stands there, and what is said to be shown
 * is shown.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cannotRun, must } from "../lab/lab.ts";
import { Mesh } from "../lab/mesh.ts";
import { Terminal } from "../lab/terminal.ts";
import { root } from "../tidy/tree.ts";

const PAGE = join(root, "docs", "howto", "network.md");
/** Where the page says that hosts are; the laptop's is its own business. */
const PLACES = { office: "203.0.113.7", home: "198.51.100.4", laptop: "192.0.2.200" } as const;
type Host = keyof typeof PLACES;

/** Members have this long to find each other before somebody looks. */
const MEET_MS = 3_000;

/** A fenced block of the page. */
interface Block {
  readonly kind: string;
  readonly hosts: readonly Host[];
  /** Of a file; null: it is none. */
  readonly file: string | null;
  readonly lines: readonly string[];
  readonly line: number;
}

/** Blocks, each with the hosts and the file that the text right above it names. */
const blocksOf = (page: string): Block[] => {
  const lines = page.split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    const kind = /^```(\w+)$/.exec(lines[at]!)?.[1];
    if (kind === undefined) continue;
    const end = lines.indexOf("```", at);
    const above = lines.slice(0, at).findLast((line) => line !== "") ?? "";
    const hosts = [...above.matchAll(/\*\*(\w+)\*\*/g)].map(([, name]) => name as Host);
    const file = /`(\/etc\/\S+)`/.exec(above)?.[1] ?? null;
    blocks.push({ kind, hosts, file, lines: lines.slice(at + 1, end), line: at + 1 });
    at = end;
  }
  return blocks;
};

/** Commands of a block; a line that ends in a backslash goes on. */
const commandsOf = ({ lines }: Block): string[] =>
  lines
    .join("\n")
    .split(/(?<!\\)\n/)
    .filter((command) => command.trim() !== "" && !command.startsWith("#"));

/** Does a line that was shown look like one of the page, in which "…" stands for anything? */
const looksLike = (wanted: string, shown: string): boolean => {
  const parts = wanted
    .trim()
    .split("…")
    .map((part) => part.trim().replace(/\s+/g, " "));
  const pattern = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*");
  return new RegExp(`^${pattern}$`).test(shown.trim().replace(/\s+/g, " "));
};

const assertShown = (shown: string, block: Block): void => {
  const left = shown.split("\n");
  for (const wanted of block.lines) {
    const at = left.findIndex((line) => looksLike(wanted, line));
    assert.notEqual(at, -1, `line ${block.line}: not shown: ${wanted}\nshown:\n${shown}`);
    left.splice(at, 1);
  }
};

const skip = cannotRun(["script"]);
let mesh: Mesh;
const terminals = new Map<Host, Terminal>();

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(3);
  for (const [i, host] of (Object.keys(PLACES) as Host[]).entries()) {
    const { namespace } = mesh.members[i]!;
    await must(["ip", "-netns", namespace, "address", "flush", "dev", "under"]);
    await must(["ip", "-netns", namespace, "address", "add", `${PLACES[host]}/32`, "dev", "under"]);
    await must(["ip", "-netns", namespace, "route", "add", "default", "dev", "under"]);
    terminals.set(host, new Terminal(namespace, host, mesh.folder));
  }
});
after(async () => {
  if (skip !== false) return;
  for (const terminal of terminals.values()) terminal.close();
  mesh.remove();
});

test("the page's commands do what it says", { skip, timeout: 120_000 }, async (t) => {
  let shown = "";
  const begun = performance.now();
  for (const block of blocksOf(readFileSync(PAGE, "utf8"))) {
    if (block.kind === "text") {
      assertShown(shown, block);
      continue;
    }
    assert.ok(block.hosts.length > 0, `line ${block.line}: on which host?`);
    shown = "";
    if (block.kind === "toml") {
      for (const host of block.hosts) {
        assert.match(block.file ?? "", /^\/etc\/p2pvpn\//, `line ${block.line}: which file?`);
        const file = join(mesh.folder, host, block.file!.replace("/etc/", ""));
        writeFileSync(file, `${block.lines.join("\n")}\n`);
      }
      continue;
    }
    assert.equal(block.kind, "sh", `line ${block.line}`);
    for (const host of block.hosts) {
      for (const command of commandsOf(block)) {
        shown += await terminals.get(host)!.type(command);
      }
    }
    if (block.lines.some((line) => / start /.test(line))) await sleep(MEET_MS);
  }
  assert.doesNotMatch(shown, /home/, "it is still there after all");
  t.diagnostic(`measured: ${((performance.now() - begun) / 1_000).toFixed(0)} s`);
});
