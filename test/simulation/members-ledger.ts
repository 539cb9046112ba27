/**
 * members-ledger — what must never happen among simulated nodes, and whether all is as it should be
 * in the end:
 *
 *     nothing of a revoked key, 5 s after publication, at a node that the publisher can reach
 *     no prefix leads to a member whose certificate does not hold it
 *     everybody knows everybody
 */
import type { Certificate } from "../../src/members/certificate.ts";
import { hostPrefix, someHolds } from "../../src/members/fields.ts";
import type { PeerChange } from "../../src/schema/change.ts";
import { type Cidr, formatCidr } from "../../src/wire/cidr.ts";
import type { Identity } from "./members-fleet.ts";
import type { VirtualNode } from "./members-node.ts";

/** Protocol: a revoked member is cut within this. */
export const CUT_MS = 5_000;

/** What must never happen has happened. */
export class Violation extends Error {}

export class Ledger {
  readonly #nowMs: () => number;
  /** Identities by handshake key, and what certificates hold that were signed for each. */
  readonly #identities = new Map<string, Identity>();
  readonly #byBytes = new WeakMap<Uint8Array, Identity>();
  readonly #held = new Map<Identity, readonly Cidr[]>();
  /** Who is revoked, since when nobody may listen to it; by node, who has to know. */
  readonly #revoked = new Map<
    Identity,
    { readonly fromMs: number; readonly by: Set<VirtualNode> }
  >();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Somebody has this certificate. */
  signed(identity: Identity, certificate: Certificate): void {
    this.#identities.set(Buffer.from(identity.publicKey).toString("latin1"), identity);
    const { addresses, routes } = certificate;
    const all = this.#held.get(identity) ?? [];
    this.#held.set(identity, [...all, ...addresses.map(hostPrefix), ...routes]);
  }

  /** Whose a handshake key is; most come as the same bytes again and again. */
  #identityOf(key: Uint8Array): Identity | undefined {
    const known = this.#byBytes.get(key);
    if (known !== undefined) return known;
    const found = this.#identities.get(Buffer.from(key).toString("latin1"));
    if (found !== undefined) this.#byBytes.set(key, found);
    return found;
  }

  /** A peer comes, or changes. Returns who it is. */
  admitted(node: VirtualNode, change: PeerChange): Identity {
    const identity = this.#identityOf(change.publicKey);
    if (identity === undefined) throw new Violation(`${node.name} admits a key of nobody`);
    if (identity === node.identity) throw new Violation(`${node.name} admits itself`);
    const held = this.#held.get(identity)!;
    for (const cidr of change.allowedIps ?? []) {
      if (someHolds(held, cidr)) continue;
      throw new Violation(`${node.name} routes ${formatCidr(cidr)} to ${change.name}`);
    }
    return identity;
  }

  /** A list was published that names somebody: these nodes have to know it in 5 s. */
  revoked(identity: Identity, nodes: Iterable<VirtualNode>): void {
    this.#revoked.set(identity, { fromMs: this.#nowMs() + CUT_MS, by: new Set(nodes) });
  }

  /** It has a newer certificate of the authority. */
  pardoned(identity: Identity): void {
    this.#revoked.delete(identity);
  }

  /** The node is not reachable any more, or has begun anew. */
  excused(node: VirtualNode): void {
    for (const { by } of this.#revoked.values()) by.delete(node);
  }

  isRevoked(identity: Identity): boolean {
    return this.#revoked.has(identity);
  }

  /** Something of a node was taken by another. */
  spoke(at: VirtualNode, from: VirtualNode, what: string): void {
    const revoked = this.#revoked.get(from.identity);
    if (revoked === undefined || !revoked.by.has(at) || this.#nowMs() < revoked.fromMs) return;
    throw new Violation(`${at.name} took ${what} of ${from.name}, which is revoked`);
  }
}

/** Does a node know all of these, with their newest records, and has it all as peers? */
export const missing = (
  node: VirtualNode,
  others: readonly VirtualNode[],
): { readonly who: VirtualNode; readonly why: string } | null => {
  const { network } = node;
  if (network === null) return null;
  const { members } = network.parts;
  for (const who of others) {
    const newest = who.network?.parts.ownRecord.statement;
    if (who === node || newest === null || newest === undefined) continue;
    const slot = members.byId(newest.id);
    if (slot < 0) return { who, why: "is not known" };
    if (members.at(slot).sequence < newest.sequence)
      return { who, why: "is known by an old record" };
    if (members.handle(slot) === null) return { who, why: "is no peer" };
  }
  return null;
};
