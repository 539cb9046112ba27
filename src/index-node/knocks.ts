/**
 * knocks — which KNOCKs are answered: so many of one source, and few of addresses on our own links,
 * each of which may cost an entry of the kernel's table of neighbours. Pure.
 *
 * Source: security.md 22 and 38. Times are boot-clock milliseconds.
 */
import { Bucket, Limiter, type SourceHash } from "../control/strangers/limiter.ts";
import { hostPrefix, someHolds } from "../members/fields.ts";
import type { Cidr } from "../wire/cidr.ts";
import { sockaddrHost } from "../wire/sockaddr.ts";

/** Tuning: KNOCKs of one IPv4 address or IPv6 /64; a site behind one address has many members. */
const SOURCE = { perSecond: 50, burst: 100 };
/** Tuning: a power of two. A source is remembered for 20 ms, so this is many. */
const SOURCES = 32_768;
/** Tuning: far below the smallest table of neighbours, 128 entries that are never collected. */
const ON_LINK = { perSecond: 20, burst: 60 };
/** Tuning: our addresses are looked at again so often. */
const LINKS_MS = 30_000;

export class Knocks {
  readonly #sources: Limiter;
  readonly #onLink = new Bucket(ON_LINK);
  readonly #links: () => readonly Cidr[];
  #known: readonly Cidr[] = [];
  #knownMs = Number.NEGATIVE_INFINITY;

  /** `links`: addresses of this host, but for loopback, with the lengths of their networks. */
  constructor(hash: SourceHash, links: () => readonly Cidr[]) {
    this.#sources = new Limiter(hash, SOURCE, SOURCES);
    this.#links = links;
  }

  mayAnswer(to: Uint8Array, nowMs: number): boolean {
    if (!this.#sources.take(to, nowMs)) return false;
    if (nowMs - this.#knownMs >= LINKS_MS) this.#look(nowMs);
    const host = hostPrefix(sockaddrHost(to));
    return !someHolds(this.#known, host) || this.#onLink.take(nowMs);
  }

  /** Without a netlink socket, which a service may be denied, the host does not say. */
  #look(nowMs: number): void {
    this.#knownMs = nowMs;
    try {
      this.#known = this.#links();
    } catch {
      // What was known is taken to be so still.
    }
  }
}
