/**
 * floods — kinds of floods, what they are made of, and how one is started in a field.
 *
 * Here the datagrams are made, once; flooder.c sends them at a rate, from x. What needs a key or
 * genuine datagrams of the tunnel takes them from the laboratory. Data has 1,452 bytes, as a tunnel
 * with an MTU of 1,420 sends it.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { INITIATION } from "../../src/wire/handshake.ts";
import { compile } from "./compile.ts";
import { ATTACKER_PREFIX, type Field, LINK_PREFIX6 } from "./field.ts";
import { makeInitiations } from "./initiations.ts";
import { type Host, LabError, LINK, type Program } from "./lab.ts";

/** From a to b of a field. */
export interface Tunnel {
  readonly from: Host;
  /** Inner address of b. */
  readonly to: string;
  /** The same of IPv6; left out: it carries none. */
  readonly to6?: string;
  /** UDP port of the tunnel at a and at b, if they have one of their own. */
  readonly port: number;
  /** Port at s that rivals need open, and that is flooded in scenario `paper`. */
  readonly serverPort: number;
  /** Base64, of b; null when it is no WireGuard. */
  readonly publicKey: string | null;
  /** Types of data that WireGuard's ends take; for others, what floods have. */
  readonly dataTypes: readonly number[];
  /** All ends; processor time and life are watched. */
  readonly programs: readonly Program[];
}

/** Type of WireGuard's data. Source: WireGuard, 5.4.6. */
export const DATA_TYPE = 4;

const JUNK_BYTES = 1_400;
const SMALL_BYTES = 64;
const DATA_BYTES = 1_452;
const DIFFERENT = 512;
/** Each of them has another index. */
const INDEXES = 4_096;
const RECORDED = 256;
const RECORD_SECONDS = 10;
/** Inner packets of this size give datagrams of DATA_BYTES: less IP and ICMP headers. */
const PING_BYTES = 1_420 - 28;
const ATTACKER_PORT = 40_000;
const KEY_BYTES = 32;
/** Where the counter of data lies: behind type and receiver index. Source: WireGuard, 5.4.6. */
const COUNTER_AT = 8;
/** Initiations of 600 and of 20,000 a second; each is answered with 64 bytes at most. */
const LINK_LOADS = [1, 35];

/** Who seems to send: x itself, anybody behind x, anybody on the link, or the victim's peer. */
export type Source = "attacker" | "random" | "link" | "peer";

export interface FloodClass {
  readonly id: string;
  /** In tables. */
  readonly title: string;
  readonly source: Source;
  /** IP version of the flood and of what is measured under it; 4 where left out. */
  readonly version?: 6;
  /** Instead of the usual loads. Units: Mbit/s. */
  readonly loads?: readonly number[];
  /** Errors: LabError. */
  readonly payloads: (field: Field, tunnel: Tunnel) => Promise<readonly Uint8Array[]>;
}

const junk = (bytes: number) => async (): Promise<readonly Uint8Array[]> =>
  Array.from({ length: DIFFERENT }, () => randomBytes(bytes));

/** Datagrams of data for sessions that are not there, of each type in turn. */
const strayData = async (_: Field, { dataTypes }: Tunnel): Promise<readonly Uint8Array[]> =>
  Array.from({ length: INDEXES }, (_, i) => {
    const datagram = randomBytes(DATA_BYTES);
    datagram.writeUInt32LE(dataTypes[i % dataTypes.length]!, 0);
    datagram.writeBigUInt64LE(BigInt(i), COUNTER_AT);
    return datagram;
  });

/** Of the tunnel's own suite. Where there is no key, for nobody: what comes looks the same. */
const initiations = async (
  _: Field,
  { publicKey, dataTypes }: Tunnel,
): Promise<readonly Uint8Array[]> => {
  const key = publicKey === null ? randomBytes(KEY_BYTES) : Buffer.from(publicKey, "base64");
  return makeInitiations(key, DIFFERENT, Math.max(...dataTypes) - DATA_TYPE + INITIATION.type);
};

/**
 * What the peer really sent: recorded at the victim's link while pings cross the tunnel. Where
 * there is no WireGuard, what looks the same.
 */
const replays = async (field: Field, tunnel: Tunnel): Promise<readonly Uint8Array[]> => {
  if (tunnel.publicKey === null) return strayData(field, tunnel);
  const { a, b } = field;
  const file = join(field.folder, "recorded");
  const words = [LINK, tunnel.port, RECORDED, RECORD_SECONDS, file].map(String);
  const recorder = field.start(b, [programOf(field, "recorder"), ...words]);
  await recorder.says("recording");
  const count = ["-c", String(2 * RECORDED), "-i", "0.002", "-s", String(PING_BYTES)];
  await field.run(a, ["ping", "-n", "-q", "-w", String(RECORD_SECONDS), ...count, tunnel.to]);
  const code = await recorder.ended;
  if (code !== 0) throw new LabError(`Nothing could be recorded: ${recorder.errors.trim()}`);
  const genuine = unpack(readFileSync(file)).filter((one) => one.length === DATA_BYTES);
  if (genuine.length === 0) throw new LabError("No data of the tunnel was recorded.");
  return genuine;
};

// biome-ignore format: a table
export const FLOOD_CLASSES: readonly FloodClass[] = [
  { id: "junk", title: "junk, 1,400 bytes, one source", source: "attacker", payloads: junk(JUNK_BYTES) },
  { id: "random", title: "junk, 1,400 bytes, random sources", source: "random", payloads: junk(JUNK_BYTES) },
  { id: "index", title: "data, wrong index, random sources", source: "random", payloads: strayData },
  { id: "mac1", title: "initiations, valid mac1, random sources", source: "random", payloads: initiations },
  { id: "spoofed", title: "data, wrong index, from the peer's address", source: "peer", payloads: strayData },
  { id: "replay", title: "replays of genuine data, from the peer's address", source: "peer", payloads: replays },
  { id: "small", title: "junk, 64 bytes, one source", source: "attacker", payloads: junk(SMALL_BYTES) },
  { id: "onlink", title: "initiations, valid mac1, random addresses of the own subnet", source: "link", loads: LINK_LOADS, payloads: initiations },
  { id: "onlink6", title: "initiations, valid mac1, random addresses of the own subnet, IPv6", source: "link", version: 6, loads: LINK_LOADS, payloads: initiations },
];

/** Records as flooder.c reads them: length (u16, little endian), bytes. */
export const pack = (datagrams: readonly Uint8Array[]): Buffer =>
  Buffer.concat(
    datagrams.flatMap((one) => {
      const length = Buffer.alloc(2);
      length.writeUInt16LE(one.length);
      return [length, one];
    }),
  );

/** The opposite; a record that was cut short is left out. */
export const unpack = (bytes: Buffer): Uint8Array[] => {
  const found: Uint8Array[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const end = at + 2 + bytes.readUInt16LE(at);
    if (end > bytes.length) break;
    found.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return found;
};

const programOf = (field: Field, name: "flooder" | "recorder"): string => {
  const binary = join(field.folder, name);
  return existsSync(binary) ? binary : compile(field, name);
};

const sourceWord = (field: Field, { source, version }: FloodClass, peerPort: number): string => {
  if (version === 6) return LINK_PREFIX6;
  if (source === "random" || source === "link") return ATTACKER_PREFIX;
  if (source === "attacker") return `${field.x.under4}:${ATTACKER_PORT}`;
  return `${field.a.under4}:${peerPort}`;
};

/** Where a flood goes. */
export interface Target {
  readonly host: Host;
  readonly port: number;
}

export interface Flood {
  readonly kind: FloodClass;
  readonly megabits: number;
  /** It ends by itself after this. */
  readonly seconds: number;
}

/**
 * Makes what a flood consists of; needs a tunnel that carries something. Returns the file.
 * Errors: LabError.
 */
const makePayloads = async (field: Field, tunnel: Tunnel, kind: FloodClass): Promise<string> => {
  const file = join(field.folder, `${kind.id}.payloads`);
  writeFileSync(file, pack(await kind.payloads(field, tunnel)));
  return file;
};

/** Starts a flood from x and waits until it flows. Errors: LabError. */
export const startFlood = async (
  field: Field,
  tunnel: Tunnel,
  target: Target,
  { kind, megabits, seconds }: Flood,
): Promise<Program> => {
  const file = await makePayloads(field, tunnel, kind);
  if (kind.source === "link") await field.linkAttacker(target.host);
  const source = sourceWord(field, kind, tunnel.port);
  const to = kind.version === 6 ? target.host.under6 : target.host.under4;
  const words = [source, to, target.port, file, megabits, seconds].map(String);
  const flooder = field.start(field.x, [programOf(field, "flooder"), ...words]);
  await flooder.says("flooding");
  return flooder;
};
