/**
 * keygen — makes an identity.
 *
 * With --out the secret goes into a new file and the ids to stdout. Without it the secret goes to
 * stdout and the ids to stderr, so that `keygen > file` works; with --json as well, stdout is one
 * object that holds all three.
 */
import type { Command } from "commander";
import { formatWireguardKey, makeIdentity, writeSecret } from "../schema/identity.ts";
import { formatTable, printJson, printText } from "./print.ts";
import { addExamples, addJsonOption } from "./shared.ts";

interface Options {
  readonly out?: string;
  readonly json?: boolean;
}

const keygen = ({ out, json }: Options): void => {
  const { identity, text } = makeIdentity();
  const nodeId = identity.nodeId!;
  const wireguardPublicKey = formatWireguardKey(identity.publicKey);
  if (out !== undefined) writeSecret(out, text);
  if (json) {
    const secret = out === undefined ? { identity: text } : {};
    printJson({ nodeId, wireguardPublicKey, ...secret });
    return;
  }
  const ids = formatTable([
    ["node id:", nodeId],
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
  addJsonOption(command).action(keygen);
  addExamples(command, [
    "p2pvpn-engine keygen --out laptop.key",
    "p2pvpn-engine keygen --out laptop.key --json",
    "(umask 077; p2pvpn-engine keygen > laptop.key)",
  ]);
};
