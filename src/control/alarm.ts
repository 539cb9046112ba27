/**
 * alarm — when control looks around again: one timer of the world, for whoever is due (due.ts) and
 * for what waits for I/O threads. Boot-clock milliseconds. Thread: control.
 */
import type { World } from "./world.ts";

/** The shortest delay of an alarm. */
const SHORTEST_MS = 1;

export class Alarm {
  readonly #world: Pick<World, "bootMs" | "wakeAt">;
  #ringsMs = Number.POSITIVE_INFINITY;

  constructor(world: Pick<World, "bootMs" | "wakeAt">) {
    this.#world = world;
  }

  /**
   * Something is to be looked at then. A suspend stops timers, not the boot clock: an alarm that is
   * overdue by then rings at once.
   */
  ringBy(dueMs: number): void {
    const nowMs = this.#world.bootMs();
    const overdue = this.#ringsMs <= nowMs;
    if (dueMs >= this.#ringsMs && !overdue) return;
    this.#ringsMs = overdue ? nowMs + SHORTEST_MS : dueMs;
    this.#world.wakeAt(this.#ringsMs);
  }

  /** It rang; the next one is to be said. */
  rung(): void {
    this.#ringsMs = Number.POSITIVE_INFINITY;
  }
}
