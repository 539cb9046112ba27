/**
 * initiations — first messages with a valid mac1, as anybody can make who knows a public key.
 *
 * Behind mac1 they are random bytes, so that each costs the responder an X25519 unless it asks for
 * a cookie.
 */
import { randomFillSync } from "node:crypto";
import { mac1Key } from "../../src/control/handshake/noise.ts";
import { addon } from "../../src/io/native/addon.ts";
import { before, field, INITIATION, writeU32 } from "../../src/wire/handshake.ts";

/**
 * So many of them, for whom the key belongs to; `type` is that of its suite.
 * Thread: any.   Errors: never.
 */
export const makeInitiations = (
  publicKey: Uint8Array,
  count: number,
  type: number = INITIATION.type,
): Uint8Array[] =>
  Array.from({ length: count }, () => {
    const datagram = randomFillSync(new Uint8Array(INITIATION.bytes));
    const { fields } = INITIATION;
    writeU32(datagram, fields.type, type);
    const covered = before(datagram, fields.mac1);
    addon.blake2sMac(field(datagram, fields.mac1), mac1Key(publicKey), covered);
    field(datagram, fields.mac2).fill(0);
    return datagram;
  });
