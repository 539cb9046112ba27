/** new-file — files that people ask for: all of them or none, and never over another. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { EngineError } from "../../src/schema/errors.ts";
import { writeNewFiles } from "../../src/schema/new-file.ts";

const root = mkdtempSync(join(tmpdir(), "p2pvpn-new-file-"));
after(() => rmSync(root, { recursive: true }));

const folder = (name: string): string => {
  const path = join(root, name);
  mkdirSync(path);
  return path;
};
const failsWith =
  (id: string) =>
  (error: unknown): boolean =>
    error instanceof EngineError && error.code === id;

test("several files are written, each with its mode", () => {
  const at = folder("all");
  const [one, two] = [join(at, "one"), join(at, "two")];
  writeNewFiles([
    { file: one, text: "1", mode: 0o600 },
    { file: two, text: "2", mode: 0o644 },
  ]);
  assert.deepEqual(readdirSync(at).sort(), ["one", "two"]);
  assert.equal(readFileSync(two, "utf8"), "2");
  assert.equal(statSync(one).mode & 0o777, 0o600);
});

test("where one cannot be written none is left, and what was there stays", () => {
  const at = folder("none");
  const [one, two] = [join(at, "one"), join(at, "two")];
  const lost = { file: join(at, "nowhere", "three"), text: "3", mode: 0o600 };
  const both = [one, two].map((file) => ({ file, text: "new", mode: 0o600 }));
  assert.throws(() => writeNewFiles([...both, lost]), failsWith("FILE_UNWRITABLE"));
  assert.deepEqual(readdirSync(at), []);
  writeNewFiles([{ file: two, text: "old", mode: 0o600 }]);
  assert.throws(() => writeNewFiles(both), failsWith("FILE_EXISTS"));
  assert.deepEqual(readdirSync(at), ["two"]);
  assert.equal(readFileSync(two, "utf8"), "old");
});
