/**
 * members-fleet — an authority and as many members as are asked for: identities, certificates,
 * secrets and lists, the same in every run, so that each is made once in a process.
 *
 * What one node has verified, all have: a verifier that they share remembers it byte for byte.
 */
import {
  type CertificateVerdict,
  RealVerifier,
  type Statement,
  type Verdict,
  type Verifier,
} from "../../src/control/network/statement.ts";
import type { Handle } from "../../src/control/network/world.ts";
import { encodeRevocationsFile } from "../../src/members/bundle.ts";
import { type Decoded, sameBytes } from "../../src/members/bytes.ts";
import {
  type Certificate,
  type CertificateFields,
  decodeCertificate,
  encodeCertificate,
} from "../../src/members/certificate.ts";
import {
  type Definition,
  decodeDefinition,
  encodeDefinition,
  firstChain,
} from "../../src/members/definition.ts";
import type { RecordView } from "../../src/members/record.ts";
import {
  decodeList,
  encodeList,
  type Revocation,
  type RevocationList,
  revokedId,
} from "../../src/members/revocation-list.ts";
import { sealSecret, secretCheck } from "../../src/members/secret.ts";
import { hashOf, type SigningPair, signingPair } from "../../src/members/sign.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { type Cidr, parseCidr } from "../../src/wire/cidr.ts";
import type { Shown } from "../../src/wire/network-frames.ts";

/** Unix time at which every run begins, and when the engine was built, in seconds. */
export const BORN_S = 1_800_000_000;
export const BUILT_S = BORN_S - 30 * 86_400;
const DAY_S = 86_400;

const must = <Value>(decoded: Decoded<Value>): Value => {
  if (decoded.ok) return decoded.value;
  throw new Error(decoded.why);
};

const seedOf = (text: string): Uint8Array => hashOf(32, Buffer.from(text));

export const AUTHORITY = signingPair(seedOf("authority"));
/** Signs what nobody may. */
export const STRANGER = signingPair(seedOf("stranger"));
const CIDR: Cidr = parseCidr("10.64.0.0/10")!;

export const DEFINITION: Definition = must(
  decodeDefinition(
    encodeDefinition(
      { name: "fleet", sequence: 1, issuedS: BORN_S - 20 * DAY_S, cidrs: [CIDR] },
      firstChain(AUTHORITY.publicKey),
      AUTHORITY.secretKey,
    ),
  ),
);

/** A member's keys. It is the handle of its peers, too. */
export interface Identity extends Handle {
  readonly number: number;
  readonly signing: SigningPair;
  readonly handshakeKey: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array };
  /** The certificate that it has first. */
  readonly certificate: Certificate;
}

export const secretOf = (epoch: number): Uint8Array => seedOf(`secret ${epoch}`);

export const addressOf = (number: number): Uint8Array =>
  Uint8Array.of(10, 64 + (number >> 16), (number >> 8) & 0xff, number & 0xff);

/** A prefix that the certificate of a member holds, outside of the network's range. */
export const routeOf = (number: number): Cidr => ({
  version: 4,
  bytes: Uint8Array.of(172, 16 + ((number >> 8) & 15), number & 0xff, 0),
  prefixLength: 24,
});

/** Signs a certificate for somebody. */
export const certify = (
  keys: Pick<Identity, "number" | "signing" | "handshakeKey">,
  fields: Partial<CertificateFields> = {},
  by: SigningPair = AUTHORITY,
): Certificate => {
  const all: CertificateFields = {
    flags: 0,
    serial: keys.number + 1,
    nodeKey: keys.signing.publicKey,
    handshakeKey: keys.handshakeKey.publicKey,
    notBeforeS: BORN_S - 10 * DAY_S,
    notAfterS: BORN_S + 80 * DAY_S,
    name: `node-${keys.number}`,
    addresses: [addressOf(keys.number)],
    routes: [routeOf(keys.number)],
    groups: [],
    signer: { by: "authority", authority: 0 },
    ...fields,
  };
  return must(decodeCertificate(encodeCertificate(all, DEFINITION.networkId, by.secretKey)));
};

const keysOf = (number: number): Omit<Identity, "certificate"> => {
  const seed = seedOf(`member ${number}`);
  const { publicKey, privateKey } = identityFromSeed(seed);
  return { number, publicKey, signing: signingPair(seed), handshakeKey: { publicKey, privateKey } };
};

const made: Identity[] = [];

/** The member of a number. */
export const identityOf = (number: number): Identity => {
  if (made[number] === undefined) {
    const keys = keysOf(number);
    made[number] = { ...keys, certificate: certify(keys) };
  }
  return made[number];
};

/** A list whose epoch is its sequence. */
export const listOf = (
  sequence: number,
  revoked: readonly { readonly identity: Identity; readonly beforeS: number }[],
  issuedS: number,
): RevocationList => {
  const check = secretCheck(sequence, secretOf(sequence));
  const fields = { sequence, issuedS, nextUpdateS: issuedS + 90 * DAY_S, epoch: sequence };
  const entries = revoked.map(
    ({ identity, beforeS }): Revocation => ({
      id: revokedId(identity.signing.publicKey),
      issuedBeforeS: beforeS,
    }),
  );
  const all = { ...fields, secretCheck: check, authority: 0 };
  return must(decodeList(encodeList(all, entries, DEFINITION.networkId, AUTHORITY.secretKey)));
};

export const FIRST_LIST = listOf(1, [], BORN_S - 20 * DAY_S);

/** What `network revoke` writes: the list, and its secret for one member. */
export const revocationsFile = (list: RevocationList, publisher: Identity): Uint8Array => {
  const { publicKey } = publisher.handshakeKey;
  const sealed = sealSecret(secretOf(list.epoch), publicKey)!;
  const members = [{ handshakeKey: publicKey, sealed }];
  return encodeRevocationsFile({ definition: DEFINITION.bytes, list: list.bytes, members });
};

/** 48 bits of a signature: few enough to be a key, and no two are the same by chance. */
const keyOf = (bytes: Uint8Array): number => {
  const end = bytes.length;
  if (end < 6) return 0;
  const low = bytes[end - 6]! | (bytes[end - 5]! << 8) | (bytes[end - 4]! << 16);
  return low * 2 ** 24 + (bytes[end - 3]! | (bytes[end - 2]! << 8) | (bytes[end - 1]! << 16));
};

/** Verifies for all nodes of a process. */
export class SharedVerifier implements Verifier {
  readonly #real = new RealVerifier(DEFINITION);
  readonly #statements = new Map<number, Statement>();
  readonly #certificates = new Map<number, CertificateVerdict>();

  redefine(): void {}

  known({ record, certificate }: Shown): Statement | null {
    const found = this.#statements.get(keyOf(record));
    if (found === undefined || !sameBytes(found.record, record)) return null;
    return certificate.length === 0 || sameBytes(found.certificate, certificate) ? found : null;
  }

  certificate(bytes: Uint8Array): CertificateVerdict {
    const known = this.#certificates.get(keyOf(bytes));
    if (known?.ok === true && sameBytes(known.value.bytes, bytes)) return known;
    const verdict = this.#real.certificate(bytes);
    if (verdict.ok) this.#certificates.set(keyOf(bytes), verdict);
    return verdict;
  }

  record(view: RecordView, owner: Certificate): Verdict {
    const verdict = this.#real.record(view, owner);
    if (verdict.ok) this.#statements.set(keyOf(view.bytes), verdict.value);
    return verdict;
  }

  /** A new run: records of the last one come no more. */
  clear(): void {
    this.#statements.clear();
  }
}
