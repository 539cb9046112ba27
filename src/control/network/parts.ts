/**
 * parts — the network's parts, each with what it needs of others, and what follows if one learns.
 *
 *     clock ─ authority ─ admission ─ intake ─ upkeep        what is so
 *     gossip ─ company ─ own record                          what is told
 *     intro, beacon                                          strangers
 *
 * Thread: control.
 */
import { type Certificate, validity } from "../../members/certificate.ts";
import { type Definition, decodeDefinition, newerDefinition } from "../../members/definition.ts";
import { memberId } from "../../members/member-id.ts";
import type { RevocationList } from "../../members/revocation-list.ts";
import { encodeRoot, type Root } from "../../wire/digests.ts";
import { FRAME_KINDS } from "../../wire/frames.ts";
import { Admission } from "./admission.ts";
import { Authority } from "./authority.ts";
import { Clock } from "./clock.ts";
import { Company } from "./company.ts";
import type { CountName } from "./counts.ts";
import { Gossip } from "./gossip.ts";
import { Intake } from "./intake.ts";
import type { Link } from "./links.ts";
import { Members } from "./members.ts";
import { Observed } from "./observed.ts";
import type { NetworkOptions } from "./options.ts";
import { newestCertificate } from "./own-certificate.ts";
import { OwnRecord } from "./own-record.ts";
import { Reach } from "./reach.ts";
import { NOBODY, Refusals } from "./refusals.ts";
import { RealVerifier, type Statement, type Verifier } from "./statement.ts";
import { Disk, type OwnState } from "./store.ts";
import { Upkeep } from "./upkeep.ts";
import type { Handle, NetworkWorld } from "./world.ts";

/** What follows outside. */
export interface PartsHooks {
  readonly wakeBy: (dueMs: number) => void;
  /** Members have changed that the disk does not know of. */
  readonly onChanged: () => void;
  /** A jump of the clock is held back. */
  readonly onClockHeld: () => void;
  /** It is another time than was believed. */
  readonly onClockSet: () => void;
  /** Secrets have changed. */
  readonly onSecrets: () => void;
  /** A member has our list and our secret. */
  readonly onHas: (link: Link) => void;
  /** A peer is gone, or about to go. */
  readonly onGone: (handle: Handle) => void;
  /** We have a newer record. */
  readonly onIssued: () => void;
  /** A list voids our own certificate; why, as a clause. */
  readonly onRevoked: (why: string) => void;
  /** A member is to be called. False: it is nowhere known to be. */
  readonly call: (slot: number) => boolean;
}

export class Parts {
  readonly #options: NetworkOptions;
  readonly #world: NetworkWorld;
  readonly #hooks: PartsHooks;
  readonly #verifier: Verifier;
  readonly ownId: number;
  readonly disk: Disk;
  /** Sessions with members. */
  readonly links = new Map<Handle, Link>();
  readonly members = new Members();
  readonly clock: Clock;
  readonly refusals: Refusals;
  readonly authority: Authority;
  readonly reach: Reach;
  readonly admission: Admission;
  readonly intake: Intake;
  readonly upkeep: Upkeep;
  readonly gossip: Gossip;
  readonly company: Company;
  readonly observed: Observed;
  readonly ownRecord: OwnRecord;
  #own: OwnState;
  certificate: Certificate;

  constructor(options: NetworkOptions, world: NetworkWorld, hooks: PartsHooks) {
    this.#options = options;
    this.#world = world;
    this.#hooks = hooks;
    this.ownId = memberId(options.certificate.nodeKey);
    this.disk = new Disk(world.store, (name) => {
      this.count("fileDamaged", 1);
      world.say("warn", "a file of the network's state is damaged: it goes on without", { name });
    });
    this.#own = this.disk.readOwn();
    const definition = this.#newestDefinition();
    this.certificate = newestCertificate(this.disk, options.certificate, definition);
    this.#verifier = options.verifier ?? new RealVerifier(definition);
    this.#verifier.redefine(definition);
    this.clock = this.#openClock(definition);
    this.refusals = new Refusals(
      world.bootMs,
      (reason) => this.count(reason, 1),
      (name, { why }) => world.say("warn", "refused", { member: name || "unknown", why }),
    );
    this.authority = this.#openAuthority(definition);
    const cidrs = () => this.authority.definition.cidrs;
    this.reach = new Reach({
      world,
      members: this.members,
      cidrs,
      recordKey: this.recordKey,
      refuse: (reason, why) => this.#refuse(null, reason, why),
    });
    this.admission = this.#openAdmission();
    this.intake = this.#openIntake();
    this.upkeep = this.#openUpkeep();
    this.gossip = this.#openGossip();
    this.company = this.#openCompany();
    this.observed = new Observed({
      own: world.addresses,
      cidrs,
      onChanged: () => this.ownRecord.changed(world.bootMs()),
      wakeBy: hooks.wakeBy,
    });
    this.ownRecord = this.#openOwnRecord();
  }

  readonly count = (what: CountName, amount: number): void => this.#world.count(what, amount);

  readonly recordKey = (epoch: number): Uint8Array | null =>
    this.authority.secrets.recordKey(epoch);

  readonly send = (link: Link, type: number, body: Uint8Array): boolean =>
    this.#world.sendFrame(link.handle, type, body);

  /** The session of a member; undefined: there is none. */
  readonly linkOf = (slot: number): Link | undefined => {
    const handle = this.members.handle(slot);
    return handle === null ? undefined : this.links.get(handle);
  };

  /** Is this our root too? */
  isSame(root: Root): boolean {
    return Buffer.compare(root.hash, this.members.digests.root()) === 0;
  }

  // -------------------------------------------------------------------------------------------
  // What is so

  /** Of the files, or what members told since: an authority's former key stays a former one. */
  #newestDefinition(): Definition {
    const { definition } = this.#options;
    const kept = this.disk.read("definition");
    const decoded = kept === null ? null : decodeDefinition(kept);
    return decoded?.ok === true ? newerDefinition(definition, decoded.value) : definition;
  }

  #openClock(definition: Definition): Clock {
    const { builtS, certificate, list } = this.#options;
    const { bootMs, unixMs, say } = this.#world;
    const clock = new Clock({
      bootMs,
      unixMs,
      builtS,
      others: () => Math.max(this.links.size, this.members.size - 1),
      onHeld: (stepMs) => {
        this.count("clockHeld", 1);
        const text = "the system's clock jumped: it is not believed until two members agree";
        say("warn", text, { seconds: Math.round(stepMs / 1_000) });
        this.#hooks.onClockHeld();
      },
      onSet: () => this.#hooks.onClockSet(),
    });
    for (const signedS of [certificate.notBeforeS, definition.issuedS, list.issuedS]) {
      clock.raise(signedS);
    }
    return clock;
  }

  #openAuthority(definition: Definition): Authority {
    const { list, secret, handshakeKey } = this.#options;
    const authority = new Authority({
      world: this.#world,
      definition,
      disk: this.disk,
      handshakeKey,
      links: () => this.links.values(),
      send: this.send,
      count: this.count,
      refuse: (link, reason, why) => this.#refuse(link, reason, why),
      onList: (newer) => this.#onList(newer),
      onSecret: (epoch) => this.#onSecret(epoch),
      onDefinition: (newer) => this.#onDefinition(newer),
      onFloor: (floor) => this.#writeOwn({ ...this.#own, floor }),
      onHas: this.#hooks.onHas,
      wakeBy: this.#hooks.wakeBy,
    });
    authority.load([this.disk.read("list"), list.bytes], this.#own.floor);
    this.clock.raise(authority.revocations.list?.issuedS ?? 0);
    const kept = this.disk.read("secrets");
    if (kept !== null) authority.secrets.decode(kept);
    if (secret !== null) authority.secrets.load(list.epoch, secret);
    return authority;
  }

  #writeOwn(own: OwnState): void {
    this.#own = own;
    this.disk.keepOwn(own);
  }

  #openAdmission(): Admission {
    const { members } = this;
    const nameOf = (slot: number): string => members.at(slot).owner.name;
    const note = (slot: number, reason: CountName, why: string): void =>
      this.refusals.add(nameOf(slot), reason, why, this.clock.certificateS());
    return new Admission({
      world: this.#world,
      members,
      cidrs: () => this.authority.definition.cidrs,
      acceptRoutes: this.#options.acceptRoutes,
      recordKey: this.recordKey,
      needed: (slot) => this.linkOf(slot) !== undefined,
      onGone: this.#hooks.onGone,
      onRouteRefused: (slot, why) => note(slot, "routeRefused", why),
      onContest: ({ address, loser, winner }) =>
        note(loser, "addressConflict", `${address} is ${nameOf(winner)}'s: sign one of them anew`),
      onFull: (slot) => note(slot, "entriesFull", "there is no entry left in the peers' table"),
    });
  }

  #openIntake(): Intake {
    return new Intake({
      bootMs: this.#world.bootMs,
      members: this.members,
      verifier: this.#verifier,
      definition: () => this.authority.definition,
      clock: this.clock,
      revocations: this.authority.revocations,
      refusals: this.refusals,
      admission: this.admission,
      nodeKey: this.certificate.nodeKey,
      onOwn: (statement) => this.ownRecord.heard(statement, this.#world.bootMs()),
      onTaken: (slot, link, isNew) => this.#onTaken(slot, link, isNew),
      onDone: (id, link, outcome) => this.gossip.done(id, link, outcome, this.#world.bootMs()),
      wakeBy: this.#hooks.wakeBy,
    });
  }

  #openUpkeep(): Upkeep {
    const { members, clock, refusals, admission, intake } = this;
    return new Upkeep(
      {
        ...{ members, clock, refusals, admission, intake },
        definition: () => this.authority.definition,
        revocations: this.authority.revocations,
        ownId: this.ownId,
        count: this.count,
        onGone: (slot) => {
          this.gossip.forgetSlot(slot);
          this.company.neighbours.stale();
          this.#hooks.onChanged();
        },
      },
      this.#world.bootMs(),
    );
  }

  // -------------------------------------------------------------------------------------------
  // What is told

  #openGossip(): Gossip {
    return new Gossip({
      members: this.members,
      verifier: this.#verifier,
      intake: this.intake,
      send: this.send,
      count: this.count,
      neighbours: () => this.company.links,
      onAgain: (link, nowMs) => this.company.again(link, nowMs),
      wakeBy: this.#hooks.wakeBy,
      salt: Buffer.from(this.#world.randomBytes(4)).readUInt32LE(),
    });
  }

  #openCompany(): Company {
    const { random, randomBytes } = this.#world;
    const { members } = this;
    return new Company({
      members,
      ownId: this.ownId,
      wanted: this.#options.neighbours,
      salt: Buffer.from(randomBytes(4)).readUInt32LE(),
      eligible: (slot) => members.handle(slot) !== null,
      gossip: this.gossip,
      linkOf: this.linkOf,
      hasLinks: () => this.links.size > 0,
      call: this.#hooks.call,
      sayRoot: (link, flags) => this.#sayRoot(link, flags),
      random,
      count: this.count,
      wakeBy: this.#hooks.wakeBy,
    });
  }

  #sayRoot(link: Link, flags: Pick<Root, "keep" | "answer" | "decline">): boolean {
    const { authority, members } = this;
    const body = encodeRoot({
      ...flags,
      hash: members.digests.root(),
      members: members.digests.count,
      list: authority.revocations.standing,
      definition: authority.defined,
      epoch: authority.secrets.epoch,
    });
    return this.send(link, FRAME_KINDS.digest.type, body);
  }

  #openOwnRecord(): OwnRecord {
    const { signingKey, suites, announce, definition } = this.#options;
    return new OwnRecord({
      world: this.#world,
      clock: this.clock,
      networkId: definition.networkId,
      signingKey,
      certificate: () => this.certificate,
      secret: () => this.authority.secrets.newest,
      suites,
      announce,
      observed: () => this.observed.addresses,
      sequence: this.#own.sequence,
      writeSequence: (sequence) => this.#writeOwn({ ...this.#own, sequence }),
      onIssued: (statement) => this.#onIssued(statement),
      onForeign: () => this.count("clonesSeen", 1),
      onClone: () => {
        const text = "another host has this identity: make a new one there, and have it signed";
        this.#world.say("error", text, { name: this.certificate.name });
      },
      wakeBy: this.#hooks.wakeBy,
    });
  }

  // -------------------------------------------------------------------------------------------
  // What follows

  #refuse(link: Link | null, reason: CountName, why: string): void {
    const name = link === null ? NOBODY : (this.members.peek(link.slot)?.owner.name ?? NOBODY);
    this.refusals.add(name, reason, why, this.clock.certificateS());
  }

  #onTaken(slot: number, link: Link | null, isNew: boolean): void {
    const nowMs = this.#world.bootMs();
    const { expiresS, owner } = this.members.at(slot);
    const { toS } = validity(owner, this.authority.definition);
    this.count("recordsTaken", 1);
    this.gossip.learned(slot, link, nowMs);
    this.upkeep.expiresBy(Math.min(expiresS, toS + 1), nowMs);
    if (isNew) this.company.learned(slot);
    this.#hooks.onChanged();
  }

  #onIssued(statement: Statement): void {
    const { members } = this;
    const before = members.byId(statement.id);
    const isNew = before < 0 || members.at(before).owner !== statement.owner;
    const heardS = Math.floor(this.clock.nowMs() / 1_000);
    const slot = members.put(statement, { way: "own", from: -1, heardS });
    members.list(slot, true);
    if (isNew) this.admission.update(slot, true);
    this.count("recordsIssued", 1);
    this.gossip.learned(slot, null, this.#world.bootMs());
    this.#hooks.onIssued();
  }

  #onList(list: RevocationList): number {
    this.clock.raise(list.issuedS);
    const cut = this.upkeep.cut(list);
    const own = this.authority.revocations.problem(this.certificate);
    if (own !== null) this.#hooks.onRevoked(own);
    return cut;
  }

  /** What could not be read may be read now; and our own record is sealed anew. */
  #onSecret(epoch: number): void {
    this.#hooks.onSecrets();
    for (const slot of this.members.slots()) {
      const { epoch: sealed, id } = this.members.at(slot);
      if (sealed === epoch && id !== this.ownId) this.admission.update(slot, false);
    }
    this.ownRecord.resealed(this.#world.bootMs(), this.members.size);
  }

  #onDefinition(definition: Definition): void {
    this.#verifier.redefine(definition);
    this.clock.raise(definition.issuedS);
    this.upkeep.redefine(this.#world.bootMs());
    this.#hooks.wakeBy(this.#world.bootMs());
  }
}
