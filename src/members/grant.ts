/**
 * grant — may this be certified? What an authority or an issuer looks at before it signs: ranges,
 * addresses and names of others, keys that are known already, length. Pure.
 */
import { type Cidr, formatAddress, formatCidr, maskCidr } from "../wire/cidr.ts";
import { compareBytes, sameBytes } from "./bytes.ts";
import {
  ADDRESSES_MAX,
  CERTIFICATE_BYTES_MAX,
  type Certificate,
  type CertificateFields,
  GROUPS_MAX,
  ROUTES_MAX,
  type Signer,
  validity,
} from "./certificate.ts";
import type { Definition } from "./definition.ts";
import { hostPrefix, prefixHolds, someHolds } from "./fields.ts";
import type { Known } from "./known.ts";
import { revokedBefore } from "./revocation-list.ts";

/** "2027-11-29". Units: seconds since 1970. */
export const formatDay = (timeS: number): string =>
  new Date(Math.min(timeS, 8.64e12) * 1_000).toISOString().replace(/T.*$/, "");

/** First and last address of an IPv4 prefix, which stand for all of it; of IPv6 the first one. */
const reserved = ({ version, bytes, prefixLength }: Cidr): Uint8Array[] => {
  if (prefixLength >= 8 * bytes.length - 1) return [];
  const first = maskCidr({ version, bytes, prefixLength }).bytes;
  if (version === 6) return [first];
  const last = first.map((byte, i) => {
    const kept = Math.min(8, Math.max(0, prefixLength - 8 * i));
    return byte | (0xff >> kept);
  });
  return [first, last];
};

const addressProblem = (address: Uint8Array, nodeKey: Uint8Array, known: Known): string | null => {
  const text = formatAddress(address);
  const { cidrs } = known.definition;
  const range = cidrs.find((one) => prefixHolds(one, hostPrefix(address)));
  if (range === undefined) {
    const ranges = cidrs.map(formatCidr).join(" and ");
    return `${text} is outside ${ranges}, which the network has; choose another --ip`;
  }
  if (reserved(range).some((one) => sameBytes(one, address))) {
    return `${text} stands for all of ${formatCidr(range)}; choose another --ip`;
  }
  const holder = known.holder(address);
  if (holder === null || sameBytes(holder.nodeKey, nodeKey)) return null;
  const until = formatDay(validity(holder, known.definition).toS);
  const { name } = holder;
  return `${text} is ${name}'s until ${until}; choose another --ip, or revoke ${name}`;
};

/** What is asked for. */
export type Wanted = Pick<
  CertificateFields,
  "nodeKey" | "handshakeKey" | "name" | "addresses" | "routes" | "groups"
>;

/** More than a certificate may hold, as a clause; null: not so. */
const countProblem = ({ addresses, routes, groups }: Wanted): string | null => {
  if (addresses.length === 0) return "it has no address; give one by --ip";
  if (addresses.length > ADDRESSES_MAX) {
    return `it may have ${ADDRESSES_MAX} addresses at most; give fewer --ip`;
  }
  if (routes.length > ROUTES_MAX)
    return `it may have ${ROUTES_MAX} routes at most; give fewer --route`;
  return groups.length > GROUPS_MAX
    ? `it may have ${GROUPS_MAX} groups at most; give fewer --group`
    : null;
};

/** Why it may not be certified, as a clause that says what to do; null: it may. */
export const grantProblem = (wanted: Wanted, known: Known, reinstate = false): string | null => {
  const { nodeKey, handshakeKey, name } = wanted;
  const twin = known.withHandshake(handshakeKey);
  if (twin !== null && !sameBytes(twin.nodeKey, nodeKey)) {
    return `its handshake key is ${twin.name}'s, under another node key; make a new identity`;
  }
  const namesake = known.named(name);
  if (namesake !== null && !sameBytes(namesake.nodeKey, nodeKey)) {
    return `another member is called ${name}; choose another --name, or revoke that one`;
  }
  const before = revokedBefore(known.list, nodeKey);
  if (before !== null && !reinstate) {
    const day = formatDay(before);
    return `its key was revoked on ${day}; make a new identity, or take it back by --reinstate`;
  }
  const count = countProblem(wanted);
  if (count !== null) return count;
  for (const address of wanted.addresses) {
    const problem = addressProblem(address, nodeKey, known);
    if (problem !== null) return problem;
  }
  return null;
};

/** The address after this one; null at the end. */
const nextAddress = (address: Uint8Array): Uint8Array | null => {
  const next = Uint8Array.from(address);
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = (next[i]! + 1) & 0xff;
    if (next[i] !== 0) return next;
  }
  return null;
};

/** What an issuer may give addresses of; the authority, of the network's ranges. */
export const rangesOf = ({ cidrs }: Definition, signer: Signer): readonly Cidr[] => {
  if (signer.by === "authority") return cidrs;
  return signer.issuer.prefixes.flatMap((prefix) => [
    ...cidrs.filter((cidr) => prefixHolds(prefix, cidr)),
    ...(someHolds(cidrs, prefix) && !cidrs.some((cidr) => prefixHolds(prefix, cidr))
      ? [prefix]
      : []),
  ]);
};

/**
 * The first address of a range that nobody has, and had; where there is none, that nobody has.
 * Null: all are given. `promised`: to be given, and so nobody else's.
 */
export const freeAddress = (
  known: Known,
  range: Cidr,
  promised: readonly Uint8Array[] = [],
): Uint8Array | null => {
  for (const holders of [known.certificates, known.living]) {
    const taken = holders
      .flatMap(({ addresses }) => addresses)
      .concat(known.definition.cidrs.flatMap(reserved), promised);
    const given = new Set(taken.map(formatAddress));
    let address: Uint8Array | null = range.bytes;
    while (address !== null && prefixHolds(range, hostPrefix(address))) {
      if (!given.has(formatAddress(address))) return address;
      address = nextAddress(address);
    }
  }
  return null;
};

/** Bytes of what a person chose, by the option that chooses it. */
const fieldBytes = ({ name, addresses, routes, groups, signer }: CertificateFields) =>
  [
    ["name", name.length, "choose a shorter --name"],
    ["addresses", addresses.reduce((sum, one) => sum + one.length + 1, 0), "give fewer --ip"],
    [
      "routes",
      routes.reduce((sum, { prefixLength }) => sum + 2 + Math.ceil(prefixLength / 8), 0),
      "give fewer --route",
    ],
    ["groups", groups.reduce((sum, one) => sum + one.length + 1, 0), "give fewer --group"],
    [
      "issuer",
      signer.by === "issuer" ? signer.issuer.bytes.length : 0,
      "have the authority sign, or make an issuer of fewer prefixes and groups",
    ],
  ] as const;

/**
 * What is too long in a certificate that does not fit, as a clause; null: it fits. The largest
 * field is named among those without which it would fit.
 */
export const lengthProblem = (fields: CertificateFields, length: number): string | null => {
  const over = length - CERTIFICATE_BYTES_MAX;
  if (over <= 0) return null;
  const sizes = [...fieldBytes(fields)].sort((a, b) => b[1] - a[1]);
  const [name, bytes, remedy] = sizes.find(([, size]) => size >= over) ?? sizes[0]!;
  const what = name === "name" || name === "issuer" ? `its ${name} takes` : `its ${name} take`;
  return `${length} bytes are ${over} too many, of which ${what} ${bytes}; ${remedy}`;
};

/** Is a route all inside the network's own ranges? Others need `accept_routes` at each member. */
export const isInside = (route: Cidr, { cidrs }: Definition): boolean => someHolds(cidrs, route);

/** Members by name. */
export const byName = (a: Certificate, b: Certificate): number =>
  a.name === b.name ? compareBytes(a.nodeKey, b.nodeKey) : a.name < b.name ? -1 : 1;
