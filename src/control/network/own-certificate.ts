/**
 * own-certificate — which certificate of ours counts: that of the file, or what was renewed since.
 * Pure but for the disk.
 *
 * Only times, serial and signer may differ: whoever renews takes nothing away and widens nothing.
 */
import {
  type Certificate,
  certificateProblem,
  decodeCertificate,
  validity,
} from "../../members/certificate.ts";
import type { Definition } from "../../members/definition.ts";
import { formatAddress, formatCidr } from "../../wire/cidr.ts";
import type { Disk } from "./store.ts";

/** What a certificate says, but for times, serial and signer. */
const rightsOf = (one: Certificate): string =>
  JSON.stringify([
    one.name,
    one.flags,
    one.addresses.map(formatAddress),
    one.routes.map(formatCidr),
    one.groups,
    one.extensions.map(({ type, value }) => [type, Buffer.from(value).toString("hex")]),
    Buffer.from(one.nodeKey).toString("hex"),
    Buffer.from(one.handshakeKey).toString("hex"),
  ]);

/** Why one does not take the place of another, as a clause; null: it does. */
export const renewalProblem = (
  held: Certificate,
  next: Certificate,
  definition: Definition,
): string | null => {
  if (rightsOf(held) !== rightsOf(next)) return "it is not what this host had";
  if (next.notBeforeS < held.notBeforeS) return "it begins before the one that counts";
  const [until, before] = [validity(next, definition).toS, validity(held, definition).toS];
  if (until <= before) return "it ends no later than the one that counts";
  return certificateProblem(next, definition);
};

/** The certificate that counts at the start: that of the file, or what was renewed since. */
export const newestCertificate = (
  disk: Disk,
  ofFile: Certificate,
  definition: Definition,
): Certificate => {
  const kept = disk.read("certificate");
  const decoded = kept === null ? null : decodeCertificate(kept);
  if (decoded?.ok !== true) return ofFile;
  return renewalProblem(ofFile, decoded.value, definition) === null ? decoded.value : ofFile;
};
