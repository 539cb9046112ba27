/**
 * reloads — the configuration is read again because a signal asked for it: nobody waits for the
 * answer, and what came of it is in the log. Thread: control.
 */
import type { ReloadValue } from "../../schema/answers.ts";

export class Reloads {
  readonly #reload: () => ReloadValue | Promise<ReloadValue>;
  /** Asked for since the last one began. */
  #asked = 0;

  /** `reload` logs its result, and why it was refused. */
  constructor(reload: () => ReloadValue | Promise<ReloadValue>) {
    this.#reload = reload;
  }

  /** However often it is asked for while one is under way, one more follows. */
  async ask(): Promise<void> {
    if (this.#asked++ > 0) return;
    do {
      this.#asked = 1;
      try {
        await this.#reload();
      } catch {} // it is in the log
    } while (this.#asked > 1);
    this.#asked = 0;
  }
}
