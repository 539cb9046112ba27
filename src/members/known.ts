/**
 * known — the members that somebody who signs knows of: who counts now, and who has what. Pure.
 */
import { formatAddress } from "../wire/cidr.ts";
import { type Certificate, validity } from "./certificate.ts";
import type { Definition } from "./definition.ts";
import { type RevocationList, revocationProblem } from "./revocation-list.ts";

export interface KnownFields {
  readonly definition: Definition;
  readonly list: RevocationList;
  /** The newest of each node. */
  readonly certificates: readonly Certificate[];
  /** Units: seconds since 1970. */
  readonly nowS: number;
}

const keyText = (key: Uint8Array): string => Buffer.from(key).toString("latin1");

/** What is known of a network when something is to be signed. */
export class Known {
  readonly definition: Definition;
  readonly list: RevocationList;
  readonly certificates: readonly Certificate[];
  readonly nowS: number;
  /** Those that count now. */
  readonly living: readonly Certificate[];
  readonly #nodes = new Map<string, Certificate>();
  readonly #names = new Map<string, Certificate>();
  readonly #addresses = new Map<string, Certificate>();
  readonly #handshakes = new Map<string, Certificate>();

  constructor({ definition, list, certificates, nowS }: KnownFields) {
    this.definition = definition;
    this.list = list;
    this.certificates = certificates;
    this.nowS = nowS;
    this.living = certificates.filter((one) => this.isLiving(one));
    for (const one of certificates) this.#nodes.set(keyText(one.nodeKey), one);
    for (const one of this.living) {
      const had = [
        [this.#names, one.name],
        [this.#handshakes, keyText(one.handshakeKey)],
        ...one.addresses.map((address) => [this.#addresses, formatAddress(address)] as const),
      ] as const;
      // Whoever comes first keeps what two have.
      for (const [map, key] of had) if (!map.has(key)) map.set(key, one);
    }
  }

  /** Does a certificate count now? */
  isLiving(certificate: Certificate): boolean {
    const { definition, list, nowS } = this;
    if (nowS > validity(certificate, definition).toS) return false;
    return revocationProblem(list, certificate) === null;
  }

  /** The newest certificate of a node, living or not. */
  of(nodeKey: Uint8Array): Certificate | null {
    return this.#nodes.get(keyText(nodeKey)) ?? null;
  }

  /** Who is called so: the living one, else the newest of those that were. */
  called(name: string): Certificate | null {
    const living = this.#names.get(name);
    if (living !== undefined) return living;
    const all = this.certificates.filter((one) => one.name === name);
    return all.sort((a, b) => b.notBeforeS - a.notBeforeS)[0] ?? null;
  }

  /** The living member of that name. */
  named(name: string): Certificate | null {
    return this.#names.get(name) ?? null;
  }

  /** The living member that has an address. */
  holder(address: Uint8Array): Certificate | null {
    return this.#addresses.get(formatAddress(address)) ?? null;
  }

  /** The living member that has a handshake key. */
  withHandshake(key: Uint8Array): Certificate | null {
    return this.#handshakes.get(keyText(key)) ?? null;
  }
}
