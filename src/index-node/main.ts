/**
 * main — runs an index node: the real clock, randomness, sockets and disk around node.ts.
 *
 * One event loop does all. Records and status are written each minute and at the end; a list and a
 * definition at once.
 */
import { randomBytes } from "node:crypto";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import type { Timer } from "../directory/store.ts";
import { Storer } from "../directory/storer.ts";
import type { Log } from "../log.ts";
import type { Definition } from "../members/definition.ts";
import { formatNetworkId, formatNodeId } from "../members/sign.ts";
import type { ChannelKind } from "../wire/channel.ts";
import { type Cidr, parseCidr } from "../wire/cidr.ts";
import { Folder } from "./folder.ts";
import { IndexNetwork } from "./network.ts";
import { IndexNode } from "./node.ts";
import { formatPlace, type Listen, Sockets } from "./sockets.ts";

/** Tuning: records and status go to the disk so often. */
const WRITE_MS = 60_000;
const NEVER = Number.POSITIVE_INFINITY;

export interface IndexOptions {
  readonly listen: readonly Listen[];
  /** Of network files; each another network. */
  readonly definitions: readonly Definition[];
  readonly folder: string;
  /** What members write in their configuration; port 0: the one that is listened on. */
  readonly publicAddress: { readonly host: string; readonly port: number } | null;
  readonly log: Log;
}

const TIMER: Timer = {
  bootMs: () => performance.now(),
  after: (delayMs, act) => {
    const timer = setTimeout(act, delayMs);
    return () => clearTimeout(timer);
  },
};

/** An index node that runs. */
export interface RunningIndex {
  readonly nodeId: string;
  /** For `index = [...]` of members. */
  readonly index: string;
  readonly listen: readonly string[];
  readonly networks: readonly { readonly id: string; readonly name: string }[];
  /** The identity was made now. */
  readonly isNew: boolean;
  /** Writes what is not on the disk, and ends. */
  stop(): void;
}

/** Addresses of this host, but for loopback. Errors: Error, where the kernel does not say. */
const ownAddresses = (): NetworkInterfaceInfo[] =>
  Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ internal }) => !internal);

/** The same with their networks. Errors: as above. */
const ownLinks = (): Cidr[] =>
  ownAddresses().flatMap(({ cidr }) =>
    cidr === null ? [] : (parseCidr(cidr.replace(/%[^/]*/, "")) ?? []),
  );

const isAny = (address: string): boolean => address === "0.0.0.0" || address === "::";

const likelyAddress = (): string | undefined => {
  try {
    const own = ownAddresses().filter(({ address }) => !address.startsWith("fe80:"));
    return (own.find(({ family }) => family === "IPv4") ?? own[0])?.address;
  } catch {
    return undefined;
  }
};

/** How members reach it, as far as this host can tell. */
const publicPlace = ({ publicAddress }: IndexOptions, places: Sockets["places"]): string => {
  const [first] = places;
  const port = first?.port ?? 0;
  if (publicAddress !== null) {
    const address = publicAddress.host;
    return formatPlace({ address, port: publicAddress.port || port });
  }
  const named = places.find(({ address }) => !isAny(address)) ?? null;
  if (named !== null) return formatPlace(named);
  return formatPlace({ address: likelyAddress() ?? "ADDRESS", port });
};

class Program {
  readonly #options: IndexOptions;
  readonly #networks: readonly IndexNetwork[];
  readonly #folder: Folder;
  #sockets: Sockets | null = null;
  #node: IndexNode | null = null;
  #timer: NodeJS.Timeout | null = null;
  #dueMs = NEVER;
  #writer: NodeJS.Timeout | null = null;
  #said = "";
  readonly #startedAt = new Date(Date.now()).toISOString();
  readonly nodeId: string;
  readonly isNew: boolean;

  constructor(options: IndexOptions) {
    const { log, definitions, folder } = options;
    this.#options = options;
    this.#folder = new Folder(folder, (file, reason) =>
      log.warn("a file of the index cannot be read or written", { file, reason }),
    );
    const { signer, isNew } = this.#folder.identity();
    this.nodeId = formatNodeId(signer.nodeKey);
    this.isNew = isNew;
    this.#networks = definitions.map(
      (definition) =>
        new IndexNetwork({
          ...{ definition, signer, folder: this.#folder, randomBytes: this.#random },
          unixMs: Date.now,
          openStorer: (all) => new Storer(all),
          timer: TIMER,
          say: (sentence, facts) => log.info(sentence, { network: definition.name, ...facts }),
        }),
    );
    this.#node = new IndexNode({
      ...{ signer, networks: this.#networks, randomBytes: this.#random, links: ownLinks },
      send: (datagram, to, local) => this.#sockets?.send(datagram, to, local) ?? false,
      wakeBy: (dueMs) => this.#wakeBy(dueMs),
    });
  }

  #random = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));

  /** Errors: EngineError LISTEN_FAILED. */
  async open(): Promise<Sockets> {
    const { listen, log } = this.#options;
    this.#sockets = await Sockets.open(listen, {
      datagram: (kind, datagram, from, local) => this.#datagram(kind, datagram, from, local),
      say: (sentence, facts) => log.warn(sentence, facts),
    });
    this.#wakeBy(performance.now());
    this.#writer = setInterval(() => this.#write(false), WRITE_MS);
    this.#write(false);
    return this.#sockets;
  }

  #datagram(kind: ChannelKind, datagram: Uint8Array, from: Uint8Array, local: Uint8Array): void {
    this.#node?.datagram(kind, datagram, from, local, performance.now());
  }

  #wakeBy(dueMs: number): void {
    if (dueMs >= this.#dueMs || this.#node === null) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(
      () => {
        this.#dueMs = NEVER;
        this.#timer = null;
        this.#node?.tick(performance.now());
      },
      Math.max(1, dueMs - performance.now()),
    );
  }

  #write(now: boolean): void {
    for (const network of this.#networks) network.write(now);
    const status = this.#status();
    this.#folder.writeStatus({ ...status, writtenAt: new Date(Date.now()).toISOString() });
    this.#say(status);
  }

  #status() {
    return {
      node: this.nodeId,
      startedAt: this.#startedAt,
      listen: this.#sockets?.places.map(formatPlace) ?? [],
      callers: this.#node?.callers ?? 0,
      memoryBytes: process.memoryUsage().rss,
      counts: { ...this.#sockets?.counts, ...Object.fromEntries(this.#node?.counts ?? []) },
      networks: this.#networks.map((network) => network.status()),
    };
  }

  /** A line for each network of which something that matters has changed. */
  #say({ networks }: { readonly networks: readonly ReturnType<IndexNetwork["status"]>[] }): void {
    const told = networks.map(({ id, name, callers, members, revocations }) => ({
      ...{ id, network: name, callers, members, revocations },
    }));
    const text = JSON.stringify(told);
    if (text !== this.#said) {
      for (const { id: _, ...facts } of told) this.#options.log.info("the index serves", facts);
    }
    this.#said = text;
  }

  networks(): { readonly id: string; readonly name: string }[] {
    return this.#networks.map(({ networkId, name }) => ({ id: formatNetworkId(networkId), name }));
  }

  stop(): void {
    if (this.#writer !== null) clearInterval(this.#writer);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#write(true);
    this.#node?.stop();
    this.#node = null;
    this.#sockets?.close();
  }
}

/**
 * Starts an index node. Thread: main.
 * Errors: EngineError LISTEN_FAILED, FILE_UNWRITABLE, INDEX_RUNNING, KEY_INVALID, KEY_EXPOSED,
 * KEY_UNREADABLE.
 */
export const runIndex = async (options: IndexOptions): Promise<RunningIndex> => {
  const program = new Program(options);
  const { places } = await program.open();
  return {
    nodeId: program.nodeId,
    index: `${program.nodeId}@${publicPlace(options, places)}`,
    listen: places.map(formatPlace),
    networks: program.networks(),
    isNew: program.isNew,
    stop: () => program.stop(),
  };
};
