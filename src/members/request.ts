/**
 * request — a host asks to be a member: its two keys and the name that it would like. Signed by
 * itself with both, for no network yet. Pure.
 *
 *    0 version u8 = 2 · 1 flags u8 (none yet) · 2 node key (32) · 34 handshake key (32)
 *   66 issued u64 (s) · 74 name · extensions
 *      proof (64, kind handshake-proof, by the handshake key, of all before it)
 *      signature (64, kind request, by the node key, of all before it); network id zero in both
 *
 * The proof names the node key, so it is of no use under another one; the signature holds the
 * proof, so nobody puts another in its place. Whoever reads a request has verified both: two
 * certificates with one handshake key bar each other (security.md 17), so nobody may ask for one
 * with a key that is not its own.
 *
 * Version 1 had no proof. It is refused, and not read: a version is the first thing that every
 * engine looks at, so an older one says of this that it is of a version which it does not know.
 */
import { copyOf, type Decoded, Reader, refused, Writer } from "./bytes.ts";
import { type Extension, putExtensions, takeExtensions } from "./extensions.ts";
import { KEY_BYTES, putName, takeName } from "./fields.ts";
import { messageOf, NO_NETWORK, SIGNATURE_BYTES, sign, verify } from "./sign.ts";
import { xeddsaSign, xeddsaVerify } from "./xeddsa.ts";

/** Protocol. An engine that knows version 1 alone looks at the length first: it stays. */
export const REQUEST_BYTES_MAX = 400;
const VERSION = 2;
const UNPROVED_VERSION = 1;

/** Units: seconds since 1970. */
export interface RequestFields {
  readonly nodeKey: Uint8Array;
  readonly handshakeKey: Uint8Array;
  readonly issuedS: number;
  readonly name: string;
  readonly extensions?: readonly Extension[];
}

export interface Request extends Required<RequestFields> {
  readonly bytes: Uint8Array;
}

/** What a request is signed with; the holder zeroes it. */
export interface RequestSecrets {
  /** Of the node key, 64 bytes, as libsodium has it. */
  readonly secretKey: Uint8Array;
  /** Of the handshake key, 32 bytes. */
  readonly privateKey: Uint8Array;
  /** XEDDSA_RANDOM_BYTES, for this request alone. */
  readonly random: Uint8Array;
}

const proofMessage = (said: Uint8Array): Uint8Array =>
  messageOf("handshake-proof", NO_NETWORK, said);

/** Reads and verifies one. Thread: any. Errors: never. */
export const decodeRequest = (given: Uint8Array): Decoded<Request> => {
  if (given.length > REQUEST_BYTES_MAX) return refused("it is too long");
  if (given[0] === UNPROVED_VERSION) {
    return refused(
      "it is of version 1, which does not prove its handshake key; make it anew with an engine " +
        "as new as the signer's",
    );
  }
  const bytes = copyOf(given);
  const reader = new Reader(bytes);
  reader.version(VERSION);
  reader.u8();
  const nodeKey = reader.take(KEY_BYTES);
  const handshakeKey = reader.take(KEY_BYTES);
  const issuedS = reader.u64();
  const name = takeName(reader);
  const extensions = takeExtensions(reader);
  const said = bytes.subarray(0, reader.at);
  const proof = reader.take(SIGNATURE_BYTES);
  const proved = bytes.subarray(0, reader.at);
  const signature = reader.take(SIGNATURE_BYTES);
  reader.end();
  if (reader.why !== null) return refused(reader.why);
  if (!verify("request", NO_NETWORK, proved, signature, nodeKey)) {
    return refused("its signature is wrong");
  }
  if (!xeddsaVerify(proofMessage(said), proof, handshakeKey)) {
    return refused("it does not prove its handshake key, which may be somebody else's");
  }
  return { ok: true, value: { bytes, nodeKey, handshakeKey, issuedS, name, extensions } };
};

/** Writes one, and signs it with both keys. Borrows: `secrets`. Errors: RangeError. */
export const encodeRequest = (fields: RequestFields, secrets: RequestSecrets): Uint8Array => {
  const { secretKey, privateKey, random } = secrets;
  const writer = new Writer(REQUEST_BYTES_MAX);
  writer.u8(VERSION).u8(0).put(fields.nodeKey, KEY_BYTES).put(fields.handshakeKey, KEY_BYTES);
  writer.u64(fields.issuedS);
  putName(writer, fields.name);
  putExtensions(writer, fields.extensions);
  writer.put(xeddsaSign(proofMessage(writer.done()), privateKey, random));
  return writer.put(sign("request", NO_NETWORK, writer.done(), secretKey)).done();
};
