/**
 * invite — a running enroller is asked for an invitation: what is asked, and what it answers.
 */
import { isGroupName, isMemberName } from "../members/fields.ts";
import type { PublishRequest } from "./publish.ts";

/** Protocol of the control socket: a week is the longest that one should lie about. */
export const INVITE_HOURS_MAX = 720;
const ADDRESSES_MAX = 8;
const GROUPS_MAX = 8;
const PLACES_MAX = 4;
const PLACE_LENGTH_MAX = 255;

export interface InviteRequest {
  readonly type: "network.invite";
  /** Null: whoever joins chooses. */
  readonly name: string | null;
  /** 4 or 16 bytes each; empty: the next free one. */
  readonly addresses: readonly Uint8Array[];
  readonly groups: readonly string[];
  readonly hours: number;
  /** Where joiners find this host, "host:port"; empty: at its own addresses. */
  readonly places: readonly string[];
}

/** What is asked of a member of a network. */
export type NetworkRequest = PublishRequest | InviteRequest;

export interface InviteValue {
  /** Secret: whoever has it may join. */
  readonly token: string;
  readonly network: string;
  readonly name: string | null;
  readonly addresses: readonly string[];
  readonly groups: readonly string[];
  /** Unix seconds. */
  readonly expiresS: number;
  /** Who will be asked, "host:port". */
  readonly indexes: readonly string[];
  readonly enrollers: readonly string[];
}

const listOf = <Value>(
  value: unknown,
  most: number,
  one: (value: unknown) => Value | null,
): readonly Value[] | null => {
  if (!Array.isArray(value) || value.length > most) return null;
  const values = value.map(one);
  return values.every((each) => each !== null) ? (values as Value[]) : null;
};

const textOf = (fits: (text: string) => boolean) => (value: unknown) =>
  typeof value === "string" && fits(value) ? value : null;

const addressOf = (value: unknown): Uint8Array | null =>
  value instanceof Uint8Array && (value.length === 4 || value.length === 16)
    ? Uint8Array.from(value)
    : null;

/** The request, or what is wrong with its fields, as a clause. */
export const readInvite = (fields: Readonly<Record<string, unknown>>): InviteRequest | string => {
  const { hours } = fields;
  const name = fields.name === null ? null : textOf(isMemberName)(fields.name);
  const addresses = listOf(fields.addresses, ADDRESSES_MAX, addressOf);
  const groups = listOf(fields.groups, GROUPS_MAX, textOf(isGroupName));
  const places = listOf(
    fields.places,
    PLACES_MAX,
    textOf((text) => text.length <= PLACE_LENGTH_MAX),
  );
  if (fields.name !== null && name === null) return "name must be a member's name";
  if (addresses === null) return "addresses must be addresses";
  if (groups === null) return "groups must be groups";
  if (places === null) return "places must be host:port";
  const good = typeof hours === "number" && hours > 0 && hours <= INVITE_HOURS_MAX;
  if (!good) return `hours must be above 0 and at most ${INVITE_HOURS_MAX}`;
  return { type: "network.invite", name, addresses, groups, hours, places };
};
