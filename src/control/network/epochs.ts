/**
 * epochs — keys of the network's last secrets, by what they are used for and by the lowest byte of
 * their epoch. Pure.
 *
 * The newest 16 epochs count: a member that was away has an old secret, and gets the new one inside
 * its session. Among 16 in a row the lowest byte names one. Thread: control.
 */
import { derive, EPOCHS_HELD } from "../../members/secret.ts";
import { zero } from "../../noise/mac.ts";

/** A secret of the network. */
export interface EpochSecret {
  readonly epoch: number;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

/** What is derived of one secret; 32 bytes each. */
export interface EpochKeys {
  readonly epoch: number;
  /** Lowest byte of the epoch, as datagrams name it. */
  readonly low: number;
  /** Tags of types 9 and 10. */
  readonly intro: Uint8Array;
  /** Seals HERE. */
  readonly here: Uint8Array;
  /** Tags of the LAN beacon. */
  readonly beacon: Uint8Array;
}

const keysOf = ({ epoch, secret }: EpochSecret): EpochKeys => ({
  epoch,
  low: epoch & 0xff,
  intro: derive(secret, "intro"),
  here: derive(secret, "here"),
  beacon: derive(secret, "beacon"),
});

export class Epochs {
  /** Newest first. */
  #keys: readonly EpochKeys[] = [];

  /** From now on these, in any order; what is older than the newest 16 epochs is left out. */
  hold(secrets: readonly EpochSecret[]): void {
    this.wipe();
    const newest = Math.max(...secrets.map(({ epoch }) => epoch));
    this.#keys = secrets
      .filter(({ epoch }) => epoch > newest - EPOCHS_HELD)
      .sort((a, b) => b.epoch - a.epoch)
      .map(keysOf);
  }

  /** Those of the newest secret; null: there is none. */
  get newest(): EpochKeys | null {
    return this.#keys[0] ?? null;
  }

  /** Those that the lowest byte of an epoch names. */
  byLow(low: number): EpochKeys | undefined {
    return this.#keys.find((keys) => keys.low === low);
  }

  /**
   * With which secret the nth attempt is made, from 0: the newest and older ones in turn, since the
   * other end may have been away. Null: there is none.
   */
  forAttempt(attempt: number): EpochKeys | null {
    const older = this.#keys.length - 1;
    const isOld = attempt % 2 === 1 && older > 0;
    return this.#keys[isOld ? 1 + (((attempt - 1) / 2) % older) : 0] ?? null;
  }

  /** Zeroes all keys; there are none then. */
  wipe(): void {
    for (const { intro, here, beacon } of this.#keys) zero(intro, here, beacon);
    this.#keys = [];
  }
}
