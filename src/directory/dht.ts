/**
 * dht — the directory over dht-rpc: the same at who stores and at who only asks.
 *
 *     put   closest twenty storers of each target are found, and are sent the pair
 *     get   they are asked, ten at a time (lookup.ts); our own store, too, which dht-rpc leaves out
 *
 * Storers are known by name: indexes, and members whose certificate has the flag relay. dht-rpc
 * hears of nobody else, so a liar brings nobody in. Where there are no more than twenty, all have
 * every record, under all of its targets, and one put is enough. Who stores nothing has an engine
 * while something is under way, and half a minute longer: at rest it says nothing, to nobody.
 *
 * What is switched off or made up for: storers are never asked who they are (`bootstrapper`), no
 * list of public nodes is used (`bootstrap` is given, empty), five tries are one, time-outs follow
 * round trips, and the cache for these has no timer, which dht-rpc would leave running.
 */
import DHT from "dht-rpc";
import { decodePair, encodePair, type Pair } from "../wire/intro.ts";
import type { Count } from "./counts.ts";
import { COMMAND, Gate } from "./gate.ts";
import { Lookup } from "./lookup.ts";
import { type Name, nameAt, placeOf } from "./names.ts";
import type { Records } from "./records.ts";
import { Sockets, type Transport } from "./sockets.ts";
import { type DiscoveryStore, type OnFound, REPLICAS, type Timer } from "./store.ts";

/** Tuning: look-ups and publications that may be under way. */
const QUERIES_MAX = 512;
/** Tuning: storers that fell silent are asked again. */
const RETURN_MS = 60_000;
/** Tuning: entries of a storer that are looked at as often. */
const SWEEP = 1_024;
/** Tuning: who only asks keeps its engine for so long. */
const IDLE_MS = 30_000;
/** Tuning: longest time that a record is on its way to the storers of a target. */
const PUT_MS = 10_000;
/** Tuning: round trips that are remembered. */
const ROUND_TRIPS_MAX = 1_024;
/** Protocol: a storer's answer to a record that it does not take. */
const REFUSED = 16;
const RETRIES = 1;

/** What a request to us has. */
interface Asked {
  readonly command: number;
  readonly target: Uint8Array | null;
  readonly value: Uint8Array | null;
  reply(value: Uint8Array | null, options: { token: boolean; closerNodes?: boolean }): void;
  error(code: number, options: { closerNodes: boolean }): void;
}

export interface DhtOptions {
  /** Our own, of our node key. */
  readonly name: Name;
  /** We store for others. */
  readonly isStorer: boolean;
  /** Where a storer stores; all verify by its checker. */
  readonly records: Records;
  readonly transport: Transport;
  readonly timer: Timer;
  readonly count: Count;
  readonly onFound: OnFound;
}

export class DhtStore implements DiscoveryStore {
  readonly #options: DhtOptions;
  readonly #sockets: Sockets;
  /** All storers but ourselves. */
  readonly #storers = new Set<Name>();
  /** Those of them that dht-rpc has in its table. */
  readonly #known = new Set<Name>();
  #dht: DHT | null = null;
  /** It has been named the storers. */
  #ready: Promise<void> = Promise.resolve();
  #queries = 0;
  #returnedMs = Number.NEGATIVE_INFINITY;
  #stopIdle: (() => void) | null = null;
  #stopReturn: (() => void) | null = null;
  #isStopped = false;
  readonly #lookups = new Set<Lookup>();

  constructor(options: DhtOptions) {
    const { name, isStorer, transport, timer, count } = options;
    this.#options = options;
    const bootMs = (): number => timer.bootMs();
    const mayAsk = (to: Name): boolean => this.#storers.has(to);
    const gate = new Gate({ bootMs, count, serves: isStorer, mayAsk });
    this.#sockets = new Sockets({ own: name, transport, gate, count });
    transport.onMessage = (from, bytes) => this.#sockets.receive(from, bytes);
  }

  /** Storers that answered of late, as far as is known. */
  get reachable(): number {
    return this.#known.size;
  }

  /** Who stores, all of them; a storer joins them then. Nobody else is asked from then on. */
  setStorers(names: Iterable<Name>): void {
    this.#storers.clear();
    for (const name of names) if (name !== this.#options.name) this.#storers.add(name);
    if (this.#isStopped) return;
    if (this.#dht !== null) this.#return();
    else if (this.#options.isStorer) this.#open();
  }

  // -------------------------------------------------------------------------------------------
  // The engine

  #open(): DHT {
    this.#stopIdle?.();
    this.#stopIdle = null;
    if (this.#dht !== null) {
      if (this.#options.timer.bootMs() - this.#returnedMs > RETURN_MS) this.#return();
      return this.#dht;
    }
    const { isStorer } = this.#options;
    const { host, port } = placeOf(this.#options.name);
    const options = {
      udx: this.#sockets,
      host,
      port,
      bootstrap: [],
      nodes: [],
      ephemeral: !isStorer,
      firewalled: false,
      quickFirewall: false,
      adaptiveTimeout: { maxSize: ROUND_TRIPS_MAX, maxAge: Number.POSITIVE_INFINITY },
      filterNode: (node: { readonly host: string; readonly port: number }) =>
        this.#storers.has(nameAt(node)),
    };
    const dht = isStorer ? DHT.bootstrapper(port, host, options) : new DHT(options);
    dht.on("add-node", (node) => this.#known.add(nameAt(node)));
    dht.on("remove-node", (node) => this.#known.delete(nameAt(node)));
    dht.on("request", (request: Asked) => this.#serve(request));
    this.#dht = dht;
    // Named nobody yet, it has nobody to wait for, and says who it is from its first word on.
    const named = (): void => {
      if (this.#dht === dht) this.#return();
    };
    // One that is closed while it begins fails; whoever waits for it finds it closed.
    this.#ready = dht.fullyBootstrapped().then(named, named);
    return dht;
  }

  /** Names dht-rpc all storers that it does not have: they may be back. */
  #nameAll(): void {
    this.#returnedMs = this.#options.timer.bootMs();
    for (const name of this.#storers) {
      if (!this.#known.has(name)) this.#dht?.addNode(placeOf(name));
    }
  }

  /** A storer also tidies up. */
  #return(): void {
    const { timer, isStorer, records } = this.#options;
    this.#nameAll();
    if (!isStorer) return;
    records.sweep(SWEEP);
    this.#stopReturn?.();
    this.#stopReturn = timer.after(RETURN_MS, () => this.#return());
  }

  #close(): Promise<void> {
    const dht = this.#dht;
    this.#dht = null;
    this.#known.clear();
    this.#sockets.forget();
    return dht === null ? Promise.resolve() : dht.destroy();
  }

  async #begin(): Promise<DHT | null> {
    if (this.#isStopped) return null;
    if (this.#queries >= QUERIES_MAX) {
      this.#options.count("queriesFull");
      return null;
    }
    this.#queries++;
    const dht = this.#open();
    await this.#ready;
    if (!this.#isStopped) return dht;
    this.#ended();
    return null;
  }

  #ended(): void {
    this.#queries--;
    const { isStorer, timer } = this.#options;
    if (isStorer || this.#queries > 0 || this.#isStopped) return;
    this.#stopIdle = timer.after(IDLE_MS, () => void this.#close());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const lookup of this.#lookups) lookup.end();
    this.#stopIdle?.();
    this.#stopReturn?.();
    await this.#close();
  }

  // -------------------------------------------------------------------------------------------
  // Others ask

  #serve(request: Asked): void {
    const { records, count } = this.#options;
    const { command, target, value } = request;
    if (target === null) return;
    if (command === COMMAND.get) {
      const found = records.get(target);
      if (found !== null) count("answered");
      request.reply(found?.bytes ?? null, { token: false });
      return;
    }
    const pair = value === null ? null : decodePair(value);
    if (pair === null) count("pairInvalid");
    if (pair !== null && records.put(pair, target).ok) {
      request.reply(null, { token: false, closerNodes: false });
    } else request.error(REFUSED, { closerNodes: false });
  }

  // -------------------------------------------------------------------------------------------
  // We ask

  async put(pair: Pair): Promise<number> {
    const { records, isStorer, count } = this.#options;
    const checked = records.checker.check(pair, null);
    if (!checked.ok) {
      count(checked.reason);
      return 0;
    }
    if (isStorer) records.put(pair, null);
    const targets = records.checker.targets(checked.value.certificate);
    const some = this.#storers.size <= REPLICAS ? targets.slice(0, 1) : targets;
    const value = encodePair(pair);
    const taken = new Set<Name>();
    for (const { target } of some) {
      const dht = await this.#begin();
      if (dht === null) break;
      // Whoever fell silent at the last one may have been called too early.
      this.#nameAll();
      await this.#putAt(dht, target, value, taken);
      this.#ended();
    }
    return taken.size;
  }

  async #putAt(dht: DHT, target: Uint8Array, value: Uint8Array, taken: Set<Name>): Promise<void> {
    const query = dht.findNode(target, { retries: RETRIES });
    const stop = this.#options.timer.after(PUT_MS, () => query.destroy());
    await new Promise<void>((resolve) => {
      query.on("data", () => {});
      query.on("error", () => {});
      query.on("close", resolve);
    });
    stop();
    const asked = { command: COMMAND.put, target, value };
    const sent = query.closestReplies.map(async ({ from }) => {
      const reply = await dht.request(asked, from);
      if (reply.error === 0) taken.add(nameAt(from));
    });
    await Promise.allSettled(sent);
  }

  async get(target: Uint8Array): Promise<Pair | null> {
    const { records, timer, count, onFound } = this.#options;
    const dht = await this.#begin();
    if (dht === null) return null;
    return new Promise((resolve) => {
      const query = dht.query({ target, command: COMMAND.get }, { retries: RETRIES });
      const lookup = new Lookup(query, {
        target,
        reachable: this.#known.size,
        checker: records.checker,
        timer,
        count,
        onDone: resolve,
        onFound: (pair) => onFound(target, pair),
      });
      this.#lookups.add(lookup);
      lookup.begin(records.get(target)?.bytes ?? null);
      query.on("data", ({ value }) => {
        if (value !== null) lookup.answer(value);
      });
      query.on("error", () => {});
      query.on("close", () => {
        lookup.end();
        this.#lookups.delete(lookup);
        this.#ended();
      });
    });
  }
}
