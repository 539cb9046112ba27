/**
 * extensions — what later versions add to a signed object. Pure.
 *
 *   count u8, then each { type u16 (bit 15: critical), length u16, value }, types ascending
 *
 * An unknown one that is not critical is kept, since the object keeps its bytes; an unknown one
 * that is critical refuses the object.
 */
import type { Reader, Writer } from "./bytes.ts";
import { takeAscending } from "./fields.ts";

export interface Extension {
  /** Without the critical bit. */
  readonly type: number;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** Protocol. */
const EXTENSIONS_MAX = 16;
const CRITICAL = 0x8000;
const NONE: ReadonlySet<number> = new Set();

const takeOne = (reader: Reader): Extension => {
  const type = reader.u16();
  const value = reader.take(reader.u16());
  return { type: type & ~CRITICAL, critical: (type & CRITICAL) !== 0, value };
};

/** Reads them; `known`: the types that the object's reader understands. */
export const takeExtensions = (reader: Reader, known = NONE): readonly Extension[] => {
  const all = takeAscending(
    reader,
    EXTENSIONS_MAX,
    "extensions",
    takeOne,
    (a, b) => a.type - b.type,
  );
  for (const { type, critical } of all) {
    if (critical && !known.has(type)) {
      reader.fail(`critical extension ${type | CRITICAL} is unknown`);
    }
  }
  return all;
};

/** Writes them, in their order. */
export const putExtensions = (writer: Writer, extensions: readonly Extension[] = []): void => {
  writer.u8(extensions.length);
  for (const { type, critical, value } of [...extensions].sort((a, b) => a.type - b.type)) {
    writer.u16(critical ? type | CRITICAL : type);
    writer.u16(value.length).put(value);
  }
};
