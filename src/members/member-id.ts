/**
 * member-id — how members are called among members: by a number, the first 53 bits of what names
 * the node in the revocation list. Pure.
 */
import { revokedId } from "./revocation-list.ts";

const TWO_32 = 2 ** 32;
const SAFE_HIGH = 2 ** 21;

/** Of what names a node in the revocation list. */
export const idOfRevoked = (revoked: Uint8Array): number => {
  const view = new DataView(revoked.buffer, revoked.byteOffset);
  return (view.getUint32(4, true) % SAFE_HIGH) * TWO_32 + view.getUint32(0, true);
};

export const memberId = (nodeKey: Uint8Array): number => idOfRevoked(revokedId(nodeKey));
