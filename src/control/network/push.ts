/**
 * push — a newer revocation list, and the secret that goes with it, to every member in session: at
 * once, and again each 500 ms until it is acknowledged.
 *
 *     list taken ──▶ pieces, then the secret ──▶ ACK {list, epoch} ──▶ done
 *                        ▲────── 500 ms ──────╯ nothing
 *
 * Whoever sends us a piece of our own list has it, and gets none. Thread: control.
 */
import { type RevocationList, standingOf } from "../../members/revocation-list.ts";
import { isNewer, type Standing } from "../../wire/digests.ts";
import { FRAME_KINDS } from "../../wire/frames.ts";
import { type Ack, encodePiece, encodeSecret, PIECE_BYTES } from "../../wire/network-frames.ts";
import type { Link } from "./links.ts";
import type { HeldSecret } from "./secrets.ts";

/** Protocol: "revoked within 5 s" allows ten of these. */
const RESEND_MS = 500;
/** Tuning: then the member is silent; its next root begins anew. */
const ROUNDS_MAX = 20;
/** Tuning: frames at a time, and the pause between. */
const FRAMES_MAX = 64;
const PAUSE_MS = 5;
const NEVER = Number.POSITIVE_INFINITY;

export interface PushOptions {
  readonly send: (link: Link, type: number, body: Uint8Array) => boolean;
  readonly list: () => RevocationList | null;
  readonly secret: () => HeldSecret | null;
  readonly definition: () => { readonly standing: Standing; readonly bytes: Uint8Array };
  /** A member has list and secret. */
  readonly onDone: (link: Link) => void;
  readonly wakeBy: (dueMs: number) => void;
}

interface Progress {
  /** Of the list, in this round. */
  offset: number;
  secretSent: boolean;
  rounds: number;
  dueMs: number;
}

export class Push {
  readonly #options: PushOptions;
  readonly #under = new Map<Link, Progress>();

  constructor(options: PushOptions) {
    this.#options = options;
  }

  get dueMs(): number {
    let dueMs = NEVER;
    for (const progress of this.#under.values()) dueMs = Math.min(dueMs, progress.dueMs);
    return dueMs;
  }

  /** Does the member lack our list, or our secret? */
  #lacks(link: Link): { readonly list: boolean; readonly secret: boolean } {
    const [list, secret] = [this.#options.list(), this.#options.secret()];
    return {
      list: list !== null && isNewer(standingOf(list), link.list),
      // A secret is good with the list that speaks of it alone.
      secret:
        list !== null &&
        secret !== null &&
        secret.epoch === list.epoch &&
        link.epoch < secret.epoch,
    };
  }

  /** What the member has is known: it gets what it lacks. */
  consider(link: Link, nowMs: number): void {
    const { list, secret } = this.#lacks(link);
    if (!list && !secret) {
      if (this.#under.delete(link)) this.#options.onDone(link);
    } else if (!this.#under.has(link)) {
      this.#under.set(link, { offset: 0, secretSent: false, rounds: 0, dueMs: nowMs });
      this.#options.wakeBy(nowMs);
    }
  }

  /** List or secret are new here: all get them. */
  all(links: Iterable<Link>, nowMs: number): void {
    this.#under.clear();
    for (const link of links) this.consider(link, nowMs);
  }

  /** A member says what it has. */
  acknowledged(link: Link, { list, epoch }: Ack, nowMs: number): void {
    link.list = list;
    link.epoch = epoch;
    this.consider(link, nowMs);
  }

  forget(link: Link): void {
    this.#under.delete(link);
  }

  tick(nowMs: number): void {
    let left = FRAMES_MAX;
    for (const [link, progress] of this.#under) {
      if (left <= 0) break;
      if (nowMs >= progress.dueMs) left -= this.#send(link, progress, left, nowMs);
    }
  }

  /** Goes on with a round. Returns how many frames it took. */
  #send(link: Link, progress: Progress, most: number, nowMs: number): number {
    const { send, list, secret } = this.#options;
    const lacks = this.#lacks(link);
    const held = list()!;
    let sent = 0;
    // A list of a new key of the authority is nothing without the definition that names it.
    const { standing, bytes } = this.#options.definition();
    if (lacks.list && progress.offset === 0 && isNewer(standing, link.definition)) {
      send(link, FRAME_KINDS.definition.type, bytes);
      sent++;
    }
    while (lacks.list && progress.offset < held.bytes.length) {
      // A short list does not wait behind what else is on its way.
      const waits = progress.offset > 0 && !link.pace.take(nowMs);
      if (waits || sent >= most || !this.#piece(link, held, progress.offset)) {
        progress.dueMs = Math.max(link.pace.dueMs(nowMs), nowMs + PAUSE_MS);
        return sent;
      }
      progress.offset += PIECE_BYTES;
      sent++;
    }
    if (lacks.secret) {
      const held = secret()!;
      if (!send(link, FRAME_KINDS.secret.type, encodeSecret(held.epoch, held.secret))) {
        progress.dueMs = nowMs + PAUSE_MS;
        return sent;
      }
      sent++;
    }
    progress.offset = 0;
    progress.dueMs = nowMs + RESEND_MS;
    if (++progress.rounds >= ROUNDS_MAX) this.#under.delete(link);
    return sent;
  }

  #piece(link: Link, held: RevocationList, offset: number): boolean {
    const bytes = held.bytes.subarray(offset, offset + PIECE_BYTES);
    const list = standingOf(held);
    const piece = { list, total: held.bytes.length, offset, bytes };
    return this.#options.send(link, FRAME_KINDS.revocations.type, encodePiece(piece));
  }
}
