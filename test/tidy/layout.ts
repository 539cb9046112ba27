/**
 * layout — what is wrong with a struct of memory/layout.ts: overlap, misalignment, and two writers
 * on one pair of cache lines. The writers "any" count as one; "setup" writes before threads start.
 */
import { CACHE_LINE_BYTES, type Field, type Struct } from "../../src/memory/layout.ts";

/** Words must not straddle; what is no word of its own consists of u32. */
const alignmentOf = (field: Field): number => (field.bytes === 8 && isDouble(field) ? 8 : 4);

/** f64 and u64 fields; other fields of 8 bytes are two words. */
const isDouble = (field: Field): boolean => /\((?:f64|u64)\)|bits|key/.test(field.unit);

const named = (struct: Struct): [string, Field][] => Object.entries(struct.fields);

const badPlaces = (struct: Struct): string[] =>
  named(struct).flatMap(([name, field]) => {
    const wrong: string[] = [];
    if (field.at + field.bytes > struct.size) wrong.push("ends behind the struct");
    if (field.at % alignmentOf(field) !== 0) wrong.push(`is not aligned to ${alignmentOf(field)}`);
    if (field.bytes < 4 || field.bytes % 4 !== 0) wrong.push("is not made of words");
    if (field.doc === "" || field.unit === "") wrong.push("lacks doc or unit");
    return wrong.map((text) => `${struct.name}.${name} ${text}`);
  });

const overlaps = (struct: Struct): string[] => {
  const fields = named(struct).sort(([, a], [, b]) => a.at - b.at);
  return fields.slice(1).flatMap(([name, field], i) => {
    const [before, other] = fields[i]!;
    const free = other.at + other.bytes <= field.at;
    return free ? [] : [`${struct.name}.${name} overlaps ${before}`];
  });
};

const linesOf = (field: Field): number[] => {
  const first = Math.floor(field.at / CACHE_LINE_BYTES);
  const last = Math.floor((field.at + field.bytes - 1) / CACHE_LINE_BYTES);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
};

const sharedLines = (struct: Struct): string[] => {
  const owner = new Map<number, readonly [name: string, writer: string]>();
  const wrong: string[] = [];
  for (const [name, field] of named(struct)) {
    if (field.writer === "setup") continue;
    for (const line of linesOf(field)) {
      const known = owner.get(line);
      if (known === undefined) owner.set(line, [name, field.writer]);
      else if (known[1] !== field.writer) {
        wrong.push(
          `${struct.name}.${name} (${field.writer}) shares a line with ${known[0]} (${known[1]})`,
        );
      }
    }
  }
  return wrong;
};

/** Entries stand one behind the other: with several writers, each must fill its lines. */
const badSize = (struct: Struct): string[] => {
  const writers = new Set(named(struct).map(([, field]) => field.writer));
  writers.delete("setup");
  const wrong: string[] = [];
  if (struct.size % 8 !== 0) wrong.push(`${struct.name} is not a multiple of 8 bytes`);
  if (writers.size > 1 && struct.size % CACHE_LINE_BYTES !== 0) {
    wrong.push(`${struct.name} has several writers and is not a multiple of a line`);
  }
  return wrong;
};

/** Everything that is wrong, one sentence each. */
export const wrongStruct = (struct: Struct): string[] => [
  ...badPlaces(struct),
  ...overlaps(struct),
  ...sharedLines(struct),
  ...badSize(struct),
];
