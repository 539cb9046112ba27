/**
 * lists — what a callee holds of an authority's word for one network: the newest definition and the
 * newest list that it was shown, verified, and how new they are.
 *
 * Whoever brings something is believed nothing: the authority's signature is, and that it is newer
 * than what is held. So nothing goes back, also not by a caller that was away for a year. Pure.
 */
import {
  type Definition,
  decodeDefinition,
  newestAuthority,
  successorProblem,
} from "../members/definition.ts";
import {
  decodeList,
  listProblem,
  newerList,
  type RevocationList,
  standingOf,
} from "../members/revocation-list.ts";
import { isNewer, NO_STANDING } from "../wire/digests.ts";
import {
  type IndexWhole,
  PIECE_OF,
  pieceOf,
  type Standings,
  type WantPiece,
} from "../wire/index-messages.ts";

export class Lists {
  #definition: Definition;
  #list: RevocationList | null;

  /** Both verified; null: no list is known yet. */
  constructor(definition: Definition, list: RevocationList | null) {
    this.#definition = definition;
    this.#list = list;
  }

  get definition(): Definition {
    return this.#definition;
  }

  get list(): RevocationList | null {
    return this.#list;
  }

  get standings(): Standings {
    const { sequence } = this.#definition;
    return {
      list: this.#list === null ? NO_STANDING : standingOf(this.#list),
      definition: { chain: newestAuthority(this.#definition), sequence },
      epoch: this.#list?.epoch ?? 0,
    };
  }

  /** When an authority signed last, as far as is known. Units: seconds since 1970. */
  get signedS(): number {
    return Math.max(this.#definition.issuedS, this.#list?.issuedS ?? 0);
  }

  /** What somebody has that is newer than ours: PIECE_OF, the definition first; null: nothing. */
  lacks(other: Standings): number | null {
    const own = this.standings;
    if (isNewer(other.definition, own.definition)) return PIECE_OF.definition;
    return isNewer(other.list, own.list) ? PIECE_OF.revocations : null;
  }

  /** Has somebody all that we have? */
  knownTo(other: Standings): boolean {
    const own = this.standings;
    return !isNewer(own.definition, other.definition) && !isNewer(own.list, other.list);
  }

  /** What PIECE_OF names; null: we have none. */
  whole(what: number): IndexWhole | null {
    const { list, definition } = this.standings;
    if (what === PIECE_OF.definition)
      return { standing: definition, bytes: this.#definition.bytes };
    return this.#list === null ? null : { standing: list, bytes: this.#list.bytes };
  }

  /** A PIECE of what is wanted; null: there is no such piece. */
  piece(want: WantPiece): Uint8Array | null {
    return pieceOf(want, this.whole(want.what));
  }

  /** Takes what is newer and signed. A clause: it is not; null: it holds now. Copies. */
  take(what: number, bytes: Uint8Array): string | null {
    return what === PIECE_OF.definition ? this.#define(bytes) : this.#takeList(bytes);
  }

  #define(bytes: Uint8Array): string | null {
    const decoded = decodeDefinition(bytes);
    if (!decoded.ok) return decoded.why;
    const why = successorProblem(this.#definition, decoded.value);
    if (why === null) this.#definition = decoded.value;
    return why;
  }

  #takeList(bytes: Uint8Array): string | null {
    const decoded = decodeList(bytes);
    if (!decoded.ok) return decoded.why;
    if (this.#list !== null && !newerList(decoded.value, this.#list)) return "a newer one is here";
    const why = listProblem(decoded.value, this.#definition);
    if (why === null) this.#list = decoded.value;
    return why;
  }
}
