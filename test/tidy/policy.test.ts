/** policy — no rule and no number stands in C and in TypeScript, and those that would are found. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { STRUCTS } from "../../src/memory/layout.ts";
import { fieldsOfBoth, numbersTwice } from "./policy.ts";
import { filesIn, report, root, sourceFile } from "./tree.ts";

const sources = filesIn(["src"], [".ts", ".c", ".h"]);
const header = readFileSync(join(root, "src/io/native/layout.gen.h"), "utf8");
/** Its numbers stand before its structs. */
const [numbers = ""] = header.split("\n/* ");
const shared = new Map(
  [...numbers.matchAll(/^#define (\w+) (\d+)u?$/gm)].map(([, name, value]) => [
    name!,
    Number(value),
  ]),
);

test("fields that C and the packet path's TypeScript touch are those of the table", () => {
  const found = fieldsOfBoth(sources, STRUCTS);
  assert.equal(found.length, 0, `\n${report(found)}`);
});

test("the short way looks at nothing but what was found", () => {
  const lone = sources.filter(({ path }) => path === "src/io/native/io_lone.c");
  const fields = lone.flatMap(({ lines }) => lines.join("\n").match(/\b[A-Z]+_[A-Z_]+\b/g) ?? []);
  const others = fields.filter((name) => STRUCTS.some((s) => name.startsWith(prefixOf(s.name))));
  const known = ["JOB_FOUND", "JOB_SESSION", "JOB_FAILED_LOW", "JOB_FAILED_HIGH", "SESSION_SIZE"];
  assert.deepEqual([...new Set(others)].sort(), known.sort());
});

test("numbers of both stand in their tables alone", () => {
  assert(shared.size > 150);
  const found = numbersTwice(sources, shared);
  assert.equal(found.length, 0, `\n${report(found)}`);
});

const prefixOf = (struct: string): string => `${struct.toUpperCase()}_`;
const inC = (text: string) => sourceFile("src/io/native/io_lone.c", text);
const inTs = (text: string) => sourceFile("src/io/send.ts", text);

test("found: a field that C reads and TypeScript too, and a row that is old", () => {
  const struct = { name: "session", fields: { rejectAtMs: 0, owner: 0 } };
  const c = inC("return load_f64(session + SESSION_REJECT_AT_MS) > now;");
  const look = (text: string, both = {}) => fieldsOfBoth([c, inTs(text)], [struct], both);
  assert.equal(look("const at = SESSION.fields.rejectAtMs;").length, 1);
  assert.equal(look("const at = SESSION_FIELD.rejectAtMs;").length, 1);
  assert.equal(look("const at = SESSION_FIELD.owner; // rejectAtMs").length, 0);
  assert.equal(look("const at = 0;", { "session.owner": "no more" }).length, 1);
});

test("found: a number under its name, another name, or none", () => {
  const known = new Map([
    ["JOB_BYTES", 65_340],
    ["READY_TUN", 2],
  ]);
  const look = (c: string, ts: string) => numbersTwice([inC(c), inTs(ts)], known);
  assert.equal(look("#define READY_TUN 2", "").length, 1);
  assert.equal(look("", "const READY_TUN = 2;").length, 1);
  assert.equal(look("if (bytes > 65340u)", "").length, 1);
  assert.equal(look("", "if (bytes > 65_340) return;").length, 1);
  assert.equal(look("#define INDEX_OWNER_MASK 7u", "const OWNER_MASK = 7;").length, 1);
  assert.equal(look("#define WINDOW_MS 100.0", "const WINDOW_MS = 100;").length, 1);
  assert.equal(look("#define BLOCK_WORDS 16", "const BLOCK_BYTES = 16;").length, 0);
  assert.equal(look("#define TURNS 16", "const STEPS = 16; // 65340").length, 0);
});
