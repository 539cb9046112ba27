/**
 * imports — who may import what: the rooms of src/, the folders beside it, and the one home of each
 * package.
 *
 * A room is a folder of src/, or a folder in one; files directly in src/ are the room "top", which
 * may import anything, but for src/log.ts, the room "log". An import of types is an import.
 */
import { dirname, join, normalize } from "node:path";
import type { Finding, SourceFile } from "./tree.ts";

const BELOW_CONTROL = ["memory", "wire", "noise", "schema", "io/native", "log"] as const;

/** Every room may import itself. The rooms that one imports stand above it in control's order. */
// biome-ignore format: a table
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  memory: ["wire"],
  schema: ["wire", "memory", "members"],
  members: ["wire"],
  noise: ["memory", "wire"],
  directory: ["members", "wire", "noise", "control/strangers"],
  "index-node": ["members", "directory", "schema", "wire", "noise", "control/strangers", "log"],
  "io/native": ["schema", "memory", "wire"],
  crypto: ["memory", "io/native"],
  workers: ["memory", "crypto", "io/native"],
  io: ["memory", "wire", "crypto", "io/native"],
  "control/peers": [...BELOW_CONTROL],
  "control/host": [...BELOW_CONTROL],
  "control/reach": [...BELOW_CONTROL, "control/peers"],
  "control/strangers": [...BELOW_CONTROL, "control/peers"],
  "control/sessions": [...BELOW_CONTROL, "control/peers", "control/reach"],
  "control/handshake": [...BELOW_CONTROL, "control/peers", "control/reach", "control/strangers", "control/sessions"],
  "control/frames": [...BELOW_CONTROL, "control/peers", "control/strangers", "control/sessions"],
  "control/network": ["members", "wire", "noise", "directory", "schema", "log", "control/peers", "control/strangers"],
  "control/doors": [...BELOW_CONTROL, "members", "control", "control/network", "control/peers", "control/host", "control/reach", "control/sessions"],
  control: [...BELOW_CONTROL, "members", "directory", "control/peers", "control/host", "control/reach", "control/strangers", "control/sessions", "control/handshake", "control/frames", "control/network"],
  commands: ["schema", "wire", "memory", "io/native", "demo", "top", "log"],
  "commands/network": ["schema", "wire", "members", "directory", "index-node", "commands", "top", "log"],
  demo: ["schema", "top"],
  log: ["schema"],
  types: [],
};

/**
 * Beside src/: what a folder may import of ours; the first row that fits counts. The benchmark
 * measures with the tests' laboratory, and no test but its own knows of it.
 */
// biome-ignore format: a table
export const BESIDE: readonly (readonly [folder: string, mayImport: readonly string[]])[] = [
  ["test/lab/", ["src/", "test/lab/"]],
  ["test/bench/", ["src/", "test/", "bench/"]],
  ["test/", ["src/", "test/", "scripts/"]],
  ["bench/", ["src/", "bench/", "test/lab/"]],
];

/** A package's files; a trailing "/" means the room. */
// biome-ignore format: a table
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  commander: ["src/cli.ts", "src/commands/"],
  "dht-rpc": ["src/directory/dht.ts"],
  marked: ["bench/page/html.ts"],
  msgpackr: ["src/schema/requests.ts"],
  piscina: ["src/workers/pool.ts"],
  pino: ["src/log.ts"],
  "smol-toml": ["src/schema/toml.ts", "src/schema/toml-loose.ts"],
  "sodium-native": ["src/crypto/sodium.ts", "src/noise/", "src/directory/", "src/index-node/", "src/control/strangers/", "src/control/network/strange-seal.ts", "src/members/"],
  valibot: ["src/schema/"],
  vega: ["bench/charts/render.ts"],
  "vega-lite": ["bench/charts/render.ts"],
  "node:worker_threads": ["src/engine.ts", "src/io/main.ts", "src/workers/main.ts", "src/control/main.ts"],
};

/** The control thread opens its doors, and nothing else of control does. */
const OPENS_DOORS = "src/control/main.ts";
/** Files that start things: top files may import them, and the command that starts an engine. */
const ENTRY = /^src\/(cli|engine|wireguard)\.ts$/;
const STARTS = "src/commands/start.ts";

export interface Import {
  readonly line: number;
  /** As written. */
  readonly target: string;
}

/** Imports and re-exports of a file, static and dynamic; a statement may span lines. */
export const importsOf = (file: SourceFile): Import[] => {
  const found: Import[] = [];
  file.lines.forEach((text, i) => {
    const fixed = /^(?:import|export|\}).*?\bfrom "([^"]+)"|^import "([^"]+)"/.exec(text);
    const target = fixed?.[1] ?? fixed?.[2];
    if (target !== undefined) found.push({ line: i + 1, target });
    for (const call of text.matchAll(/\bimport\("([^"]+)"\)/g)) {
      found.push({ line: i + 1, target: call[1]! });
    }
  });
  return found;
};

/** The room of a path below src/. */
export const roomOf = (path: string): string => {
  if (path === "src/log.ts") return "log";
  const folders = path.split("/").slice(1, -1);
  return folders.length === 0 ? "top" : folders.slice(0, 2).join("/");
};

const resolved = (file: SourceFile, target: string): string =>
  normalize(join(dirname(file.path), target));

const inHome = (path: string, homes: readonly string[]): boolean =>
  homes.some((home) => (home.endsWith("/") ? path.startsWith(home) : path === home));

const wrongImport = (file: SourceFile, target: string): string | null => {
  if (!target.startsWith(".")) {
    const homes = PACKAGES[target];
    if (homes === undefined) {
      return target.startsWith("node:") ? null : `${target} has no home in test/tidy/imports.ts`;
    }
    return inHome(file.path, homes)
      ? null
      : `${target} may be imported in ${homes.join(", ")} only`;
  }
  if (!target.endsWith(".ts")) return `${target} must end in .ts`;
  const path = resolved(file, target);
  if (!path.startsWith("src/")) return `${path} is not in src/`;
  const [from, to] = [roomOf(file.path), roomOf(path)];
  if (from === "top" || from === to) return null;
  if (to === "control/doors" && file.path === OPENS_DOORS) return null;
  if (ENTRY.test(path) && file.path !== STARTS)
    return `${path} starts things: only top files and ${STARTS} may import it`;
  const allowed = ROOMS[from];
  if (allowed === undefined) return `the room ${from} is not in test/tidy/imports.ts`;
  return allowed.includes(to) ? null : `${from} may not import ${to} (${path})`;
};

/** Imports that the two tables do not allow. */
export const wrongImports = (files: readonly SourceFile[]): Finding[] =>
  files.flatMap((file) =>
    importsOf(file).flatMap(({ line, target }) => {
      const text = wrongImport(file, target);
      return text === null ? [] : [{ path: file.path, line, text }];
    }),
  );

/** Imports by files beside src/ that the table does not allow. */
export const wrongBeside = (files: readonly SourceFile[]): Finding[] =>
  files.flatMap((file) => {
    const mayImport = BESIDE.find(([folder]) => file.path.startsWith(folder))?.[1] ?? [];
    return importsOf(file)
      .filter(({ target }) => target.startsWith("."))
      .map(({ line, target }) => ({ line, path: resolved(file, target) }))
      .filter(({ path }) => !inHome(path, mayImport))
      .map(({ line, path }) => ({ path: file.path, line, text: `may not import ${path}` }));
  });

/** Circles in a graph, each once, as "a -> b -> a". */
export const circles = (edges: ReadonlyMap<string, readonly string[]>): string[] => {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) found.push([...trail.slice(at), path].join(" -> "));
    if (at >= 0 || done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
};

/** Circles of imports, those of types too. */
export const cycles = (files: readonly SourceFile[]): string[] => {
  const targets = (file: SourceFile): string[] =>
    importsOf(file).flatMap(({ target }) =>
      target.startsWith(".") ? [resolved(file, target)] : [],
    );
  return circles(new Map(files.map((file) => [file.path, targets(file)])));
};

/** Default exports (but a piscina worker's entry) and files that only pass exports on. */
export const wrongExports = (files: readonly SourceFile[]): Finding[] =>
  files.flatMap((file) =>
    file.lines.flatMap((text, i) => {
      const at = { path: file.path, line: i + 1 };
      if (/^export default\b/.test(text) && file.path !== "src/workers/main.ts") {
        return [{ ...at, text: "default export; give it a name" }];
      }
      return /^export (type )?(\*|\{[^}]*\}) from\b/.test(text)
        ? [{ ...at, text: "passes an export on; import it where it is made" }]
        : [];
    }),
  );
