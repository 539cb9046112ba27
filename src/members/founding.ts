/**
 * founding — a network as it begins: its definition, its first list and secret, in its authority's
 * book. Pure.
 */
import type { Cidr } from "../wire/cidr.ts";
import type { Book } from "./book.ts";
import type { Decoded } from "./bytes.ts";
import { decodeDefinition, encodeDefinition, firstChain } from "./definition.ts";
import { signList } from "./publication.ts";
import { secretCheck } from "./secret.ts";
import { networkIdOf, signingPair } from "./sign.ts";

/** What a network begins with. */
export interface Beginning {
  readonly name: string;
  readonly cidrs: readonly Cidr[];
  /** Of the authority's key, and the members' first secret: 32 random bytes each. Takes. */
  readonly seed: Uint8Array;
  readonly secret: Uint8Array;
  /** Units: seconds since 1970. */
  readonly issuedS: number;
}

/** A new network's book, or why it cannot be one, as a clause. */
export const foundNetwork = (beginning: Beginning): Decoded<Book> => {
  const { name, cidrs, seed, secret, issuedS } = beginning;
  const { publicKey, secretKey } = signingPair(seed);
  const fields = { name, cidrs, sequence: 1, issuedS };
  const decoded = decodeDefinition(encodeDefinition(fields, firstChain(publicKey), secretKey));
  secretKey.fill(0);
  if (!decoded.ok) return decoded;
  const list = signList(
    { sequence: 1, issuedS, epoch: 1, secretCheck: secretCheck(1, secret), authority: 0 },
    [],
    networkIdOf(publicKey),
    seed,
  );
  const secrets = [{ epoch: 1, secret }];
  const empty = { members: [], issuers: [], revoked: [] };
  const book = { seed, secrets, definition: decoded.value, list, serial: 1, ...empty };
  return { ok: true, value: book };
};
