/**
 * membership — the files of [network]: are they of one network, and this host's? Pure but for
 * reading them.
 *
 * Sentences have no subject: the caller says which file. Thread: main, control.
 */
import { unarmor } from "../members/armor.ts";
import {
  decodeIssuerFile,
  decodeMemberFile,
  type IssuerFile,
  type MemberFile,
} from "../members/bundle.ts";
import { sameBytes } from "../members/bytes.ts";
import { validity } from "../members/certificate.ts";
import { type Definition, decodeDefinition } from "../members/definition.ts";
import { someHolds } from "../members/fields.ts";
import { openSecret } from "../members/secret.ts";
import type { Cidr } from "../wire/cidr.ts";
import { formatNodeId, type Identity, sameKey } from "./identity.ts";
import { contains } from "./kernel-routes.ts";

/** A file of [network], or what is wrong with it as a clause. */
export type Read<Value> = { readonly value: Value } | { readonly problem: string };

const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

/** "3 days"; for people. */
export const spanWords = (seconds: number): string => {
  const [unit, name] =
    seconds >= 2 * DAY_S
      ? [DAY_S, "days"]
      : seconds >= 2 * HOUR_S
        ? [HOUR_S, "hours"]
        : [MINUTE_S, "minutes"];
  return `${Math.floor(seconds / unit)} ${name}`;
};

export const readNetworkFile = (text: string): Read<Definition> => {
  const bytes = unarmor("network", text);
  if (!bytes.ok) return { problem: `${bytes.why}; write the file of \`network create\`` };
  const definition = decodeDefinition(bytes.value);
  if (!definition.ok) return { problem: `it is damaged: ${definition.why}` };
  return { value: definition.value };
};

/** Is the certificate that of this host, in this network? */
export const readCertificate = (
  text: string,
  identity: Identity,
  definition: Definition | null,
): Read<MemberFile> => {
  const bytes = unarmor("certificate", text);
  if (!bytes.ok) return { problem: `${bytes.why}; write the file of \`network sign\`` };
  const file = decodeMemberFile(bytes.value);
  if (!file.ok) return { problem: `it is damaged: ${file.why}` };
  const { certificate } = file.value;
  if (definition !== null && !sameBytes(definition.networkId, file.value.definition.networkId)) {
    return { problem: `it is of the network ${file.value.definition.name}, another one` };
  }
  if (identity.nodeId === null) {
    return { problem: "it is for an identity, and this host's key is a plain WireGuard key" };
  }
  if (formatNodeId(certificate.nodeKey) !== identity.nodeId) {
    return { problem: `it is for ${certificate.name}, whose key is another than this host's` };
  }
  const isOurs =
    sameKey(certificate.handshakeKey, identity.publicKey) &&
    openSecret(file.value.sealed, identity.publicKey, identity.privateKey) !== null;
  return isOurs ? { value: file.value } : { problem: "it was not made for this host's key" };
};

/** What this host may sign: is it for this host, in this network? */
export const readIssuer = (
  text: string,
  identity: Identity,
  definition: Definition | null,
): Read<{ readonly file: IssuerFile; readonly bytes: Uint8Array }> => {
  const bytes = unarmor("issuer", text);
  if (!bytes.ok) return { problem: `${bytes.why}; write the file of \`network issuer\`` };
  const file = decodeIssuerFile(bytes.value);
  if (!file.ok) return { problem: `it is damaged: ${file.why}` };
  const { name, networkId } = file.value.definition;
  if (definition !== null && !sameBytes(definition.networkId, networkId)) {
    return { problem: `it is of the network ${name}, another one` };
  }
  if (formatNodeId(file.value.issuer.nodeKey) !== identity.nodeId) {
    return { problem: "it is for another host, whose key is another than this one's" };
  }
  return { value: { file: file.value, bytes: bytes.value } };
};

/** What of `announce` the certificate does not hold: nobody would believe it. */
export const notHeld = (
  { certificate: { routes } }: MemberFile,
  announce: readonly Cidr[],
): readonly Cidr[] => announce.filter((prefix) => !someHolds(routes, prefix));

/** What is doubtful of a certificate's time, as a clause; null: nothing is. Units: seconds. */
const timeDoubt = ({ certificate, definition }: MemberFile, nowS: number): string | null => {
  const { fromS, toS } = validity(certificate, definition);
  if (nowS < fromS) return `begins in ${spanWords(fromS - nowS)}; is this host's clock right?`;
  if (nowS > toS) {
    return `ended ${spanWords(nowS - toS)} ago; have it renewed with \`network sign --renew\`.`;
  }
  return null;
};

/** The certificate's addresses, each with the length of the network's range that holds it. */
export const memberAddresses = ({ certificate, definition }: MemberFile): readonly Cidr[] =>
  certificate.addresses.flatMap((bytes) => {
    const range = definition.cidrs.find((cidr) => contains(cidr, bytes));
    return range === undefined ? [] : [{ ...range, bytes }];
  });

/** Clauses about what is doubtful of a membership. */
export const networkDoubts = (member: MemberFile, unixMs: number): string[] => {
  const doubt = timeDoubt(member, unixMs / 1_000);
  return doubt === null ? [] : [`the certificate ${doubt}`];
};
