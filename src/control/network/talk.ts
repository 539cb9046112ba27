/**
 * talk — frames of members: each goes to the part that takes it; and what members tell each other
 * of the time.
 *
 *     digest ──▶ company (roots), gossip       want, record ──▶ gossip
 *     revocations, ack, secret, definition ──▶ authority        echo ──▶ clock, own record
 *     renew, renewed ──▶ certification
 *
 * Thread: control.
 */
import { decodeDigest, type Root } from "../../wire/digests.ts";
import { FRAME_KINDS } from "../../wire/frames.ts";
import { decodeEcho, encodeEcho } from "../../wire/network-frames.ts";
import type { Certification } from "./certification.ts";
import type { CountName } from "./counts.ts";
import type { Link } from "./links.ts";
import type { Parts } from "./parts.ts";

/** Tuning: a root is said unasked to who knows more than we, so often at most. */
const BEHIND_MS = 1_000;
/** Tuning: the clock is looked at so often; while no time is known, so many members are asked. */
const TIME_MS = 30_000;
const TIME_ASKED_MAX = 16;

const { digest, want, record, revocations, ack, definition, secret, echo, goodbye } = FRAME_KINDS;
const { renew, renewed } = FRAME_KINDS;

export class Talk {
  readonly #parts: Parts;
  readonly #certification: Certification;
  /** When the clock is looked at. */
  dueMs: number;

  constructor(parts: Parts, certification: Certification, nowMs: number) {
    this.#parts = parts;
    this.#certification = certification;
    this.dueMs = nowMs + TIME_MS;
  }

  /** Why a frame is refused; null: it was taken. Borrows: `body`. */
  take(link: Link, type: number, body: Uint8Array, nowMs: number): CountName | null {
    const { gossip, authority, company } = this.#parts;
    switch (type) {
      case digest.type:
        return this.#digest(link, body, nowMs);
      case want.type:
        return gossip.want(link, body, nowMs);
      case record.type:
        return gossip.record(link, body);
      case revocations.type:
        return authority.piece(link, body, nowMs);
      case ack.type:
        return authority.ack(link, body, nowMs);
      case definition.type:
        return authority.define(link, body, nowMs);
      case secret.type:
        return authority.secret(link, body, nowMs);
      case echo.type:
        return this.#echo(link, body, nowMs);
      case goodbye.type:
        company.goodbye(link, nowMs);
        return null;
      case renew.type:
        return this.#certification.asked(link, body);
      case renewed.type:
        return this.#certification.renewed(link, body, nowMs);
      default:
        return "frameInvalid";
    }
  }

  #digest(link: Link, body: Uint8Array, nowMs: number): CountName | null {
    const { gossip } = this.#parts;
    const said = decodeDigest(body);
    if (said === null) return "frameInvalid";
    if (said.kind === "buckets") return gossip.buckets(link, said, nowMs);
    if (said.kind === "range") return gossip.range(link, said, nowMs);
    if (said.kind === "news") return gossip.news(link, said, nowMs);
    this.#root(link, said, nowMs);
    return null;
  }

  #root(link: Link, root: Root, nowMs: number): void {
    const { company, authority } = this.#parts;
    company.root(link, root, this.#parts.isSame(root), nowMs);
    authority.compare(link, root, nowMs);
    // Who knows more than we gives it to who says so.
    if (authority.isBehind(root) && nowMs - link.rootSentMs > BEHIND_MS) {
      company.say(link, nowMs);
    }
  }

  /** Tells a member our time, and what we know of it; `answer`: it is to do so, too. */
  sayEcho(link: Link, answer: boolean): void {
    const { clock, members, send } = this.#parts;
    const unixMs = Math.floor(clock.nowMs());
    const { sequence } = members.at(link.slot);
    const body = encodeEcho({ answer, trusted: clock.trusted, unixMs, sequence });
    send(link, echo.type, body);
  }

  #echo(link: Link, body: Uint8Array, nowMs: number): CountName | null {
    const { clock, ownRecord } = this.#parts;
    const said = decodeEcho(body);
    if (said === null) return "frameInvalid";
    if (said.trusted) clock.heard(link.id, said.unixMs);
    ownRecord.echoed(said.sequence, nowMs);
    if (said.answer) this.sayEcho(link, false);
    return null;
  }

  /** The clock is to be looked at. */
  askTime(nowMs: number): void {
    this.dueMs = nowMs;
  }

  /** Looks at the clock. The time is not known, or a jump is held back: members tell theirs. */
  tick(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    const { clock, links } = this.#parts;
    this.dueMs = nowMs + TIME_MS;
    if (clock.trusted && clock.heldMs === 0) return;
    let left = TIME_ASKED_MAX;
    for (const link of links.values()) {
      if (left-- === 0) break;
      this.sayEcho(link, true);
    }
  }
}
