/**
 * network-report — what `status`, `peers` and `explain` say of a network: where each piece of
 * knowledge came from, how old it is, and what is wrong. Thread: control.
 */
import { CERTIFICATE_FLAG, type Certificate, validity } from "../../members/certificate.ts";
import { formatNetworkId, formatNodeId } from "../../members/sign.ts";
import { parseNodeId } from "../../schema/identity.ts";
import type { ExplainValue, Finding, NetworkStatus } from "../../schema/requests.ts";
import { type Cidr, formatAddress, formatCidr, parseAddress } from "../../wire/cidr.ts";
import type { Control } from "../control.ts";
import type { Known, Origin } from "../network/members.ts";
import type { Network } from "../network/network.ts";
import type { Statement } from "../network/statement.ts";
import type { Peer } from "../peers/peer.ts";
import { endpointText } from "../reach/endpoint-text.ts";
import { cipherOf, presenceAt } from "../sessions/news.ts";

const SECOND_MS = 1_000;
/** Protocol: warnings of a certificate's end. Source: network.md 4. */
const ENDS_SOON_MS = 30 * 86_400_000;

const CAME: Readonly<Record<Known, string>> = {
  own: "it is this host's own",
  disk: "it was kept on disk",
  gossip: "another member told it",
  intro: "it introduced itself",
  here: "it answered when its address was asked",
};

/** The member's node id; null: the peer is none of the network. */
export const nodeIdOf = (network: Network | null, peer: Peer): string | null => {
  if (network === null || peer.origin !== "network") return null;
  const slot = network.parts.members.byHandshakeKey(peer.publicKey);
  return slot < 0 ? null : formatNodeId(network.parts.members.at(slot).owner.nodeKey);
};

export const networkStatus = (
  network: Network,
  counts: ReadonlyMap<string, number>,
  nowMs: number,
): NetworkStatus => {
  const { parts } = network;
  const { definition, revocations, secrets } = parts.authority;
  const { toS } = validity(parts.certificate, definition);
  const cloneMs = parts.ownRecord.cloneSeenMs(nowMs);
  return {
    name: definition.name,
    networkId: formatNetworkId(definition.networkId),
    member: parts.certificate.name,
    /** This host is none of those. */
    members: parts.members.size - (parts.ownRecord.statement === null ? 0 : 1),
    sessions: parts.links.size,
    neighbours: parts.company.links.size,
    withoutEntry: parts.admission.waiting,
    certificateEndsMs: toS * SECOND_MS - parts.clock.nowMs(),
    revocations: revocations.list?.count ?? 0,
    revocationSequence: revocations.list?.sequence ?? 0,
    secretEpoch: secrets.epoch,
    clockTrusted: parts.clock.trusted,
    cloneSeenMs: cloneMs === null ? null : nowMs - cloneMs,
    counts: Object.fromEntries(counts),
    refused: parts.refusals
      .names()
      .filter((name) => name !== "")
      .slice(0, REFUSED_SHOWN),
  };
};

/** Names of refused members in a status. */
const REFUSED_SHOWN = 16;

const finding = (text: string, more: Partial<Finding> = {}): Finding => ({
  text,
  ageMs: null,
  wrong: false,
  ...more,
});

const listed = (cidrs: Iterable<Cidr>): string => [...cidrs].map(formatCidr).join(" ") || "none";

const flagWords = (certificate: Certificate): string =>
  Object.entries(CERTIFICATE_FLAG)
    .flatMap(([name, bit]) => (certificate.flags & bit ? [name] : []))
    .join(", ");

/** What a person may mean: a name, a node id, a key, an address. */
class Explaining {
  readonly #control: Control;
  readonly #network: Network | null;
  readonly #nowMs: number;

  constructor(control: Control, nowMs: number) {
    this.#control = control;
    this.#network = control.network;
    this.#nowMs = nowMs;
  }

  get #unixMs(): number {
    return this.#network?.parts.clock.nowMs() ?? Date.now();
  }

  explain(subject: string): ExplainValue {
    const address = parseAddress(subject);
    const peer = address === null ? this.#peerCalled(subject) : this.#peerAt(address);
    const slot = this.#slotOf(subject, address, peer);
    const findings = [
      ...(address === null ? [] : this.#addressFindings(subject, address, peer)),
      ...(slot < 0 ? [] : this.#memberFindings(slot)),
      ...(peer === undefined ? [] : this.#peerFindings(peer)),
      ...this.#refusalFindings(subject, slot),
    ];
    if (findings.length > 0) return { subject, findings };
    const what = this.#network === null ? "no peer" : "no peer, and no member that is known here";
    return { subject, findings: [finding(`${subject} is ${what}`, { wrong: true })] };
  }

  // -----------------------------------------------------------------------------------------
  // Who is meant

  #peerCalled(text: string): Peer | undefined {
    const wanted = text.toLowerCase();
    for (const peer of this.#control.roster.peers()) {
      if (peer.name?.toLowerCase() === wanted) return peer;
      if (Buffer.from(peer.publicKey).toString("base64") === text) return peer;
      if (nodeIdOf(this.#network, peer) === text) return peer;
    }
    return undefined;
  }

  /** The peer with the longest prefix that holds the address. */
  #peerAt(address: Uint8Array): Peer | undefined {
    let best: { readonly peer: Peer; readonly bits: number } | undefined;
    for (const peer of this.#control.roster.peers()) {
      for (const cidr of this.#control.roster.allowed.of(peer)) {
        if (!holds(cidr, address) || (best && cidr.prefixLength <= best.bits)) continue;
        best = { peer, bits: cidr.prefixLength };
      }
    }
    return best?.peer;
  }

  #slotOf(subject: string, address: Uint8Array | null, peer: Peer | undefined): number {
    if (this.#network === null) return -1;
    const { members } = this.#network.parts;
    if (peer !== undefined) return members.byHandshakeKey(peer.publicKey);
    if (address !== null) return members.byAddress(address);
    const nodeKey = parseNodeId(subject);
    if (nodeKey !== null) return members.byNodeKey(nodeKey);
    for (const slot of members.slots()) if (members.at(slot).owner.name === subject) return slot;
    return -1;
  }

  // -----------------------------------------------------------------------------------------
  // What is known

  #addressFindings(subject: string, address: Uint8Array, peer: Peer | undefined): Finding[] {
    const inside = this.#network?.parts.authority.definition.cidrs.some((one) =>
      holds(one, address),
    );
    if (peer !== undefined) {
      const cidr = [...this.#control.roster.allowed.of(peer)].find((one) => holds(one, address));
      return [finding(`${subject} leads to ${calledPeer(peer)} by ${formatCidr(cidr!)}`)];
    }
    const why = inside
      ? "lies in the network, and nobody that is known here has it"
      : "leads to no peer";
    return [finding(`${subject} ${why}`, { wrong: true })];
  }

  #memberFindings(slot: number): Finding[] {
    const { members, authority } = this.#network!.parts;
    const statement = members.at(slot);
    const { owner } = statement;
    const { toS } = validity(owner, authority.definition);
    const leftMs = toS * SECOND_MS - this.#unixMs;
    const by = owner.signer.by === "authority" ? "the authority" : "an issuer";
    const flags = flagWords(owner);
    const addresses = owner.addresses.map(formatAddress).join(" ");
    return [
      finding(
        `${owner.name} is a member of ${authority.definition.name}, ` +
          `${formatNodeId(owner.nodeKey)}`,
      ),
      finding(
        `its certificate, for ${addresses}${owner.routes.length === 0 ? "" : " and routes "}` +
          `${owner.routes.map(formatCidr).join(" ")}${flags === "" ? "" : `, as ${flags}`}, ` +
          `was signed by ${by}`,
        { ageMs: this.#unixMs - owner.notBeforeS * SECOND_MS },
      ),
      ...(leftMs < ENDS_SOON_MS
        ? [finding("its certificate ends soon", { wrong: true, untilMs: leftMs })]
        : [finding("its certificate ends", { untilMs: leftMs })]),
      this.#cameFinding(slot, statement),
      ...this.#placeFindings(slot),
      ...this.#wrongFindings(slot),
    ];
  }

  #cameFinding(slot: number, { issuedS }: Statement): Finding {
    const { members } = this.#network!.parts;
    const origin: Origin = members.origin(slot);
    const teller = origin.from < 0 ? -1 : members.byId(origin.from);
    const who = teller < 0 ? "" : ` (${members.at(teller).owner.name})`;
    const issuedMs = this.#unixMs - issuedS * SECOND_MS;
    return finding(`its record: ${CAME[origin.way]}${who}; it was issued`, {
      ageMs: Math.max(0, issuedMs),
      heardMs: Math.max(0, this.#unixMs - origin.heardS * SECOND_MS),
    });
  }

  #placeFindings(slot: number): Finding[] {
    const { reach } = this.#network!.parts;
    const places = reach.places(slot).flatMap((place) => endpointText(place) ?? []);
    return places.length === 0
      ? [finding("nobody knows where it may be reached", { wrong: true })]
      : [finding(`it may be reached at ${places.join(", ")}`)];
  }

  #wrongFindings(slot: number): Finding[] {
    const { members, admission } = this.#network!.parts;
    const contests = admission.contests(slot).map(({ address, winner }) => {
      const name = members.at(winner).owner.name;
      return finding(`${address} is ${name}'s, whose certificate is the newer one`, {
        wrong: true,
      });
    });
    return [
      ...(members.isBarred(slot)
        ? [finding("its handshake key is another member's too: neither is a peer", { wrong: true })]
        : []),
      ...(members.isStatic(slot)
        ? [finding("a file or a person has named its key: it is a static peer here")]
        : []),
      ...contests,
    ];
  }

  #peerFindings(peer: Peer): Finding[] {
    const { control, nowMs } = { control: this.#control, nowMs: this.#nowMs };
    const { entries } = control;
    const { held, nameProblem } = control.facts(peer);
    const { state } = presenceAt(peer, held, entries, nowMs);
    const at = endpointText(entries.endpoint(peer.entry));
    const doneMs = held.timers.handshakeDoneMs;
    const cipher = entries.current(peer.entry) >= 0 ? cipherOf(held.current) : null;
    const origin = { file: "the configuration", live: "a person", network: "its certificate" };
    return [
      finding(
        `it is a peer by ${origin[peer.origin]}; what leads to it: ` +
          listed(control.roster.allowed.of(peer)),
      ),
      finding(
        `it is ${state}${at === null ? ", and no address is known" : ` at ${at}`}` +
          `${cipher === null ? "" : `, ${cipher}`}${doneMs === 0 ? "" : "; last handshake"}`,
        {
          ageMs: doneMs === 0 ? null : Math.max(0, nowMs - doneMs),
          wrong: state === "silent" || at === null,
        },
      ),
      ...(nameProblem === null
        ? []
        : [finding(`its endpoint's name gives no address: ${nameProblem}`, { wrong: true })]),
    ];
  }

  #refusalFindings(subject: string, slot: number): Finding[] {
    if (this.#network === null) return [];
    const { members, refusals } = this.#network.parts;
    const name = slot < 0 ? subject : members.at(slot).owner.name;
    return refusals.of(name).map(({ why, lastS, count }) =>
      finding(`${name} was refused ${count === 1 ? "once" : `${count} times`}: ${why}; last`, {
        wrong: true,
        ageMs: Math.max(0, this.#unixMs - lastS * SECOND_MS),
      }),
    );
  }
}

const calledPeer = (peer: Peer): string =>
  peer.name ?? Buffer.from(peer.publicKey).toString("base64");

const holds = ({ bytes, prefixLength }: Cidr, host: Uint8Array): boolean => {
  if (bytes.length !== host.length) return false;
  for (let bit = 0; bit < prefixLength; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((bytes[bit >> 3]! & mask) !== (host[bit >> 3]! & mask)) return false;
  }
  return true;
};

/** What is known of a peer or an address, and what is wrong. */
export const explain = (control: Control, subject: string, nowMs: number): ExplainValue =>
  new Explaining(control, nowMs).explain(subject);
