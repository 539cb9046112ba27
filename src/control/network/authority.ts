/**
 * authority — what the authority says: the network's definition, the revocation list, the secret.
 * Taken from members or from a file, kept, put into effect, passed on.
 *
 *     list ──▶ newer, signed ──▶ disk ──▶ cut ──▶ push to all in session, but for who has it
 *     secret ──▶ the list's check ──▶ disk ──▶ own record anew ──▶ push
 *     definition ──▶ its chain goes on ──▶ disk ──▶ certificates are verified anew ──▶ push
 *
 * Thread: control.
 */
import { decodeRevocationsFile, sealedFor } from "../../members/bundle.ts";
import {
  type Definition,
  decodeDefinition,
  newestAuthority,
  successorProblem,
} from "../../members/definition.ts";
import { decodeList, type RevocationList, standingOf } from "../../members/revocation-list.ts";
import { openSecret } from "../../members/secret.ts";
import { isNewer, type Root, type Standing } from "../../wire/digests.ts";
import { FRAME_KINDS } from "../../wire/frames.ts";
import { type IndexWhole, PIECE_OF, type Standings } from "../../wire/index-messages.ts";
import { decodeAck, decodePiece, decodeSecret, encodeAck } from "../../wire/network-frames.ts";
import type { CountName } from "./counts.ts";
import type { FrameRefusal } from "./gossip.ts";
import type { Link } from "./links.ts";
import { Push } from "./push.ts";
import { Revocations } from "./revocations.ts";
import { Secrets } from "./secrets.ts";
import type { Disk } from "./store.ts";
import type { NetworkWorld } from "./world.ts";

/** Tuning: a list that is known is acknowledged so often at most. */
const ACK_MS = 100;
/** Tuning: a definition is said to one member so often at most. */
const DEFINE_MS = 10_000;

export interface AuthorityOptions {
  readonly world: Pick<NetworkWorld, "bootMs" | "say">;
  readonly definition: Definition;
  readonly disk: Disk;
  readonly handshakeKey: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array };
  readonly links: () => Iterable<Link>;
  readonly send: (link: Link, type: number, body: Uint8Array) => boolean;
  readonly count: (what: CountName, amount: number) => void;
  /** Something is refused, which a member or a file brought. */
  readonly refuse: (link: Link | null, reason: CountName, why: string) => void;
  /** A newer list holds. Returns how many peers it cut. */
  readonly onList: (list: RevocationList) => number;
  readonly onSecret: (epoch: number) => void;
  readonly onDefinition: (definition: Definition) => void;
  readonly onFloor: (floor: Standing) => void;
  /** A member has list and secret. */
  readonly onHas: (link: Link) => void;
  readonly wakeBy: (dueMs: number) => void;
}

/** What became of a file that somebody published. */
export type Published =
  | { readonly ok: true; readonly sequence: number; readonly cut: number }
  | { readonly ok: false; readonly why: string };

export class Authority {
  readonly #options: AuthorityOptions;
  readonly revocations = new Revocations();
  readonly secrets = new Secrets();
  readonly push: Push;
  #definition: Definition;
  /** A secret that came before the list that speaks of it. */
  #early: { readonly epoch: number; readonly secret: Uint8Array } | null = null;

  constructor(options: AuthorityOptions) {
    const { send, onHas, wakeBy } = options;
    this.#options = options;
    this.#definition = options.definition;
    this.push = new Push({
      send,
      list: () => this.revocations.list,
      secret: () => this.secrets.newest,
      definition: () => ({ standing: this.defined, bytes: this.#definition.bytes }),
      onDone: onHas,
      wakeBy,
    });
  }

  get definition(): Definition {
    return this.#definition;
  }

  /** How new our definition is. */
  get defined(): Standing {
    const { sequence } = this.#definition;
    return { chain: newestAuthority(this.#definition), sequence };
  }

  /** How new all is that we have of the authority. */
  get standings(): Standings {
    const { revocations, secrets } = this;
    return { list: revocations.standing, definition: this.defined, epoch: secrets.epoch };
  }

  /** What PIECE_OF names, as others get it in pieces; null: there is none. Borrows. */
  whole(what: number): IndexWhole | null {
    if (what === PIECE_OF.definition) {
      return { standing: this.defined, bytes: this.#definition.bytes };
    }
    const { list } = this.revocations;
    return list && { standing: standingOf(list), bytes: list.bytes };
  }

  /** At the start: what file and disk hold. Nothing is written, and nobody is told. */
  load(lists: readonly (Uint8Array | null)[], floor: Standing): void {
    this.revocations.setFloor(floor);
    for (const bytes of lists) {
      if (bytes !== null) this.revocations.load(bytes, this.#definition);
    }
  }

  // -------------------------------------------------------------------------------------------
  // Members

  /** A member says how much it knows: it gets what is newer here. */
  compare(link: Link, root: Root, nowMs: number): void {
    link.list = root.list;
    link.epoch = root.epoch;
    link.definition = root.definition;
    this.push.consider(link, nowMs);
    if (isNewer(this.defined, root.definition) && nowMs - link.definedMs > DEFINE_MS) {
      link.definedMs = nowMs;
      this.#options.send(link, FRAME_KINDS.definition.type, this.#definition.bytes);
    }
  }

  /** Does a member know more than we? */
  isBehind(root: Root): boolean {
    return (
      isNewer(root.list, this.revocations.standing) ||
      isNewer(root.definition, this.defined) ||
      root.epoch > this.secrets.epoch
    );
  }

  piece(link: Link, body: Uint8Array, nowMs: number): FrameRefusal {
    const piece = decodePiece(body);
    if (piece === null) return "frameInvalid";
    if (isNewer(piece.list, link.list)) link.list = piece.list;
    if (!isNewer(piece.list, this.revocations.standing)) {
      this.push.consider(link, nowMs);
      if (nowMs - link.ackedMs >= ACK_MS) this.#acknowledge(link, nowMs);
      return null;
    }
    const whole = this.revocations.piece(link, piece, nowMs);
    if (whole === "invalid") this.#options.count("piecesInvalid", 1);
    else if (whole !== null) this.#takeList(whole, link, nowMs);
    return null;
  }

  /** Returns how many peers it cut; a clause: it is refused. */
  #takeList(bytes: Uint8Array, link: Link | null, nowMs: number): number | string {
    const { world, disk, refuse, onList, onFloor, links } = this.#options;
    const verdict = this.revocations.accept(bytes, this.#definition);
    if (!verdict.ok) {
      refuse(link, verdict.reason, `a revocation list: ${verdict.why}`);
      // One of a newer authority's key may be good: the definition that names it is on its way.
      const isEarly = verdict.reason === "listInvalid" && this.#isEarly(bytes);
      if (link !== null && !isEarly) this.revocations.distrust(link, nowMs);
      return verdict.why;
    }
    const { list } = verdict;
    const cut = onList(list);
    disk.keep("list", list.bytes);
    onFloor(standingOf(list));
    if (link !== null) {
      link.list = standingOf(list);
      this.#acknowledge(link, nowMs);
    }
    const early = this.#early;
    this.#early = null;
    if (early !== null) this.#takeSecret(early.epoch, early.secret, nowMs);
    early?.secret.fill(0);
    this.push.all(links(), nowMs);
    world.say("info", "a newer revocation list holds", { sequence: list.sequence, cut });
    return cut;
  }

  #isEarly(bytes: Uint8Array): boolean {
    const list = decodeList(bytes);
    return list.ok && list.value.authority > newestAuthority(this.#definition);
  }

  #acknowledge(link: Link, nowMs: number): void {
    link.ackedMs = nowMs;
    const ack = { list: this.revocations.standing, epoch: this.secrets.epoch };
    this.#options.send(link, FRAME_KINDS.ack.type, encodeAck(ack));
  }

  ack(link: Link, body: Uint8Array, nowMs: number): FrameRefusal {
    const ack = decodeAck(body);
    if (ack === null) return "frameInvalid";
    this.push.acknowledged(link, ack, nowMs);
    return null;
  }

  secret(link: Link, body: Uint8Array, nowMs: number): FrameRefusal {
    const sent = decodeSecret(body);
    if (sent === null) return "frameInvalid";
    const taken = this.#takeSecret(sent.epoch, sent.secret, nowMs);
    if (taken === "early") this.#early = { epoch: sent.epoch, secret: sent.secret.slice() };
    else if (taken === "wrong") {
      this.#options.refuse(link, "secretInvalid", "a secret that the list does not speak of");
    } else {
      link.epoch = Math.max(link.epoch, sent.epoch);
      this.#acknowledge(link, nowMs);
    }
    sent.secret.fill(0);
    return null;
  }

  /** "early": the list that speaks of it has still to come. */
  #takeSecret(
    epoch: number,
    secret: Uint8Array,
    nowMs: number,
  ): "taken" | "known" | "wrong" | "early" {
    const { disk, onSecret, links } = this.#options;
    const { list } = this.revocations;
    if (list === null || epoch > list.epoch) return "early";
    const taken = this.secrets.take(epoch, secret, list);
    if (taken !== "taken") return taken;
    const bytes = this.secrets.encode();
    disk.keep("secrets", bytes);
    bytes.fill(0);
    onSecret(epoch);
    this.push.all(links(), nowMs);
    return taken;
  }

  define(link: Link, body: Uint8Array, nowMs: number): FrameRefusal {
    const why = this.#takeDefinition(body, nowMs);
    if (why === null) link.definition = this.defined;
    if (why !== null) this.#options.refuse(link, "definitionInvalid", `a definition: ${why}`);
    return null;
  }

  /** Null: it holds, or is the one that is held. */
  #takeDefinition(bytes: Uint8Array, nowMs: number): string | null {
    if (Buffer.compare(bytes, this.#definition.bytes) === 0) return null;
    const decoded = decodeDefinition(bytes);
    const why = decoded.ok ? successorProblem(this.#definition, decoded.value) : decoded.why;
    if (!decoded.ok || why !== null) return why;
    const { disk, onDefinition, links, send } = this.#options;
    this.#definition = decoded.value;
    disk.keep("definition", decoded.value.bytes);
    onDefinition(decoded.value);
    for (const link of links()) {
      link.definedMs = nowMs;
      send(link, FRAME_KINDS.definition.type, decoded.value.bytes);
    }
    return null;
  }

  // -------------------------------------------------------------------------------------------
  // Index nodes

  /** A whole list that nobody vouches for. Why it is refused, as a clause; null: it holds. */
  takeList(bytes: Uint8Array, nowMs: number): string | null {
    const taken = this.#takeList(bytes, null, nowMs);
    return typeof taken === "string" ? taken : null;
  }

  /** The same of a definition. */
  takeDefinition(bytes: Uint8Array, nowMs: number): string | null {
    return this.#takeDefinition(bytes, nowMs);
  }

  // -------------------------------------------------------------------------------------------
  // People

  /** A revocations file: definition, list, and the secret that is sealed to us. */
  publish(file: Uint8Array, nowMs: number): Published {
    const decoded = decodeRevocationsFile(file);
    if (!decoded.ok) return { ok: false, why: decoded.why };
    const { definition, list } = decoded.value;
    const older = isNewer(this.defined, {
      chain: newestAuthority(definition),
      sequence: definition.sequence,
    });
    const wrong = older ? null : this.#takeDefinition(definition.bytes, nowMs);
    if (wrong !== null) return { ok: false, why: wrong };
    const taken = this.#takeList(list.bytes, null, nowMs);
    if (typeof taken === "string" && isNewer(standingOf(list), this.revocations.standing)) {
      return { ok: false, why: taken };
    }
    const { publicKey, privateKey } = this.#options.handshakeKey;
    const sealed = sealedFor(decoded.value, publicKey);
    const secret = sealed && openSecret(sealed, publicKey, privateKey);
    if (secret !== null) this.#takeSecret(list.epoch, secret, nowMs);
    secret?.fill(0);
    const cut = typeof taken === "number" ? taken : 0;
    return { ok: true, sequence: list.sequence, cut };
  }
}
