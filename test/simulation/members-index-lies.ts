/**
 * members-index-lies — what an index node may say that is not so: it withholds, says again what is
 * old, damages, claims addresses and newer lists, asks for what it has, and makes noise.
 */
import {
  decodeIndexPiece,
  decodeObserved,
  encodeIndexPiece,
  encodeObserved,
  encodePassed,
  encodeWantPiece,
  MESSAGE,
} from "../../src/wire/index-messages.ts";
import { identityOf } from "./members-fleet.ts";
import type { Lie } from "./members-index.ts";
import { placeOf } from "./members-places.ts";
import type { Random } from "./random.ts";

/** Messages that are kept to be said again. */
const KEPT_MAX = 64;
/** How new the list is that it claims to have. */
const CLAIMED = { chain: 0, sequence: 2 ** 40 };

/** Of such a list, where it is asked for one. */
const forged = (message: Uint8Array): Uint8Array => {
  const piece = message[0] === MESSAGE.piece ? decodeIndexPiece(message) : null;
  return piece === null ? message : encodeIndexPiece({ ...piece, standing: CLAIMED });
};

/** Says that the caller is somewhere else, that there is a newer list, and more members. */
const misplace = (message: Uint8Array, random: Random): Uint8Array => {
  const observed = message[0] === MESSAGE.observed ? decodeObserved(message) : null;
  if (observed === null) return message;
  return encodeObserved({
    ...observed,
    address: placeOf(random.below(30)),
    port: 1 + random.below(65_535),
    againS: random.below(3),
    members: 1_000_000,
    standings: { ...observed.standings, list: CLAIMED },
  });
};

const damaged = (message: Uint8Array, random: Random): Uint8Array => {
  const other = message.slice();
  other[1 + random.below(Math.max(1, other.length - 1))]! ^= 1 << random.below(8);
  return other;
};

export const lieOf = (random: Random): Lie => {
  const kept: Uint8Array[] = [];
  return (said) => {
    const message = forged(said);
    if (kept.length < KEPT_MAX) kept.push(message.slice());
    switch (random.below(9)) {
      case 0:
        return [];
      case 1:
        return [random.pick(kept), message];
      case 2:
        return [damaged(message, random)];
      case 3:
        return [misplace(message, random)];
      case 4:
        return [message, random.bytes(1 + random.below(300))];
      case 5:
        return [message, encodeWantPiece({ what: random.below(2), offset: random.below(9_000) })];
      case 6: {
        const id = random.below(2 ** 30);
        const body = random.bytes(1 + random.below(200));
        return [message, encodePassed(MESSAGE.forwarded, { id, body })];
      }
      case 7:
        return [Uint8Array.of(MESSAGE.bye)];
      default:
        return [identityOf(0).publicKey.slice(0, 5), message];
    }
  };
};
