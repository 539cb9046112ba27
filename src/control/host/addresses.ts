/**
 * addresses — those of the interface: set, taken away, and read back, since the kernel takes more
 * away than it is asked to.
 *
 *     set down, an MTU below 1280            the IPv6 addresses go
 *     an IPv4 address goes                   with promote_secondaries=0 those beside it in its
 *                                            network go too, and with the last one all routes
 *     another prefix length of an IPv6 one   is refused as long as the first is there
 *
 * What others have set stays. Thread: control.
 */
import { addon } from "../../io/native/addon.ts";
import { EngineError } from "../../schema/errors.ts";
import { ipv6IsOff } from "../../schema/ipv6.ts";
import { type Cidr, formatCidr, parseCidr } from "../../wire/cidr.ts";

const EEXIST = -17;
/** Adding may take nothing away, so that what is still missing after so many does not stay. */
const PASSES_MAX = 2;

/** Those of a link, as texts. More than can be listed: none, and adding tells what is there. */
const listed = (index: number): Set<string> => {
  try {
    const cidrs = addon.addressList(index).map(parseCidr);
    return new Set(cidrs.filter((cidr) => cidr !== null).map(formatCidr));
  } catch {
    return new Set();
  }
};

const without = (these: readonly Cidr[], those: readonly Cidr[]): Cidr[] => {
  const known = new Set(those.map(formatCidr));
  return these.filter((cidr) => !known.has(formatCidr(cidr)));
};

export class Addresses {
  readonly #index: number;
  #wanted: readonly Cidr[];

  /** `wanted`: is there already. */
  constructor(index: number, wanted: readonly Cidr[]) {
    this.#index = index;
    this.#wanted = wanted;
  }

  /** What the interface should have. */
  get wanted(): readonly Cidr[] {
    return this.#wanted;
  }

  /**
   * `name`: of the interface, now. Errors: EngineError ADDRESS_FAILED; nothing has changed then.
   */
  set(addresses: readonly Cidr[], name: string): void {
    const before = this.#wanted;
    try {
      this.#add(this.#missing(addresses, name), name);
      this.#remove(without(before, addresses));
      this.#wanted = addresses;
      this.restore(name);
    } catch (error) {
      this.#wanted = before;
      this.#remove(without(addresses, before));
      try {
        this.restore(name);
      } catch {} // the first reason is the one to tell
      throw error;
    }
  }

  /** Sets again what is missing; returns that. Errors: EngineError ADDRESS_FAILED. */
  restore(name: string): readonly Cidr[] {
    const first = this.#missing(this.#wanted, name);
    let missing = first;
    for (let passes = 0; missing.length > 0; passes++) {
      if (passes === PASSES_MAX) {
        const address = formatCidr(missing[0]!);
        throw new EngineError("ADDRESS_FAILED", {
          address,
          name,
          reason: "it does not stay",
        });
      }
      this.#add(missing, name);
      missing = this.#missing(this.#wanted, name);
    }
    return first;
  }

  #missing(addresses: readonly Cidr[], name: string): readonly Cidr[] {
    const there = listed(this.#index);
    const missing = addresses.filter((cidr) => !there.has(formatCidr(cidr)));
    const six = missing.some(({ version }) => version === 6);
    return six && ipv6IsOff(name) ? missing.filter(({ version }) => version === 4) : missing;
  }

  #add(addresses: readonly Cidr[], name: string): void {
    for (const cidr of addresses) {
      const result = addon.addressAdd(this.#index, cidr.bytes, cidr.prefixLength);
      if (result >= 0 || result === EEXIST) continue;
      const reason = addon.errorText(-result);
      throw new EngineError("ADDRESS_FAILED", { address: formatCidr(cidr), name, reason });
    }
  }

  #remove(addresses: readonly Cidr[]): void {
    for (const { bytes, prefixLength } of addresses) {
      addon.addressRemove(this.#index, bytes, prefixLength);
    }
  }
}
