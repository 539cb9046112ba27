/** members-parts — an authority, a member and an issuer made of seeds, for tests of members/. */
import type { Decoded } from "../../src/members/bytes.ts";
import { type CertificateFields, encodeCertificate } from "../../src/members/certificate.ts";
import {
  type Definition,
  decodeDefinition,
  encodeDefinition,
  firstChain,
} from "../../src/members/definition.ts";
import type { RequestSecrets } from "../../src/members/request.ts";
import { type SigningPair, signingPair } from "../../src/members/sign.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { parseAddress, parseCidr } from "../../src/wire/cidr.ts";

export const BORN_S = 1_800_000_000;
export const DAY_S = 86_400;

export const seedOf = (number: number): Uint8Array => new Uint8Array(32).fill(number);
export const pairOf = (number: number): SigningPair => signingPair(seedOf(number));
/** What a node signs its request with. */
export const secretsOf = (number: number): RequestSecrets => ({
  secretKey: pairOf(number).secretKey,
  privateKey: identityFromSeed(seedOf(number)).privateKey,
  random: new Uint8Array(64).fill(number),
});
export const prefix = (text: string) => parseCidr(text)!;
export const address = (text: string) => parseAddress(text)!;

/** The value, or a failed test. */
export const must = <Value>(decoded: Decoded<Value>): Value => {
  if (decoded.ok) return decoded.value;
  throw new Error(decoded.why);
};

/** Why it was refused, or a failed test. */
export const whyOf = (decoded: Decoded<unknown>): string => {
  if (decoded.ok) throw new Error("this was not refused");
  return decoded.why;
};

export const AUTHORITY = pairOf(1);
export const NODE = pairOf(2);
export const HANDSHAKE = identityFromSeed(seedOf(2));

export const makeDefinition = (
  chain = firstChain(AUTHORITY.publicKey),
  secretKey = AUTHORITY.secretKey,
  sequence = 1,
): Definition => {
  const cidrs = [prefix("10.66.0.0/16"), prefix("fd00:66::/48")];
  const fields = { name: "lab", sequence, issuedS: BORN_S, cidrs };
  return must(decodeDefinition(encodeDefinition(fields, chain, secretKey)));
};

export const DEFINITION = makeDefinition();

export const FIELDS: CertificateFields = {
  flags: 1,
  serial: 7,
  nodeKey: NODE.publicKey,
  handshakeKey: HANDSHAKE.publicKey,
  notBeforeS: BORN_S,
  notAfterS: BORN_S + 365 * DAY_S,
  name: "laptop",
  addresses: [address("10.66.0.2"), address("fd00:66::2")],
  routes: [prefix("192.168.5.0/24")],
  groups: ["ops"],
  signer: { by: "authority", authority: 0 },
};

export const certificateOf = (fields: Partial<CertificateFields>, by = AUTHORITY): Uint8Array =>
  encodeCertificate({ ...FIELDS, ...fields }, DEFINITION.networkId, by.secretKey);
