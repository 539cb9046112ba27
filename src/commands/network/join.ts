/**
 * join — becomes a member by an invitation: an identity is made, whom the invitation names is
 * asked, and what `start` needs is written.
 *
 * The identity is written before anybody is asked: who missed the answer runs this again, and gets
 * the same certificate. An invitation on the command line is seen by everybody who runs `ps`; so
 * `join -` reads it from standard input.
 */
import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join as joinPath, relative, resolve } from "node:path";
import type { Command } from "commander";
import type { JoinState } from "../../directory/joiner.ts";
import { validity } from "../../members/certificate.ts";
import { isMemberName } from "../../members/fields.ts";
import { formatDay } from "../../members/grant.ts";
import { formatNodeId } from "../../members/sign.ts";
import { parseToken, type Token } from "../../members/token.ts";
import { makeFolder } from "../../schema/atomic-file.ts";
import { EngineError } from "../../schema/errors.ts";
import { loadSigner, makeIdentity, type Signer, writeSecret } from "../../schema/identity.ts";
import { errnoText, writeNewFiles } from "../../schema/new-file.ts";
import { formatAddress } from "../../wire/cidr.ts";
import { formatTable, printJson, printText } from "../print.ts";
import { addExamples, addJsonOption } from "../shared.ts";
import { unixS } from "./clock.ts";
import { newFileOf, PUBLIC_MODE, refuseExisting } from "./files.ts";
import { askToJoin, JOIN_MS, type JoinOutcome } from "./join-socket.ts";
import { nameOption } from "./options.ts";
import { makeRequest } from "./request.ts";
import { certificateLine } from "./texts.ts";

interface Options {
  readonly out?: string;
  readonly key?: string;
  readonly name?: string;
  readonly json?: boolean;
}

type Joined = Extract<JoinState, { readonly is: "joined" }>;

/** Tuning: above the longest token. */
const TOKEN_LENGTH_MAX = 8_192;

/** Errors: EngineError TOKEN_INVALID. */
const tokenOf = (word: string): Token => {
  let text = word;
  if (word === "-") {
    try {
      text = readFileSync(0, "latin1").slice(0, TOKEN_LENGTH_MAX);
    } catch (cause) {
      const reason = `standard input cannot be read (${errnoText(cause)})`;
      throw new EngineError("TOKEN_INVALID", { reason, cause });
    }
  }
  const token = parseToken(text);
  if (!token.ok) throw new EngineError("TOKEN_INVALID", { reason: token.why });
  if (unixS() > token.value.expiresS) {
    const day = formatDay(token.value.expiresS);
    const reason = `it ended on ${day}, as this host's clock says; ask for another`;
    throw new EngineError("TOKEN_INVALID", { reason });
  }
  return token.value;
};

/** A name for a host that gives none: what is left of its own. */
const ownName = (): string => {
  const name = hostname()
    .toLowerCase()
    .replace(/\..*$/, "")
    .replace(/[^a-z0-9-]/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40);
  return isMemberName(name) ? name : "host";
};

/** Files of a join; those of a folder are all called like the network. */
const filesOf = (folder: string, { network }: Token, key: string | undefined) => {
  const at = (ending: string): string => joinPath(folder, `${network}.${ending}`);
  return {
    key: key ?? at("key"),
    certificate: at("cert"),
    network: at("network"),
    config: at("toml"),
  };
};
type Files = ReturnType<typeof filesOf>;

/** The identity that is asked for, or that a former attempt made, or a new one. */
const signerOf = ({ key }: Files, given: string | undefined): Signer => {
  if (given !== undefined || existsSync(key)) return loadSigner(key);
  writeSecret(key, makeIdentity().text);
  return loadSigner(key);
};

const progress = (sentence: string): void => {
  process.stderr.write(`${sentence}\n`);
};

/** Why it did not come about, as a clause. */
const problemOf = ({ state, asked, answered, signed }: JoinOutcome): string => {
  if (state.is === "refused") return state.why;
  if (asked.length === 0) return "no name in the invitation resolves; look at this host's network";
  const who = asked.join(", ");
  const seconds = JOIN_MS / 1_000;
  if (answered === 0) {
    const advice = "run this again, or ask for another invitation";
    return `nobody answered in ${seconds} seconds at ${who}; ${advice}`;
  }
  return signed
    ? `it is signed, but what the network says of itself did not come from ${who}; run this again`
    : `somebody answered at ${who}, but no enroller in ${seconds} seconds; run this again`;
};

const list = (texts: readonly string[]): string =>
  `[${texts.map((one) => JSON.stringify(one)).join(", ")}]`;

/** The configuration of the new member. */
const configText = (token: Token, { certificate }: Joined, files: Files): string => {
  const beside = (file: string): string =>
    JSON.stringify(relative(dirname(resolve(files.config)), resolve(file)));
  const nodeAt = (nodeKey: Uint8Array | null, place: string): string =>
    nodeKey === null ? place : `${formatNodeId(nodeKey)}@${place}`;
  const index = token.indexes.map(({ nodeKey, place }) => nodeAt(nodeKey, place));
  const bootstrap = token.enrollers.flatMap(({ nodeKey, places }) =>
    places.map((place) => nodeAt(nodeKey, place)),
  );
  const lines = [
    `# ${certificate.name} in ${token.network}, as \`p2pvpn-engine join\` wrote it.`,
    "",
    "[interface]",
    'name = "p2p0"',
    `private_key_file = ${beside(files.key)}`,
    "listen_port = 51820",
    "",
    "[network]",
    `network_file = ${beside(files.network)}`,
    `certificate = ${beside(files.certificate)}`,
    ...(index.length === 0 ? [] : [`index = ${list(index)}`]),
    ...(bootstrap.length === 0 ? [] : [`bootstrap = ${list(bootstrap)}`]),
  ];
  return `${lines.join("\n")}\n`;
};

const writeAll = (token: Token, joined: Joined, files: Files): void => {
  const { certificate, definition, file } = joined;
  const line = `${definition.name}, ${certificateLine(certificate, definition)}`;
  const about = [`the network ${definition.name}: public, for its members and index nodes`];
  writeNewFiles([
    newFileOf("network", files.network, definition.bytes, about),
    newFileOf("certificate", files.certificate, file, [line]),
    { file: files.config, text: configText(token, joined, files), mode: PUBLIC_MODE },
  ]);
};

const folderOf = (out: string): string => {
  if (existsSync(out)) return out;
  try {
    makeFolder(out);
    return out;
  } catch (cause) {
    throw new EngineError("FILE_UNWRITABLE", { file: out, reason: errnoText(cause), cause });
  }
};

const join = async (word: string, options: Options): Promise<void> => {
  const token = tokenOf(word);
  const { out = token.network, key, json } = options;
  const files = filesOf(folderOf(out), token, key);
  refuseExisting([files.certificate, files.network, files.config]);
  const signer = signerOf(files, key);
  const { identity, nodeKey } = signer;
  const { publicKey, privateKey } = identity;
  const request = makeRequest(signer, token.name ?? options.name ?? ownName());
  const pair = { publicKey, privateKey };
  const outcome = await askToJoin({ token, request, nodeKey, identity: pair }, progress);
  privateKey.fill(0);
  token.secret.fill(0);
  const { state } = outcome;
  if (state.is !== "joined") {
    throw new EngineError("NOT_JOINED", { network: token.network, reason: problemOf(outcome) });
  }
  writeAll(token, state, files);
  const { certificate, definition } = state;
  const addresses = certificate.addresses.map(formatAddress);
  const nodeId = formatNodeId(nodeKey);
  if (json) {
    const { toS } = validity(certificate, definition);
    const until = formatDay(toS);
    printJson({
      network: definition.name,
      name: certificate.name,
      nodeId,
      addresses,
      until,
      files,
    });
    return;
  }
  printText(
    formatTable([
      ["name:", certificate.name],
      ["network:", definition.name],
      ["addresses:", addresses.join(", ")],
      ["configuration:", files.config],
      ["next:", `sudo p2pvpn-engine start -c ${files.config}`],
    ]),
  );
};

/** Describes `join`. */
export const define = (command: Command): void => {
  command
    .argument("<TOKEN>", "the line that `invite` printed; - reads it from standard input")
    .option(
      "-o, --out <DIR>",
      "folder for key, certificate, network and configuration (default: the network's name)",
    )
    .option("--key <FILE>", "identity of this host, from keygen (default: a new one)")
    .option(
      "--name <NAME>",
      "what the member would like to be called, unless the invitation says (default: the host's)",
      nameOption,
    );
  addJsonOption(command).action(join);
  command.addHelpText(
    "after",
    "\nA token on the command line is seen by everybody who lists processes; `join -` hides it.",
  );
  addExamples(command, [
    "p2pvpn-engine join - --out lab < invitation",
    "ssh office p2pvpn-engine invite --name laptop | p2pvpn-engine join -",
  ]);
};
