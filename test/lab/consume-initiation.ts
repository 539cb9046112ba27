/**
 * consume-initiation — message 1 at the responder, both halves at once, without a kept product.
 */
import {
  beginInitiation,
  type ConsumedInitiation,
  finishInitiation,
  type ReceivedInitiation,
  type Refused,
  staticStatic,
  wipe,
} from "../../src/control/handshake/noise.ts";

/** Errors: never; anything wrong is `reason`. */
export const consumeInitiation = (input: ReceivedInitiation): Refused | ConsumedInitiation => {
  const begun = beginInitiation(input);
  if (!begun.ok) return begun;
  const product = staticStatic(input.local, begun.pending.remotePublicKey);
  if (product !== null) return finishInitiation(begun.pending, product);
  wipe(begun.pending);
  return { ok: false, reason: "handshakeInvalid" };
};
