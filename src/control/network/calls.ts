/**
 * calls — members to whom we introduce ourselves, and the CHALLENGEs that may come. Pure.
 *
 *     introduce ── no ticket: behind message 1 ── CHALLENGE ── INTRO with ticket, message 1 again
 *               └─ ticket: before message 1
 *
 * A member may be called at several addresses in turn. Thread: control.
 */
import { sameSockaddr } from "../../wire/sockaddr.ts";

/** Tuning: as many as are called within two minutes; the one called longest ago goes. */
export const CALLS_MOST = 4_096;
/** Tuning: a CHALLENGE to one of a member's last INTROs counts. */
const NAMES_MOST = 4;

/** A member that is called. */
export interface Call<Handle> {
  readonly handle: Handle;
  readonly handshakeKey: Uint8Array;
  /** INTROs that went without being asked for, since the last session. */
  attempts: number;
  /** A session began: nothing is sent any more. */
  settled: boolean;
  /** Its last INTROs that no CHALLENGE came for. */
  readonly names: string[];
}

/** A call, and an address to which it goes or went. */
export interface CallTo<Handle> {
  readonly call: Call<Handle>;
  readonly to: Uint8Array;
}

/** An INTRO that went, by the name that a CHALLENGE repeats. */
export interface SentIntro<Handle> extends CallTo<Handle> {
  /** Lowest byte of its epoch. */
  readonly low: number;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

export class Calls<Handle> {
  readonly #byKey = new Map<string, Call<Handle>>();
  readonly #byName = new Map<string, SentIntro<Handle>>();
  /** Those whose INTRO goes behind the message 1 that is just being sent. */
  #behind: CallTo<Handle>[] = [];

  get size(): number {
    return this.#byKey.size;
  }

  /** Some INTRO is to be sent. */
  get waiting(): boolean {
    return this.#behind.length > 0;
  }

  /** The call of a member, made where there is none. Borrows: `handshakeKey`. */
  open(handle: Handle, handshakeKey: Uint8Array): Call<Handle> {
    const key = hexOf(handshakeKey);
    const known = this.#byKey.get(key);
    if (known !== undefined) this.#byKey.delete(key);
    else if (this.#byKey.size >= CALLS_MOST) this.#forget(this.#byKey.entries().next().value!);
    // The same key may come back as another peer.
    const same = known !== undefined && known.handle === handle;
    const call: Call<Handle> = same
      ? known
      : { handle, handshakeKey: handshakeKey.slice(), attempts: 0, settled: false, names: [] };
    if (known !== undefined && !same) this.#unname(known);
    call.settled = false;
    this.#byKey.set(key, call);
    return call;
  }

  /** The INTRO goes when the message 1 that is being sent has gone. Borrows: `to`. */
  sendBehind(call: Call<Handle>, to: Uint8Array): void {
    if (this.#behind.length < CALLS_MOST) this.#behind.push({ call, to: to.slice() });
  }

  /** Those that go now. */
  takeBehind(): readonly CallTo<Handle>[] {
    const calls = this.#behind.filter(({ call }) => !call.settled);
    this.#behind = [];
    return calls;
  }

  /** An INTRO of this name went. Takes: `sent`. */
  sent(sent: SentIntro<Handle>, name: Uint8Array): void {
    const { names } = sent.call;
    if (names.length >= NAMES_MOST) this.#byName.delete(names.shift()!);
    const hex = hexOf(name);
    names.push(hex);
    this.#byName.set(hex, sent);
  }

  /**
   * The INTRO that a CHALLENGE from there names, if none came for it yet. Does not change anything:
   * its tag was not looked at.
   */
  named(name: Uint8Array, from: Uint8Array): SentIntro<Handle> | undefined {
    const sent = this.#byName.get(hexOf(name));
    return sent !== undefined && sameSockaddr(sent.to, from) ? sent : undefined;
  }

  /** A CHALLENGE came; another one of that name does not count. */
  challenged({ call }: SentIntro<Handle>, name: Uint8Array): void {
    const hex = hexOf(name);
    this.#byName.delete(hex);
    const at = call.names.indexOf(hex);
    if (at >= 0) call.names.splice(at, 1);
  }

  /** A session began. A CHALLENGE that is on its way is expected all the same. */
  settle(handshakeKey: Uint8Array): void {
    const call = this.#byKey.get(hexOf(handshakeKey));
    if (call === undefined) return;
    call.settled = true;
    call.attempts = 0;
  }

  clear(): void {
    this.#byKey.clear();
    this.#byName.clear();
    this.#behind = [];
  }

  #unname(call: Call<Handle>): void {
    for (const name of call.names.splice(0)) this.#byName.delete(name);
  }

  #forget([key, call]: readonly [string, Call<Handle>]): void {
    this.#unname(call);
    this.#byKey.delete(key);
  }
}
