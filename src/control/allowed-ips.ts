import { type Cidr, formatCidr } from "../wire/cidr.ts";

export const PREFIXES_MAX = 262_144;

export class AllowedIps<Owner> {
  readonly #owners = new Map<string, { owner: Owner; cidr: Cidr }>();
  readonly #of = new Map<Owner, Map<string, Cidr>>();

  get count(): number {
    return this.#owners.size;
  }

  countOf(owner: Owner): number {
    return this.#of.get(owner)?.size ?? 0;
  }

  of(owner: Owner): Iterable<Cidr> {
    return this.#of.get(owner)?.values() ?? [];
  }

  give(owner: Owner, cidr: Cidr): void {
    const key = formatCidr(cidr);
    const before = this.#owners.get(key);
    if (before !== undefined) this.#of.get(before.owner)?.delete(key);
    this.#owners.set(key, { owner, cidr });
    const own = this.#of.get(owner) ?? new Map<string, Cidr>();
    own.set(key, cidr);
    this.#of.set(owner, own);
  }

  take(owner: Owner, cidr: Cidr): void {
    const key = formatCidr(cidr);
    if (this.#of.get(owner)?.delete(key)) this.#owners.delete(key);
  }

  clear(owner: Owner): number {
    const own = this.#of.get(owner);
    this.#of.delete(owner);
    for (const key of own?.keys() ?? []) this.#owners.delete(key);
    return own?.size ?? 0;
  }

  *prefixes(): Iterable<Cidr> {
    for (const { cidr } of this.#owners.values()) yield cidr;
  }

  entries(): Iterable<{ owner: Owner; cidr: Cidr }> {
    return this.#owners.values();
  }
}
