/** imports — the tables of imports.ts hold, and break on bad samples. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  circles,
  cycles,
  PACKAGES,
  ROOMS,
  roomOf,
  wrongBeside,
  wrongExports,
  wrongImports,
} from "./imports.ts";
import { filesIn, report, root, rootFiles, sourceFile } from "./tree.ts";

const sources = filesIn(["src"], [".ts"]);

test("rooms and packages are imported only where the tables say", () => {
  assert(sources.length > 50, `only ${sources.length} sources below ${root}`);
  const findings = wrongImports(sources);
  assert.equal(findings.length, 0, report(findings));
});

test("tests know nothing of the benchmark, which measures with their laboratory", () => {
  const files = filesIn(["test", "bench"], [".ts"]);
  assert(files.length > 200);
  const findings = wrongBeside(files);
  assert.equal(findings.length, 0, report(findings));
});

test("no circle of imports, those of types among them", () => {
  assert.deepEqual(cycles(sources), []);
});

test("the order of the rooms has no circle", () => {
  assert.deepEqual(circles(new Map(Object.entries(ROOMS))), []);
});

test("no default export, no barrel", () => {
  const findings = wrongExports(sources);
  assert.equal(findings.length, 0, report(findings));
});

test("every room exists, and every dependency has a home", () => {
  const rooms = new Set(sources.map((file) => roomOf(file.path)));
  for (const room of Object.keys(ROOMS)) assert(rooms.has(room), `no room ${room}`);
  const manifest = rootFiles((name) => name === "package.json")[0]!.lines.join("\n");
  const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
  const homeless = Object.keys(dependencies).filter(
    // Headers only: the build script gives them to the C compiler.
    (name) => name !== "node-api-headers" && PACKAGES[name] === undefined,
  );
  assert.deepEqual(homeless, []);
});

// biome-ignore format: a table
const BAD: readonly (readonly [path: string, text: string, says: RegExp])[] = [
  ["src/wire/x.ts", 'import { a } from "../memory/ring.ts";', /wire may not import memory/],
  ["src/memory/x.ts", 'import type { A } from "../io/main.ts";', /memory may not import io/],
  ["src/io/x.ts", 'import {\n  a,\n} from "../schema/config.ts";', /io may not import schema/],
  ["src/io/x.ts", 'import { a } from "../control/peer.ts";', /io may not import control/],
  ["src/workers/x.ts", 'const a = await import("../io/send.ts");', /workers may not import io/],
  ["src/control/x.ts", 'export { a } from "../crypto/seal.ts";', /control may not import crypto/],
  ["src/control/peers/x.ts", 'import type { A } from "../sessions/timers.ts";', /control\/peers may not import control\/sessions/],
  ["src/control/reach/x.ts", 'import type { World } from "../world.ts";', /control\/reach may not import control /],
  ["src/control/host/x.ts", 'import { a } from "../peers/peer.ts";', /control\/host may not import control\/peers/],
  ["src/control/frames/x.ts", 'import { a } from "../handshake/suites.ts";', /control\/frames may not import control\/handshake/],
  ["src/control/changes.ts", 'import { a } from "./doors/uapi.ts";', /control may not import control\/doors/],
  ["src/crypto/x.ts", 'import "../wire/receiver-index.ts";', /crypto may not import wire/],
  ["src/control/x.ts", 'import sodium from "sodium-native";', /sodium-native may be imported in/],
  ["src/io/x.ts", 'import { makeLog } from "../log.ts";', /io may not import log/],
  ["src/control/x.ts", 'import pino from "pino";', /pino may be imported in/],
  ["src/io/x.ts", 'import { Piscina } from "piscina";', /piscina may be imported in/],
  ["src/commands/x.ts", 'import * as vega from "vega";', /vega may be imported in bench/],
  ["src/io/x.ts", 'import left from "left-pad";', /has no home/],
  ["src/control/x.ts", 'import { Worker } from "node:worker_threads";', /node:worker_threads may/],
  ["src/commands/x.ts", 'import { a } from "../engine.ts";', /engine.ts starts things/],
  ["src/control/x.ts", 'import { a } from "./peer.js";', /must end in .ts/],
  ["src/attic/x.ts", 'import { a } from "../wire/receiver-index.ts";', /room attic/],
  ["src/wire/x.ts", 'import { a } from "../../test/unit/a.ts";', /not in src/],
];

for (const [path, text, says] of BAD) {
  test(`a bad import is found: ${path} ${text.replaceAll("\n", " ")}`, () => {
    const findings = wrongImports([sourceFile(path, text)]);
    assert.equal(findings.length, 1);
    assert.match(findings[0]!.text, says);
  });
}

// biome-ignore format: a table
const BESIDE: readonly (readonly [path: string, target: string, wrong: number])[] = [
  ["test/unit/x.test.ts", "../../bench/cells.ts", 1],
  ["test/bench/x.test.ts", "../../bench/cells.ts", 0],
  ["test/lab/x.ts", "../../bench/cells.ts", 1],
  ["test/lab/x.ts", "../netns/scene.ts", 1],
  ["test/netns/x.test.ts", "../lab/lab.ts", 0],
  ["bench/scenario/x.ts", "../../test/lab/lab.ts", 0],
  ["bench/x.ts", "../test/long/trend.ts", 1],
  ["bench/x.ts", "../src/engine.ts", 0],
];

for (const [path, target, wrong] of BESIDE) {
  test(`${path} ${wrong > 0 ? "may not" : "may"} import ${target}`, () => {
    assert.equal(wrongBeside([sourceFile(path, `import { a } from "${target}";`)]).length, wrong);
  });
}

test("a circle is found, and one through types, and one of rooms", () => {
  const a = sourceFile("src/io/a.ts", 'import { b } from "./b.ts";');
  const b = sourceFile("src/io/b.ts", 'import { a } from "./a.ts";');
  assert.deepEqual(cycles([a, b]), ["src/io/a.ts -> src/io/b.ts -> src/io/a.ts"]);
  const typed = sourceFile("src/io/b.ts", 'import type { A } from "./a.ts";');
  assert.deepEqual(cycles([a, typed]), ["src/io/a.ts -> src/io/b.ts -> src/io/a.ts"]);
  const rooms = { "control/peers": ["control/reach"], "control/reach": ["control/peers"] };
  assert.equal(circles(new Map(Object.entries(rooms))).length, 1);
});

test("a default export and a barrel are found", () => {
  assert.equal(wrongExports([sourceFile("src/io/a.ts", "export default 1;")]).length, 1);
  assert.equal(wrongExports([sourceFile("src/io/a.ts", 'export * from "./b.ts";')]).length, 1);
  assert.equal(wrongExports([sourceFile("src/io/a.ts", 'export { a } from "./b.ts";')]).length, 1);
});
