/**
 * issue — makes a certificate and the file that its member gets, for whoever may sign. Pure.
 */
import { type Book, certificatesOf, type Member, newestSecret } from "./book.ts";
import { encodeMemberFile } from "./bundle.ts";
import { type Decoded, refused } from "./bytes.ts";
import {
  type Certificate,
  type CertificateFields,
  certificateProblem,
  decodeCertificate,
  encodeCertificate,
  type Signer,
  validity,
} from "./certificate.ts";
import { newestAuthority } from "./definition.ts";
import { grantProblem, lengthProblem } from "./grant.ts";
import { Known } from "./known.ts";
import { revokedBefore } from "./revocation-list.ts";
import { sealSecret } from "./secret.ts";
import { signingPair } from "./sign.ts";

/** Who signs, and what it knows. */
export interface Desk {
  readonly known: Known;
  readonly signer: Signer;
  /** The authority's or the issuer's node's: 64 bytes. Borrowed. */
  readonly secretKey: Uint8Array;
  /** The network's newest secret. Borrowed. */
  readonly secret: Uint8Array;
}

/** The authority's desk; the caller clears `secretKey`. */
export const authorityDesk = (book: Book, nowS: number): Desk => ({
  known: knownTo(book, nowS),
  signer: { by: "authority", authority: newestAuthority(book.definition) },
  secretKey: signingPair(book.seed).secretKey,
  secret: newestSecret(book),
});

/** What a certificate is to say; its times but for the end are the desk's. */
export type CertificateWish = Omit<CertificateFields, "signer" | "notBeforeS"> & {
  /** Takes back a revoked key. */
  readonly reinstate: boolean;
};

/** A certificate, and the file for its member. */
export interface IssuedCertificate {
  readonly certificate: Certificate;
  readonly file: Uint8Array;
}

/** Signs one, or says why not, as a clause. Errors: never. */
export const certify = (desk: Desk, wish: CertificateWish): Decoded<IssuedCertificate> => {
  const { known, signer, secretKey, secret } = desk;
  const { definition, list, nowS } = known;
  const { reinstate, ...rest } = wish;
  const problem = grantProblem(rest, known, reinstate);
  if (problem !== null) return refused(problem);
  // What begins by then is void: also in the second of the revocation itself. And the newest one
  // never begins before another, so that a revocation of it is one of all.
  const held = known.of(rest.nodeKey)?.notBeforeS ?? 0;
  const notBeforeS = Math.max(nowS, held, (revokedBefore(list, rest.nodeKey) ?? -1) + 1);
  const fields = { ...rest, notBeforeS, signer };
  const bytes = encodeCertificate(fields, definition.networkId, secretKey);
  const tooLong = lengthProblem(fields, bytes.length);
  if (tooLong !== null) return refused(tooLong);
  const decoded = decodeCertificate(bytes);
  if (!decoded.ok) return decoded;
  const wrong = certificateProblem(decoded.value, definition);
  if (wrong !== null) return refused(wrong);
  const sealed = sealSecret(secret, rest.handshakeKey);
  if (sealed === null) return refused("its handshake key is nobody's; make a new identity");
  const parts = { certificate: bytes, sealed, definition: definition.bytes, list: list.bytes };
  return { ok: true, value: { certificate: decoded.value, file: encodeMemberFile(parts) } };
};

/** Tuning: a node is remembered so long after all of it has ended, to be renewed by name. */
const REMEMBERED_S = 400 * 86_400;

/** A book that has these too. */
export const withCertificates = (
  book: Book,
  added: readonly Certificate[],
  nowS: number,
): readonly Member[] => {
  const known = new Map(book.members.map((one) => [idOf(one.certificate), one]));
  for (const certificate of added) {
    const { toS } = validity(certificate, book.definition);
    const endsS = Math.max(toS, known.get(idOf(certificate))?.endsS ?? 0);
    known.set(idOf(certificate), { certificate, endsS });
  }
  return [...known.values()].filter(({ endsS }) => endsS + REMEMBERED_S >= nowS);
};

const idOf = ({ nodeKey }: Certificate): string => Buffer.from(nodeKey).toString("latin1");

/** What a book knows, now. Units: seconds since 1970. */
export const knownTo = (book: Book, nowS: number): Known => {
  const { definition, list } = book;
  return new Known({ definition, list, certificates: certificatesOf(book), nowS });
};
