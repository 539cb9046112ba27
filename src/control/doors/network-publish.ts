/**
 * network-publish — what an authority has signed goes to all members: it takes effect here at once,
 * all in session are told, and the answer says who knows it. Thread: control.
 */
import { encodeRevocationsFile } from "../../members/bundle.ts";
import { sealSecret } from "../../members/secret.ts";
import { formatNodeId } from "../../members/sign.ts";
import { EngineError } from "../../schema/errors.ts";
import {
  PUBLISH_NAMES_MAX,
  type PublishRequest,
  type PublishValue,
  type ToldMember,
} from "../../schema/publish.ts";
import type { Control } from "../control.ts";
import type { Network } from "../network/network.ts";

/** Protocol: "revoked within 5 s"; who did not answer by then is told when it is reached. */
const WAIT_MS = 4_000;
/** Tuning. */
const LOOK_MS = 20;

export interface Publishing {
  readonly control: Control;
  /** Of the interface. */
  readonly name: string;
  readonly pause: (ms: number) => Promise<void>;
}

/** The file that the network takes, with the secret for this host alone. */
const fileOf = ({ definition, list, secret, sealed }: PublishRequest, key: Uint8Array) => {
  const ours = sealed ?? (secret && sealSecret(secret, key));
  const members = ours === null ? [] : [{ handshakeKey: key, sealed: ours }];
  return encodeRevocationsFile({ definition, list, members });
};

const nodeIdsOf = ({ parts: { members } }: Network): ReadonlyMap<string, string> =>
  new Map(
    Array.from(members.slots(), (slot) => {
      const { name, nodeKey } = members.at(slot).owner;
      return [name, formatNodeId(nodeKey)];
    }),
  );

/** Errors: EngineError NO_NETWORK, PUBLISH_REFUSED. */
export const publish = async (
  request: PublishRequest,
  { control, name, pause }: Publishing,
): Promise<PublishValue> => {
  const { network, publicKey } = control;
  if (network === null || publicKey === null) throw new EngineError("NO_NETWORK", { name });
  const published = network.publish(fileOf(request, publicKey));
  request.secret?.fill(0);
  if (!published.ok) throw new EngineError("PUBLISH_REFUSED", { name, reason: published.why });
  for (let waitedMs = 0; waitedMs < WAIT_MS; waitedMs += LOOK_MS) {
    const { missing = [] } = network.publication() ?? {};
    if (missing.length === 0 || control.network !== network) break;
    await pause(LOOK_MS);
  }
  const { acknowledged, missing } = network.publication() ?? { acknowledged: [], missing: [] };
  const nodeIds = nodeIdsOf(network);
  const told = (names: readonly string[]): ToldMember[] =>
    names.slice(0, PUBLISH_NAMES_MAX).map((one) => ({ name: one, nodeId: nodeIds.get(one)! }));
  return {
    acknowledged: told(acknowledged),
    waiting: told(missing),
    acknowledgedCount: acknowledged.length,
    waitingCount: missing.length,
  };
};
