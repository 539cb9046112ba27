/**
 * network-room — what tests of the network share: statements of the simulation's fleet, and nodes
 * of it on virtual time.
 */
import { type Known, Members } from "../../src/control/network/members.ts";
import { Statement } from "../../src/control/network/statement.ts";
import type { Certificate } from "../../src/members/certificate.ts";
import {
  type Announced,
  type Candidate,
  decodeRecord,
  encodeRecord,
  type RecordHead,
} from "../../src/members/record.ts";
import { derive } from "../../src/members/secret.ts";
import type { Shown } from "../../src/wire/network-frames.ts";
import { openStage } from "../simulation/members-calm.ts";
import {
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
import type { Stage } from "../simulation/members-stage.ts";

export const recordKey = (epoch: number): Uint8Array => derive(secretOf(epoch), "record");

/** What a record of a test may say. */
export interface Says extends Partial<RecordHead> {
  readonly certificate?: Certificate;
  readonly announced?: readonly Announced[];
  readonly candidates?: readonly Candidate[];
  readonly startId?: Uint8Array;
}

/** A record of somebody, signed and sealed, with its certificate. */
export const shownOf = (identity: Identity, says: Says = {}): Shown => {
  const { certificate = identity.certificate, announced = [], candidates = [], ...rest } = says;
  const { startId = new Uint8Array(16).fill(identity.number), ...fields } = rest;
  const head: RecordHead = {
    epoch: 1,
    nodeKey: identity.signing.publicKey,
    certificateHash: certificate.hash,
    sequence: BORN_S * 1_000,
    issuedS: BORN_S,
    expiresS: BORN_S + 86_400,
    ...fields,
  };
  const record = encodeRecord(
    head,
    { startId, suites: 3, candidates, announced },
    {
      networkId: DEFINITION.networkId,
      secretKey: identity.signing.secretKey,
      recordKey: recordKey(head.epoch),
      nonce: new Uint8Array(24).fill(identity.number + head.sequence),
    },
  );
  return { record, certificate: certificate.bytes };
};

/** The same as a statement: verified, as it were. */
export const statementOf = (identity: Identity, says: Says = {}): Statement => {
  const view = decodeRecord(shownOf(identity, says).record);
  if (!view.ok) throw new Error(view.why);
  return new Statement(says.certificate ?? identity.certificate, view.value);
};

/** Members that are known, listed, and own their addresses. */
export const membersOf = (statements: readonly Statement[], way: Known = "gossip"): Members => {
  const members = new Members();
  for (const statement of statements) {
    const slot = members.put(statement, { way, from: -1, heardS: BORN_S });
    members.list(slot, true);
    for (const address of statement.owner.addresses) members.own(slot, address);
  }
  return members;
};

/** A stage on which nodes of the fleet live; `said`: what they log. */
export const openScene = (keeps = true) => {
  const weather = { loss: 0, duplicates: 0, leastMs: 1, mostMs: 5, jitterMs: 0 };
  const { stage, counts } = openStage(1, weather, keeps, new SharedVerifier());
  const said: string[] = [];
  const told: Stage = { ...stage, trace: (text) => void said.push(text) };
  /** A node that knows the address of another place. */
  const add = (number: number, known: number, options: NodeOptions = {}): VirtualNode => {
    const identity = identityOf(number);
    stage.ledger.signed(identity, options.certificate ?? identity.certificate);
    const bootstrap = [sockaddrOf(known)];
    const node = new VirtualNode(told, identity, number, { bootstrap, ...options });
    return node;
  };
  const pass = (ms: number): void => stage.time.run(stage.time.nowMs + ms);
  return { stage: told, counts, said, add, pass };
};

/** What a node has to say of somebody, as one text. */
export const explained = (node: VirtualNode, query: string): string =>
  node.network!.report.explain(query)?.join(" ") ?? "";
