/**
 * resolve — endpoint names to socket addresses; endpoints.ts says when names are asked for again.
 *
 *     "203.0.113.7", "fe80::1%eth0"   taken as they are
 *     "vpn.example"                   asked for by a thread of its own (io/native/names.ts)
 *
 * Node's own look-ups take turns in two threads of libuv's pool, where one dead name holds up
 * everything behind it for 10 s, and the process's end too; its DNS client knows neither
 * /etc/nsswitch.conf nor the search list. So getaddrinfo(3) is asked, by many threads at once. What
 * did not resolve last time gets half of them, so that it never keeps a name that does waiting.
 */
import type { NameAnswer } from "../../io/native/names.ts";
import { ENTRIES_PER_PEER, PEERS_MAX } from "../../memory/layout.ts";
import type { Endpoint } from "../../schema/config.ts";
import { parseAddress } from "../../wire/cidr.ts";
import { makeSockaddr, sockaddrHost, sockaddrScope } from "../../wire/sockaddr.ts";

/** Families that the engine's sockets speak. */
export interface Families {
  readonly v4: boolean;
  readonly v6: boolean;
}

/** How a name is asked for. */
export interface Asking {
  /** It did not resolve last time. */
  readonly doubtful: boolean;
  /** It takes long; why, as a clause. An answer that comes after all still counts. */
  readonly slow: (problem: string) => void;
}

/** Tuning: threads at once; each costs some 50 KiB, and 10 s for a name that DNS never answers. */
export const NAMES_AT_ONCE = 128;
const DOUBTFUL_AT_ONCE = NAMES_AT_ONCE / 2;
/** Tuning: names that wait for a thread; each peer asks for one at a time, unless it is changed. */
export const NAMES_WAITING_MAX = ENTRIES_PER_PEER * PEERS_MAX;
/** Tuning: a name that has no answer after this long does not resolve. */
export const SLOW_MS = 5_000;

const NO_ADDRESS = "it has no address that this host can use";

/** Calls once, later; returns what prevents it. */
export type After = (ms: number, call: () => void) => () => void;

/** What `Names` needs of the system. */
export interface NameServices {
  readonly families: Families;
  /** Begins to ask; `onAnswer` is to be given what comes. 0 or -errno: nothing will. */
  readonly ask: (id: number, name: string) => number;
  readonly errorText: (errno: number) => string;
  /** -errno: there is no such link. */
  readonly linkIndex: (name: string) => number;
  readonly after: After;
}

/** One name, for everybody who asks for it meanwhile. */
interface Question {
  readonly name: string;
  readonly doubtful: boolean;
  readonly tell: ((answer: NameAnswer) => void)[];
}

/** Thread: control. */
export class Names {
  readonly #services: NameServices;
  readonly #byName = new Map<string, Question>();
  readonly #running = new Map<number, Question>();
  readonly #waiting = { fresh: [] as Question[], doubtful: [] as Question[] };
  #doubtfulRunning = 0;
  #nextId = 0;
  #onQuiet: (() => void)[] = [];

  constructor(services: NameServices) {
    this.#services = services;
  }

  /** A sockaddr; or why there is none, as a clause. Errors: never. */
  async resolve(endpoint: Endpoint, asking: Asking): Promise<Uint8Array | string> {
    const all = await this.resolveAll(endpoint, asking);
    return typeof all === "string" ? all : all[0]!;
  }

  /** All of them, one at least. */
  async resolveAll({ host, port }: Endpoint, asking: Asking): Promise<Uint8Array[] | string> {
    const literal = this.#literal(host, port);
    if (literal !== null) return typeof literal === "string" ? literal : [literal];
    const seconds = SLOW_MS / 1_000;
    const late = (): void => asking.slow(`nobody answered for ${seconds} s`);
    const inTime = this.#services.after(SLOW_MS, late);
    const answer = await new Promise<NameAnswer>((tell) => this.#ask(host, asking.doubtful, tell));
    inTime();
    if (typeof answer === "string") return answer;
    const { v4, v6 } = this.#services.families;
    const usable = answer.filter((address) => (sockaddrHost(address).length === 4 ? v4 : v6));
    if (usable.length === 0) return NO_ADDRESS;
    return usable.map((one) => makeSockaddr(sockaddrHost(one), port, sockaddrScope(one)));
  }

  /** Nothing is asked any more, for the first time from now on. */
  quiet(): Promise<void> {
    if (this.#byName.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onQuiet.push(resolve));
  }

  /** The system's answer to one that was asked. */
  onAnswer(id: number, answer: NameAnswer): void {
    if (!this.#running.has(id)) return;
    this.#end(id, answer);
    this.#runNext();
  }

  /** Null: it is a name. */
  #literal(text: string, port: number): Uint8Array | string | null {
    const [host = "", zone = ""] = text.split("%", 2);
    const address = parseAddress(host);
    if (address === null) return null;
    const scope = /^\d*$/.test(zone) ? Number(zone) : this.#services.linkIndex(zone);
    if (scope < 0 || scope > 0xffff_ffff) return `there is no interface ${zone}`;
    return makeSockaddr(address, port, scope);
  }

  #ask(name: string, doubtful: boolean, tell: (answer: NameAnswer) => void): void {
    const known = this.#byName.get(name);
    if (known !== undefined) {
      known.tell.push(tell);
      return;
    }
    if (this.#byName.size >= NAMES_WAITING_MAX) {
      tell("too many names wait for their answers");
      return;
    }
    const question = { name, doubtful, tell: [tell] };
    this.#byName.set(name, question);
    this.#waiting[doubtful ? "doubtful" : "fresh"].push(question);
    this.#runNext();
  }

  #runNext(): void {
    const { fresh, doubtful } = this.#waiting;
    while (this.#running.size < NAMES_AT_ONCE) {
      const room = this.#doubtfulRunning < DOUBTFUL_AT_ONCE;
      const question = fresh.shift() ?? (room ? doubtful.shift() : undefined);
      if (question === undefined) return;
      const id = this.#nextId;
      this.#nextId = (id + 1) >>> 0;
      this.#running.set(id, question);
      if (question.doubtful) this.#doubtfulRunning++;
      const result = this.#services.ask(id, question.name);
      if (result < 0) this.#end(id, this.#services.errorText(-result));
    }
  }

  #end(id: number, answer: NameAnswer): void {
    const question = this.#running.get(id)!;
    this.#running.delete(id);
    this.#byName.delete(question.name);
    if (question.doubtful) this.#doubtfulRunning--;
    for (const tell of question.tell) tell(answer);
    // What they do with it is done first.
    if (this.#byName.size === 0) for (const tell of this.#onQuiet.splice(0)) setImmediate(tell);
  }
}
