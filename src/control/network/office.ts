/**
 * office — what a host with an issuer certificate does: it takes in who was invited, and renews
 * members, within what the authority lets it.
 *
 *     issuing (who signs) ── enroller (invitations) ── joiners at our port (reception.ts)
 *                         │                         ╰─ waiting(): joiners at index nodes
 *                         ╰─ renew(): RENEW of a member in session
 *
 * Thread: control.
 */
import type { IssuerFile } from "../../members/bundle.ts";
import { type Decoded, sameBytes } from "../../members/bytes.ts";
import { type Certificate, validity } from "../../members/certificate.ts";
import { decodeJoinWaits, encodePassed, encodeTokens, MESSAGE } from "../../wire/index-messages.ts";
import { decodeRenew, encodeRenewed, type Renewed } from "../../wire/network-frames.ts";
import { Enroller, type InvitationWish, type Promised } from "./enroller.ts";
import { Issuing } from "./issuing.ts";
import type { NetworkOptions } from "./options.ts";
import type { Parts } from "./parts.ts";
import type { NetworkWorld } from "./world.ts";

/** Tuning: what is renewed has at most this part of its life left. */
const LEFT_PART = 2;

export interface OfficeOptions {
  readonly world: NetworkWorld;
  readonly parts: Parts;
  readonly keys: Pick<NetworkOptions, "signingKey" | "handshakeKey">;
  readonly file: IssuerFile;
  /** Hashes of invitations have changed. */
  readonly onInvitations: () => void;
}

export class Office {
  readonly #options: OfficeOptions;
  readonly #issuing: Issuing;
  readonly enroller: Enroller;

  constructor(options: OfficeOptions) {
    const { world, parts, keys, file } = options;
    this.#options = options;
    this.#issuing = new Issuing({ parts, file, signingKey: keys.signingKey });
    this.enroller = new Enroller({
      world,
      parts,
      issuing: this.#issuing,
      onChanged: options.onInvitations,
    });
  }

  /** Where others may reach this host. */
  get places(): readonly Uint8Array[] {
    return this.#options.world.addresses().map(({ sockaddr }) => sockaddr);
  }

  /** Makes an invitation. Refused: why, as a clause. */
  invite(wish: InvitationWish): Decoded<Promised> {
    return this.enroller.invite(wish);
  }

  stop(): void {
    this.enroller.stop();
  }

  // -------------------------------------------------------------------------------------------
  // Joiners at index nodes

  /** TOKENS: what to say to an index when its channel is open, and when invitations change. */
  tokens(): Uint8Array {
    return encodeTokens(this.enroller.hashes());
  }

  /** JOIN_ANSWER to a JOIN_WAITS; null: nothing is said. Borrows. */
  waiting(plain: Uint8Array): Uint8Array | null {
    const waits = decodeJoinWaits(plain);
    const body = waits && this.enroller.join(waits);
    if (waits === null || body === null) return null;
    return encodePassed(MESSAGE.joinAnswer, { id: waits.id, body });
  }

  // -------------------------------------------------------------------------------------------
  // Members

  /** Body of the RENEWED that answers a member's RENEW. `owner`: what is known of it. */
  answer(owner: Certificate, body: Uint8Array): Uint8Array {
    const renewed = this.renew(owner, decodeRenew(body));
    const done = "certificate" in renewed;
    this.#options.world.count(done ? "renewalsGiven" : "renewalsRefused", 1);
    return encodeRenewed(renewed);
  }

  /** The same for longer; or why not, a clause. `hash`: of the certificate that its member has. */
  renew(owner: Certificate, hash: Uint8Array): Renewed {
    const { parts, world } = this.#options;
    const problem = this.#issuing.mayRenew ? this.#issuing.problem() : "the issuer may not renew";
    if (problem !== null) return { why: problem };
    const given = this.#issuing.given(owner.nodeKey);
    const again = given !== null && given.notBeforeS >= owner.notBeforeS ? given : owner;
    const refusal = this.#refusal(again);
    // It may have missed what it was given before.
    if (again !== owner && refusal === "early") return { certificate: again.bytes };
    if (![again, owner].some((one) => sameBytes(one.hash, hash)))
      return { why: "the issuer knows another certificate of it" };
    if (refusal === "early") return { why: "it counts for long enough yet" };
    if (refusal !== null) return { why: refusal };
    const { nodeKey, handshakeKey, name, flags, addresses, routes, groups, extensions } = again;
    const rest = { flags, addresses, routes, groups, extensions };
    const signed = this.#issuing.sign({ nodeKey, handshakeKey, name, ...rest });
    if (!signed.ok) return { why: signed.why };
    if (parts.certificate !== owner) world.say("info", "a member was renewed", { member: name });
    return { certificate: signed.value.bytes };
  }

  /** "early", or a clause; null: it may be renewed. */
  #refusal(one: Certificate): string | null {
    const { authority, clock } = this.#options.parts;
    const { fromS, toS } = validity(one, authority.definition);
    const nowS = clock.certificateS();
    if (nowS > toS) return "it has expired; have it signed anew";
    const revoked = authority.revocations.problem(one);
    if (revoked !== null) return revoked;
    if ((toS - nowS) * LEFT_PART > toS - fromS) return "early";
    return this.#issuing.endS() <= toS ? "the issuer may give nothing that ends later" : null;
  }
}
