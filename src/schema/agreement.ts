/**
 * agreement — do the values of a configuration fit each other? Mistakes, and what is only doubtful.
 *
 * Either kind of file comes here; each is told in its own words. Pure; any thread.
 */
import { ROUTES_MAX } from "../memory/layout.ts";
import { type Cidr, formatAddress, formatCidr, maskCidr } from "../wire/cidr.ts";
import { addressProblem } from "./address.ts";
import { type Draft, IPV6_MTU_MIN } from "./config.ts";
import { formatWireguardKey, isPublicKey } from "./identity.ts";
import type { Mistakes } from "./mistakes.ts";
import type { Path } from "./toml-loose.ts";

/** What sections and keys are called in a kind of file. */
interface Words {
  readonly interface: string;
  readonly peer: string;
  readonly publicKey: string;
  readonly allowedIps: string;
  readonly addresses: string;
  readonly mtu: string;
}

export const TOML_WORDS: Words = {
  interface: "[interface]",
  peer: "[[peer]]",
  publicKey: "public_key",
  allowedIps: "allowed_ips",
  addresses: "addresses",
  mtu: "mtu",
};

export const WG_QUICK_WORDS: Words = {
  interface: "[Interface]",
  peer: "[Peer]",
  publicKey: "PublicKey",
  allowedIps: "AllowedIPs",
  addresses: "Address",
  mtu: "MTU",
};

/** A draft, and how to speak of it. */
export interface Told {
  readonly draft: Draft;
  readonly words: Words;
  readonly lineOf: (path: Path) => number;
  /** `allowed_ips` as they are written, host bits and all; by the place of the peer in the file. */
  readonly written: (number: number) => readonly Cidr[];
}

type Peer = Draft["peers"][number];

const at = ({ words }: Told, { number }: Peer): string => `${words.peer} ${number + 1}`;

const prefixPath = ({ number }: Peer, item: number): Path => ["peer", number, "allowed_ips", item];

const keyProblem = (told: Told, peer: Peer, own: string | null): string | null => {
  const { words } = told;
  if (!isPublicKey(peer.public_key)) {
    const where = `${words.publicKey} in ${at(told, peer)}`;
    return `${where} is nobody's; copy it again from the peer's keygen.`;
  }
  return formatWireguardKey(peer.public_key) === own
    ? `${at(told, peer)} has this host's own public key; write the peer's, or remove it.`
    : null;
};

/** Two peers may not share a key, a name or a prefix. */
const checkPeers = (told: Told, mistakes: Mistakes): void => {
  const { draft, words, lineOf } = told;
  const own = draft.identity === null ? null : formatWireguardKey(draft.identity.publicKey);
  const byKey = new Map<string, Peer>();
  const byName = new Map<string, Peer>();
  const byPrefix = new Map<string, Peer>();
  for (const peer of draft.peers) {
    const say = (text: string, ...rest: Path): void =>
      mistakes.add(lineOf(["peer", peer.number, ...rest]), text);
    const key = formatWireguardKey(peer.public_key);
    const problem = keyProblem(told, peer, own);
    const twin = byKey.get(key);
    if (problem !== null) say(problem, "public_key");
    else if (twin !== undefined) {
      const both = `${at(told, twin)} and ${at(told, peer)} have the same ${words.publicKey}`;
      say(`${both}; keep one of them.`, "public_key");
    } else byKey.set(key, peer);
    const name = peer.name?.toLowerCase();
    const namesake = name === undefined ? undefined : byName.get(name);
    if (namesake !== undefined) {
      const both = `${at(told, namesake)} and ${at(told, peer)} have the same name`;
      say(`${both}; change one.`, "name");
    } else if (name !== undefined) byName.set(name, peer);
    for (const [item, allowed] of peer.allowed_ips.entries()) {
      const prefix = formatCidr(allowed);
      const other = byPrefix.get(prefix) ?? peer;
      if (other !== peer && twin === undefined) {
        const both = `${at(told, other)} and ${at(told, peer)} both have ${prefix}`;
        say(`${both} in ${words.allowedIps}; take it from one of them.`, "allowed_ips", item);
      }
      byPrefix.set(prefix, other);
    }
  }
  if (byPrefix.size > ROUTES_MAX) {
    mistakes.add(0, `there are more than ${ROUTES_MAX} ${words.allowedIps}; remove some.`);
  }
};

const checkInterface = ({ draft, words, lineOf }: Told, mistakes: Mistakes): void => {
  const { addresses, mtu } = draft.interface;
  const seen = new Set<string>();
  for (const [item, address] of addresses.entries()) {
    const text = formatCidr(address);
    const say = (what: string): void =>
      mistakes.add(lineOf(["interface", "addresses", item]), `${text} ${what}.`);
    const problem = addressProblem(address);
    const bare = formatAddress(address.bytes);
    if (seen.has(text)) say(`is in ${words.addresses} twice; remove one`);
    else if (seen.has(bare)) say(`is in ${words.addresses} with two prefix lengths; remove one`);
    else if (problem !== null) say(`in ${words.addresses} ${problem}`);
    seen.add(text);
    // IPv4 may have both.
    if (address.version === 6) seen.add(bare);
  }
  if (draft.interface.bind_device === draft.interface.name) {
    const what =
      "bind_device in [interface] is the tunnel itself; write what leads to the network.";
    mistakes.add(lineOf(["interface", "bind_device"]), what);
  }
  const six = addresses.some(({ version }) => version === 6);
  if (!six || mtu >= IPV6_MTU_MIN) return;
  const key = `${words.mtu} in ${words.interface}`;
  const text = `${key} must be at least ${IPV6_MTU_MIN} with IPv6 addresses.`;
  mistakes.add(lineOf(["interface", "mtu"]), text);
};

/** Adds what does not fit. Errors: never. */
export const checkAgreement = (told: Told, mistakes: Mistakes): void => {
  checkInterface(told, mistakes);
  checkPeers(told, mistakes);
};

/** Tuning: so many doubts are told. */
const DOUBTS_MAX = 10;

type Doubt = readonly [path: Path, text: string];

/** What stands in a list of allowed IPs and is likely not meant. */
function* prefixDoubts(told: Told): Generator<Doubt> {
  const { draft, words } = told;
  const own = new Set(draft.interface.addresses.map(({ bytes }) => formatAddress(bytes)));
  for (const peer of draft.peers) {
    for (const [item, cidr] of told.written(peer.number).entries()) {
      const text = formatCidr(cidr);
      const taken = formatCidr(maskCidr(cidr));
      const address = formatAddress(cidr.bytes);
      const path = prefixPath(peer, item);
      const host = cidr.prefixLength === cidr.bytes.length * 8;
      if (host && own.has(address)) {
        const what = `${text} in ${words.allowedIps} of ${at(told, peer)}`;
        yield [path, `${what} is this host's own address; write the peer's.`];
      } else if (text !== taken) {
        const one = `${address}/${cidr.bytes.length * 8}`;
        const what = `${text} in ${words.allowedIps} is taken as ${taken}`;
        yield [path, `${what}; write that, or ${one} for the one host.`];
      }
    }
  }
}

/** Sentences about what may stand there and is likely not meant, each with its line. */
export const doubtsOf = (told: Told): string[] => {
  const found: string[] = [];
  for (const [path, text] of prefixDoubts(told)) {
    if (found.length === DOUBTS_MAX) break;
    const line = told.lineOf(path);
    found.push(line === 0 ? text : `line ${line}: ${text}`);
  }
  return found;
};
