/**
 * revocations — the newest list that is held, and pieces of a newer one that arrive.
 *
 *     pieces of a member ──assembled──▶ accept() ──signature, newer──▶ held; cut() follows at once
 *
 * What is held is never replaced by something older, also after a restart with an older file: the
 * highest standing is written down apart (the floor). A piece costs a member its own place: pieces
 * of one never disturb those of another, and few are assembled at a time. Pure.
 */
import type { Certificate } from "../../members/certificate.ts";
import type { Definition } from "../../members/definition.ts";
import {
  decodeList,
  LIST_BYTES_MAX,
  listProblem,
  newerList,
  type RevocationList,
  revocationProblem,
  standingOf,
} from "../../members/revocation-list.ts";
import { isNewer, NO_STANDING, type Standing } from "../../wire/digests.ts";
import { PIECE_BYTES, type Piece } from "../../wire/network-frames.ts";
import type { Statement } from "./statement.ts";

/** Tuning: lists that are assembled at a time, each of another member. */
const ASSEMBLED_MAX = 8;
/** Tuning: one that gets nothing for so long gives up its place. */
const IDLE_MS = 3_000;
/** Tuning: one that is not whole after so long gives its place to another that waits. */
const WHOLE_MS = 2_000;
/** Tuning: pieces of a member whose list was wrong, or never whole, are not taken for so long. */
const DISTRUST_MS = 30_000;

export type ListVerdict =
  | { readonly ok: true; readonly list: RevocationList }
  | { readonly ok: false; readonly reason: "listOld" | "listInvalid"; readonly why: string };

interface Assembly {
  readonly standing: Standing;
  readonly bytes: Uint8Array;
  /** Pieces that are missing, by number. */
  readonly missing: Set<number>;
  readonly beganMs: number;
  heardMs: number;
}

/** Thread: control. */
export class Revocations {
  #list: RevocationList | null = null;
  #floor: Standing = NO_STANDING;
  /** By whoever sends it. */
  readonly #assemblies = new Map<object, Assembly>();
  readonly #distrusted = new WeakMap<object, number>();

  get list(): RevocationList | null {
    return this.#list;
  }

  get standing(): Standing {
    return this.#list === null ? NO_STANDING : standingOf(this.#list);
  }

  /** What was held before, as the disk says: nothing older is taken. */
  setFloor(floor: Standing): void {
    if (isNewer(floor, this.#floor)) this.#floor = floor;
  }

  get floor(): Standing {
    return isNewer(this.standing, this.#floor) ? this.standing : this.#floor;
  }

  /** Takes a list that is newer than the one that is held, and not below the floor. */
  accept(bytes: Uint8Array, definition: Definition): ListVerdict {
    return this.#accept(bytes, definition, this.#floor);
  }

  /**
   * At the start: a list of a file or of the disk. Below the floor it is not the newest there is;
   * but whom it names is revoked all the same.
   */
  load(bytes: Uint8Array, definition: Definition): void {
    this.#accept(bytes, definition, NO_STANDING);
  }

  #accept(bytes: Uint8Array, definition: Definition, floor: Standing): ListVerdict {
    const decoded = decodeList(bytes);
    if (!decoded.ok) return { ok: false, reason: "listInvalid", why: decoded.why };
    const list = decoded.value;
    const older = this.#list !== null && !newerList(list, this.#list);
    if (older || isNewer(floor, standingOf(list))) {
      return { ok: false, reason: "listOld", why: "a newer one was here" };
    }
    const why = listProblem(list, definition);
    if (why !== null) return { ok: false, reason: "listInvalid", why };
    this.#list = list;
    return { ok: true, list };
  }

  /** Why a certificate is void, as a clause; null: it is not, as far as is known. */
  problem(owner: Certificate): string | null {
    return this.#list === null ? null : revocationProblem(this.#list, owner);
  }

  /** The same of a statement: asked once for each list. */
  problemOf(statement: Statement): string | null {
    return this.#list === null ? null : statement.revoked(this.#list, revocationProblem);
  }

  /**
   * A piece came. Gives the whole list when it was the last one; null: more are missing;
   * "invalid": it fits none.
   */
  piece(from: object, piece: Piece, nowMs: number): Uint8Array | null | "invalid" {
    const { list, total, offset, bytes } = piece;
    if (total > LIST_BYTES_MAX || nowMs < (this.#distrusted.get(from) ?? 0)) return "invalid";
    if (total === bytes.length) return bytes;
    let assembly = this.#assemblies.get(from);
    // Who says another sequence each time begins anew, and gets no more time by that.
    if (assembly === undefined || isNewer(list, assembly.standing)) {
      this.#assemblies.delete(from);
      if (!this.#hasRoom(nowMs)) return "invalid";
      const pieces = Math.ceil(total / PIECE_BYTES);
      const missing = new Set(Array.from({ length: pieces }, (_, i) => i));
      const times = { beganMs: assembly?.beganMs ?? nowMs, heardMs: nowMs };
      assembly = { standing: list, bytes: new Uint8Array(total), missing, ...times };
      this.#assemblies.set(from, assembly);
    }
    const same = !isNewer(assembly.standing, list) && assembly.bytes.length === total;
    if (!same) return "invalid";
    assembly.heardMs = nowMs;
    if (assembly.missing.delete(offset / PIECE_BYTES)) assembly.bytes.set(bytes, offset);
    if (assembly.missing.size > 0) return null;
    this.#assemblies.delete(from);
    return assembly.bytes;
  }

  /** The one that began first gives way: whoever never comes to an end is distrusted then. */
  #hasRoom(nowMs: number): boolean {
    if (this.#assemblies.size < ASSEMBLED_MAX) return true;
    for (const [from, { heardMs, beganMs }] of this.#assemblies) {
      const isSlow = nowMs - beganMs > WHOLE_MS;
      if (nowMs - heardMs <= IDLE_MS && !isSlow) continue;
      this.#assemblies.delete(from);
      if (isSlow) this.distrust(from, nowMs);
      return true;
    }
    return false;
  }

  /** The list of this member was not the authority's. */
  distrust(from: object, nowMs: number): void {
    this.#distrusted.set(from, nowMs + DISTRUST_MS);
  }

  /** The member is gone. */
  forget(from: object): void {
    this.#assemblies.delete(from);
  }
}
