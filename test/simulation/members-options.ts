/** members-options — what a node of a simulated network is opened with. */
import type { NetworkOptions } from "../../src/control/network/options.ts";
import type { IndexPlace } from "../../src/control/network/world.ts";
import { BUILT_S, DEFINITION, FIRST_LIST, type Identity, secretOf } from "./members-fleet.ts";
import type { Stage } from "./members-stage.ts";

export interface NodeOptions extends Partial<NetworkOptions> {
  /** Addresses of `bootstrap`. */
  readonly bootstrap?: readonly Uint8Array[];
  /** Places of index nodes. */
  readonly indexes?: readonly IndexPlace[];
}

/** As of an engine, and what is said of this one. */
export const networkOptions = (
  identity: Identity,
  { verifier, keeps }: Stage,
  options: NodeOptions,
): NetworkOptions => ({
  definition: DEFINITION,
  certificate: identity.certificate,
  list: FIRST_LIST,
  secret: secretOf(1),
  signingKey: identity.signing.secretKey,
  handshakeKey: identity.handshakeKey,
  announce: [],
  acceptRoutes: [],
  neighbours: 4,
  suites: 3,
  builtS: BUILT_S,
  verifier,
  ...(keeps ? {} : { cacheMs: Number.POSITIVE_INFINITY }),
  ...options,
});
