/**
 * members-cast — who may come to a storm beside those who belong: some of whom belong too, and do
 * not behave.
 */
import { BORN_S, certify, identityOf, routeOf, STRANGER } from "./members-fleet.ts";
import type { NodeOptions } from "./members-options.ts";
import type { Random } from "./random.ts";

const HOUR_MS = 3_600_000;
const DAY_S = 86_400;

export interface Role {
  readonly what: string;
  /** Of its identity. */
  readonly number: number;
  readonly place: number;
  readonly options: NodeOptions;
  /** How far its system's clock is ahead. */
  readonly clockMs: number;
  /** In the end all have to know it. */
  readonly belongs: boolean;
  /** The authority has signed its certificate: else admitting it is a violation by itself. */
  readonly isSigned: boolean;
}

const MEMBER = { options: {}, clockMs: 0, belongs: true, isSigned: true } as const;

/** Announces prefixes, one of which it may. */
const greedy = (): Role[] => {
  const all = { version: 4 as const, bytes: new Uint8Array(4), prefixLength: 0 };
  const announce = [routeOf(20), routeOf(1), all].map((prefix) => ({ prefix, metric: 1 }));
  return [{ ...MEMBER, what: "greedy", number: 20, place: 20, options: { announce } }];
};

/** A clock that is far ahead: nobody believes its records. */
const future = (random: Random): Role[] => {
  const clockMs = HOUR_MS * random.between(1, 100);
  return [{ ...MEMBER, what: "future", number: 21, place: 21, clockMs, belongs: false }];
};

/** A clock of 1970, and no disk: it asks the others. */
const ancient = (): Role[] => [
  { ...MEMBER, what: "ancient", number: 22, place: 22, clockMs: -BORN_S * 1_000 },
];

/** Somebody has copied an identity. */
const clone = (): Role[] =>
  [23, 24].map((place) => ({ ...MEMBER, what: "clone", number: 23, place, belongs: false }));

const expired = (): Role[] => {
  const late = { notBeforeS: BORN_S - 100, notAfterS: BORN_S - 10 };
  const options = { certificate: certify(identityOf(25), late) };
  return [{ ...MEMBER, what: "expired", number: 25, place: 25, options, belongs: false }];
};

/** A certificate that holds the address of another, older or newer. */
const thief = (random: Random): Role[] => {
  const { addresses } = identityOf(2).certificate;
  const notBeforeS = BORN_S - DAY_S * (random.chance(0.5) ? 5 : 15);
  const options = { certificate: certify(identityOf(26), { addresses, notBeforeS }) };
  return [{ ...MEMBER, what: "thief", number: 26, place: 26, options }];
};

/** Its certificate is signed by somebody else. */
const stranger = (): Role[] => {
  const options = { certificate: certify(identityOf(27), {}, STRANGER) };
  const role = { ...MEMBER, what: "stranger", number: 27, place: 27, options };
  return [{ ...role, belongs: false, isSigned: false }];
};

/** Each comes to one storm of five. */
export const rolesOf = (random: Random): Role[] =>
  [greedy, future, ancient, clone, expired, thief, stranger].flatMap((role) =>
    random.chance(0.2) ? role(random) : [],
  );
