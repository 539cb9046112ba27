/**
 * reach — where a member may be: where its session last was, then what its record says, in turn.
 *
 * A hint and no more: the handshake is the proof. Addresses that nobody can be at are left out, so
 * that a member cannot send our INTROs to everybody on a link, or to ourselves. Thread: control.
 */
import { hostPrefix, someHolds } from "../../members/fields.ts";
import { memberId } from "../../members/member-id.ts";
import type { Candidate } from "../../members/record.ts";
import type { Cidr } from "../../wire/cidr.ts";
import { makeSockaddr, sameSockaddr, sockaddrFamily, sockaddrHost } from "../../wire/sockaddr.ts";
import type { CountName } from "./counts.ts";
import type { Members } from "./members.ts";
import { idOfRecord } from "./statement.ts";
import type { Handle, NetworkWorld } from "./world.ts";

/** Tuning: members of whom is remembered where they were. */
const HINTS_MAX = 4_096;

/** Nobody's, everybody's, or our own: "this host", loopback, multicast, broadcast, link-local. */
export const isNowhere = (host: Uint8Array): boolean => {
  const [first, second] = [host[0]!, host[1]!];
  if (host.length === 4) {
    return first === 0 || first === 127 || first >= 224 || (first === 169 && second === 254);
  }
  const zeros = host.subarray(0, 15).every((byte) => byte === 0);
  const linkLocal = first === 0xfe && (second & 0xc0) === 0x80;
  return first === 0xff || linkLocal || (zeros && host[15]! <= 1);
};

const sockaddrOf = ({ address, port }: Candidate): Uint8Array => makeSockaddr(address, port);

export interface ReachOptions {
  readonly world: Pick<NetworkWorld, "endpoint" | "bootstrap">;
  readonly members: Members;
  /** Ranges of the network. */
  readonly cidrs: () => readonly Cidr[];
  readonly recordKey: (epoch: number) => Uint8Array | null;
  readonly refuse: (reason: CountName, why: string) => void;
}

export class Reach {
  readonly #options: ReachOptions;
  /** Where members were, by id; the oldest goes. */
  readonly #hints = new Map<number, Uint8Array>();
  /** Which place is next. */
  readonly #tries = new WeakMap<Handle, number>();

  constructor(options: ReachOptions) {
    this.#options = options;
  }

  /** A member was there. Takes a copy. */
  seen(id: number, sockaddr: Uint8Array): void {
    if (sockaddrFamily(sockaddr) === 0) return;
    this.#hints.delete(id);
    if (this.#hints.size >= HINTS_MAX) this.#hints.delete(this.#hints.keys().next().value!);
    this.#hints.set(id, Uint8Array.from(sockaddr));
  }

  /** It was there, as the disk says: those that were said first stay. */
  remember(id: number, sockaddr: Uint8Array): void {
    if (this.#hints.size < HINTS_MAX && !this.#hints.has(id)) this.seen(id, sockaddr);
  }

  hint(id: number): Uint8Array | null {
    return this.#hints.get(id) ?? null;
  }

  /** Everywhere that a member may be, the likeliest first. */
  places(slot: number): Uint8Array[] {
    const { world, members, cidrs, recordKey } = this.#options;
    const handle = members.handle(slot);
    const statement = members.at(slot);
    const places: Uint8Array[] = [];
    const add = (sockaddr: Uint8Array | null): void => {
      if (sockaddr === null || sockaddrFamily(sockaddr) === 0) return;
      if (!places.some((one) => sameSockaddr(one, sockaddr))) places.push(sockaddr);
    };
    if (handle !== null) add(world.endpoint(handle));
    add(this.hint(statement.id));
    for (const candidate of statement.content(recordKey)?.candidates ?? []) {
      const sockaddr = sockaddrOf(candidate);
      const host = sockaddrHost(sockaddr);
      // Our own tunnel is not the underlay (security.md 37).
      const isInside = someHolds(cidrs(), hostPrefix(host));
      if (candidate.port !== 0 && !isInside && !isNowhere(host)) add(sockaddr);
    }
    return places;
  }

  /** False: `bootstrap` names who is there, and it is somebody else. */
  mayBeAt(place: Uint8Array, record: Uint8Array): boolean {
    const { world, refuse } = this.#options;
    const named = world.bootstrap().filter(({ sockaddr }) => sameSockaddr(sockaddr, place));
    const keys = named.flatMap(({ nodeKey }) => nodeKey ?? []);
    const id = idOfRecord(record);
    if (keys.length === 0 || keys.some((key) => memberId(key) === id)) return true;
    refuse(
      "bootstrapOther",
      "somebody answers at an address of bootstrap that another is named for",
    );
    return false;
  }

  /** The next place to try; null: none is known. */
  next(slot: number): Uint8Array | null {
    const handle = this.#options.members.handle(slot);
    const places = this.places(slot);
    if (handle === null || places.length === 0) return null;
    const tries = this.#tries.get(handle) ?? 0;
    this.#tries.set(handle, tries + 1);
    return places[tries % places.length]!;
  }

  /** A session is there: the next attempt begins with the likeliest place again. */
  reached(handle: Handle): void {
    this.#tries.delete(handle);
  }
}
