/** directory-liar — a storer that says yes to all that it is given, and gives what it likes. */
import {
  type Found,
  type PutOutcome,
  Records,
  type RecordsOptions,
} from "../../src/directory/records.ts";
import { decodeRecord } from "../../src/members/record.ts";
import { encodePair, type Pair } from "../../src/wire/intro.ts";

const rankOf = (pair: Pair): Found => {
  const read = decodeRecord(pair.record);
  if (!read.ok) throw new Error(read.why);
  return { bytes: encodePair(pair), sequence: read.value.sequence, notBeforeS: 0 };
};

export class Lying extends Records {
  readonly #says: Found | null;

  /** `says`: its answer to everything; null: it knows nobody. */
  constructor(options: RecordsOptions, says: Pair | null) {
    super(options);
    this.#says = says === null ? null : rankOf(says);
  }

  override put(): PutOutcome {
    return { ok: true, was: "taken" };
  }

  override get(): Found | null {
    return this.#says;
  }
}
