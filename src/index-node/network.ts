/**
 * network — one network on an index node: what it holds of the authority's word and of members, and
 * what it does for callers. Networks on one index share a port and an identity, and nothing else.
 */
import type { CalleeNetwork, Caller, Callers } from "../directory/callers.ts";
import { makeCard } from "../directory/card.ts";
import { Lists } from "../directory/lists.ts";
import { MapShelf } from "../directory/map-shelf.ts";
import { Service } from "../directory/service.ts";
import type { ServiceCount } from "../directory/service-counts.ts";
import { type Definition, decodeDefinition, newerDefinition } from "../members/definition.ts";
import { decodeList, listProblem, type RevocationList } from "../members/revocation-list.ts";
import { formatNetworkId } from "../members/sign.ts";
import { BUILT_S } from "../schema/built.ts";
import type { Signer } from "../schema/identity.ts";
import { PIECE_OF } from "../wire/index-messages.ts";
import type { Folder } from "./folder.ts";
import { decodeKept, encodeKept } from "./kept.ts";

/** Tuning: a clock that is further behind what the authority signed is wrong. */
const BEHIND_S = 3_600;

export interface NetworkOptions {
  /** Of the network file. */
  readonly definition: Definition;
  readonly signer: Signer;
  readonly folder: Folder;
  /** The system's clock. */
  readonly unixS: () => number;
  readonly randomBytes: (bytes: number) => Uint8Array;
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
  readonly shelf: MapShelf;
  readonly counts = new Map<ServiceCount, number>();
  #service: Service | null = null;
  #writtenAt = 0;

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
    this.shelf = new MapShelf(this.lists, () => this.#clock());
    this.#load();
  }

  /** A clock that is before this version, or long before what the authority signed, is a bound. */
  #clock(): { readonly nowS: number; readonly trusted: boolean } {
    const nowS = this.#options.unixS();
    const floorS = Math.max(BUILT_S, this.lists.signedS);
    return { nowS: Math.max(nowS, floorS), trusted: nowS >= BUILT_S && floorS - nowS <= BEHIND_S };
  }

  #load(): void {
    const { folder, say } = this.#options;
    const file = folder.read(this.networkId, "records");
    const pairs = file === null ? [] : decodeKept(this.networkId, file);
    if (pairs === null) say("the records on the disk are damaged, and left out");
    for (const pair of pairs ?? []) if (this.shelf.check(pair).ok) this.shelf.put(pair);
    this.#writtenAt = this.#changes;
  }

  get name(): string {
    return this.lists.definition.name;
  }

  get service(): Service {
    return this.#service!;
  }

  /** Before anything else. */
  serve(callers: Pick<Callers, "say" | "dismiss">): void {
    const { folder, randomBytes, say } = this.#options;
    this.#service = new Service({
      lists: this.lists,
      shelf: this.shelf,
      say: (caller, message) => callers.say(caller, message),
      dismiss: (caller: Caller) => callers.dismiss(caller),
      lookUp: (target, answer) => answer(this.shelf.get(target)),
      directory: () => false,
      onGuest: () => undefined,
      onLists: (what) => {
        const name = what === PIECE_OF.definition ? "definition" : "list";
        folder.write(this.networkId, name, this.lists.whole(what)!.bytes);
        say(`a newer ${name === "list" ? "revocation list" : "definition"} holds`);
      },
      number: () => Number(new DataView(randomBytes(8).buffer).getBigUint64(0) >> 11n),
      count: (what, amount = 1) => this.counts.set(what, (this.counts.get(what) ?? 0) + amount),
    });
  }

  /** Changes of the records so far. */
  get #changes(): number {
    return (this.counts.get("recordsTaken") ?? 0) + (this.counts.get("recordsDropped") ?? 0);
  }

  /** Writes the records if they changed; `now`: they are on the disk when it returns. */
  write(now: boolean): void {
    const { folder } = this.#options;
    if (this.#changes === this.#writtenAt) return;
    this.#writtenAt = this.#changes;
    const bytes = encodeKept(this.networkId, this.shelf.pairs());
    if (now) folder.write(this.networkId, "records", bytes);
    else void folder.writeLater(this.networkId, "records", bytes);
  }

  status() {
    const { list, definition } = this.lists.standings;
    return {
      id: formatNetworkId(this.networkId),
      name: this.name,
      callers: this.service.guests.size,
      members: this.shelf.size,
      enrollers: this.service.enrollers,
      joinsWaiting: this.service.wishes,
      definition: definition.sequence,
      revocations: list.sequence,
      counts: Object.fromEntries(this.counts),
    };
  }
}
