/**
 * enroller — takes in new members: makes invitations, and answers who has one, at our own port or
 * through an index.
 *
 *     invite() ──▶ address, name and groups tried ──▶ on the disk ──▶ token
 *     JOIN ──▶ invitation of that hash ──▶ opened by its key ──▶ not taken, not over
 *          ──▶ signed, on the disk ──▶ JOINED    the same identity again: the same certificate
 *
 * What is refused is told to whoever has the token, and to nobody else. Thread: control.
 */
import { type Decoded, refused, sameBytes } from "../../members/bytes.ts";
import { type Certificate, validity } from "../../members/certificate.ts";
import { newestAuthority } from "../../members/definition.ts";
import { formatDay, freeAddress, rangesOf } from "../../members/grant.ts";
import {
  type Invited,
  JOINING_NONCE_BYTES,
  type JoinVerdict,
  openRequest,
  sealAnswer,
} from "../../members/joining.ts";
import { decodeRequest, type Request } from "../../members/request.ts";
import { formatNodeId, signingPair } from "../../members/sign.ts";
import type { TokenFields } from "../../members/token.ts";
import { formatCidr } from "../../wire/cidr.ts";
import type { JoinWish } from "../../wire/index-messages.ts";
import type { CountName } from "./counts.ts";
import { type Invitation, Invitations } from "./invitations.ts";
import type { Issuing } from "./issuing.ts";
import type { Parts } from "./parts.ts";
import type { NetworkWorld } from "./world.ts";

const SECRET_BYTES = 32;

export interface EnrollerOptions {
  readonly world: Pick<NetworkWorld, "randomBytes" | "say" | "count">;
  readonly parts: Pick<Parts, "authority" | "clock" | "disk">;
  readonly issuing: Issuing;
  /** Invitations have changed: indexes are to be told their hashes. */
  readonly onChanged: () => void;
}

/** What somebody is invited to. */
export interface InvitationWish {
  /** Null: whoever joins chooses. */
  readonly name: string | null;
  /** Empty: the next free one. */
  readonly addresses: readonly Uint8Array[];
  readonly groups: readonly string[];
  readonly hours: number;
}

/** What a token says, but for where to ask. */
export type Promised = Omit<TokenFields, "indexes" | "enrollers"> & {
  readonly addresses: readonly Uint8Array[];
};

export class Enroller {
  readonly #options: EnrollerOptions;
  readonly #invitations: Invitations;

  constructor(options: EnrollerOptions) {
    this.#options = options;
    this.#invitations = new Invitations(options.parts.disk);
  }

  get #nowS(): number {
    return this.#options.parts.clock.certificateS();
  }

  /** Hashes of the invitations that live: what indexes keep requests for. */
  hashes(): Uint8Array[] {
    return this.#invitations.living(this.#nowS).map(({ keys }) => keys.hash);
  }

  /** Keys of KNOCKs whose hash begins with this byte. */
  knockKeys(first: number): Uint8Array[] {
    return this.#invitations.beginning(first).map(({ keys }) => keys.knock);
  }

  // -------------------------------------------------------------------------------------------
  // Inviting

  /** Makes one. Refused: why, as a clause. */
  invite(wish: InvitationWish): Decoded<Promised> {
    const { issuing, world, parts, onChanged } = this.#options;
    if (!issuing.mayEnrol) {
      return refused(
        "its issuer certificate lets this host renew members, and not take in new ones; have " +
          "`network issuer --enrol` make one that does",
      );
    }
    const nowS = this.#nowS;
    if (!this.#invitations.hasRoom(nowS)) {
      return refused("too many invitations are open; wait until some are taken, or have ended");
    }
    const addresses = this.#addressesFor(wish);
    if (!addresses.ok) return addresses;
    const why = this.#problemOf(wish, addresses.value);
    if (why !== null) return refused(why);
    const secret = world.randomBytes(SECRET_BYTES);
    const expiresS = Math.min(nowS + Math.round(wish.hours * 3_600), issuing.endsS);
    const { name, groups } = wish;
    const fields = { secret, expiresS, name, addresses: addresses.value, groups };
    if (!this.#invitations.add(fields, nowS)) {
      return refused("this host cannot write what it promises; look at state_dir");
    }
    const { definition } = parts.authority;
    const authority = newestAuthority(definition);
    onChanged();
    return {
      ok: true,
      value: {
        secret,
        expiresS,
        network: definition.name,
        firstAuthority: definition.authorities[0]!.key,
        authority,
        newestAuthority: definition.authorities[authority]!.key,
        name,
        addresses: addresses.value,
      },
    };
  }

  #promised(nowS: number): Uint8Array[] {
    return this.#invitations.living(nowS).flatMap(({ addresses }) => [...addresses]);
  }

  #addressesFor({ addresses }: InvitationWish): Decoded<readonly Uint8Array[]> {
    const desk = this.#options.issuing.desk();
    const promised = this.#promised(this.#nowS);
    if (desk === null) {
      return refused(this.#options.issuing.problem() ?? "the network's secret is not here");
    }
    if (addresses.length > 0) {
      const twice = addresses.some((one) => promised.some((other) => sameBytes(one, other)));
      if (!twice) return { ok: true, value: addresses };
      return refused("another invitation promises that address; choose another --ip");
    }
    const [range] = rangesOf(desk.known.definition, desk.signer);
    const free = range === undefined ? null : freeAddress(desk.known, range, promised);
    if (free !== null) return { ok: true, value: [free] };
    const what = range === undefined ? "" : ` of ${formatCidr(range)}`;
    return refused(`all addresses${what} are given; give one by --ip`);
  }

  /** Would somebody nobody knows yet be certified so? A clause; null: yes. */
  #problemOf({ name, groups }: InvitationWish, addresses: readonly Uint8Array[]): string | null {
    const { issuing, world } = this.#options;
    const promised = this.#invitations.living(this.#nowS).some((one) => one.name === name);
    if (name !== null && promised) {
      return `another invitation is for ${name}; choose another --name`;
    }
    const { publicKey } = signingPair(world.randomBytes(SECRET_BYTES));
    // A name that nobody can have by chance, of the usual length.
    const stand = `j${Buffer.from(publicKey.subarray(0, 10)).toString("hex")}`;
    const wish = { nodeKey: publicKey, handshakeKey: BASE_POINT, name: name ?? stand };
    return issuing.tried({ ...wish, flags: 0, addresses, routes: [], groups });
  }

  // -------------------------------------------------------------------------------------------
  // Joining

  /** Body of the JOINED that answers a JOIN; null: nothing is said. Borrows. */
  join({ hash, body }: JoinWish): Uint8Array | null {
    const { parts, world } = this.#options;
    const one = this.#invitations.of(hash);
    if (one === null) return this.#drop("joinUnknown");
    const { networkId } = parts.authority.definition;
    const invited: Invited = { networkId, keys: one.keys };
    const bytes = openRequest(invited, body);
    if (bytes === null) return this.#drop("joinInvalid");
    const request = decodeRequest(bytes);
    const verdict = request.ok ? this.#verdict(one, request.value) : this.#unfit(request.why);
    world.count(verdict.signed ? "joinsSigned" : "joinsRefused", 1);
    const nonce = world.randomBytes(JOINING_NONCE_BYTES);
    return sealAnswer(invited, bytes, verdict, nonce);
  }

  /** Of another version, or somebody who has the token asks with a key that is not its own. */
  #unfit(clause: string): JoinVerdict {
    const why = `its request cannot be used: ${clause}`;
    this.#options.world.say("warn", "an invitation was refused", { why });
    return { signed: false, why };
  }

  #drop(reason: CountName): null {
    this.#options.world.count(reason, 1);
    return null;
  }

  #refuse(request: Request, why: string, level: "info" | "warn" = "info"): JoinVerdict {
    const who = { member: request.name, nodeId: formatNodeId(request.nodeKey) };
    this.#options.world.say(level, "an invitation was refused", { ...who, why });
    return { signed: false, why };
  }

  #verdict(one: Invitation, request: Request): JoinVerdict {
    const { taken, expiresS } = one;
    if (taken !== null) return this.#again(one, request);
    if (this.#nowS > expiresS) {
      return this.#refuse(request, `it ended on ${formatDay(expiresS)}; ask for another`);
    }
    if (!this.#options.issuing.mayEnrol) {
      return this.#refuse(request, "the issuer may not take in new members any more");
    }
    const given = this.#options.issuing.given(request.nodeKey);
    if (given !== null && isOf(one, given, request) && this.#problemOfGiven(given) === null) {
      return this.#finish(one, request, given);
    }
    const held = this.#options.issuing.newestOf(request.nodeKey);
    if (held !== null) {
      const why = `this identity is known as ${held.name}; make a new one with keygen`;
      return this.#refuse(request, why);
    }
    return this.#sign(one, request);
  }

  #sign(one: Invitation, request: Request): JoinVerdict {
    const { issuing } = this.#options;
    const { nodeKey, handshakeKey } = request;
    const { addresses, groups } = one;
    const name = one.name ?? request.name;
    const promised = this.#invitations
      .living(this.#nowS)
      .some((other) => other !== one && other.name === name);
    if (promised) return this.#refuse(request, `${name} is invited already; choose another --name`);
    const wish = { nodeKey, handshakeKey, name, flags: 0, addresses, routes: [], groups };
    const signed = issuing.sign(wish);
    if (!signed.ok) return this.#refuse(request, signed.why, "warn");
    return this.#finish(one, request, signed.value);
  }

  /** It is signed: now the invitation is taken, and then it is said. */
  #finish(one: Invitation, request: Request, certificate: Certificate): JoinVerdict {
    const { onChanged, world } = this.#options;
    if (!this.#invitations.take(one, certificate)) {
      return this.#refuse(request, "the enroller cannot write what it signs", "warn");
    }
    onChanged();
    const { name, nodeKey } = certificate;
    const nodeId = formatNodeId(nodeKey);
    world.say("info", "a new member was taken in, by invitation", { member: name, nodeId });
    return this.#given(one, request, certificate.bytes);
  }

  #given(one: Invitation, request: Request, certificate: Uint8Array): JoinVerdict {
    const { handshakeKey } = request;
    const sealed = this.#options.issuing.sealedTo(handshakeKey);
    if (sealed !== null) return { signed: true, handshakeKey, certificate, sealed };
    return this.#refuse(request, `the secret for ${one.name ?? request.name} cannot be sealed`);
  }

  /** It was taken: the same identity may have missed the answer; nobody else gets one. */
  #again(one: Invitation, request: Request): JoinVerdict {
    const { nodeKey, handshakeKey, bytes } = one.taken!;
    const same =
      sameBytes(nodeKey, request.nodeKey) && sameBytes(handshakeKey, request.handshakeKey);
    if (!same) {
      const day = formatDay(one.taken!.notBeforeS);
      const why = `it was used on ${day} by ${one.taken!.name}, another identity`;
      return this.#refuse(request, `${why}; ask for another`, "warn");
    }
    const problem = this.#problemOfGiven(one.taken!);
    return problem === null
      ? this.#given(one, request, bytes)
      : this.#refuse(request, problem, "warn");
  }

  /** Why a certificate, and the newest secret with it, is given no more; a clause; null: it is. */
  #problemOfGiven(given: Certificate): string | null {
    const { parts, issuing } = this.#options;
    const { definition, revocations } = parts.authority;
    const { toS } = validity(given, definition);
    if (this.#nowS > toS) return `its certificate ended on ${formatDay(toS)}; ask for another`;
    return revocations.problem(given) ?? issuing.problem();
  }

  /** Zeroes all secrets. */
  stop(): void {
    this.#invitations.stop();
  }
}

/** Was it given for this invitation, just before this host ended? */
const isOf = ({ addresses }: Invitation, given: Certificate, request: Request): boolean =>
  sameBytes(given.handshakeKey, request.handshakeKey) &&
  given.addresses.length === addresses.length &&
  given.addresses.every((one, i) => sameBytes(one, addresses[i]!));

/** X25519's base point: a key that is no member's, to try a certificate with. RFC 7748 4.1. */
const BASE_POINT = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 9 : 0));
