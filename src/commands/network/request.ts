/**
 * request — a host asks to be a member: a file for whoever holds the authority.
 */
import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { encodeRequest } from "../../members/request.ts";
import { formatNodeId } from "../../members/sign.ts";
import { XEDDSA_RANDOM_BYTES } from "../../members/xeddsa.ts";
import { formatWireguardKey, loadSigner, type Signer } from "../../schema/identity.ts";
import { formatTable, printJson, printText } from "../print.ts";
import { addExamples, addJsonOption } from "../shared.ts";
import { unixS } from "./clock.ts";
import { refuseExisting, writeFileOf } from "./files.ts";
import { nameOption } from "./options.ts";

interface Options {
  readonly key: string;
  readonly name: string;
  readonly out?: string;
  readonly json?: boolean;
}

/** Our request, signed with both keys. Zeroes the node's; the handshake's is the caller's. */
export const makeRequest = ({ identity, nodeKey, secretKey }: Signer, name: string): Uint8Array => {
  const { publicKey, privateKey } = identity;
  const fields = { nodeKey, handshakeKey: publicKey, issuedS: unixS(), name };
  const random = randomBytes(XEDDSA_RANDOM_BYTES);
  const bytes = encodeRequest(fields, { secretKey, privateKey, random });
  for (const secret of [secretKey, random]) secret.fill(0);
  return bytes;
};

const request = ({ key, name, out = `${name}.request`, json }: Options): void => {
  refuseExisting([out]);
  const signer = loadSigner(key);
  const { publicKey, privateKey } = signer.identity;
  const bytes = makeRequest(signer, name);
  privateKey.fill(0);
  const nodeId = formatNodeId(signer.nodeKey);
  const wireguardPublicKey = formatWireguardKey(publicKey);
  writeFileOf("request", out, bytes, [`${name} asks to be a member: ${nodeId}`]);
  if (json) {
    printJson({ name, nodeId, wireguardPublicKey, file: out });
    return;
  }
  printText(
    formatTable([
      ["name:", name],
      ["node id:", `${nodeId}; read it out to who signs`],
      ["WireGuard public key:", wireguardPublicKey],
      ["request:", `${out}: for the holder of the authority`],
    ]),
  );
};

/** Describes `request`. */
export const define = (command: Command): void => {
  command
    .requiredOption("--key <FILE>", "identity of this host, from keygen")
    .requiredOption("--name <NAME>", "what the member would like to be called", nameOption)
    .option("-o, --out <FILE>", "write the request to a new file (default: NAME.request)");
  addJsonOption(command).action(request);
  addExamples(command, [
    "p2pvpn-engine request --key laptop.key --name laptop --out laptop.request",
    "p2pvpn-engine request --key laptop.key --name laptop --json | jq -r .nodeId",
  ]);
};
