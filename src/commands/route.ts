/**
 * route — `route add` and `route remove`: a prefix to a peer and away from it, live.
 *
 * A prefix that leads to another peer already is moved, in one step: no packet of it is dropped.
 */
import { type Command, InvalidArgumentError } from "commander";
import { ask, askPeers, chooseEngine } from "../client.ts";
import type { ChangeValue } from "../schema/answers.ts";
import type { PeerChange } from "../schema/change.ts";
import { EngineError } from "../schema/errors.ts";
import { type Cidr, formatCidr, maskCidr, parseCidr } from "../wire/cidr.ts";
import { type EngineOptions, printJson, printText, printWarnings } from "./print.ts";
import {
  addExamples,
  addInterfaceOption,
  addJsonOption,
  calledPeer,
  findPeer,
  keyBytes,
  UNTIL_STOP,
  warnOfIpv6,
} from "./shared.ts";

interface Options extends EngineOptions {
  readonly peer?: string;
}

const prefixArgument = (text: string): Cidr => {
  const cidr = parseCidr(text);
  if (cidr === null) throw new InvalidArgumentError('must be like "10.66.0.0/24" or "fd66::/64"');
  return maskCidr(cidr);
};

const apply = (name: string, peer: PeerChange): Promise<ChangeValue> =>
  ask(name, { type: "change.apply", change: { peers: [peer] } });

const add = async (cidr: Cidr, options: Options): Promise<void> => {
  const name = await chooseEngine(options.interface);
  const prefix = formatCidr(cidr);
  const peers = await askPeers(name);
  const peer = findPeer(peers, options.peer!, name);
  const before = peers.find((one) => one.addresses.includes(prefix));
  const change = { publicKey: keyBytes(peer), updateOnly: true, allowedIps: [cidr] } as const;
  const { warnings } = await apply(name, change);
  warnOfIpv6([cidr], name);
  const moved = before !== undefined && before !== peer ? ` (it led to ${calledPeer(before)})` : "";
  const { wireguardPublicKey } = peer;
  printWarnings(warnings);
  if (options.json) printJson({ interface: name, prefix, wireguardPublicKey });
  else printText(`${name}: ${prefix} leads to ${calledPeer(peer)}${moved}, ${UNTIL_STOP}`);
};

const remove = async (cidr: Cidr, options: Options): Promise<void> => {
  const name = await chooseEngine(options.interface);
  const prefix = formatCidr(cidr);
  const peers = await askPeers(name);
  const owner = peers.find((peer) => peer.addresses.includes(prefix));
  const named = options.peer === undefined ? owner : findPeer(peers, options.peer, name);
  if (owner === undefined || owner !== named) {
    const peer = named === undefined ? "" : ` of ${calledPeer(named)}`;
    throw new EngineError("ROUTE_UNKNOWN", { prefix, peer, name });
  }
  const publicKey = keyBytes(owner);
  await apply(name, { publicKey, updateOnly: true, removedAllowedIps: [cidr] });
  const { wireguardPublicKey } = owner;
  if (options.json) printJson({ interface: name, prefix, wireguardPublicKey });
  else printText(`${name}: ${prefix} leads nowhere, ${UNTIL_STOP}`);
};

const PEER_HELP = "its name, its public key, or how that begins";

/** Describes `route`. */
export const define = (command: Command): void => {
  const adding = command
    .command("add")
    .description("lead a prefix to a peer, from whomever it led to")
    .argument("<PREFIX>", 'like "10.66.0.0/24"', prefixArgument)
    .requiredOption("--peer <PEER>", PEER_HELP);
  addJsonOption(addInterfaceOption(adding)).action(add);
  addExamples(adding, [
    "p2pvpn-engine route add 192.168.5.0/24 --peer office",
    "p2pvpn-engine route add fd66:5::/64 --peer mApdPdYl -i p2p0",
  ]);
  const removing = command
    .command("remove")
    .description("lead a prefix nowhere")
    .argument("<PREFIX>", 'like "10.66.0.0/24"', prefixArgument)
    .option("--peer <PEER>", `only if it leads to this one: ${PEER_HELP}`);
  addJsonOption(addInterfaceOption(removing)).action(remove);
  addExamples(removing, ["p2pvpn-engine route remove 192.168.5.0/24 --peer office"]);
  addExamples(command, [
    "p2pvpn-engine route add 192.168.5.0/24 --peer office",
    "p2pvpn-engine route remove 192.168.5.0/24",
    "p2pvpn-engine routes",
  ]);
};
