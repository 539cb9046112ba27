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
/** Protocol: most bytes of a body; with all headers and padding 1,308 bytes over IPv4. */
export const FRAME_BODY_BYTES = 1_232;

/** Version of what a hello says. */
export const HELLO_VERSION = 1;

/** A kind of control frame: what one has to be, before anything of its body is read. */
export interface FrameKind {
  /** On the wire. */
  readonly type: number;
  /** Bytes of a body. */
  readonly least: number;
  readonly most: number;
  /** Tuning: how often one peer may send them, and how many at once. */
  readonly perSecond: number;
  readonly burst: number;
  /** Taken from verified members alone. */
  readonly members: boolean;
  /** Who takes it: the room of control that a frame of this kind goes to. */
  readonly room: string;
}

/** All kinds that there are. `hello`: what later versions say of themselves fits too. */
// biome-ignore format: a table
export const FRAME_KINDS = {
  hello:  { type: 1, least: 6, most: FRAME_BODY_BYTES, perSecond: 1,  burst: 5,  members: false, room: "hello" },
  probe:  { type: 2, least: 6, most: 236,              perSecond: 20, burst: 10, members: false, room: "path" },
  answer: { type: 3, least: 6, most: 236,              perSecond: 20, burst: 10, members: false, room: "path" },
  // Of members, network-frames.ts.
  digest:      { type: 7,  least: 17, most: FRAME_BODY_BYTES, perSecond: 150, burst: 64, members: true, room: "network" },
  want:        { type: 8,  least: 9,  most: 288,              perSecond: 50,  burst: 32, members: true, room: "network" },
  record:      { type: 9,  least: 8,  most: FRAME_BODY_BYTES, perSecond: 200, burst: 64, members: true, room: "network" },
  revocations: { type: 11, least: 18, most: FRAME_BODY_BYTES, perSecond: 200, burst: 64, members: true, room: "network" },
  ack:         { type: 12, least: 13, most: FRAME_BODY_BYTES, perSecond: 20,  burst: 20, members: true, room: "network" },
  definition:  { type: 13, least: 100, most: 1_200,           perSecond: 1,   burst: 4,  members: true, room: "network" },
  secret:      { type: 14, least: 36, most: FRAME_BODY_BYTES, perSecond: 4,   burst: 8,  members: true, room: "network" },
  renew:       { type: 16, least: 16, most: FRAME_BODY_BYTES, perSecond: 1,   burst: 4,  members: true, room: "network" },
  renewed:     { type: 21, least: 2,  most: FRAME_BODY_BYTES, perSecond: 1,   burst: 4,  members: true, room: "network" },
  echo:        { type: 19, least: 17, most: FRAME_BODY_BYTES, perSecond: 4,   burst: 8,  members: true, room: "network" },
  goodbye:     { type: 20, least: 1,  most: FRAME_BODY_BYTES, perSecond: 1,   burst: 4,  members: true, room: "network" },
} as const satisfies Readonly<Record<string, FrameKind>>;

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

/** A frame whose header is right. */
export interface RawFrame {
  readonly type: number;
  /** Borrowed from what was read. */
  readonly body: Uint8Array;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A frame of a type, ready to be sealed. Errors: RangeError when the body is too long. */
export const encodeFrame = (type: number, body: Uint8Array): Uint8Array => {
  if (body.length > FRAME_BODY_BYTES) throw new RangeError(`no frame of ${body.length} bytes`);
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  bytes[1] = type;
  viewOf(bytes).setUint16(2, body.length, true);
  bytes.set(body, FRAME_HEADER_BYTES);
  return bytes;
};

/**
 * Reads the beginning of a plaintext, padding and all. Null: no frame can be like that.
 * Borrows: `bytes`.
 */
export const decodeFrame = (bytes: Uint8Array): RawFrame | null => {
  if (bytes.length < FRAME_HEADER_BYTES || bytes[0] !== 0) return null;
  const length = viewOf(bytes).getUint16(2, true);
  const end = FRAME_HEADER_BYTES + length;
  if (length > FRAME_BODY_BYTES || end > bytes.length) return null;
  return { type: bytes[1]!, body: bytes.subarray(FRAME_HEADER_BYTES, end) };
};

export const encodeHello = (hello: Omit<Hello, "kind" | "version">): Uint8Array => {
  const body = new Uint8Array(FRAME_KINDS.hello.least);
  const view = viewOf(body);
  view.setUint8(0, HELLO_VERSION);
  view.setUint8(1, (hello.heard ? HEARD : 0) | (hello.answer ? ANSWER : 0));
  view.setUint16(2, hello.suites, true);
  view.setUint16(4, hello.mtu, true);
  return encodeFrame(FRAME_KINDS.hello.type, body);
};

export const encodeProbe = ({ kind, id, bytes }: Probe): Uint8Array => {
  const body = new Uint8Array(FRAME_KINDS[kind].least);
  viewOf(body).setUint32(0, id, true);
  viewOf(body).setUint16(4, bytes, true);
  return encodeFrame(FRAME_KINDS[kind].type, body);
};

/** Reads a body of FRAME_KINDS.hello.least bytes or more, as far as this version knows it. */
export const decodeHello = (body: Uint8Array): Hello | null => {
  const view = viewOf(body);
  const version = view.getUint8(0);
  if (version === 0) return null;
  const flags = view.getUint8(1);
  return {
    kind: "hello",
    version,
    heard: (flags & HEARD) !== 0,
    answer: (flags & ANSWER) !== 0,
    suites: view.getUint16(2, true),
    mtu: view.getUint16(4, true),
  };
};

/** Reads a body of FRAME_KINDS.probe.least bytes or more. */
export const decodeProbe = (kind: Probe["kind"], body: Uint8Array): Probe => {
  const view = viewOf(body);
  return { kind, id: view.getUint32(0, true), bytes: view.getUint16(4, true) };
};
