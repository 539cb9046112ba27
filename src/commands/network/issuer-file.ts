/**
 * issuer-file — opens an issuer's file with the identity of its member, and keeps in it what was
 * signed, so that no address is given twice.
 */
import { realpathSync } from "node:fs";
import { armor } from "../../members/armor.ts";
import {
  decodeIssuerFile,
  decodeRevocationsFile,
  encodeIssuerFile,
  type IssuerFile,
  sealedFor,
} from "../../members/bundle.ts";
import { compareBytes, sameBytes } from "../../members/bytes.ts";
import type { Certificate } from "../../members/certificate.ts";
import { successorProblem } from "../../members/definition.ts";
import { formatDay } from "../../members/grant.ts";
import type { Desk } from "../../members/issue.ts";
import { Known } from "../../members/known.ts";
import { newerList, revokedBefore } from "../../members/revocation-list.ts";
import { isSecret, openSecret } from "../../members/secret.ts";
import { formatNodeId } from "../../members/sign.ts";
import { replaceFile } from "../../schema/atomic-file.ts";
import { EngineError } from "../../schema/errors.ts";
import { loadSigner, type Signer } from "../../schema/identity.ts";
import { errnoText } from "../../schema/new-file.ts";
import { unixS } from "./clock.ts";
import { bytesOfText, readFileOf, readText } from "./files.ts";
import { locked } from "./lock.ts";

export interface IssuerOptions {
  readonly issuer: string;
  readonly key: string;
  /** A newer list and secret. */
  readonly revocations?: string;
}

/** An issuer that is open. */
export interface OpenIssuer {
  readonly desk: Desk;
  readonly file: IssuerFile;
  /** Keeps what was signed. Errors: EngineError AUTHORITY_CHANGED, FILE_UNWRITABLE. */
  readonly keep: (certificates: readonly Certificate[]) => void;
}

/** The text of an issuer's file. */
export const issuerText = (file: IssuerFile): string => {
  const { issuer, definition } = file;
  const bytes = encodeIssuerFile({
    issuer: issuer.bytes,
    sealed: file.sealed,
    definition: definition.bytes,
    list: file.list.bytes,
    known: file.known.map((one) => one.bytes),
  });
  const until = formatDay(issuer.notAfterS);
  const comments = [
    `${formatNodeId(issuer.nodeKey)} may sign for ${definition.name} until ${until}`,
  ];
  return armor("issuer", bytes, comments);
};

/** The file with what a newer one of revocations tells. Errors: EngineError FILE_DAMAGED. */
const withRevocations = (file: IssuerFile, from: string, own: Uint8Array): IssuerFile => {
  const newer = readFileOf("revocations", from, decodeRevocationsFile);
  const sealed = sealedFor(newer, own);
  const same = sameBytes(newer.definition.bytes, file.definition.bytes);
  const problem = same ? null : successorProblem(file.definition, newer.definition);
  const reason =
    problem ??
    (newerList(newer.list, file.list) ? null : "it is no newer than the issuer's own") ??
    (sealed === null ? "it holds no secret for this issuer, which may be revoked" : null);
  if (reason !== null || sealed === null)
    throw new EngineError("FILE_DAMAGED", { file: from, reason });
  return { ...file, definition: newer.definition, list: newer.list, sealed: sealed.slice() };
};

/** Why this issuer cannot sign with this identity now, as a clause; null: it can. */
const signingProblem = (
  { issuer, list }: IssuerFile,
  signer: Signer,
  nowS: number,
): string | null => {
  if (!sameBytes(issuer.nodeKey, signer.nodeKey)) {
    const [own, other] = [issuer.nodeKey, signer.nodeKey].map(formatNodeId);
    return `it is of ${own}, and --key is of ${other}`;
  }
  if (nowS > issuer.notAfterS) return `it ended on ${formatDay(issuer.notAfterS)}`;
  if (nowS < issuer.notBeforeS)
    return "it begins later than this machine's clock says; set the clock";
  const before = revokedBefore(list, issuer.nodeKey);
  return before !== null && issuer.notBeforeS <= before ? "it is revoked" : null;
};

const replace = (file: string, before: string, after: string): void => {
  if (readText(file) !== before) throw new EngineError("AUTHORITY_CHANGED", { file });
  try {
    replaceFile(file, after);
  } catch (error) {
    throw new EngineError("FILE_UNWRITABLE", { file, reason: errnoText(error), cause: error });
  }
};

const openWith = (
  options: IssuerOptions,
  signer: Signer,
  text: string,
): Omit<OpenIssuer, "keep"> => {
  const named = options.issuer;
  const decoded = decodeIssuerFile(bytesOfText("issuer", named, text));
  if (!decoded.ok) throw new EngineError("FILE_DAMAGED", { file: named, reason: decoded.why });
  const { publicKey, privateKey } = signer.identity;
  const { revocations } = options;
  const file =
    revocations === undefined
      ? decoded.value
      : withRevocations(decoded.value, revocations, publicKey);
  const nowS = unixS();
  const { definition, list, issuer } = file;
  const secret = openSecret(file.sealed, publicKey, privateKey);
  const reason =
    signingProblem(file, signer, nowS) ??
    (secret === null || !isSecret(list, list.epoch, secret) ? "its secret does not open" : null);
  if (reason !== null || secret === null) {
    throw new EngineError("ISSUER_REFUSED", { file: named, reason });
  }
  const known = new Known({ definition, list, certificates: file.known, nowS });
  const desk: Desk = {
    known,
    signer: { by: "issuer", issuer },
    secretKey: signer.secretKey,
    secret,
  };
  return { desk, file };
};

/**
 * Does something with an issuer, alone.
 *
 * Errors: EngineError of the files, ISSUER_REFUSED, AUTHORITY_BUSY, and its own.
 */
export const withIssuer = async <Value>(
  options: IssuerOptions,
  act: (issuer: OpenIssuer) => Promise<Value> | Value,
): Promise<Value> => {
  readText(options.issuer);
  const real = realpathSync(options.issuer);
  const signer = loadSigner(options.key);
  try {
    return await locked(real, signer.secretKey, async () => {
      const text = readText(real);
      const { desk, file } = openWith(options, signer, text);
      const keep = (added: readonly Certificate[]): void => {
        const kept = file.known.filter(
          (one) => !added.some(({ nodeKey }) => compareBytes(nodeKey, one.nodeKey) === 0),
        );
        replace(real, text, issuerText({ ...file, known: [...kept, ...added] }));
      };
      try {
        return await act({ desk, file, keep });
      } finally {
        desk.secret.fill(0);
      }
    });
  } finally {
    signer.secretKey.fill(0);
    signer.identity.privateKey.fill(0);
  }
};
