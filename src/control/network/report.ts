/**
 * report — what is known of members, where from, how old it is, and what is wrong: for `peers`,
 * `status` and `explain`, as facts and as sentences.
 *
 * Nothing in here changes anything. Thread: control.
 */
import { CERTIFICATE_FLAG, validity } from "../../members/certificate.ts";
import { formatNetworkId, formatNodeId, parseNodeId } from "../../members/sign.ts";
import type { DirectoryFacts, IndexFacts } from "../../schema/answers.ts";
import { formatAddress, formatCidr, parseAddress } from "../../wire/cidr.ts";
import { formatSockaddr } from "../../wire/sockaddr.ts";
import { formatAge } from "./ages.ts";
import { SKEW_MS } from "./clock.ts";
import { indexFacts } from "./index-report.ts";
import type { Known } from "./members.ts";
import type { Parts } from "./parts.ts";
import { NOBODY, type Refused } from "./refusals.ts";
import type { Rendezvous } from "./rendezvous.ts";
import type { NetworkWorld } from "./world.ts";

const DAY_S = 86_400;
/** Warned of this long before something ends. */
const SOON_S = 30 * DAY_S;

/** A member, as it is known here. Times are ages or times left, in seconds. */
export interface MemberFacts {
  readonly name: string;
  readonly nodeId: string;
  readonly publicKey: Uint8Array;
  readonly isSelf: boolean;
  readonly addresses: readonly string[];
  readonly groups: readonly string[];
  readonly flags: readonly string[];
  /** What leads to it. */
  readonly allowedIps: readonly string[];
  /** Who signed its certificate: the authority's key of a number, or an issuer's node. */
  readonly signer: string;
  readonly certificateLeftS: number;
  readonly recordAgeS: number;
  readonly recordLeftS: number;
  /** How its record came, who told it, and how long ago. */
  readonly way: Known;
  readonly toldBy: string | null;
  readonly heardAgeS: number;
  /** Where it may be, the likeliest first. */
  readonly places: readonly string[];
  readonly state: "self" | "session" | "peer" | "waiting" | "barred";
  readonly isNeighbour: boolean;
  /** A file or a person has named its key. */
  readonly isStatic: boolean;
  /** Sentences: what is wrong with it. */
  readonly problems: readonly string[];
}

export interface NetworkFacts {
  readonly name: string;
  readonly networkId: string;
  readonly self: string;
  readonly members: number;
  readonly sessions: number;
  readonly neighbours: readonly string[];
  readonly indexes: readonly IndexFacts[];
  readonly directory: DirectoryFacts;
  readonly observed: readonly string[];
  readonly waiting: number;
  readonly listSequence: number;
  readonly listAgeS: number;
  readonly revoked: number;
  readonly epoch: number;
  readonly clockTrusted: boolean;
  readonly clockHeldMs: number;
  /** Sentences: what is wrong with this host. */
  readonly problems: readonly string[];
}

const WORDS: Readonly<Record<Known, string>> = {
  own: "it is this host",
  disk: "from the disk, of the last run",
  gossip: "told by",
  intro: "it introduced itself",
  here: "it answered when its address was asked",
  index: "shown by an index node",
  directory: "found in the directory",
};

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}.`;

const refusedText = ({ why, count, lastS }: Refused, nowS: number): string => {
  const times = count === 1 ? "" : `, ${count} times`;
  return sentence(`${why} (${formatAge(nowS - lastS)} ago${times})`);
};

export class Report {
  readonly #parts: Parts;
  readonly #world: NetworkWorld;
  readonly #rendezvous: Rendezvous;

  constructor(parts: Parts, world: NetworkWorld, rendezvous: Rendezvous) {
    this.#parts = parts;
    this.#world = world;
    this.#rendezvous = rendezvous;
  }

  /** All members, this host too, by name. */
  members(): MemberFacts[] {
    const all = [...this.#parts.members.slots()].map((slot) => this.#member(slot));
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #member(slot: number): MemberFacts {
    const { members, authority, clock, admission, reach } = this.#parts;
    const statement = members.at(slot);
    const { owner } = statement;
    const nowS = clock.nowMs() / 1_000;
    const { way, from, heardS } = members.origin(slot);
    const teller = from < 0 ? -1 : members.byId(from);
    const { signer } = owner;
    return {
      name: owner.name,
      nodeId: formatNodeId(owner.nodeKey),
      publicKey: owner.handshakeKey,
      isSelf: way === "own",
      addresses: owner.addresses.map(formatAddress),
      groups: owner.groups,
      flags: Object.entries(CERTIFICATE_FLAG).flatMap(([name, bit]) =>
        (owner.flags & bit) === 0 ? [] : [name],
      ),
      allowedIps: admission.allowedIps(slot).map(formatCidr),
      signer:
        signer.by === "authority"
          ? `authority key ${signer.authority}`
          : `issuer ${formatNodeId(signer.issuer.nodeKey)}`,
      certificateLeftS: validity(owner, authority.definition).toS - clock.certificateS(),
      recordAgeS: nowS - statement.issuedS,
      recordLeftS: statement.expiresS - nowS,
      way,
      toldBy: teller < 0 ? null : members.at(teller).owner.name,
      heardAgeS: nowS - heardS,
      places: reach.places(slot).flatMap((place) => formatSockaddr(place) ?? []),
      state: this.#stateOf(slot),
      isNeighbour: this.#isNeighbour(slot),
      isStatic: this.#isStatic(slot),
      problems: this.#problems(slot),
    };
  }

  #stateOf(slot: number): MemberFacts["state"] {
    const { members, linkOf } = this.#parts;
    if (members.origin(slot).way === "own") return "self";
    if (members.isBarred(slot)) return "barred";
    if (members.handle(slot) === null) return "waiting";
    return linkOf(slot) === undefined ? "peer" : "session";
  }

  #isNeighbour(slot: number): boolean {
    const link = this.#parts.linkOf(slot);
    return link !== undefined && this.#parts.company.links.has(link);
  }

  #isStatic(slot: number): boolean {
    const handle = this.#parts.members.handle(slot);
    return handle !== null && this.#world.isStatic(handle);
  }

  /** What is wrong with a member now, then what was refused of it. */
  #problems(slot: number): string[] {
    const { members, authority, clock, admission, refusals, company, ownId } = this.#parts;
    const statement = members.at(slot);
    const { owner, id } = statement;
    const nowS = clock.nowMs() / 1_000;
    const found: string[] = [];
    const leftS = validity(owner, authority.definition).toS - clock.certificateS();
    const soon = `Its certificate ends in ${formatAge(leftS)}: sign it anew.`;
    if (leftS < SOON_S) found.push(leftS < 0 ? "Its certificate has expired." : soon);
    if (statement.expiresS < nowS) {
      const ago = formatAge(nowS - statement.expiresS);
      found.push(`Its record expired ${ago} ago: it has not been heard of since.`);
    }
    const unreadable = statement.unreadable(this.#parts.recordKey);
    if (unreadable !== null) found.push(`Its record cannot be read here: ${unreadable}.`);
    for (const { address, winner } of admission.contests(slot)) {
      found.push(
        `${address} leads to ${members.at(winner).owner.name}, whose certificate has it too.`,
      );
    }
    if (members.isBarred(slot))
      found.push("Another node has its handshake key: neither is a peer.");
    if (id !== ownId && company.neighbours.isSilent(id, this.#world.bootMs())) {
      found.push("It did not answer when it was last called.");
    }
    return [...found, ...refusals.of(owner.name).map((one) => refusedText(one, nowS))];
  }

  network(): NetworkFacts {
    const { members, authority, clock, company, links, certificate, admission } = this.#parts;
    const { observed } = this.#parts;
    const { definition, revocations, secrets } = authority;
    const { list } = revocations;
    const nowS = clock.nowMs() / 1_000;
    const nameOf = (slot: number): string => members.peek(slot)?.owner.name ?? "?";
    return {
      name: definition.name,
      networkId: formatNetworkId(definition.networkId),
      self: certificate.name,
      members: members.size,
      sessions: links.size,
      neighbours: [...company.links].map(({ slot }) => nameOf(slot)),
      indexes: this.#indexes(),
      directory: this.#directory(),
      observed: observed.addresses.flatMap(({ sockaddr }) => formatSockaddr(sockaddr) ?? []),
      waiting: admission.waiting,
      listSequence: list?.sequence ?? 0,
      listAgeS: list === null ? 0 : nowS - list.issuedS,
      revoked: list?.count ?? 0,
      epoch: secrets.epoch,
      clockTrusted: clock.trusted,
      clockHeldMs: clock.heldMs,
      problems: this.#ownProblems(),
    };
  }

  #indexes(): IndexFacts[] {
    const nowMs = this.#world.bootMs();
    return this.#rendezvous.indexes.all.map((node) => indexFacts(node, nowMs));
  }

  #directory(): DirectoryFacts {
    const { directory, storers, reception } = this.#rendezvous;
    const { guests } = reception?.storage ?? { guests: null };
    return {
      storers: directory.storers,
      channels: storers.open,
      guests,
      stored: guests === null ? null : directory.records.size,
    };
  }

  #ownProblems(): string[] {
    const { certificate, authority, clock, ownRecord, links } = this.#parts;
    const { revocations, secrets, definition } = authority;
    const found: string[] = [];
    const leftS = validity(certificate, definition).toS - clock.certificateS();
    if (leftS < 0) found.push("The certificate of this host has expired: have it signed anew.");
    else if (leftS < SOON_S) {
      found.push(`The certificate of this host ends in ${formatAge(leftS)}: have it signed anew.`);
    }
    if (revocations.problem(certificate) !== null) {
      found.push("This host is revoked: have its request signed anew.");
    }
    if (secrets.newest === null) {
      found.push("The network's secret is not here: take a new certificate file.");
    } else if (revocations.list !== null && secrets.epoch < revocations.list.epoch) {
      found.push("The newest secret of the network has not come yet: a member has to be reached.");
    }
    if (!clock.trusted) {
      found.push("The time is not known: the clock is before what was signed; set it.");
    }
    if (clock.heldMs !== 0) {
      const jump = formatAge(Math.abs(clock.heldMs) / 1_000);
      found.push(`The system's clock jumped by ${jump}: it counts when two members agree.`);
    }
    const off = clock.differencesMs().filter((ms) => Math.abs(ms) > SKEW_MS);
    if (off.length >= 2) {
      const by = formatAge(Math.abs(off[0]!) / 1_000);
      found.push(`The clock differs from those of ${off.length} members, by ${by}: set it.`);
    }
    if (ownRecord.cloneSeenMs(this.#world.bootMs()) !== null) {
      found.push("Another host has this identity: make a new one there, and have it signed.");
    }
    if (links.size === 0) found.push("No member has been reached yet.");
    return [...found, ...this.#indexes().flatMap(({ problem }) => problem ?? [])];
  }

  /** Names that were refused and belong to nobody here, with what they were refused for. */
  strangers(): { readonly name: string; readonly problems: readonly string[] }[] {
    const { refusals, members, clock } = this.#parts;
    const known = new Set([...members.slots()].map((slot) => members.at(slot).owner.name));
    const nowS = clock.certificateS();
    return refusals
      .names()
      .filter((name) => !known.has(name))
      .map((name) => ({
        name: name === NOBODY ? "unknown" : name,
        problems: refusals.of(name).map((one) => refusedText(one, nowS)),
      }));
  }

  /** Slot of who is called by a name, node id, handshake key or address; -1: nobody. */
  find(query: string): number {
    const { members } = this.#parts;
    const nodeKey = parseNodeId(query);
    if (nodeKey !== null) return members.byNodeKey(nodeKey);
    const address = parseAddress(query);
    if (address !== null) return this.#leadsTo(address);
    if (/^[A-Za-z0-9+/]{43}=$/.test(query)) {
      return members.byHandshakeKey(Buffer.from(query, "base64"));
    }
    for (const slot of members.slots()) if (members.at(slot).owner.name === query) return slot;
    return -1;
  }

  /** Whose address it is, or to whom the longest prefix leads that holds it. */
  #leadsTo(address: Uint8Array): number {
    const { members, admission } = this.#parts;
    const owner = members.byAddress(address);
    return owner >= 0 ? owner : admission.routeTo(address);
  }

  /** What there is to say of somebody; null: nothing is known. Sentences. */
  explain(query: string): readonly string[] | null {
    const slot = this.find(query);
    if (slot >= 0) return this.#explain(this.#member(slot));
    const address = parseAddress(query);
    const sought = address === null ? [] : this.#rendezvous.seeker.explain(address);
    if (sought.length > 0) return sought;
    const problems = this.#parts.refusals.of(query);
    if (query === NOBODY || problems.length === 0) return null;
    const nowS = this.#parts.clock.certificateS();
    return [`${query} is no member here.`, ...problems.map((one) => refusedText(one, nowS))];
  }

  #explain(facts: MemberFacts): string[] {
    const { name, nodeId, addresses, signer, way, toldBy, allowedIps, places } = facts;
    const came = way === "gossip" ? `told by ${toldBy ?? "a member that is gone"}` : WORDS[way];
    const ends = formatAge(facts.certificateLeftS);
    const lines = [
      `${name} is ${nodeId}, with ${addresses.join(", ")}.`,
      `Its certificate is signed by ${signer} and counts for ${ends} more.`,
      `Its record is ${formatAge(facts.recordAgeS)} old: ${came}, ` +
        `${formatAge(facts.heardAgeS)} ago.`,
    ];
    const STATES: Readonly<Record<MemberFacts["state"], string>> = {
      self: "It is this host.",
      session: "There is a session with it.",
      peer: "There is no session with it: the next packet to it begins one.",
      waiting: "It is no peer now: there is no entry left for it.",
      barred: "It is refused.",
    };
    lines.push(STATES[facts.state]);
    if (facts.isStatic) lines.push("A file or a person has named its key: what they say holds.");
    if (allowedIps.length > 0) lines.push(`To it lead ${allowedIps.join(", ")}.`);
    if (places.length > 0) lines.push(`It may be at ${places.join(", ")}.`);
    else if (!facts.isSelf) lines.push("Nobody knows where it is: it has to call.");
    return [...lines, ...facts.problems];
  }
}
