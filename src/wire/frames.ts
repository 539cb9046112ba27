/**
 * frames — control frames between two engines, inside a session.
 *
 *     0  type  length (u16)  body …  zeros
 *
 * The first byte of the plaintext is 0, which is no IP version. A later version may add bytes to a
 * body, and types; it takes none away. What stands behind the body is padding and is not read.
 * Integers are little-endian. Source: security.md 11 and 12; docs/PROTOCOL.md, "Control frames".
 */

/** First byte, type and length. */
export const FRAME_HEADER_BYTES = 4;

/** Version of what a hello says. */
export const HELLO_VERSION = 1;

export const FRAME_TYPE = { hello: 1, probe: 2, answer: 3 } as const;

/** Bytes of each body that this version reads and writes. */
const BODY_BYTES = { hello: 6, probe: 6, answer: 6 } as const;

/** Bits of a hello's flags; others are not read. */
const HEARD = 1;
const ANSWER = 2;

/** What an engine says of itself. */
export interface Hello {
  readonly kind: "hello";
  /** 1 or later. */
  readonly version: number;
  /** A hello of the other end was heard. */
  readonly heard: boolean;
  /** A hello that says `heard` is asked for. */
  readonly answer: boolean;
  /** Suites that it takes, a mask of 1 << SUITE. */
  readonly suites: number;
  /** Its tunnel's MTU, in bytes. */
  readonly mtu: number;
}

/** A datagram of a size: did it cross? And that it did. */
export interface Probe {
  readonly kind: "probe" | "answer";
  /** Chosen by who asks, and repeated. */
  readonly id: number;
  /** UDP payload of the probe's datagram, in bytes: as it was sent; in an answer, as it came. */
  readonly bytes: number;
}

/** `unknown`: of a type that a later version has. */
export type Frame = Hello | Probe | { readonly kind: "unknown" };

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Header and an empty body. */
const begin = (kind: keyof typeof FRAME_TYPE): { bytes: Uint8Array; body: DataView } => {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + BODY_BYTES[kind]);
  bytes[1] = FRAME_TYPE[kind];
  viewOf(bytes).setUint16(2, BODY_BYTES[kind], true);
  return { bytes, body: viewOf(bytes.subarray(FRAME_HEADER_BYTES)) };
};

export const encodeHello = (hello: Omit<Hello, "kind" | "version">): Uint8Array => {
  const { bytes, body } = begin("hello");
  body.setUint8(0, HELLO_VERSION);
  body.setUint8(1, (hello.heard ? HEARD : 0) | (hello.answer ? ANSWER : 0));
  body.setUint16(2, hello.suites, true);
  body.setUint16(4, hello.mtu, true);
  return bytes;
};

export const encodeProbe = ({ kind, id, bytes: size }: Probe): Uint8Array => {
  const { bytes, body } = begin(kind);
  body.setUint32(0, id, true);
  body.setUint16(4, size, true);
  return bytes;
};

const decodeHello = (body: DataView): Hello | null => {
  const version = body.getUint8(0);
  if (version === 0) return null;
  const flags = body.getUint8(1);
  return {
    kind: "hello",
    version,
    heard: (flags & HEARD) !== 0,
    answer: (flags & ANSWER) !== 0,
    suites: body.getUint16(2, true),
    mtu: body.getUint16(4, true),
  };
};

/**
 * Reads the beginning of a plaintext, padding and all. Null: no frame can be like that.
 * Borrows: `bytes`.
 */
export const decodeFrame = (bytes: Uint8Array): Frame | null => {
  if (bytes.length < FRAME_HEADER_BYTES || bytes[0] !== 0) return null;
  const length = viewOf(bytes).getUint16(2, true);
  if (FRAME_HEADER_BYTES + length > bytes.length) return null;
  const body = viewOf(bytes.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length));
  const type = bytes[1];
  if (type === FRAME_TYPE.hello) return length < BODY_BYTES.hello ? null : decodeHello(body);
  if (type !== FRAME_TYPE.probe && type !== FRAME_TYPE.answer) return { kind: "unknown" };
  if (length < BODY_BYTES.probe) return null;
  const kind = type === FRAME_TYPE.probe ? "probe" : "answer";
  return { kind, id: body.getUint32(0, true), bytes: body.getUint16(4, true) };
};
