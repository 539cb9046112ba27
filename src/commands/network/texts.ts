/**
 * texts — how certificates and what belongs to them are told to people, and to programs.
 */
import {
  CERTIFICATE_FLAG,
  type Certificate,
  type CertificateFields,
  validity,
} from "../../members/certificate.ts";
import type { Definition } from "../../members/definition.ts";
import { formatDay } from "../../members/grant.ts";
import { ISSUER_FLAG, type Issuer } from "../../members/issuer.ts";
import { formatNodeId } from "../../members/sign.ts";
import { formatWireguardKey } from "../../schema/identity.ts";
import { formatAddress, formatCidr } from "../../wire/cidr.ts";

/** A time of our own files for programs: "2027-11-29T22:10:05Z". Units: seconds since 1970. */
export const isoTime = (timeS: number): string =>
  new Date(Math.min(timeS, 8.64e12) * 1_000).toISOString().replace(/\.\d+Z$/, "Z");

/** "2027-11-29 22:10:05 UTC". Units: seconds since 1970. */
export const formatMoment = (timeS: number): string =>
  isoTime(timeS).replace("T", " ").replace("Z", " UTC");

/** "relay", "exit", in the order of the bits. */
export const flagWords = (flags: number): string[] =>
  Object.entries(CERTIFICATE_FLAG).flatMap(([word, bit]) => ((flags & bit) === 0 ? [] : [word]));

const issuerWords = (flags: number): string[] =>
  Object.entries(ISSUER_FLAG).flatMap(([word, bit]) => ((flags & bit) === 0 ? [] : [word]));

/** Who signed: "the authority", "key 1 of the authority", "the issuer p2p:…". */
const formatSigner = ({ signer }: Pick<CertificateFields, "signer">): string => {
  if (signer.by === "issuer") return `the issuer ${formatNodeId(signer.issuer.nodeKey)}`;
  return signer.authority === 0 ? "the authority" : `the authority, key ${signer.authority + 1}`;
};

/** A certificate for programs. */
export const certificateValue = (certificate: Certificate, definition: Definition) => ({
  name: certificate.name,
  nodeId: formatNodeId(certificate.nodeKey),
  wireguardPublicKey: formatWireguardKey(certificate.handshakeKey),
  addresses: certificate.addresses.map(formatAddress),
  routes: certificate.routes.map(formatCidr),
  groups: certificate.groups,
  flags: flagWords(certificate.flags),
  serial: certificate.serial,
  notBefore: isoTime(certificate.notBeforeS),
  notAfter: isoTime(validity(certificate, definition).toS),
  signer: formatSigner(certificate),
});

/** A certificate for people: rows of a table. */
export const certificateRows = (certificate: Certificate, definition: Definition): string[][] => {
  const { groups, flags, routes, notBeforeS } = certificate;
  const { toS } = validity(certificate, definition);
  return [
    ["name:", certificate.name],
    ["node id:", formatNodeId(certificate.nodeKey)],
    ["WireGuard public key:", formatWireguardKey(certificate.handshakeKey)],
    ["addresses:", certificate.addresses.map(formatAddress).join(", ")],
    ...(routes.length === 0 ? [] : [["routes:", routes.map(formatCidr).join(", ")]]),
    ...(groups.length === 0 ? [] : [["groups:", groups.join(", ")]]),
    ...(flagWords(flags).length === 0 ? [] : [["may be:", flagWords(flags).join(", ")]]),
    ["serial:", String(certificate.serial)],
    ["from:", formatMoment(notBeforeS)],
    ["until:", formatMoment(toS)],
    ["signed by:", formatSigner(certificate)],
  ];
};

/** "laptop: 10.66.0.2, until 2027-11-29". */
export const certificateLine = (certificate: Certificate, definition: Definition): string => {
  const addresses = certificate.addresses.map(formatAddress).join(", ");
  const { toS } = validity(certificate, definition);
  return `${certificate.name}: ${addresses}, until ${formatDay(toS)}`;
};

/** An issuer for programs. */
export const issuerValue = (issuer: Issuer) => ({
  nodeId: formatNodeId(issuer.nodeKey),
  may: issuerWords(issuer.flags),
  prefixes: issuer.prefixes.map(formatCidr),
  groups: issuer.groups,
  flags: flagWords(issuer.givesFlags),
  lifeDays: issuer.lifeS / 86_400,
  serial: issuer.serial,
  notBefore: isoTime(issuer.notBeforeS),
  notAfter: isoTime(issuer.notAfterS),
});

/** An issuer for people: rows of a table. */
export const issuerRows = (issuer: Issuer): string[][] => {
  const gives = flagWords(issuer.givesFlags);
  return [
    ["node id:", formatNodeId(issuer.nodeKey)],
    ["may:", issuerWords(issuer.flags).join(", ")],
    ["gives addresses and routes of:", issuer.prefixes.map(formatCidr).join(", ") || "nothing"],
    ...(issuer.groups.length === 0 ? [] : [["gives groups:", issuer.groups.join(", ")]]),
    ...(gives.length === 0 ? [] : [["gives:", gives.join(", ")]]),
    ["for at most:", `${issuer.lifeS / 86_400} days`],
    ["from:", formatMoment(issuer.notBeforeS)],
    ["until:", formatMoment(issuer.notAfterS)],
  ];
};
