/**
 * alarm — when control looks around again: one timer of the world for two reasons.
 *
 *     wakeBy ── a peer is due ──────────────────────╮
 *     ringBy ── something waits for I/O threads ────┴─▶ the earliest ──▶ rung()
 *
 * What waits for I/O threads is looked at a few times a second at most, and costs no look at peers
 * that are not due. Boot-clock milliseconds. Thread: control.
 */
import type { World } from "./world.ts";

/** The shortest delay of an alarm. */
const SHORTEST_MS = 1;

export class Alarm {
  readonly #world: Pick<World, "bootMs" | "wakeAt">;
  #peersMs = Number.POSITIVE_INFINITY;
  #ringsMs = Number.POSITIVE_INFINITY;

  constructor(world: Pick<World, "bootMs" | "wakeAt">) {
    this.#world = world;
  }

  /** A peer is due then. */
  wakeBy(dueMs: number): void {
    this.#peersMs = Math.min(this.#peersMs, dueMs);
    this.ringBy(dueMs);
  }

  /**
   * Something else is to be looked at then. A suspend stops timers, not the boot clock: an alarm
   * that is overdue by then rings at once.
   */
  ringBy(dueMs: number): void {
    const nowMs = this.#world.bootMs();
    const overdue = this.#ringsMs <= nowMs;
    if (dueMs >= this.#ringsMs && !overdue) return;
    this.#ringsMs = overdue ? nowMs + SHORTEST_MS : dueMs;
    this.#world.wakeAt(this.#ringsMs);
  }

  /** It rang. True: peers may be due, and wakeBy() is to be told of the next one. */
  rung(nowMs: number): boolean {
    this.#ringsMs = Number.POSITIVE_INFINITY;
    const due = this.#peersMs <= nowMs;
    if (due) this.#peersMs = Number.POSITIVE_INFINITY;
    else this.ringBy(this.#peersMs);
    return due;
  }
}
