/**
 * shelf — what a callee needs of a store of pairs: verify, keep the newest of each member, find.
 */
import type { Certificate } from "../members/certificate.ts";
import type { Pair } from "../wire/intro.ts";
import type { ServiceCount } from "./service-counts.ts";

/** Why a pair is not believed. */
export type PairReason = Extract<
  ServiceCount,
  "pairInvalid" | "certificateTime" | "certificateRevoked" | "recordExpired" | "recordAhead"
>;

/** A pair that is what it says, with its certificate; or the reason why not. */
export type Checked =
  | { readonly ok: true; readonly certificate: Certificate }
  | { readonly ok: false; readonly reason: PairReason };

/** Of one network. Errors: never. Thread: the owner's. */
export interface Shelf {
  /** Members that are stored. */
  readonly size: number;
  /** Verifies a pair: signatures, times, revocation. Borrows. */
  check(pair: Pair): Checked;
  /** Does a certificate that was verified count still? Null: it does. */
  problem(
    certificate: Certificate,
  ): "certificateTime" | "certificateRevoked" | "pairInvalid" | null;
  /** Keeps a pair that was checked, when it is newer than what is held. Copies. */
  put(pair: Pair): "taken" | "kept" | "recordOld" | "storeFull";
  /** What a target leads to. Borrows. */
  get(target: Uint8Array): Pair | null;
  /** What a member showed of itself last. Borrows. */
  byId(id: number): Pair | null;
  /** Looks at some entries, all in turn, or at all; drops what does not count. How many. */
  sweep(most: number): number;
  /** All pairs, for the disk. Borrows. */
  pairs(): Iterable<Pair>;
}
