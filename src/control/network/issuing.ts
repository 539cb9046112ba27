/**
 * issuing — signs as an issuer while the engine runs: what it may, whom it knows, and what it gave,
 * which is on the disk before anybody gets it.
 *
 *     wish ──▶ problem()? ──▶ desk: everybody known, newest list and secret ──▶ signed ──▶ disk
 *
 * Thread: control.
 */
import type { IssuerFile } from "../../members/bundle.ts";
import { type Decoded, Reader, refused, sameBytes } from "../../members/bytes.ts";
import { type Certificate, decodeCertificate, validity } from "../../members/certificate.ts";
import { formatDay } from "../../members/grant.ts";
import { type CertificateWish, certify, type Desk } from "../../members/issue.ts";
import { ISSUER_FLAG, issuerProblem } from "../../members/issuer.ts";
import { Known } from "../../members/known.ts";
import { revokedBefore } from "../../members/revocation-list.ts";
import { sealSecret } from "../../members/secret.ts";
import type { Parts } from "./parts.ts";

/** Tuning: certificates that it gave are remembered so long after their end. */
const REMEMBERED_S = 400 * 86_400;
/** Tuning: an issuer that has given more is to be renewed by hand; 512 bytes each. */
const ISSUED_MAX = 20_000;
/** Tuning: nothing that it signs lives longer, whatever the authority lets it. */
const LIFE_MAX_S = 90 * 86_400;

export interface IssuingOptions {
  readonly parts: Pick<Parts, "authority" | "clock" | "members" | "disk" | "certificate">;
  /** Verified when the configuration was read. */
  readonly file: IssuerFile;
  /** The node's ed25519 secret, 64 bytes. Borrows. */
  readonly signingKey: Uint8Array;
}

const keyText = (key: Uint8Array): string => Buffer.from(key).toString("latin1");

export class Issuing {
  readonly #options: IssuingOptions;
  /** What it gave, by node: the newest. */
  readonly #issued = new Map<string, Certificate>();
  #serial = 0;

  constructor(options: IssuingOptions) {
    this.#options = options;
    const kept = options.parts.disk.read("issued");
    if (kept !== null) this.#load(kept);
  }

  #load(bytes: Uint8Array): void {
    const reader = new Reader(bytes);
    while (reader.why === null && reader.at < bytes.length) {
      const one = decodeCertificate(reader.take(reader.u16()));
      if (!one.ok) continue;
      this.#issued.set(keyText(one.value.nodeKey), one.value);
      this.#serial = Math.max(this.#serial, one.value.serial);
    }
  }

  /** When it ends. Unix seconds. */
  get endsS(): number {
    return this.#options.file.issuer.notAfterS;
  }

  get mayEnrol(): boolean {
    return (this.#options.file.issuer.flags & ISSUER_FLAG.enrol) !== 0;
  }

  get mayRenew(): boolean {
    return (this.#options.file.issuer.flags & ISSUER_FLAG.renew) !== 0;
  }

  /** Why nothing can be signed now, as a clause; null: it can. */
  problem(): string | null {
    const { file, parts } = this.#options;
    const { authority, clock, certificate } = parts;
    const { issuer } = file;
    const nowS = clock.certificateS();
    const { list } = authority.revocations;
    if (!clock.trusted) return "this host does not know the time; set its clock";
    if (nowS > issuer.notAfterS) {
      return `the issuer certificate of this host ended on ${formatDay(issuer.notAfterS)}`;
    }
    if (nowS < issuer.notBeforeS) return "the issuer certificate of this host does not count yet";
    const wrong = issuerProblem(issuer, authority.definition);
    if (wrong !== null) return `the issuer certificate of this host does not count: ${wrong}`;
    if (list === null) return "this host has no revocation list";
    const before = revokedBefore(list, issuer.nodeKey);
    if (before !== null && issuer.notBeforeS <= before) return "this host is revoked as an issuer";
    if (nowS > validity(certificate, authority.definition).toS) {
      return "the certificate of this host has expired";
    }
    return authority.secrets.epoch < list.epoch
      ? "the network's newest secret has not come to this host yet"
      : null;
  }

  /** Everybody who is known: of the issuer's file, of members, of what was given. */
  #certificates(): Certificate[] {
    const { file, parts } = this.#options;
    const newest = new Map<string, Certificate>();
    const see = (one: Certificate): void => {
      const held = newest.get(keyText(one.nodeKey));
      if (held === undefined || one.notBeforeS >= held.notBeforeS) {
        newest.set(keyText(one.nodeKey), one);
      }
    };
    for (const one of file.known) see(one);
    for (const slot of parts.members.slots()) see(parts.members.at(slot).owner);
    for (const one of this.#issued.values()) see(one);
    return [...newest.values()];
  }

  /** Null: nothing can be signed now. */
  desk(): Desk | null {
    const { parts, file, signingKey } = this.#options;
    const { authority, clock } = parts;
    const { list } = authority.revocations;
    const held = authority.secrets.newest;
    if (list === null || held === null || this.problem() !== null) return null;
    const { definition } = authority;
    const nowS = clock.certificateS();
    const known = new Known({ definition, list, certificates: this.#certificates(), nowS });
    const signer = { by: "issuer", issuer: file.issuer } as const;
    return { known, signer, secretKey: signingKey, secret: held.secret };
  }

  /** When what is signed now ends. Unix seconds. */
  endS(): number {
    const { file, parts } = this.#options;
    const { lifeS, notAfterS } = file.issuer;
    return Math.min(parts.clock.certificateS() + Math.min(lifeS, LIFE_MAX_S), notAfterS);
  }

  /** Of the authority's serials and other issuers' alike, none is so large. */
  #nextSerial(): number {
    this.#serial = Math.max(this.#serial + 1, this.#options.parts.clock.certificateS() * 1_000);
    return this.#serial;
  }

  /** Would this be signed? The reason why not, as a clause. Nothing is kept. */
  tried(wish: Omit<CertificateWish, "serial" | "notAfterS" | "reinstate">): string | null {
    const signed = this.#sign(wish, 1);
    return signed.ok ? null : signed.why;
  }

  #sign(
    wish: Omit<CertificateWish, "serial" | "notAfterS" | "reinstate">,
    serial: number,
  ): Decoded<Certificate> {
    const desk = this.desk();
    if (desk === null) return refused(this.problem() ?? "the network's secret is not here");
    const rest = { serial, notAfterS: this.endS(), reinstate: false };
    const issued = certify(desk, { ...wish, ...rest });
    return issued.ok ? { ok: true, value: issued.value.certificate } : issued;
  }

  /** Signs one; it is on the disk when this returns. Refused: why, as a clause. */
  sign(wish: Omit<CertificateWish, "serial" | "notAfterS" | "reinstate">): Decoded<Certificate> {
    const signed = this.#sign(wish, this.#nextSerial());
    if (!signed.ok) return signed;
    if (!this.#keep(signed.value)) return refused("this host cannot write what it signs");
    return signed;
  }

  #keep(certificate: Certificate): boolean {
    const nowS = this.#options.parts.clock.certificateS();
    for (const [key, one] of this.#issued) {
      if (one.notAfterS + REMEMBERED_S < nowS) this.#issued.delete(key);
    }
    const key = keyText(certificate.nodeKey);
    const before = this.#issued.get(key);
    if (before === undefined && this.#issued.size >= ISSUED_MAX) return false;
    this.#issued.set(key, certificate);
    const parts: Uint8Array[] = [];
    for (const { bytes } of this.#issued.values()) {
      parts.push(Uint8Array.of(bytes.length & 0xff, bytes.length >> 8), bytes);
    }
    if (this.#options.parts.disk.write("issued", Buffer.concat(parts))) return true;
    if (before === undefined) this.#issued.delete(key);
    else this.#issued.set(key, before);
    return false;
  }

  /** What it gave a node last; null: nothing. */
  given(nodeKey: Uint8Array): Certificate | null {
    return this.#issued.get(keyText(nodeKey)) ?? null;
  }

  /** The newest certificate of a node that is known here, by whomever it was signed. */
  newestOf(nodeKey: Uint8Array): Certificate | null {
    const all = this.#certificates().filter((one) => sameBytes(one.nodeKey, nodeKey));
    return all[0] ?? null;
  }

  /** The network's newest secret, sealed to a member; null: there is none, or nobody's key. */
  sealedTo(handshakeKey: Uint8Array): Uint8Array | null {
    const { newest } = this.#options.parts.authority.secrets;
    return newest === null ? null : sealSecret(newest.secret, handshakeKey);
  }
}
