/**
 * publication — what an authority tells all members at once: whom it revokes, a new secret, a new
 * key of its own. Pure.
 *
 * Each makes the next list, and a book that knows it. A revocation always makes a new secret: who
 * is revoked knows the old one.
 */
import { type Book, newestSecret, type Secret } from "./book.ts";
import { encodeRevocationsFile, type SealedFor } from "./bundle.ts";
import { type Decoded, refused, sameBytes } from "./bytes.ts";
import { type Certificate, certificateProblem } from "./certificate.ts";
import {
  type Definition,
  decodeDefinition,
  encodeDefinition,
  newestAuthority,
  SUCCESSIONS_MAX,
  succeed,
} from "./definition.ts";
import { knownTo, withCertificates } from "./issue.ts";
import {
  decodeList,
  encodeList,
  type ListFields,
  listProblem,
  newerList,
  REVOCATIONS_MAX,
  type Revocation,
  type RevocationList,
  revocationsOf,
  revokedId,
} from "./revocation-list.ts";
import { EPOCHS_HELD, sealSecret, secretCheck } from "./secret.ts";
import { signingPair } from "./sign.ts";

/** Tuning: by then the authority should have signed another; members warn when it is past. */
const NEXT_UPDATE_S = 400 * 86_400;

/** Signs a list; the newest of a new network, or one that follows. Errors: RangeError. */
export const signList = (
  fields: Omit<ListFields, "nextUpdateS">,
  revocations: readonly Revocation[],
  networkId: Uint8Array,
  seed: Uint8Array,
): RevocationList => {
  const { secretKey } = signingPair(seed);
  const all = { ...fields, nextUpdateS: fields.issuedS + NEXT_UPDATE_S };
  const decoded = decodeList(encodeList(all, revocations, networkId, secretKey));
  secretKey.fill(0);
  if (!decoded.ok) throw new RangeError(decoded.why);
  return decoded.value;
};

/** What is published. Borrows: the secret of `book`. */
export interface Publication {
  /** As it is from now on. */
  readonly book: Book;
  /** A revocations file: for members that are told by hand. */
  readonly file: Uint8Array;
}

/** The book with its newest list, and the file that tells of both. */
const publication = (book: Book, nowS: number): Publication => {
  const secret = newestSecret(book);
  const members = knownTo(book, nowS).living.flatMap(({ handshakeKey }): SealedFor[] => {
    const sealed = sealSecret(secret, handshakeKey);
    return sealed === null ? [] : [{ handshakeKey, sealed }];
  });
  const { definition, list } = book;
  const parts = { definition: definition.bytes, list: list.bytes, members };
  return { book, file: encodeRevocationsFile(parts) };
};

const withSecret = (book: Book, secret: Uint8Array): readonly Secret[] =>
  [...book.secrets, { epoch: book.list.epoch + 1, secret }].slice(-EPOCHS_HELD);

/** The next list of a book, with a new secret. */
const nextList = (
  book: Book,
  revocations: readonly Revocation[],
  secret: Uint8Array,
  nowS: number,
): Book => {
  const { definition, list, seed } = book;
  const epoch = list.epoch + 1;
  const fields = {
    sequence: list.sequence + 1,
    issuedS: nowS,
    epoch,
    secretCheck: secretCheck(epoch, secret),
    authority: newestAuthority(definition),
  };
  const next = signList(fields, revocations, definition.networkId, seed);
  return { ...book, list: next, secrets: withSecret(book, secret) };
};

/** A new secret for all members. Takes: `secret`, 32 random bytes. */
export const rotateSecret = (book: Book, secret: Uint8Array, nowS: number): Publication =>
  publication(nextList(book, revocationsOf(book.list), secret, nowS), nowS);

/** Who is revoked. */
export interface RevokedNode {
  readonly nodeKey: Uint8Array;
  readonly name: string;
}

/** Makes room: an entry says nothing any more when all that the node ever had has ended. */
const withoutEnded = (book: Book, entries: readonly Revocation[], nowS: number): Revocation[] => {
  const issuersEnd = Math.max(0, ...book.issuers.map(({ notAfterS }) => notAfterS));
  const ends = new Map(
    book.members.map(({ certificate: { nodeKey }, endsS }) => [
      Buffer.from(revokedId(nodeKey)).toString("hex"),
      endsS,
    ]),
  );
  return entries.filter(({ id }) => {
    const end = ends.get(Buffer.from(id).toString("hex")) ?? 0;
    return Math.max(end, issuersEnd) >= nowS;
  });
};

/** When the newest begins that was signed for a node: later than now, if the clock was ahead. */
const newestOf = ({ members, issuers }: Book, nodeKey: Uint8Array): number => {
  const signed = [...members.map(({ certificate }) => certificate), ...issuers];
  const own = signed.filter((one) => sameBytes(one.nodeKey, nodeKey));
  return Math.max(0, ...own.map(({ notBeforeS }) => notBeforeS));
};

/**
 * Revokes nodes: what was certified for them until now is void, and a new secret is made.
 *
 * Takes: `secret`, 32 random bytes. A clause tells why not.
 */
export const revoke = (
  book: Book,
  nodes: readonly RevokedNode[],
  secret: Uint8Array,
  nowS: number,
): Decoded<Publication> => {
  const added = nodes.map(({ nodeKey }) => ({
    id: revokedId(nodeKey),
    issuedBeforeS: Math.max(nowS, newestOf(book, nodeKey)),
  }));
  const kept = revocationsOf(book.list).filter(
    (one) => !added.some(({ id }) => sameBytes(id, one.id)),
  );
  let all = [...kept, ...added];
  if (all.length > REVOCATIONS_MAX) all = [...withoutEnded(book, kept, nowS), ...added];
  if (all.length > REVOCATIONS_MAX) {
    return refused(
      `a list holds ${REVOCATIONS_MAX} revocations, whose certificates have not ended`,
    );
  }
  const told = book.revoked.filter(
    (one) => !nodes.some(({ nodeKey }) => sameBytes(nodeKey, one.nodeKey)),
  );
  const revoked = [...told, ...nodes.map((node) => ({ ...node, atS: nowS }))];
  return { ok: true, value: publication({ ...nextList(book, all, secret, nowS), revoked }, nowS) };
};

/** A succession of the authority. */
export interface Rotation {
  /** Of the new key: 32 random bytes. Taken. */
  readonly seed: Uint8Array;
  readonly nowS: number;
  /** What the former key signed counts until then at most; Infinity: until its own end. */
  readonly untilS: number;
}

/**
 * A new key for the authority, signed by the former, and a list signed by it. All that was signed
 * before stays what it was, until `untilS`. A clause tells why not.
 */
export const rotateAuthority = (
  book: Book,
  { seed, nowS, untilS }: Rotation,
): Decoded<Publication> => {
  const { definition, list } = book;
  if (newestAuthority(definition) === SUCCESSIONS_MAX) {
    return refused(`a network's key is followed ${SUCCESSIONS_MAX} times at most; make a new one`);
  }
  const former = signingPair(book.seed);
  const next = signingPair(seed);
  const step = { key: next.publicKey, atS: nowS, untilS };
  const chain = succeed(definition.chain, step, definition.networkId, former.secretKey);
  const fields = { ...definition, sequence: definition.sequence + 1, issuedS: nowS };
  let bytes: Uint8Array;
  try {
    bytes = encodeDefinition(fields, chain, next.secretKey);
  } catch {
    return refused("the network file would be too long; make a new network");
  } finally {
    former.secretKey.fill(0);
    next.secretKey.fill(0);
  }
  const decoded = decodeDefinition(bytes);
  if (!decoded.ok) return decoded;
  const following = {
    ...list,
    sequence: list.sequence + 1,
    issuedS: nowS,
    authority: newestAuthority(decoded.value),
  };
  const { networkId } = definition;
  const nextBook = {
    ...book,
    seed,
    definition: decoded.value,
    list: signList(following, revocationsOf(list), networkId, seed),
  };
  return { ok: true, value: publication(nextBook, nowS) };
};

/** What others still have of what an authority signed after its backup was made. */
export interface Remains {
  readonly definitions: readonly Definition[];
  readonly lists: readonly RevocationList[];
  readonly certificates: readonly Certificate[];
}

/** Verified, and of this book's network. A clause tells what is not. */
const remainsProblem = (
  book: Book,
  { definitions, lists, certificates }: Remains,
): string | null => {
  const { definition } = book;
  for (const one of definitions) {
    if (!sameBytes(one.networkId, definition.networkId)) return "it is of another network";
    if (newestAuthority(one) > newestAuthority(definition)) {
      return "the authority has a newer key than this file; take a newer backup";
    }
  }
  const problems = [
    ...lists.map((one) => listProblem(one, definition)),
    ...certificates.map((one) => certificateProblem(one, definition)),
  ];
  return problems.find((problem) => problem !== null) ?? null;
};

/**
 * An old backup becomes the authority again: it takes in what it does not know, and goes on behind
 * the newest list there is, with a new secret, since it may not have the last one.
 *
 * Takes: `secret`, 32 random bytes. A clause tells why not.
 */
export const restore = (
  book: Book,
  remains: Remains,
  secret: Uint8Array,
  nowS: number,
): Decoded<Publication> => {
  const problem = remainsProblem(book, remains);
  if (problem !== null) return refused(problem);
  const list = remains.lists.reduce((a, b) => (newerList(b, a) ? b : a), book.list);
  const held = new Map(book.members.map(({ certificate }) => [nodeText(certificate), certificate]));
  const added = [...remains.certificates]
    .sort((a, b) => a.notBeforeS - b.notBeforeS)
    .filter((one) => one.notBeforeS > (held.get(nodeText(one))?.notBeforeS ?? -1));
  const own = added.filter(({ signer }) => signer.by === "authority");
  const serial = Math.max(book.serial, ...own.map((one) => one.serial + 1));
  const members = withCertificates(book, added, nowS);
  const taken = { ...book, list, serial, members };
  return {
    ok: true,
    value: publication(nextList(taken, revocationsOf(list), secret, nowS), nowS),
  };
};

const nodeText = ({ nodeKey }: Certificate): string => Buffer.from(nodeKey).toString("latin1");
