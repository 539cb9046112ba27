/**
 * aes-vectors — one whole conversation in the AES-256-GCM suite, from fixed keys, by the oracle.
 *
 * `node dist/test/unit/aes-vectors.js` prints what test/vectors/aes-suite.json holds: handshake
 * messages 5 and 6, a cookie reply 7 to message 5, and data messages 8. All in hexadecimal.
 */
import { fileURLToPath } from "node:url";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import * as oracle from "./noise-oracle.ts";

const { AES } = oracle;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytesFrom = (first: number, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => first + i);
const u32 = (n: number): Uint8Array => Uint8Array.of(n, n >>> 8, n >>> 16, n >>> 24);

/** An ICMP echo request of 28 bytes from 10.66.0.1 to 10.66.0.2, padded to 32. */
const PACKET = Uint8Array.from(
  Buffer.from("4500001c000100004001665a0a4200010a4200020800f7fd00010001", "hex"),
);
const PADDED = concatBytes(PACKET, new Uint8Array(4));
/** One whose bytes are all different in either order. */
const LARGE_COUNTER = 0x01_0203_0405;

export const makeAesVectors = () => {
  const given = {
    initiatorStatic: bytesFrom(0x00, 32),
    initiatorEphemeral: bytesFrom(0x20, 32),
    initiatorIndex: 0x0102_0304,
    responderStatic: bytesFrom(0x40, 32),
    responderEphemeral: bytesFrom(0x60, 32),
    responderIndex: 0x0506_0708,
    presharedKey: bytesFrom(0x80, 32),
    // 2026-01-01T00:00:00Z
    timestamp: Uint8Array.from(Buffer.from("400000006955b90a00000000", "hex")),
    cookieSecret: bytesFrom(0xa0, 32),
    cookieNonce: bytesFrom(0xc0, 24),
    // 192.0.2.1, port 51820
    cookieSource: Uint8Array.of(192, 0, 2, 1, 0xca, 0x6c),
  };
  const responder = oracle.publicKey(given.responderStatic);
  const one = oracle.initiation(
    given.initiatorStatic,
    responder,
    given.initiatorEphemeral,
    given.initiatorIndex,
    given.timestamp,
    AES,
  );
  const read = oracle.readInitiation(given.responderStatic, one.message, AES);
  const two = oracle.response(
    read,
    one.message.slice(8, 40),
    given.responderEphemeral,
    given.presharedKey,
    given.responderIndex,
    AES,
  );
  const cookie = oracle.mac(given.cookieSecret, given.cookieSource);
  const cookieKey = oracle.hash(utf8ToBytes("cookie--"), responder);
  const mac1 = one.message.slice(116, 132);
  const sealed = xchacha20poly1305(cookieKey, given.cookieNonce, mac1).encrypt(cookie);
  const three = concatBytes(u32(7), u32(given.initiatorIndex), given.cookieNonce, sealed);
  const mac2 = oracle.mac(cookie, one.message.slice(0, 132));
  const rows = [
    { key: two.receive, index: given.responderIndex, counter: 0, padded: new Uint8Array(0) },
    { key: two.receive, index: given.responderIndex, counter: 1, padded: PADDED },
    { key: two.send, index: given.initiatorIndex, counter: LARGE_COUNTER, padded: PADDED },
  ];
  const data = rows.map(({ key, index, counter, padded }) => ({
    key: hex(key),
    counter,
    padded: hex(padded),
    message: hex(oracle.data(key, index, counter, padded, AES)),
  }));
  const told = Object.entries(given).map(([name, value]) => [
    name,
    typeof value === "number" ? hex(u32(value)) : hex(value),
  ]);
  return {
    source: "test/unit/aes-vectors.ts, with @noble's primitives",
    protocol: AES.construction,
    identifier: AES.identifier,
    given: Object.fromEntries(told) as Readonly<Record<keyof typeof given, string>>,
    initiation: hex(one.message),
    initiationWithCookie: hex(concatBytes(one.message.slice(0, 132), mac2)),
    response: hex(two.message),
    cookieReply: hex(three),
    initiatorSends: hex(two.receive),
    responderSends: hex(two.send),
    data,
  };
};

export type AesVectors = ReturnType<typeof makeAesVectors>;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${JSON.stringify(makeAesVectors(), null, 2)}\n`);
}
