/**
 * network — one network on an index node: what it holds of the authority's word and of members, and
 * what it does for callers. Networks on one index share a port and an identity, and nothing else.
 */
import type { CalleeNetwork, Caller, Callers } from "../directory/callers.ts";
import { makeCard } from "../directory/card.ts";
import type { DirectoryCount } from "../directory/counts.ts";
import { Kept } from "../directory/kept.ts";
import { Lists } from "../directory/lists.ts";
import { type DirectoryClock, PairChecker } from "../directory/pairs.ts";
import { Records } from "../directory/records.ts";
import { decodeRecords, encodeRecords } from "../directory/records-file.ts";
import { Service } from "../directory/service.ts";
import type { ServiceCount } from "../directory/service-counts.ts";
import type { Timer } from "../directory/store.ts";
import type { Storer, StorerOptions } from "../directory/storer.ts";
import { sameBytes } from "../members/bytes.ts";
import { type Definition, decodeDefinition, newerDefinition } from "../members/definition.ts";
import { decodeList, listProblem, type RevocationList } from "../members/revocation-list.ts";
import { formatNetworkId } from "../members/sign.ts";
import { BUILT_S } from "../schema/built.ts";
import type { Signer } from "../schema/identity.ts";
import { PIECE_OF } from "../wire/index-messages.ts";
import type { FileName, Folder } from "./folder.ts";

/** The directory at an index node: Storer's, or what a simulation has in its place. */
export type OpenStorer = (
  options: StorerOptions,
) => Pick<Storer, "guest" | "directory" | "lookUp" | "stop">;

/** Tuning: a clock that is further behind what the authority signed is wrong. */
const BEHIND_S = 3_600;
/**
 * Tuning: records of the disk that are verified at a time, and the pause between: members are
 * served meanwhile. Measured: 0.25 ms each.
 */
const LOADED_MAX = 16;
const LOAD_MS = 10;
const NEVER = Number.POSITIVE_INFINITY;

export interface NetworkOptions {
  /** Of the network file. */
  readonly definition: Definition;
  readonly signer: Signer;
  readonly folder: Pick<Folder, "prepare" | "read" | "write" | "writeLater">;
  readonly openStorer: OpenStorer;
  /** The system's clock. */
  readonly unixMs: () => number;
  readonly randomBytes: (bytes: number) => Uint8Array;
  readonly timer: Timer;
  readonly say: (sentence: string, facts?: Readonly<Record<string, string | number>>) => void;
}

/** A list of the disk; null: it is none of the network's. */
const listOf = (bytes: Uint8Array, definition: Definition): RevocationList | null => {
  const list = decodeList(bytes);
  return list.ok && listProblem(list.value, definition) === null ? list.value : null;
};

/** A definition of the disk; null: it is none of the network's. */
const definitionOf = (bytes: Uint8Array, networkId: Uint8Array): Definition | null => {
  const kept = decodeDefinition(bytes);
  return kept.ok && sameBytes(kept.value.networkId, networkId) ? kept.value : null;
};

/** Its file. `what`: PIECE_OF. */
const fileOf = (what: number): "definition" | "list" =>
  what === PIECE_OF.definition ? "definition" : "list";

export class IndexNetwork implements CalleeNetwork {
  readonly #options: NetworkOptions;
  readonly networkId: Uint8Array;
  readonly card: Uint8Array;
  readonly lists: Lists;
  readonly records: Records;
  readonly counts = new Map<ServiceCount | DirectoryCount, number>();
  #service: Service | null = null;
  #storer: ReturnType<OpenStorer> | null = null;
  readonly #kept: Kept;
  #loadedMs = Number.NEGATIVE_INFINITY;
  /** Which lists the disk does not have: PIECE_OF. */
  readonly #unwritten = new Set<number>();

  /** Reads what the disk has of it. Errors: EngineError FILE_UNWRITABLE. */
  constructor(options: NetworkOptions) {
    const { folder, signer } = options;
    const { networkId } = options.definition;
    this.#options = options;
    this.networkId = networkId;
    const keys = { nodeKey: signer.nodeKey, handshakeKey: signer.identity.publicKey };
    this.card = makeCard(networkId, keys, signer.secretKey);
    folder.prepare(networkId);
    const kept = this.#read("definition", (bytes) => definitionOf(bytes, networkId));
    const given = options.definition;
    const definition = kept === null ? given : newerDefinition(given, kept);
    this.lists = new Lists(
      definition,
      this.#read("list", (bytes) => listOf(bytes, definition)),
    );
    const checker = new PairChecker({
      definition: () => this.lists.definition,
      list: () => this.lists.list,
      clock: this.#clock(),
    });
    this.records = new Records({ checker, count: this.#count });
    const records = this.#read("records", (bytes) => decodeRecords(networkId, bytes));
    this.#kept = new Kept(this.records, records ?? []);
    this.#load(this.#loadedMs);
  }

  readonly #count = (what: ServiceCount | DirectoryCount, amount = 1): void => {
    this.counts.set(what, (this.counts.get(what) ?? 0) + amount);
  };

  /** A clock that is before this version, or long before what the authority signed, is a bound. */
  #clock(): DirectoryClock {
    const { unixMs } = this.#options;
    const floorS = (): number => Math.max(BUILT_S, this.lists.signedS);
    return {
      nowMs: () => Math.max(unixMs(), floorS() * 1_000),
      certificateS: () => Math.max(Math.floor(unixMs() / 1_000), floorS()),
      get trusted() {
        const nowS = unixMs() / 1_000;
        return nowS >= BUILT_S && floorS() - nowS <= BEHIND_S;
      },
    };
  }

  /** A file of the disk; null: there is none, or it is damaged, which is said. */
  #read<Value>(name: FileName, decode: (bytes: Uint8Array) => Value | null): Value | null {
    const { folder, say } = this.#options;
    const bytes = folder.read(this.networkId, name);
    const value = bytes === null ? null : decode(bytes);
    const isDamaged = bytes !== null && value === null;
    const verb = name === "records" ? "are" : "is";
    if (isDamaged) say(`the ${name} on the disk ${verb} damaged, and left out`);
    return value;
  }

  /** Some more of the disk; of those that were here meanwhile, nothing has to be verified. */
  #load(nowMs: number): void {
    this.#loadedMs = nowMs;
    this.#kept.read(LOADED_MAX);
  }

  /** When tick() is to be called next. */
  dueMs(nowMs: number): number {
    const loadMs = Math.max(nowMs, this.#loadedMs + LOAD_MS);
    return Math.min(this.service.dueMs(nowMs), this.#kept.isRead ? NEVER : loadMs);
  }

  tick(nowMs: number): void {
    if (nowMs >= this.#loadedMs + LOAD_MS) this.#load(nowMs);
    this.service.tick(nowMs);
  }

  get name(): string {
    return this.lists.definition.name;
  }

  get service(): Service {
    return this.#service!;
  }

  /** Before anything else. */
  serve(callers: Pick<Callers, "say" | "dismiss">): void {
    const { openStorer, randomBytes, say, signer, timer } = this.#options;
    const { records, lists } = this;
    const storer = openStorer({
      ...{ records, timer, nodeKey: signer.nodeKey, count: this.#count },
      say: (caller, bytes, type) => callers.say(caller, bytes, type),
    });
    this.#storer = storer;
    this.#service = new Service({
      ...{ lists, records, count: this.#count },
      say: (caller, message) => callers.say(caller, message),
      dismiss: (caller: Caller) => callers.dismiss(caller),
      lookUp: (target, answer) => storer.lookUp(target, answer),
      directory: (guest, bytes) => storer.directory(guest, bytes),
      onGuest: (guest, here) => storer.guest(guest, here),
      onLists: (what) => {
        this.#unwritten.add(what);
        this.#writeLists();
        say(`a newer ${fileOf(what) === "list" ? "revocation list" : "definition"} holds`);
      },
      number: () => Number(new DataView(randomBytes(8).buffer).getBigUint64(0) >> 11n),
    });
  }

  stop(): void {
    void this.#storer?.stop();
  }

  /** Those of the lists that the disk does not have. */
  #writeLists(): void {
    for (const what of this.#unwritten) {
      const { bytes } = this.lists.whole(what)!;
      const isWritten = this.#options.folder.write(this.networkId, fileOf(what), bytes);
      if (isWritten) this.#unwritten.delete(what);
    }
  }

  /** Writes what the disk does not have; `now`: it is there when it returns, if there is room. */
  write(now: boolean): void {
    const { folder } = this.#options;
    this.#writeLists();
    const changes = this.#kept.unwritten;
    if (changes === null) return;
    const bytes = encodeRecords(this.networkId, this.records.pairs());
    const done = (isWritten: boolean): void => {
      if (isWritten) this.#kept.wrote(changes);
    };
    if (now) done(folder.write(this.networkId, "records", bytes));
    else void folder.writeLater(this.networkId, "records", bytes).then(done);
  }

  status() {
    const { list, definition } = this.lists.standings;
    return {
      id: formatNetworkId(this.networkId),
      name: this.name,
      callers: this.service.guests.size,
      members: this.records.size,
      enrollers: this.service.enrollers,
      joinsWaiting: this.service.wishes,
      definition: definition.sequence,
      revocations: list.sequence,
      counts: Object.fromEntries(this.counts),
    };
  }
}
