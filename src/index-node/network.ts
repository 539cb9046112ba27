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
import { type Definition, decodeDefinition, newerDefinition } from "../members/definition.ts";
import { decodeList, listProblem, type RevocationList } from "../members/revocation-list.ts";
import { formatNetworkId } from "../members/sign.ts";
import { BUILT_S } from "../schema/built.ts";
import type { Signer } from "../schema/identity.ts";
import { PIECE_OF } from "../wire/index-messages.ts";
import type { Pair } from "../wire/intro.ts";
import type { Folder } from "./folder.ts";

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

const listOf = (bytes: Uint8Array | null, definition: Definition): RevocationList | null => {
  const list = bytes === null ? null : decodeList(bytes);
  return list?.ok && listProblem(list.value, definition) === null ? list.value : null;
};

const newestOf = (given: Definition, kept: Uint8Array | null): Definition => {
  const decoded = kept === null ? null : decodeDefinition(kept);
  return decoded?.ok ? newerDefinition(given, decoded.value) : given;
};

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

  /** Reads what the disk has of it. Errors: EngineError FILE_UNWRITABLE. */
  constructor(options: NetworkOptions) {
    const { folder, signer } = options;
    const { networkId } = options.definition;
    this.#options = options;
    this.networkId = networkId;
    const keys = { nodeKey: signer.nodeKey, handshakeKey: signer.identity.publicKey };
    this.card = makeCard(networkId, keys, signer.secretKey);
    folder.prepare(networkId);
    const definition = newestOf(options.definition, folder.read(networkId, "definition"));
    this.lists = new Lists(definition, listOf(folder.read(networkId, "list"), definition));
    const checker = new PairChecker({
      definition: () => this.lists.definition,
      list: () => this.lists.list,
      clock: this.#clock(),
    });
    this.records = new Records({ checker, count: this.#count });
    this.#kept = new Kept(this.records, this.#read());
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

  /** Records of the disk. */
  #read(): Pair[] {
    const { folder, say } = this.#options;
    const file = folder.read(this.networkId, "records");
    const pairs = file === null ? [] : decodeRecords(this.networkId, file);
    if (pairs === null) say("the records on the disk are damaged, and left out");
    return pairs ?? [];
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
    const { folder, openStorer, randomBytes, say, signer, timer } = this.#options;
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
        const name = what === PIECE_OF.definition ? "definition" : "list";
        folder.write(this.networkId, name, this.lists.whole(what)!.bytes);
        say(`a newer ${name === "list" ? "revocation list" : "definition"} holds`);
      },
      number: () => Number(new DataView(randomBytes(8).buffer).getBigUint64(0) >> 11n),
    });
  }

  stop(): void {
    void this.#storer?.stop();
  }

  /** Writes the records if they changed; `now`: they are on the disk when it returns. */
  write(now: boolean): void {
    const { folder } = this.#options;
    if (!this.#kept.takeChanges()) return;
    const bytes = encodeRecords(this.networkId, this.records.pairs());
    if (now) folder.write(this.networkId, "records", bytes);
    else void folder.writeLater(this.networkId, "records", bytes);
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
