/**
 * requests — every request and reply on the control socket, and the envelopes that carry them.
 *
 *   envelope = length u32 LE, then that many bytes of msgpack: 1 MiB at most, of replies 16
 *   request  = { version, id, type, … }
 *   reply    = { version, id, ok: true, value } or { version, id, ok: false, code, message }
 *
 * The socket is open to the user of the engine alone (a 0700 folder), which matters since msgpackr
 * decodes extensions: these envelopes never come from the network.
 */
import { Packr } from "msgpackr";
import type { ChangeValue, ExplainValue, NetworkStatus, ReloadValue } from "./answers.ts";
import type { Change } from "./change.ts";
import { changeFields, type EnvelopeFields, readChange } from "./change-fields.ts";
import { LOG_LEVELS, type LogLevel } from "./config.ts";
import { type InviteValue, type NetworkRequest, readInvite } from "./invite.ts";
import { type PublishValue, readPublish } from "./publish.ts";

/** Protocol: raised when an envelope of the old kind would be misread. */
export const CONTROL_VERSION = 1;
/** Of its msgpack. A reply may hold all that there can be of one peer: ROUTES_MAX prefixes. */
export const ENVELOPE_BYTES_MAX = { request: 1_048_576, reply: 16 * 1_048_576 } as const;
const LENGTH_BYTES = 4;

/** Where the sockets lie; the variable is for tests and for users without /run. */
export const controlFolder = (): string => process.env.P2PVPN_RUN_DIR || "/run/p2pvpn";

/** `/run/p2pvpn/p2p0.sock`. */
export const controlFile = (name: string, folder = controlFolder()): string =>
  `${folder}/${name}.sock`;

/** Counts by name, as in the tables of `memory/layout.ts`. */
export type Counts = Readonly<Record<string, number>>;

/** What the log said and somebody may have missed. Units: milliseconds. */
export interface WarningValue {
  readonly ageMs: number;
  readonly text: string;
}

/** What the engine is and does. Units: bytes, milliseconds. */
export interface StatusValue {
  readonly interface: string;
  /** False: the interface is set down, and nothing passes. */
  readonly up: boolean;
  /** Of the engine's process. */
  readonly pid: number;
  /** The network namespace of its UDP sockets: inode of /proc/PID/ns/net. */
  readonly network: number;
  readonly nodeId: string | null;
  readonly wireguardPublicKey: string;
  readonly listenPort: number;
  readonly mtu: number;
  /** As configured; `peers` has each session's own. */
  readonly cipher: string;
  readonly threads: number;
  readonly ioThreads: number;
  readonly features: {
    readonly gso: boolean;
    readonly gro: boolean;
    readonly tunOffload: boolean;
    readonly uso: boolean;
    readonly mergeTcp: boolean;
    readonly mergeUdp: boolean;
    readonly connectedSockets: boolean;
    readonly aesHardware: boolean;
    /** AES-256-GCM is offered to engines: it is there, and faster than ChaCha20-Poly1305. */
    readonly aes256gcm: boolean;
  };
  /** Why a feature is off, by its name. */
  readonly offBecause: Readonly<Record<string, string>>;
  /** Session secrets are written to a file (security.md 5). */
  readonly keyLog: boolean;
  readonly defence: { readonly state: string; readonly rung: number };
  /** Age of the engine. */
  readonly startedMs: number;
  /** Of the interface, with their prefix lengths. */
  readonly addresses: readonly string[];
  /** The last warnings and errors of the log, oldest first, with their ages. */
  readonly warnings: readonly WarningValue[];
  readonly counters: Counts;
  readonly drops: Counts;
  /** Null: the host is a member of none. */
  readonly membership: NetworkStatus | null;
}

/**
 * `connected`: a session is in use. `silent`: it owes an answer for longer than a peer that lives
 * takes. `calling`: a handshake was sent a moment ago. `idle`: there was a session, and nothing
 * asks for another. `waiting`: there was none yet, and nothing asks for one, or no address is
 * known.
 */
export type PeerPresence = "connected" | "silent" | "calling" | "idle" | "waiting";

/** One peer. Units: bytes, milliseconds; an age is counted back from now. */
export interface PeerValue {
  readonly name: string | null;
  readonly nodeId: string | null;
  readonly wireguardPublicKey: string;
  /** Who has named it: the configuration, a person while the engine runs, or its certificate. */
  readonly origin: "file" | "live" | "network";
  /** Allowed IPs. */
  readonly addresses: readonly string[];
  /** Address and port in use; null: none is known. */
  readonly endpoint: string | null;
  /** As configured, "host:port"; null: none is. */
  readonly endpointName: string | null;
  /** Why that name gives no address now, as a clause; null: it does, or nobody knows yet. */
  readonly endpointProblem: string | null;
  readonly state: PeerPresence;
  /** Since when it owes an answer, as an age; null unless it is silent. */
  readonly silentMs: number | null;
  /** "none" unless it is connected. */
  readonly path: "direct" | "relay" | "none";
  readonly cipher: string | null;
  /** Age; null before the first handshake. */
  readonly lastHandshakeMs: number | null;
  readonly rxBytes: number;
  readonly txBytes: number;
  /** Of the newest probe; null unless it is connected and an engine. */
  readonly rttMs: number | null;
  readonly mtu: number;
}

/** One route of the tunnel: a prefix and who it leads to. */
export interface RouteValue {
  readonly prefix: string;
  /** Null for a static peer. */
  readonly nodeId: string | null;
  readonly name: string | null;
  /** Of the peer that it leads to. */
  readonly wireguardPublicKey: string;
  /** 0 for a static peer. */
  readonly metric: number;
  /** The kernel leads its packets into the tunnel. */
  readonly active: boolean;
  /** A clause: why not. Null: it does. */
  readonly reason: string | null;
}

/** A part of the routes. */
export interface RoutesPage {
  readonly routes: readonly RouteValue[];
  /** Where the next page begins; null at the end. */
  readonly next: number | null;
}

/** Every setting by "section.key", as it is now. */
export type ConfigValue = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** What each thread did. */
export interface StatsValue {
  readonly threads: readonly { readonly name: string; readonly counters: Counts }[];
  readonly workers: readonly {
    readonly name: string;
    readonly state: string;
    readonly jobs: number;
  }[];
  readonly memory: { readonly arenaBytes: number; readonly rssBytes: number };
}

/** A part of the peers, since all of them may not fit one envelope. */
export interface PeersPage {
  readonly peers: readonly PeerValue[];
  /** Where the next page begins; null at the end. */
  readonly next: number | null;
}

/** Value of the reply to each request. */
export interface ControlValues {
  readonly "status.get": StatusValue;
  readonly "peers.get": PeersPage;
  readonly "routes.get": RoutesPage;
  readonly "stats.get": StatsValue;
  readonly "network.explain": ExplainValue;
  readonly "config.get": ConfigValue;
  readonly "change.apply": ChangeValue;
  readonly "engine.reload": ReloadValue;
  /** Handshakes that were begun. */
  readonly "peers.rekey": number;
  /** The level now. */
  readonly "log.level": LogLevel;
  readonly "network.publish": PublishValue;
  readonly "network.invite": InviteValue;
  /** Sent before the engine stops; `pid` as the engine sees itself. */
  readonly "engine.stop": { readonly pid: number };
}

/** What is asked. */
export type ControlRequest =
  | { readonly type: "status.get" }
  | { readonly type: "peers.get"; readonly from: number }
  | { readonly type: "routes.get"; readonly from: number }
  | { readonly type: "stats.get" }
  | { readonly type: "network.explain"; readonly subject: string }
  | { readonly type: "config.get" }
  | { readonly type: "change.apply"; readonly change: Change }
  | { readonly type: "engine.reload" }
  /** Null: all peers. */
  | { readonly type: "peers.rekey"; readonly publicKey: Uint8Array | null }
  /** Null: only tell it. */
  | { readonly type: "log.level"; readonly level: LogLevel | null }
  | NetworkRequest
  | { readonly type: "engine.stop" };

export type ControlReply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | {
      readonly id: number;
      readonly ok: false;
      readonly code: string;
      readonly message: string;
    };

/** A request whose envelope is whole; what it asks may still be unknown or wrong. */
export interface RequestEnvelope {
  readonly id: number;
  /** As sent; unknown types are answered, so the text is kept, cut to 40 characters. */
  readonly type: string;
  /** Null: `problem` says why, or the type is unknown. */
  readonly request: ControlRequest | null;
  /** A clause: what is wrong with a field. */
  readonly problem: string | null;
}

/** Maps and arrays only: no records, so that an envelope is plain msgpack. */
const packr = new Packr({ useRecords: false, mapsAsObjects: true, moreTypes: false });

/** Why an envelope cannot be read; becomes CONTROL_BAD_ENVELOPE. */
export class EnvelopeError extends Error {
  override readonly name = "EnvelopeError";
}

type EnvelopeKind = keyof typeof ENVELOPE_BYTES_MAX;

/** One envelope. Errors: EnvelopeError when the value is larger than an envelope. */
export const encodeEnvelope = (value: unknown, kind: EnvelopeKind = "request"): Buffer => {
  const body = packr.pack(value);
  if (body.length > ENVELOPE_BYTES_MAX[kind])
    throw new EnvelopeError("the value is larger than an envelope");
  const envelope = Buffer.allocUnsafe(LENGTH_BYTES + body.length);
  envelope.writeUInt32LE(body.length);
  body.copy(envelope, LENGTH_BYTES);
  return envelope;
};

type Fields = EnvelopeFields;

const decodeBody = (body: Uint8Array): Fields => {
  let value: unknown;
  try {
    value = packr.unpack(body);
  } catch (cause) {
    throw new EnvelopeError("the envelope is no msgpack", { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new EnvelopeError("the envelope holds no map");
  }
  return value as Fields;
};

const isWhole = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;

/** Collects bytes into envelopes; holds one envelope at most, however small the pieces are. */
export class EnvelopeReader {
  readonly #header: Buffer = Buffer.alloc(LENGTH_BYTES);
  #headerFilled = 0;
  /** Null while the header is not complete. */
  #body: Buffer | null = null;
  #bodyFilled = 0;
  readonly #bytesMax: number;

  constructor(kind: EnvelopeKind = "request") {
    this.#bytesMax = ENVELOPE_BYTES_MAX[kind];
  }

  /**
   * Takes what was read and returns the whole envelopes so far, decoded.
   *
   * Errors: EnvelopeError at the first damaged or oversized envelope; the reader is of no use then.
   */
  push(bytes: Buffer): Fields[] {
    const envelopes: Fields[] = [];
    for (let at = 0; at < bytes.length; ) {
      at +=
        this.#body === null ? this.#takeHeader(bytes, at) : this.#takeBody(this.#body, bytes, at);
      if (this.#body === null || this.#bodyFilled < this.#body.length) continue;
      envelopes.push(decodeBody(this.#body));
      this.#body = null;
      this.#headerFilled = 0;
    }
    return envelopes;
  }

  /** Returns how many bytes it took. */
  #takeHeader(bytes: Buffer, at: number): number {
    const taken = bytes.copy(this.#header, this.#headerFilled, at);
    this.#headerFilled += taken;
    if (this.#headerFilled < LENGTH_BYTES) return taken;
    const length = this.#header.readUInt32LE();
    if (length > this.#bytesMax) throw new EnvelopeError("the envelope is too large");
    this.#body = Buffer.allocUnsafe(length);
    this.#bodyFilled = 0;
    return taken;
  }

  #takeBody(body: Buffer, bytes: Buffer, at: number): number {
    const taken = bytes.copy(body, this.#bodyFilled, at);
    this.#bodyFilled += taken;
    return taken;
  }
}

/** Null is given where a field may be left out. */
const keyOf = (value: unknown): Uint8Array | null | undefined => {
  if (value === undefined || value === null) return null;
  if (!(value instanceof Uint8Array) || value.length !== 32) return undefined;
  return Uint8Array.from(value);
};

const levelOf = (value: unknown): LogLevel | null | undefined =>
  value === undefined || value === null ? null : LOG_LEVELS.find((level) => level === value);

/** Protocol: above the longest name, key and address. */
const SUBJECT_CHARACTERS = 100;

/** The request, or what is wrong with it; an unknown type is wrong without a word. */
const checkedRequest = (fields: Fields): ControlRequest | string | null => {
  const { type, from } = fields;
  switch (type) {
    case "status.get":
    case "stats.get":
    case "config.get":
    case "engine.reload":
    case "engine.stop":
      return { type };
    case "peers.get":
    case "routes.get":
      return isWhole(from) ? { type, from } : "from must be a whole number";
    case "change.apply": {
      const result = readChange(fields.change);
      return "problem" in result ? result.problem : { type, change: result.change };
    }
    case "peers.rekey": {
      const publicKey = keyOf(fields.publicKey);
      return publicKey === undefined ? "publicKey must be 32 bytes" : { type, publicKey };
    }
    case "log.level": {
      const level = levelOf(fields.level);
      return level === undefined ? `level must be ${LOG_LEVELS.join(" or ")}` : { type, level };
    }
    case "network.explain": {
      const { subject } = fields;
      const named = typeof subject === "string" && subject.length <= SUBJECT_CHARACTERS;
      return named ? { type, subject } : "subject must be a name, a key or an address";
    }
    case "network.publish":
      return readPublish(fields);
    case "network.invite":
      return readInvite(fields);
    default:
      return null;
  }
};

/** The map that `readRequest` reads. */
export const requestFields = (id: number, request: ControlRequest): EnvelopeFields => {
  const head = { version: CONTROL_VERSION, id };
  if (request.type !== "change.apply") return { ...head, ...request };
  return { ...head, type: request.type, change: changeFields(request.change) };
};

/** Reads a request. Errors: EnvelopeError when it has no id, no type, or another version. */
export const readRequest = (fields: Fields): RequestEnvelope => {
  const { version, id, type } = fields;
  if (version !== CONTROL_VERSION) throw new EnvelopeError("the envelope is of another version");
  if (!isWhole(id) || typeof type !== "string")
    throw new EnvelopeError("the envelope is no request");
  const checked = checkedRequest(fields);
  const bad = checked === null || typeof checked === "string";
  return {
    id,
    type: type.slice(0, 40),
    request: bad ? null : checked,
    problem: typeof checked === "string" ? checked : null,
  };
};

/** Reads a reply. Errors: EnvelopeError when it is none, or of another version. */
export const readReply = (fields: Fields): ControlReply => {
  const { version, id, ok, value, code, message } = fields;
  if (version !== CONTROL_VERSION) throw new EnvelopeError("the envelope is of another version");
  if (!isWhole(id)) throw new EnvelopeError("the envelope is no reply");
  if (ok === true) return { id, ok, value };
  if (ok === false && typeof code === "string" && typeof message === "string") {
    return { id, ok, code, message };
  }
  throw new EnvelopeError("the envelope is no reply");
};
