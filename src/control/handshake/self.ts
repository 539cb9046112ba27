/** self — our own static keys and what is made of them; another one for every private key. */
import type { CookieChecker } from "../strangers/cookie.ts";
import type { Load } from "../strangers/load.ts";
import { type StaticKeys, staticStatic } from "./noise.ts";
import type { Peer } from "../peers/peer.ts";
import type { Timestamps } from "../world.ts";

/** Thread: control. */
export interface Self {
  readonly keys: StaticKeys;
  readonly load: Load;
  readonly cookies: CookieChecker;
  readonly clock: Timestamps;
}

/** The product of both static keys, made once; null: the peer's key is of small order. */
export const productOf = ({ keys }: Self, peer: Peer): Uint8Array | null => {
  peer.staticStatic ??= staticStatic(keys, peer.publicKey);
  return peer.staticStatic;
};
