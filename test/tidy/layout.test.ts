/** layout — every struct that threads share is sound, and unsound ones are found. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { REGIONS, STRUCTS, type Struct, type Writer } from "../../src/memory/layout.ts";
import { wrongStruct } from "./layout.ts";

for (const struct of STRUCTS) {
  test(`${struct.name}: no overlap, aligned, one writer a line`, () => {
    assert(Object.keys(struct.fields).length > 0);
    assert.deepEqual(wrongStruct(struct), []);
  });
}

test("every region's struct is among those looked at, and has its size", () => {
  for (const region of REGIONS) {
    if (region.struct === null) continue;
    assert(
      STRUCTS.some((struct) => struct === region.struct),
      region.name,
    );
    assert.equal(region.size, region.struct.size, region.name);
  }
});

type Row = readonly [name: string, at: number, bytes: number, writer: Writer, unit?: string];

const made = (size: number, ...rows: readonly Row[]): Struct => ({
  name: "s",
  doc: "a sample",
  size,
  fields: Object.fromEntries(
    rows.map(([name, at, bytes, writer, unit]) => [
      name,
      { at, bytes, writer, unit: unit ?? "words", doc: "a field" },
    ]),
  ),
});

// biome-ignore format: a table
const BAD: readonly (readonly [what: string, struct: Struct, says: RegExp])[] = [
  ["overlap", made(128, ["a", 0, 8, "io"], ["b", 4, 4, "io"]), /s\.b overlaps a/],
  ["overlap, listed the other way", made(128, ["b", 4, 4, "io"], ["a", 0, 8, "io"]), /s\.b overlaps a/],
  ["a word that straddles", made(128, ["a", 2, 4, "io"]), /not aligned to 4/],
  ["a double that straddles", made(128, ["a", 4, 8, "io", "ms (f64)"]), /not aligned to 8/],
  ["a counter that straddles", made(128, ["a", 12, 8, "io", "nonces (u64)"]), /not aligned to 8/],
  ["odd bytes", made(128, ["a", 0, 6, "io"]), /not made of words/],
  ["behind the end", made(128, ["a", 124, 8, "io"]), /ends behind/],
  ["two writers on a line", made(256, ["a", 0, 4, "io"], ["b", 64, 4, "control"]), /shares a line/],
  ["two writers, the first across lines", made(256, ["a", 0, 132, "io"], ["b", 200, 4, "any"]), /shares a line/],
  ["several writers, entries share lines", made(192, ["a", 0, 4, "io"], ["b", 128, 4, "any"]), /multiple of a line/],
  ["odd size", made(132, ["a", 0, 4, "io"]), /multiple of 8/],
];

for (const [what, struct, says] of BAD) {
  test(`found: ${what}`, () => {
    const wrong = wrongStruct(struct);
    assert.equal(wrong.length, 1, wrong.join("\n"));
    assert.match(wrong[0]!, says);
  });
}

test("one writer may share a line, and set-up may share any", () => {
  const good = made(256, ["a", 0, 4, "any"], ["b", 4, 4, "any"], ["c", 128, 4, "io"]);
  assert.deepEqual(wrongStruct(good), []);
  assert.deepEqual(wrongStruct(made(128, ["a", 0, 4, "setup"], ["b", 4, 4, "io"])), []);
});
