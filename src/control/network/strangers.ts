/**
 * strangers — those with whom there is no session yet: who shows itself, and who is asked.
 *
 *     bootstrap, beacon ──▶ WHO ──HERE──▶ ╮
 *     somebody calls ──────▶ INTRO ──────▶ introduced() ──▶ intake ──▶ admission
 *
 * Thread: control.
 */
import { sameSockaddr } from "../../wire/sockaddr.ts";
import { Beacon } from "./beacon.ts";
import { Intro, type IntroOptions } from "./intro.ts";
import type { Parts } from "./parts.ts";
import type { Handle, NetworkWorld } from "./world.ts";

/** Tuning: how often addresses of bootstrap that answered are asked again, while all are silent. */
const ASK_AGAIN_MS = 60_000;

export interface StrangersOptions {
  readonly parts: Parts;
  readonly world: NetworkWorld;
  readonly handshakeKey: IntroOptions<Handle>["handshakeKey"];
  readonly wakeBy: (dueMs: number) => void;
}

export class Strangers {
  readonly #options: StrangersOptions;
  readonly intro: Intro<Handle>;
  readonly beacon: Beacon;
  /** Addresses of bootstrap that are asked, and when they began to be asked last. */
  #asked: readonly Uint8Array[] = [];
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(options: StrangersOptions) {
    const { parts, world, handshakeKey, wakeBy } = options;
    const secrets = () => parts.authority.secrets.all;
    this.#options = options;
    this.intro = new Intro<Handle>({
      world,
      own: () => {
        // The certificate that the record names: a newer one has its record in a moment.
        const { statement } = parts.ownRecord;
        return statement && { certificate: statement.owner.bytes, record: statement.record };
      },
      alone: () => parts.links.size === 0,
      handshakeKey,
      secrets,
      introduced: (shown, from, way) => this.#introduced(shown, from, way),
    });
    this.beacon = new Beacon({
      world,
      port: world.port,
      secrets,
      heardOf: (at, low, nowMs) => {
        this.intro.askOnce(at, low, nowMs);
        wakeBy(this.intro.dueMs);
      },
    });
  }

  /** Asks the addresses of `bootstrap` who they are: at the start, and when their names changed. */
  ask(nowMs: number): void {
    const { world, wakeBy } = this.#options;
    this.#askedMs = nowMs;
    const now = world.bootstrap().map(({ sockaddr }) => sockaddr);
    // A name may lead elsewhere each day: nobody is at its former addresses.
    for (const one of this.#asked) {
      if (!now.some((other) => sameSockaddr(one, other))) this.intro.unask(one);
    }
    for (const sockaddr of now) this.intro.ask(sockaddr, nowMs);
    this.#asked = now;
    wakeBy(this.intro.dueMs);
  }

  /** The same, unless it was done a moment ago: who answered there may not be there any more. */
  askAgain(nowMs: number): void {
    if (nowMs - this.#askedMs > ASK_AGAIN_MS) this.ask(nowMs);
  }

  /** Somebody shows certificate and record. Borrows: both. */
  #introduced(
    shown: { readonly certificate: Uint8Array; readonly record: Uint8Array },
    from: Uint8Array,
    way: "intro" | "here",
  ): Handle | null {
    const { intake, reach, members, admission, company } = this.#options.parts;
    if (way === "here" && !reach.mayBeAt(from, shown.record)) return null;
    const slot = intake.takeNow(shown, way);
    if (slot < 0) return null;
    const { id } = members.at(slot);
    // Others have its certificate and its record, too: an INTRO of theirs does not lead us astray.
    if (way === "here" || reach.hint(id) === null) reach.seen(id, from);
    company.neighbours.spoke(id);
    const handle = admission.admitNow(slot);
    this.#options.wakeBy(company.dueMs);
    return handle;
  }

  /** Secrets have changed. */
  renew(): void {
    this.intro.renew();
    this.beacon.renew();
  }

  /** Zeroes what is secret; not to be used afterwards. */
  stop(): void {
    this.intro.stop();
    this.beacon.stop();
  }
}
