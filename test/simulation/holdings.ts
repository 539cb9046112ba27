/**
 * holdings — what an I/O thread may hold in a turn: whatever it can find when the turn begins.
 *
 * Until it waits again, nobody may zero or fill the sessions that a peer's words or a receiver
 * index name then, nor write into the active route tables (memory/epochs.ts).
 */
import { ENGINE, PEER, SESSION } from "../../src/memory/layout.ts";
import { type Arena, doubleAt, fieldWord, wordOf } from "../../src/memory/region.ts";
import { SESSION_FIELD, sessionWord } from "../../src/memory/sessions.ts";
import { RANDOM_MASK } from "../../src/wire/receiver-index.ts";
import { Violation } from "./ledger.ts";

const CURRENT = fieldWord(PEER.fields.current);
const NEXT = fieldWord(PEER.fields.next);
const ACTIVE = fieldWord(ENGINE.fields.activeRoutes);

/** The two tables of an IP version, and a copy of the one that was active when the turn began. */
interface Tables {
  readonly each: readonly [Buffer, Buffer];
  readonly was: Buffer;
}

export class Holdings {
  readonly #arena: Arena;
  readonly #thread: number;
  /** Sessions, and their generations. */
  readonly #sessions = new Map<number, number>();
  readonly #tables: readonly Tables[];
  /** Table that was active; -1: no turn. */
  #active = -1;

  constructor(arena: Arena, thread: number) {
    this.#arena = arena;
    this.#thread = thread;
    const { buffer, layout } = arena;
    this.#tables = (["routes4", "routes6"] as const).map((region): Tables => {
      const [base, bytes] = [layout.base[region], layout.count[region] * 2];
      const table = (which: number): Buffer => Buffer.from(buffer, base + which * bytes, bytes);
      return { each: [table(0), table(1)], was: Buffer.alloc(bytes) };
    });
  }

  /** A turn begins. */
  take(): void {
    const { u32, layout } = this.#arena;
    const indices = wordOf(this.#arena, "receiverIndices", 4, 0);
    for (let session = 0; session < layout.count.sessions; session++) {
      const word = sessionWord(this.#arena, session);
      const index = u32[word + SESSION_FIELD.localIndex]! & RANDOM_MASK;
      const found = u32[indices + index] === session + 1 || this.#isCurrent(session);
      if (found) this.#sessions.set(session, u32[word]!);
    }
    this.#active = u32[wordOf(this.#arena, "engine", ENGINE.size, 0) + ACTIVE]!;
    for (const { each, was } of this.#tables) each[this.#active]!.copy(was);
  }

  /** It has ended. Errors: Violation, when something was taken out of its hands. */
  leave(): void {
    const { u32 } = this.#arena;
    for (const [session, generation] of this.#sessions) {
      if (u32[sessionWord(this.#arena, session)] === generation) continue;
      throw new Violation(`session ${session} was zeroed while I/O thread ${this.#thread} held it`);
    }
    this.#sessions.clear();
    if (this.#active < 0) return;
    for (const { each, was } of this.#tables) {
      if (each[this.#active]!.equals(was)) continue;
      throw new Violation(`routes were written while I/O thread ${this.#thread} read them`);
    }
    this.#active = -1;
  }

  /**
   * Its turn has ended: whoever has sent something in a session of its own may know no other, so
   * none is used that was there before. Errors: Violation.
   */
  checkUse(): void {
    const { u32, u64, layout } = this.#arena;
    for (let peer = 0; peer < layout.count.peers; peer++) {
      const word = wordOf(this.#arena, "peers", PEER.size, peer);
      const next = u32[word + NEXT]! - 1;
      if (next < 0 || u32[word + CURRENT] === 0) continue;
      const heard = doubleAt(sessionWord(this.#arena, next), SESSION.fields.lastCounter);
      if (u64[heard] !== 0n) throw new Violation(`session ${next} is heard and not used`);
    }
  }

  #isCurrent(session: number): boolean {
    const { u32, layout } = this.#arena;
    for (let peer = 0; peer < layout.count.peers; peer++) {
      const word = wordOf(this.#arena, "peers", PEER.size, peer);
      if (u32[word + CURRENT] === session + 1) return true;
    }
    return false;
  }
}
