/**
 * guest-names — guests of a callee by the names that the directory's engine has of them. Pure.
 *
 * Two keys can be made that have one name (names.ts): the first of two guests has it.
 */
import type { Guest } from "./guests.ts";
import { type Name, nameOf } from "./names.ts";

export class GuestNames {
  readonly #guests = new Map<Name, Guest>();

  /** A guest came, or is gone. */
  guest(guest: Guest, here: boolean): void {
    const name = nameOf(guest.certificate.nodeKey);
    const known = this.#guests.get(name);
    if (here && (known === undefined || known.id === guest.id)) this.#guests.set(name, guest);
    if (!here && known === guest) this.#guests.delete(name);
  }

  /** Undefined: nobody here has it. */
  byName(name: Name): Guest | undefined {
    return this.#guests.get(name);
  }

  /** Its name; null: another guest has it. */
  nameOf(guest: Guest): Name | null {
    const name = nameOf(guest.certificate.nodeKey);
    return this.#guests.get(name) === guest ? name : null;
  }

  all(): Iterable<readonly [Name, Guest]> {
    return this.#guests;
  }
}
