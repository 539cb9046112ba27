/**
 * certification — certificates that this host gets and gives: its own is renewed, and as an issuer
 * it renews others and takes in new ones.
 *
 *     RENEWED ──▶ renewal       RENEW ──▶ office
 *
 * Thread: control.
 */
import { type Certificate, validity } from "../../members/certificate.ts";
import { FRAME_KINDS } from "../../wire/frames.ts";
import { encodeRenewed } from "../../wire/network-frames.ts";
import type { CountName } from "./counts.ts";
import type { Link } from "./links.ts";
import { Office } from "./office.ts";
import type { NetworkOptions } from "./options.ts";
import type { Parts } from "./parts.ts";
import { Renewal } from "./renewal.ts";
import type { NetworkWorld } from "./world.ts";

const NO_ISSUER = encodeRenewed({ why: "the member that was asked is no issuer" });

/** What follows outside. */
export interface CertificationHooks {
  /** Calls a member. False: it is nowhere known to be. */
  readonly call: (slot: number) => boolean;
  /** This certificate of ours counts from now on. */
  readonly renew: (certificate: Certificate) => void;
  /** Hashes of invitations have changed: indexes are to be told. */
  readonly onInvitations?: () => void;
  readonly wakeBy: (dueMs: number) => void;
}

export class Certification {
  readonly #world: NetworkWorld;
  readonly #parts: Parts;
  readonly #renewal: Renewal;
  readonly #renew: CertificationHooks["renew"];
  /** As a file has it, and nobody renewed it since. */
  readonly #ofFile: Certificate;
  /** What this host does as an issuer; null: it is none. */
  readonly office: Office | null;

  constructor(
    world: NetworkWorld,
    parts: Parts,
    options: NetworkOptions,
    { onInvitations = () => {}, ...hooks }: CertificationHooks,
  ) {
    const { issuer: file, certificate } = options;
    this.#world = world;
    this.#parts = parts;
    this.#renew = hooks.renew;
    this.#ofFile = certificate;
    const isVoid = parts.authority.revocations.problem(parts.certificate) !== null;
    if (isVoid && this.#ofFileCounts) parts.certificate = certificate;
    this.office =
      file === undefined ? null : new Office({ world, parts, keys: options, file, onInvitations });
    const office = () => this.office;
    this.#renewal = new Renewal({ world, parts, office, ...hooks });
  }

  get dueMs(): number {
    return this.#renewal.dueMs;
  }

  tick(nowMs: number): void {
    this.#renewal.tick(nowMs);
  }

  /** It is another time. */
  look(nowMs: number): void {
    this.#renewal.look(nowMs);
  }

  /** A session with a member began. */
  up(link: Link): void {
    this.#renewal.up(link);
  }

  /** RENEW, which is answered. Borrows: `body`. */
  asked(link: Link, body: Uint8Array): null {
    const { owner } = this.#parts.members.at(link.slot);
    const answer = this.office?.answer(owner, body) ?? NO_ISSUER;
    this.#world.sendFrame(link.handle, FRAME_KINDS.renewed.type, answer);
    return null;
  }

  /** RENEWED. Why it is refused; null: taken. Borrows: `body`. */
  renewed(link: Link, body: Uint8Array, nowMs: number): CountName | null {
    return this.#renewal.renewed(link, body, nowMs);
  }

  get #ofFileCounts(): boolean {
    const { authority, clock } = this.#parts;
    const { toS } = validity(this.#ofFile, authority.definition);
    return authority.revocations.problem(this.#ofFile) === null && clock.certificateS() <= toS;
  }

  /**
   * A list voids our certificate. What an issuer renewed goes with its issuer, and what it renewed
   * may count still: else whoever is revoked takes with it all that it ever renewed.
   */
  revoked(why: string): void {
    const { say } = this.#world;
    if (this.#ofFile !== this.#parts.certificate && this.#ofFileCounts) {
      say("warn", "what an issuer renewed is void: this host's certificate file counts", { why });
      this.#renew(this.#ofFile);
    } else say("error", "this host is revoked: have its request signed anew", { why });
  }

  stop(): void {
    this.office?.stop();
  }
}
