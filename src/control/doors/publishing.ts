/**
 * publishing — what an authority signed is told to all members, and who knows it is reported.
 *
 * It takes effect here at once; then whoever asked waits until everybody answered, or for some
 * seconds. Thread: control.
 */
import { encodeRevocationsFile } from "../../members/bundle.ts";
import type { Certificate } from "../../members/certificate.ts";
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

/** Protocol: whoever is revoked is cut within this, wherever members are reached. */
const WAIT_MS = 5_000;
const LOOK_MS = 50;

const told = ({ nodeKey, name }: Certificate): ToldMember => ({
  nodeId: formatNodeId(nodeKey),
  name,
});

/** The revocations file with what this engine needs of it. */
const fileOf = (
  { definition, list, secret, sealed }: PublishRequest,
  handshakeKey: Uint8Array,
): Uint8Array => {
  const own = sealed ?? (secret === null ? null : sealSecret(secret, handshakeKey));
  const members = own === null ? [] : [{ handshakeKey, sealed: own }];
  return encodeRevocationsFile({ definition, list, members });
};

/**
 * Takes a publication in, and waits for who acknowledges it. `name`: of the engine.
 *
 * Errors: EngineError NO_NETWORK, PUBLISH_REFUSED.
 */
export const publish = async (
  { network, publicKey }: Pick<Control, "network" | "publicKey">,
  request: PublishRequest,
  name: string,
  pause: (ms: number) => Promise<void>,
): Promise<PublishValue> => {
  if (network === null || publicKey === null) throw new EngineError("NO_NETWORK", { name });
  const published = network.publish(fileOf(request, publicKey));
  if (!published.ok) throw new EngineError("PUBLISH_REFUSED", { reason: published.why });
  for (let waitedMs = 0; waitedMs < WAIT_MS; waitedMs += LOOK_MS) {
    if (network.publication?.missing.length === 0) break;
    await pause(LOOK_MS);
  }
  const { acknowledged = [], missing = [] } = network.publication ?? {};
  return {
    acknowledged: acknowledged.slice(0, PUBLISH_NAMES_MAX).map(told),
    waiting: missing.slice(0, PUBLISH_NAMES_MAX).map(told),
    acknowledgedCount: acknowledged.length,
    waitingCount: missing.length,
  };
};
