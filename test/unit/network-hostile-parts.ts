import { encodeRevocationsFile } from "../../src/members/bundle.ts";
import {
  type Definition,
  decodeDefinition,
  encodeDefinition,
  succeed,
} from "../../src/members/definition.ts";
import {
  decodeList,
  encodeList,
  type RevocationList,
  revokedId,
} from "../../src/members/revocation-list.ts";
import { sealSecret, secretCheck } from "../../src/members/secret.ts";
import { signingPair } from "../../src/members/sign.ts";
import { openStage } from "../simulation/members-calm.ts";
import {
  AUTHORITY,
  BORN_S,
  DEFINITION,
  type Identity,
  identityOf,
  SharedVerifier,
  secretOf,
} from "../simulation/members-fleet.ts";
import { VirtualNode } from "../simulation/members-node.ts";
import type { NodeOptions } from "../simulation/members-options.ts";
import { sockaddrOf } from "../simulation/members-places.ts";
import { must } from "./members-parts.ts";

export const CALM = { loss: 0, duplicates: 0, leastMs: 1, mostMs: 5, jitterMs: 0 };

/** Nodes of the fleet on virtual time. */
export const openScene = () => {
  const { stage, counts } = openStage(1, CALM, true, new SharedVerifier());
  const said: string[] = [];
  const told = { ...stage, trace: (text: string) => void said.push(text) };
  const add = (number: number, known: number, options: NodeOptions = {}): VirtualNode => {
    const identity = identityOf(number);
    stage.ledger.signed(identity, identity.certificate);
    return new VirtualNode(told, identity, number, { bootstrap: [sockaddrOf(known)], ...options });
  };
  const pass = (ms: number): void => stage.time.run(stage.time.nowMs + ms);
  return { stage: told, counts, said, add, pass };
};

/** Does a node know somebody as a member? */
export const knows = (node: VirtualNode, identity: Identity): boolean =>
  node.network!.parts.members.byNodeKey(identity.signing.publicKey) >= 0;

export const NEXT = signingPair(new Uint8Array(32).fill(77));
export const THIEF = signingPair(new Uint8Array(32).fill(78));

/** The network's definition after the authority's first key named another. */
export const succeeded = (next = NEXT): Definition => {
  const step = { key: next.publicKey, atS: BORN_S - 100, untilS: Number.POSITIVE_INFINITY };
  const { chain, networkId } = DEFINITION;
  const longer = succeed(chain, step, networkId, AUTHORITY.secretKey);
  const fields = { ...DEFINITION, sequence: DEFINITION.sequence + 1 };
  return must(decodeDefinition(encodeDefinition(fields, longer, next.secretKey)));
};

export const listBy = (
  by: { readonly secretKey: Uint8Array },
  authority: number,
  sequence: number,
  revoked: readonly Identity[],
): RevocationList => {
  const fields = {
    sequence,
    issuedS: BORN_S - 100,
    nextUpdateS: BORN_S + 8_640_000,
    epoch: sequence,
    secretCheck: secretCheck(sequence, secretOf(sequence)),
    authority,
  };
  const entries = revoked.map(({ signing }) => ({
    id: revokedId(signing.publicKey),
    issuedBeforeS: BORN_S,
  }));
  return must(decodeList(encodeList(fields, entries, DEFINITION.networkId, by.secretKey)));
};

export const fileOf = (
  definition: Definition,
  list: RevocationList,
  publisher: Identity,
): Uint8Array => {
  const { publicKey } = publisher.handshakeKey;
  const members = [
    { handshakeKey: publicKey, sealed: sealSecret(secretOf(list.epoch), publicKey)! },
  ];
  return encodeRevocationsFile({ definition: definition.bytes, list: list.bytes, members });
};
