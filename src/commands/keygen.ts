/**
 * keygen — makes an identity, or a plain WireGuard private key, which `wg` reads too.
 *
 * With --out the secret goes into a new file and the ids to stdout. Without it the secret goes to
 * stdout and the ids to stderr, so that `keygen > file` works; with --json as well, stdout is one
 * object that holds all three.
 */
import type { Command } from "commander";
import {
  formatWireguardKey,
  makeIdentity,
  makeWireguardKey,
  writeSecret,
} from "../schema/identity.ts";
import { formatTable, printJson, printText } from "./print.ts";
import { addExamples, addJsonOption } from "./shared.ts";

interface Options {
  readonly out?: string;
  readonly wireguard?: boolean;
  readonly json?: boolean;
}

/** Stands for the node id of a plain WireGuard key. */
const NO_NODE_ID = "none: a plain WireGuard key signs nothing, so this host has no node id";

const keygen = ({ out, wireguard = false, json }: Options): void => {
  const { identity, text } = wireguard ? makeWireguardKey() : makeIdentity();
  const { nodeId } = identity;
  const wireguardPublicKey = formatWireguardKey(identity.publicKey);
  if (out !== undefined) writeSecret(out, text);
  if (json) {
    const name = wireguard ? "wireguardPrivateKey" : "identity";
    const secret = out === undefined ? { [name]: wireguard ? text.trim() : text } : {};
    printJson({ nodeId, wireguardPublicKey, ...secret });
    return;
  }
  const ids = formatTable([
    ["node id:", nodeId ?? NO_NODE_ID],
    ["WireGuard public key:", wireguardPublicKey],
  ]);
  if (out === undefined) {
    process.stdout.write(text);
    process.stderr.write(`${ids}\n`);
  } else {
    printText(ids);
  }
};

/** Describes `keygen`. */
export const define = (command: Command): void => {
  command.option("-o, --out <FILE>", "write the secret to a new file, readable by you alone");
  command.option(
    "--wireguard",
    "make a plain WireGuard private key, which wg reads too; no node id",
  );
  addJsonOption(command).action(keygen);
  addExamples(command, [
    "p2pvpn-engine keygen --out laptop.key",
    "p2pvpn-engine keygen --out laptop.key --json",
    "p2pvpn-engine keygen --wireguard --out wg0.key",
    "(umask 077; p2pvpn-engine keygen > laptop.key)",
  ]);
};
