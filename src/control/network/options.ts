/**
 * options — what a network is opened with: files that were read and verified, keys, settings.
 */
import type { IssuerFile } from "../../members/bundle.ts";
import type { Certificate } from "../../members/certificate.ts";
import type { Definition } from "../../members/definition.ts";
import type { Announced } from "../../members/record.ts";
import type { RevocationList } from "../../members/revocation-list.ts";
import type { Cidr } from "../../wire/cidr.ts";
import type { Verifier } from "./statement.ts";

export interface NetworkOptions {
  /** The newest of network file and certificate file. */
  readonly definition: Definition;
  readonly certificate: Certificate;
  /** Of the certificate file. */
  readonly list: RevocationList;
  /** Of that list's epoch; null: it could not be opened. */
  readonly secret: Uint8Array | null;
  /** The node's ed25519 secret, 64 bytes. Borrows: as long as the network lives. */
  readonly signingKey: Uint8Array;
  /** X25519. Borrows: the same. */
  readonly handshakeKey: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array };
  /** What this host may sign; absent: it is no issuer. */
  readonly issuer?: IssuerFile;
  readonly announce: readonly Announced[];
  readonly acceptRoutes: readonly Cidr[];
  readonly neighbours: number;
  /** A mask of 1 << SUITE. */
  readonly suites: number;
  /** When this version was built, Unix seconds. */
  readonly builtS: number;
  /** How often members are written at most; unless given, each minute, and slower for many. */
  readonly cacheMs?: number;
  /** Unless given, one of its own. */
  readonly verifier?: Verifier;
}
