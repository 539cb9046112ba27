/**
 * reloads — the configuration is read again because a signal asked for it: nobody waits for the
 * answer, so it is logged. Thread: control.
 */
import type { Log } from "../log.ts";
import type { ReloadValue } from "../schema/control.ts";

export class Reloads {
  readonly #reload: () => ReloadValue | Promise<ReloadValue>;
  readonly #log: Log;
  /** Asked for since the last one began. */
  #asked = 0;

  constructor(reload: () => ReloadValue | Promise<ReloadValue>, log: Log) {
    this.#reload = reload;
    this.#log = log;
  }

  /** However often it is asked for while one is under way, one more follows. */
  async ask(): Promise<void> {
    if (this.#asked++ > 0) return;
    do {
      this.#asked = 1;
      await this.#once();
    } while (this.#asked > 1);
    this.#asked = 0;
  }

  async #once(): Promise<void> {
    try {
      const { changed, needsRestart } = await this.#reload();
      this.#log.info("the configuration was read again", {
        changed: changed.join(", ") || "nothing",
        ...(needsRestart.length > 0 ? { notBeforeARestart: needsRestart.join(", ") } : {}),
      });
    } catch (error) {
      const { message: reason } = error as Error;
      this.#log.warn("the configuration was read again, and nothing has changed", { reason });
    }
  }
}
