/**
 * peer — `peer add` and `peer remove`: who a running engine knows, live.
 *
 * The options of `peer add` are the rows of [[peer]]. What is given of a peer that is known already
 * replaces what it had; the rest, and its sessions, stay.
 */
import { resolve } from "node:path";
import type { Command } from "commander";
import { ask, askPeers, chooseEngine } from "../client.ts";
import type { PeerChange } from "../schema/change.ts";
import { type Endpoint, SETTINGS } from "../schema/config.ts";
import { EngineError } from "../schema/errors.ts";
import {
  formatWireguardKey,
  isPublicKey,
  loadPresharedKey,
  parseWireguardKey,
} from "../schema/identity.ts";
import type { PeerValue } from "../schema/requests.ts";
import { type Cidr, formatCidr } from "../wire/cidr.ts";
import { type EngineOptions, printJson, printText, printWarnings } from "./print.ts";
import {
  addExamples,
  addInterfaceOption,
  addJsonOption,
  calledPeer,
  findPeer,
  keyBytes,
  settingOption,
  UNTIL_STOP,
  warnOfIpv6,
} from "./shared.ts";

interface Options extends EngineOptions {
  readonly name?: string;
  readonly presharedKeyFile?: string;
  readonly allowedIps?: readonly Cidr[];
  readonly endpoint?: Endpoint;
  readonly keepalive?: number;
}

/** The key is not repeated: it may be a secret in the wrong place. Errors: EngineError USAGE. */
const publicKeyOf = (text: string): Uint8Array => {
  const key = parseWireguardKey(text);
  if (key !== null && isPublicKey(key)) return key;
  const reason =
    key === null
      ? "KEY must be the peer's WireGuard public key, 44 characters of base64 as keygen prints it."
      : "KEY is nobody's public key; copy it again from the peer's keygen.";
  throw new EngineError("USAGE", { reason });
};

/** Another peer may have neither the name nor a prefix. Errors: EngineError. */
const refuseConflicts = (
  name: string,
  key: string,
  peers: readonly PeerValue[],
  options: Options,
): void => {
  const wanted = options.name?.toLowerCase();
  const prefixes = new Set((options.allowedIps ?? []).map(formatCidr));
  for (const other of peers) {
    if (other.wireguardPublicKey === key) continue;
    if (wanted !== undefined && other.name?.toLowerCase() === wanted) {
      throw new EngineError("PEER_NAME_TAKEN", { name, peer: options.name });
    }
    const prefix = other.addresses.find((one) => prefixes.has(one));
    if (prefix === undefined) continue;
    const peer = calledPeer(other);
    // A peer that is refused is nobody to whom a route could be led.
    const remedy = peers.some((one) => one.wireguardPublicKey === key)
      ? `to move it, run \`p2pvpn-engine route add ${prefix} --peer ${key}\``
      : `take it from there with \`p2pvpn-engine route remove ${prefix}\`, then add this one again`;
    throw new EngineError("ROUTE_TAKEN", { prefix, peer, remedy });
  }
};

const peerChange = (publicKey: Uint8Array, options: Options): PeerChange => {
  const { name, presharedKeyFile: file, allowedIps, endpoint, keepalive } = options;
  return {
    publicKey,
    ...(name === undefined ? {} : { name }),
    ...(file === undefined ? {} : { presharedKey: loadPresharedKey(resolve(file)) }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(keepalive === undefined ? {} : { persistentKeepaliveS: keepalive }),
    ...(allowedIps === undefined ? {} : { replaceAllowedIps: true, allowedIps }),
  };
};

const add = async (text: string, options: Options): Promise<void> => {
  const publicKey = publicKeyOf(text);
  const change = peerChange(publicKey, options);
  const name = await chooseEngine(options.interface);
  const key = formatWireguardKey(publicKey);
  if ((await ask(name, { type: "status.get" })).wireguardPublicKey === key) {
    throw new EngineError("PEER_IS_SELF", { name });
  }
  const peers = await askPeers(name);
  refuseConflicts(name, key, peers, options);
  const { warnings } = await ask(name, { type: "change.apply", change: { peers: [change] } });
  printWarnings(warnings);
  warnOfIpv6(options.allowedIps ?? [], name);
  const known = peers.find((peer) => peer.wireguardPublicKey === key);
  const called = options.name ?? known?.name ?? key;
  if (options.json) {
    printJson({ interface: name, wireguardPublicKey: key, added: known === undefined });
    return;
  }
  const done = known === undefined ? "is added" : "is changed";
  printText(`${name}: peer ${called} ${done}, ${UNTIL_STOP}`);
};

const remove = async (text: string, options: EngineOptions): Promise<void> => {
  const name = await chooseEngine(options.interface);
  const peer = findPeer(await askPeers(name), text, name);
  const change = { peers: [{ publicKey: keyBytes(peer), remove: true }] } as const;
  await ask(name, { type: "change.apply", change });
  const { wireguardPublicKey } = peer;
  if (options.json) printJson({ interface: name, wireguardPublicKey, removed: true });
  else printText(`${name}: peer ${calledPeer(peer)} is removed, ${UNTIL_STOP}`);
};

/** Describes `peer`. */
export const define = (command: Command): void => {
  const adding = command
    .command("add")
    .description("add a peer, or change one: what is not given stays as it is")
    .argument("<KEY>", "the peer's WireGuard public key");
  for (const setting of SETTINGS) {
    if (setting.section === "peer" && setting.flag !== undefined) {
      adding.addOption(settingOption(setting));
    }
  }
  addJsonOption(addInterfaceOption(adding)).action(add);
  addExamples(adding, [
    "p2pvpn-engine peer add mApdPdYlK8+d63RaPWeHXWE5nVqRyBYlFalzfUHAvxE= \\",
    "    --name office --allowed-ips 10.66.0.3/32,192.168.5.0/24 --endpoint 203.0.113.9:51820",
    "p2pvpn-engine peer add mApdPdYlK8+d63RaPWeHXWE5nVqRyBYlFalzfUHAvxE= --keepalive 25",
  ]);
  const removing = command
    .command("remove")
    .description("forget a peer, its sessions and its routes")
    .argument("<PEER>", "its name, its public key, or how that begins");
  addJsonOption(addInterfaceOption(removing)).action(remove);
  addExamples(removing, [
    "p2pvpn-engine peer remove office",
    "p2pvpn-engine peer remove mApdPdYl -i p2p0",
  ]);
  addExamples(command, [
    "p2pvpn-engine peer add mApdPdYlK8+d63RaPWeHXWE5nVqRyBYlFalzfUHAvxE= --name office",
    "p2pvpn-engine peer remove office",
    "p2pvpn-engine peers",
  ]);
};
