/**
 * uapi-set — the lines of one `set` to one `Change`.
 *
 * The protocol's lines take effect in their order; a `PeerChange` has an order of its own (replace,
 * give, take). Where the two differ, one peer's lines become several entries. A section that
 * removes its peer does nothing else.
 *
 * `replace_peers` means that all peers are new: a peer's first entry after it says so in full, so
 * that one which is kept for its sessions has nothing left of its former settings.
 */
import { isIPv4 } from "node:net";
import { PEERS_MAX, ROUTES_MAX } from "../memory/layout.ts";
import { type Cidr, parseAddress } from "../wire/cidr.ts";
import { readPrefix } from "../wire/prefix.ts";
import type { Change, PeerChange } from "./change.ts";
import type { Endpoint } from "./config.ts";
import { ERRNO } from "./errno.ts";

/**
 * Tuning: entries of the change that one `set` becomes; a peer's lines may become several. Prefixes
 * are ROUTES_MAX at most, about 50 MB of heap.
 */
export const SET_ENTRIES_MAX = 4 * PEERS_MAX;

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

interface Entry extends Writable<PeerChange> {
  allowedIps?: Cidr[];
  removedAllowedIps?: Cidr[];
}

/** What one peer's lines have said so far. */
interface Section {
  readonly publicKey: Uint8Array;
  readonly entries: Entry[];
  remove: boolean;
  updateOnly: boolean;
}

const KEY_CHARACTERS = 64;
const EQUALS = 0x3d;
const MINUS = 0x2d;
const ALLOWED_IP = Buffer.from("allowed_ip=");

/** 32 bytes from 64 hexadecimal digits, or null. */
const readKey = (text: string): Uint8Array | null =>
  text.length === KEY_CHARACTERS && /^[0-9a-fA-F]+$/.test(text)
    ? Uint8Array.from(Buffer.from(text, "hex"))
    : null;

const isZero = (key: Uint8Array): boolean => key.every((byte) => byte === 0);

/** A whole number in decimal digits, at most `max`; -1 when it is none. */
const readWhole = (text: string, max: number): number =>
  /^\d{1,10}$/.test(text) && Number(text) <= max ? Number(text) : -1;

const readMark = (text: string): number =>
  /^0[xX][0-9a-fA-F]{1,8}$/.test(text) ? Number(text) : readWhole(text, 0xffff_ffff);

const ENDPOINT = /^(?:\[([0-9a-fA-F:.]+)(%[A-Za-z0-9_=+.-]{1,15})?\]|([0-9.]+)):(\d{1,5})$/;

/**
 * "203.0.113.7:51820", "[2001:db8::7]:51820", or "[fe80::7%eth0]:51820" with an interface's name or
 * number. No names of hosts: who writes this has resolved them.
 */
const readEndpoint = (text: string): Endpoint | null => {
  const match = ENDPOINT.exec(text);
  if (match === null) return null;
  const [, six, scope = "", four] = match;
  const port = Number(match[4]);
  if (port < 1 || port > 65_535) return null;
  if (four !== undefined) return isIPv4(four) ? { host: four, port } : null;
  return parseAddress(six!)?.length === 16 ? { host: `${six}${scope}`, port } : null;
};

const startsWith = (text: Buffer, from: number, to: number, word: Buffer): boolean => {
  if (to - from < word.length) return false;
  for (let i = 0; i < word.length; i++) if (text[from + i] !== word[i]) return false;
  return true;
};

/** Sets what the value says; false: it is not a value of this key. */
type DeviceKey = (change: Writable<Change>, value: string) => boolean;
type PeerKey = (section: Section, entry: Entry, value: string) => boolean;

const DEVICE_KEYS: ReadonlyMap<string, DeviceKey> = new Map<string, DeviceKey>([
  [
    "private_key",
    (change, value) => {
      const key = readKey(value);
      if (key !== null) change.privateKey = isZero(key) ? null : key;
      return key !== null;
    },
  ],
  [
    "listen_port",
    (change, value) => {
      change.listenPort = readWhole(value, 65_535);
      return change.listenPort >= 0;
    },
  ],
  [
    "fwmark",
    (change, value) => {
      change.fwmark = readMark(value);
      return change.fwmark >= 0;
    },
  ],
  [
    "replace_peers",
    (change, value) => {
      change.replacePeers = true;
      return value === "true";
    },
  ],
]);

const PEER_KEYS: ReadonlyMap<string, PeerKey> = new Map<string, PeerKey>([
  [
    "remove",
    (section, _, value) => {
      section.remove = true;
      return value === "true";
    },
  ],
  [
    "update_only",
    (section, _, value) => {
      section.updateOnly = true;
      return value === "true";
    },
  ],
  [
    "preshared_key",
    (_, entry, value) => {
      const key = readKey(value);
      if (key !== null) entry.presharedKey = isZero(key) ? null : key;
      return key !== null;
    },
  ],
  [
    "endpoint",
    (_, entry, value) => {
      entry.endpoint = readEndpoint(value);
      return entry.endpoint !== null;
    },
  ],
  [
    "persistent_keepalive_interval",
    (_, entry, value) => {
      entry.persistentKeepaliveS = readWhole(value, 65_535);
      return entry.persistentKeepaliveS >= 0;
    },
  ],
  [
    "replace_allowed_ips",
    (_, entry, value) => {
      entry.replaceAllowedIps = true;
      return value === "true";
    },
  ],
  ["protocol_version", (_section, _entry, value) => value === "1"],
]);

/** Collects the lines of one `set`. Thread: any. */
export class SetBuilder {
  readonly #change: Writable<Change> = {};
  readonly #peers: PeerChange[] = [];
  /** Keys of the peers that `replace_peers` left room for and that were given since. */
  readonly #given = new Set<string>();
  #section: Section | null = null;
  #entries = 0;
  #prefixes = 0;

  /** Takes the line `text[from, to)`. Returns 0, or the errno that refuses the whole. */
  line(text: Buffer, from: number, to: number): number {
    if (startsWith(text, from, to, ALLOWED_IP)) {
      return this.#allowedIp(text, from + ALLOWED_IP.length, to);
    }
    const equals = text.subarray(from, to).indexOf(EQUALS);
    if (equals < 0) return ERRNO.invalid;
    const key = text.toString("latin1", from, from + equals);
    const value = text.toString("latin1", from + equals + 1, to);
    if (key === "public_key") return this.#begin(value);
    const section = this.#section;
    if (section === null) {
      return DEVICE_KEYS.get(key)?.(this.#change, value) ? 0 : ERRNO.invalid;
    }
    let entry = section.entries.at(-1)!;
    const touched = entry.allowedIps !== undefined || entry.removedAllowedIps !== undefined;
    if (key === "replace_allowed_ips" && touched) {
      if (++this.#entries > SET_ENTRIES_MAX) return ERRNO.noRoom;
      entry = addEntry(section);
    }
    return PEER_KEYS.get(key)?.(section, entry, value) ? 0 : ERRNO.invalid;
  }

  /** Everything that was said. Not to be used any more after it. */
  finish(): Change {
    this.#close();
    if (this.#peers.length > 0) this.#change.peers = this.#peers;
    return this.#change;
  }

  #begin(value: string): number {
    const publicKey = readKey(value);
    if (publicKey === null) return ERRNO.invalid;
    this.#close();
    if (++this.#entries > SET_ENTRIES_MAX) return ERRNO.noRoom;
    this.#section = { publicKey, entries: [{ publicKey }], remove: false, updateOnly: false };
    return 0;
  }

  #allowedIp(text: Buffer, from: number, to: number): number {
    const section = this.#section;
    if (section === null) return ERRNO.invalid;
    const taken = text[from] === MINUS && from < to;
    const prefix = readPrefix(text, taken ? from + 1 : from, to);
    if (prefix === null) return ERRNO.invalid;
    if (++this.#prefixes > ROUTES_MAX) return ERRNO.noRoom;
    let entry = section.entries.at(-1)!;
    if (taken) {
      entry.removedAllowedIps ??= [];
      entry.removedAllowedIps.push(prefix);
      return 0;
    }
    if (entry.removedAllowedIps !== undefined) {
      if (++this.#entries > SET_ENTRIES_MAX) return ERRNO.noRoom;
      entry = addEntry(section);
    }
    entry.allowedIps ??= [];
    entry.allowedIps.push(prefix);
    return 0;
  }

  /** Ends the section of a peer. */
  #close(): void {
    const section = this.#section;
    if (section === null) return;
    this.#section = null;
    const { publicKey, entries, remove, updateOnly } = section;
    if (this.#change.replacePeers && !this.#isNew(section)) return;
    if (remove) {
      this.#peers.push({ publicKey, remove: true });
      return;
    }
    for (const entry of entries) this.#peers.push(updateOnly ? { ...entry, updateOnly } : entry);
  }

  /** After `replace_peers` only. False: the section has nobody to speak of. */
  #isNew({ publicKey, entries, remove, updateOnly }: Section): boolean {
    const name = Buffer.from(publicKey).toString("latin1");
    if (remove) return this.#given.delete(name);
    if (this.#given.has(name)) return true;
    if (updateOnly) return false;
    this.#given.add(name);
    entries[0] = { ...FRESH, ...entries[0]!, replaceAllowedIps: true };
    return true;
  }
}

/** Settings of a peer of which nothing was said. */
const FRESH = { presharedKey: null, endpoint: null, persistentKeepaliveS: 0 } as const;

const addEntry = (section: Section): Entry => {
  const entry: Entry = { publicKey: section.publicKey };
  section.entries.push(entry);
  return entry;
};
