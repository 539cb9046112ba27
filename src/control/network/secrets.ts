/**
 * secrets — the network's secrets that are held: the newest, and those before it for what was
 * sealed with them. Pure.
 *
 *     list says: epoch 7, check … ──▶ secret of epoch 7 comes ──▶ its check is the list's ──▶ held
 *
 * Whoever has the newest seals with it. What others sealed with a former one is read as long as it
 * is held; a record lives a day, so that both are good beside each other for that day.
 */
import { Reader, Writer } from "../../members/bytes.ts";
import type { RevocationList } from "../../members/revocation-list.ts";
import { derive, EPOCHS_HELD, isSecret, SECRET_BYTES } from "../../members/secret.ts";

export interface HeldSecret {
  readonly epoch: number;
  readonly secret: Uint8Array;
  /** Of records. */
  readonly recordKey: Uint8Array;
  /** Of a KNOCK's tag. */
  readonly knockKey: Uint8Array;
}

const FILE_BYTES_MAX = 1 + EPOCHS_HELD * (4 + SECRET_BYTES);

/** Thread: control. */
export class Secrets {
  /** The newest first. */
  #held: readonly HeldSecret[] = [];

  get all(): readonly HeldSecret[] {
    return this.#held;
  }

  get newest(): HeldSecret | null {
    return this.#held[0] ?? null;
  }

  /** 0: none is held. */
  get epoch(): number {
    return this.newest?.epoch ?? 0;
  }

  /** Key of records of an epoch; null: that secret is not held. */
  readonly recordKey = (epoch: number): Uint8Array | null => {
    for (const one of this.#held) if (one.epoch === epoch) return one.recordKey;
    return null;
  };

  /** Of the certificate's file or our own disk: nobody else could have written it. */
  load(epoch: number, secret: Uint8Array): void {
    if (this.recordKey(epoch) !== null || secret.length !== SECRET_BYTES) return;
    const one = {
      ...{ epoch, secret: Uint8Array.from(secret) },
      ...{ recordKey: derive(secret, "record"), knockKey: derive(secret, "knock") },
    };
    const all = [...this.#held, one].sort((a, b) => b.epoch - a.epoch);
    for (const gone of all.slice(EPOCHS_HELD)) wipe(gone);
    this.#held = all.slice(0, EPOCHS_HELD);
  }

  /** A member sent it. "wrong": it is not the one that the list speaks of. */
  take(epoch: number, secret: Uint8Array, list: RevocationList): "taken" | "known" | "wrong" {
    if (this.recordKey(epoch) !== null) return "known";
    if (!isSecret(list, epoch, secret)) return "wrong";
    this.load(epoch, secret);
    return "taken";
  }

  /** For the disk. */
  encode(): Uint8Array {
    const writer = new Writer(FILE_BYTES_MAX).u8(this.#held.length);
    for (const { epoch, secret } of this.#held) writer.u32(epoch).put(secret, SECRET_BYTES);
    return writer.done();
  }

  /** False: the bytes are none of `encode`. */
  decode(bytes: Uint8Array): boolean {
    const reader = new Reader(bytes);
    const count = reader.count(EPOCHS_HELD, "secrets");
    const found: [number, Uint8Array][] = [];
    for (let i = 0; i < count; i++) found.push([reader.u32(), reader.take(SECRET_BYTES)]);
    reader.end();
    if (reader.why !== null) return false;
    for (const [epoch, secret] of found) this.load(epoch, secret);
    return true;
  }

  /** Zeroes all. */
  stop(): void {
    for (const one of this.#held) wipe(one);
    this.#held = [];
  }
}

const wipe = ({ secret, recordKey, knockKey }: HeldSecret): void => {
  for (const key of [secret, recordKey, knockKey]) key.fill(0);
};
