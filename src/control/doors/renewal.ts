/**
 * renewal — the certificate's file was read again: its certificate, its definition, its list and
 * its secret count from now on, as far as they are newer. Sessions go on.
 *
 * Thread: control.
 */
import { decodeMemberFile, encodeRevocationsFile, type MemberFile } from "../../members/bundle.ts";
import { sameBytes } from "../../members/bytes.ts";
import { type Certificate, certificateProblem, validity } from "../../members/certificate.ts";
import { formatDay } from "../../members/grant.ts";
import type { NetworkConfig } from "../../schema/config.ts";
import type { Control } from "../control.ts";
import type { Network } from "../network/network.ts";

/** What came of it: sentences, as those of a reload. */
interface Renewed {
  readonly changed: readonly string[];
  readonly warnings: readonly string[];
  readonly needsRestart: readonly string[];
}

const NOTHING: Renewed = { changed: [], warnings: [], needsRestart: [] };

const warning = (sentence: string): Renewed => ({ ...NOTHING, warnings: [sentence] });

/** List and secret, and the definition that goes with them. */
const takeRest = (network: Network, { certificate, definition, list, sealed }: MemberFile) => {
  const members = [{ handshakeKey: certificate.handshakeKey, sealed }];
  const bytes = { definition: definition.bytes, list: list.bytes, members };
  return network.publish(encodeRevocationsFile(bytes));
};

/** Why the file's certificate does not count here, as a clause; null: it does. */
const problemOf = ({ parts }: Network, certificate: Certificate): string | null => {
  const { authority } = parts;
  if (certificate.notBeforeS < parts.certificate.notBeforeS) {
    return "it is older than the one that counts now";
  }
  const problem = certificateProblem(certificate, authority.definition);
  return problem ?? authority.revocations.problem(certificate);
};

/** `before`: as the file was when it was read last. */
export const renew = (
  { network }: Pick<Control, "network">,
  before: NetworkConfig | null,
  now: NetworkConfig | null,
): Renewed => {
  if (network === null || before === null || now === null) return NOTHING;
  if (sameBytes(before.bundle, now.bundle)) return NOTHING;
  const file = decodeMemberFile(now.bundle);
  if (!file.ok) return NOTHING; // it was verified when it was read
  const { parts } = network;
  const { certificate, definition } = file.value;
  if (!sameBytes(definition.networkId, parts.authority.definition.networkId)) {
    return { ...NOTHING, needsRestart: ["network.network_file"] };
  }
  const taken = takeRest(network, file.value);
  if (!taken.ok) return warning(`The certificate's file is not taken: ${taken.why}.`);
  const held = parts.certificate;
  if (sameBytes(held.hash, certificate.hash)) return NOTHING;
  const problem = problemOf(network, certificate);
  if (problem !== null) return warning(`The certificate in its file is not taken: ${problem}.`);
  network.renew(certificate);
  const until = (one: Certificate): string =>
    formatDay(validity(one, parts.authority.definition).toS);
  const words = `network.certificate: ${held.name} until ${until(held)}`;
  return {
    ...NOTHING,
    changed: [`${words} → ${certificate.name} until ${until(certificate)}`],
  };
};
