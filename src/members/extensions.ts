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

/** Types that a reader understands. */
export type KnownExtensions = Pick<ReadonlySet<number>, "has">;
const NONE: KnownExtensions = new Set();
/** Of who wants to know whose an object is that it does not understand. */
export const ANY_EXTENSION: KnownExtensions = { has: () => true };

const takeOne = (reader: Reader): Extension => {
  const type = reader.u16();
  const value = reader.take(reader.u16());
  return { type: type & ~CRITICAL, critical: (type & CRITICAL) !== 0, value };
};

/** Reads them; one that is critical and not `known` refuses the object. */
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
