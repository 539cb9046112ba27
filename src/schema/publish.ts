/**
 * publish — what an authority has the engine tell all members: the network's definition, its newest
 * list of revocations, and the secret of that list.
 */

/** Exactly one of `secret` and `sealed` is given. */
export interface PublishRequest {
  readonly type: "network.publish";
  readonly definition: Uint8Array;
  readonly list: Uint8Array;
  /** The secret itself: from the authority on this host. 32 bytes. */
  readonly secret: Uint8Array | null;
  /** The secret, sealed to this engine's handshake key: from a file. 80 bytes. */
  readonly sealed: Uint8Array | null;
}

/** A member that was told. */
export interface ToldMember {
  readonly nodeId: string;
  readonly name: string | null;
}

/** Who knows it when the engine answers; it goes on telling the others. */
export interface PublishValue {
  /** The first PUBLISH_NAMES_MAX of them, as is `waiting`. */
  readonly acknowledged: readonly ToldMember[];
  /** Members that are not revoked, and did not answer yet. */
  readonly waiting: readonly ToldMember[];
  readonly acknowledgedCount: number;
  readonly waitingCount: number;
}

/** Protocol: so many fit a frame, twice. */
export const PUBLISH_NAMES_MAX = 1_000;
/** Protocol: above the longest list. */
const BYTES_MAX = 100_000;
const SECRET_BYTES = 32;
const SEALED_BYTES = 80;

const bytesOf = (value: unknown, least: number, most: number): Uint8Array | null =>
  value instanceof Uint8Array && value.length >= least && value.length <= most
    ? Uint8Array.from(value)
    : null;

/** The request, or what is wrong with its fields, as a clause. */
export const readPublish = (fields: Readonly<Record<string, unknown>>): PublishRequest | string => {
  const definition = bytesOf(fields.definition, 1, BYTES_MAX);
  const list = bytesOf(fields.list, 1, BYTES_MAX);
  const secret = bytesOf(fields.secret, SECRET_BYTES, SECRET_BYTES);
  const sealed = bytesOf(fields.sealed, SEALED_BYTES, SEALED_BYTES);
  if (definition === null) return "definition must be bytes";
  if (list === null) return "list must be bytes";
  if ((secret === null) === (sealed === null)) return "secret or sealed must be a secret";
  return { type: "network.publish", definition, list, secret, sealed };
};
