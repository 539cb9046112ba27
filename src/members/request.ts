/**
 * request — a host asks to be a member: its two keys and the name that it would like. Signed by
 * itself, for no network yet. Pure.
 *
 *    0 version u8 = 1 · 1 flags u8 (none yet) · 2 node key (32) · 34 handshake key (32)
 *   66 issued u64 (s) · 74 name · extensions · signature (64, kind request, network id zero)
 */
import { copyOf, type Decoded, Reader, refused, Writer } from "./bytes.ts";
import { type Extension, putExtensions, takeExtensions } from "./extensions.ts";
import { KEY_BYTES, putName, takeName } from "./fields.ts";
import { NO_NETWORK, SIGNATURE_BYTES, sign, verify } from "./sign.ts";

/** Protocol. */
export const REQUEST_BYTES_MAX = 400;

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

/** Reads and verifies one. Thread: any. Errors: never. */
export const decodeRequest = (given: Uint8Array): Decoded<Request> => {
  if (given.length > REQUEST_BYTES_MAX) return refused("it is too long");
  const bytes = copyOf(given);
  const reader = new Reader(bytes);
  reader.version();
  reader.u8();
  const nodeKey = reader.take(KEY_BYTES);
  const handshakeKey = reader.take(KEY_BYTES);
  const issuedS = reader.u64();
  const name = takeName(reader);
  const extensions = takeExtensions(reader);
  const signature = reader.take(SIGNATURE_BYTES);
  reader.end();
  if (reader.why !== null) return refused(reader.why);
  const said = bytes.subarray(0, bytes.length - SIGNATURE_BYTES);
  if (!verify("request", NO_NETWORK, said, signature, nodeKey)) {
    return refused("its signature is wrong");
  }
  return { ok: true, value: { bytes, nodeKey, handshakeKey, issuedS, name, extensions } };
};

/** Writes and signs one with the node's key, 64 bytes. Errors: RangeError. */
export const encodeRequest = (fields: RequestFields, secretKey: Uint8Array): Uint8Array => {
  const writer = new Writer(REQUEST_BYTES_MAX);
  writer.u8(1).u8(0).put(fields.nodeKey, KEY_BYTES).put(fields.handshakeKey, KEY_BYTES);
  writer.u64(fields.issuedS);
  putName(writer, fields.name);
  putExtensions(writer, fields.extensions);
  return writer.put(sign("request", NO_NETWORK, writer.done(), secretKey)).done();
};
