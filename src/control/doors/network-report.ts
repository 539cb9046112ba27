/**
 * network-report — what `status` and `explain` say of a network and of peers: where each piece of
 * knowledge came from, how old it is, and what is wrong. Thread: control.
 *
 * What the network knows it tells itself (network/report.ts); here is what the rest of control
 * knows of the same peer.
 */
import { sameBytes } from "../../members/bytes.ts";
import type { Certificate } from "../../members/certificate.ts";
import type { ExplainValue, NetworkStatus } from "../../schema/answers.ts";
import { type Cidr, formatCidr, parseAddress } from "../../wire/cidr.ts";
import type { Control } from "../control.ts";
import { formatAge } from "../network/ages.ts";
import type { Network } from "../network/network.ts";
import type { Origin, Peer } from "../peers/peer.ts";
import { endpointText } from "../reach/endpoint-text.ts";
import { cipherOf, presenceAt } from "../sessions/news.ts";

/** Tuning: refused strangers that a status names. */
const STRANGERS_MAX = 16;

const NAMED_BY: Readonly<Record<Origin, string>> = {
  file: "the configuration",
  live: "a person, while the engine ran",
  network: "its certificate",
};

export const networkStatus = (
  network: Network,
  counts: ReadonlyMap<string, number>,
): NetworkStatus => {
  const { report } = network;
  return {
    ...report.network(),
    counts: Object.fromEntries(counts),
    strangers: report.strangers().slice(0, STRANGERS_MAX),
  };
};

const holds = ({ bytes, prefixLength }: Cidr, host: Uint8Array): boolean => {
  if (bytes.length !== host.length) return false;
  for (let bit = 0; bit < prefixLength; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((bytes[bit >> 3]! & mask) !== (host[bit >> 3]! & mask)) return false;
  }
  return true;
};

interface Led {
  readonly peer: Peer;
  /** By which prefix. */
  readonly cidr: Cidr;
}

/** Where an address leads: the longest prefix that holds it. */
const leadsTo = ({ roster }: Control, address: Uint8Array): Led | null => {
  let best: Led | null = null;
  for (const peer of roster.peers()) {
    for (const cidr of roster.allowed.of(peer)) {
      if (best !== null && cidr.prefixLength <= best.cidr.prefixLength) continue;
      if (holds(cidr, address)) best = { peer, cidr };
    }
  }
  return best;
};

const peerCalled = ({ roster, network }: Control, subject: string): Peer | undefined => {
  const wanted = subject.toLowerCase();
  for (const peer of roster.peers()) {
    if (peer.name?.toLowerCase() === wanted) return peer;
    if (Buffer.from(peer.publicKey).toString("base64") === subject) return peer;
    if (network?.nodeIdOf(peer) === subject) return peer;
  }
  return undefined;
};

/** What control knows of a peer; sentences. */
const peerSentences = (control: Control, peer: Peer, nowMs: number): string[] => {
  const { entries, roster } = control;
  const { held, nameProblem } = control.facts(peer);
  const { state, silentMs } = presenceAt(peer, held, entries, nowMs);
  const at = endpointText(entries.endpoint(peer.entry));
  const age = (sinceMs: number): string => formatAge((nowMs - sinceMs) / 1_000);
  const doneMs = held.timers.handshakeDoneMs;
  const cipher = entries.current(peer.entry) >= 0 ? cipherOf(held.current) : null;
  const prefixes = [...roster.allowed.of(peer)].map(formatCidr).join(", ");
  return [
    `The peer is named by ${NAMED_BY[peer.origin]}.`,
    ...(peer.origin === "network" ? [] : [`To it lead ${prefixes || "no prefixes"}.`]),
    `It is ${state}${at === null ? ", and no address of it is known" : ` at ${at}`}` +
      `${cipher === null ? "" : `, with ${cipher}`}.`,
    doneMs === 0
      ? "There was no handshake with it yet."
      : `The last handshake with it was ${age(doneMs)} ago.`,
    ...(silentMs === null ? [] : [`It owes an answer for ${formatAge(silentMs / 1_000)}.`]),
    ...(nameProblem === null ? [] : [`Its endpoint's name gives no address: ${nameProblem}.`]),
  ];
};

/** Members whose certificates hold an address that is another's, and why it is; sentences. */
const rivalSentences = ({ parts }: Network, subject: string, address: Uint8Array): string[] => {
  const { members } = parts;
  const winner = members.byAddress(address);
  if (winner < 0) return [];
  const { owner } = members.at(winner);
  const why = (other: Certificate): string =>
    owner.signer.by === other.signer.by
      ? `${owner.name}'s is the newer one`
      : `the authority itself signed ${owner.name}'s`;
  return [...members.slots()]
    .filter((slot) => slot !== winner)
    .map((slot) => members.at(slot).owner)
    .filter(({ addresses }) => addresses.some((one) => sameBytes(one, address)))
    .map((other) => {
      const remedy = "sign one of the two anew, with another --ip";
      const what = `The certificate of ${other.name} holds ${subject}, too`;
      return `${what}, and ${why(other)}: ${remedy}.`;
    });
};

/** What is known of a peer, by a name, a key or an address, and what is wrong. */
export const explain = (control: Control, subject: string, nowMs: number): ExplainValue => {
  const address = parseAddress(subject);
  const led = address === null ? null : leadsTo(control, address);
  const peer = led?.peer ?? (address === null ? peerCalled(control, subject) : undefined);
  const known = control.network?.report.explain(subject) ?? [];
  const way =
    address === null
      ? []
      : [
          led === null
            ? `${subject} leads to no peer.`
            : `${subject} leads to ${led.peer.name ?? "a peer without a name"} by ` +
              `${formatCidr(led.cidr)}.`,
        ];
  const { network } = control;
  const sentences = [
    ...way,
    ...(address === null || network === null ? [] : rivalSentences(network, subject, address)),
    ...known,
    ...(peer === undefined ? [] : peerSentences(control, peer, nowMs)),
  ];
  if (sentences.length > 0) return { subject, sentences };
  const where = control.network === null ? "" : ", and no member that is known here";
  return { subject, sentences: [`${subject} is no peer${where}.`] };
};
