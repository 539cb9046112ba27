/**
 * show — `network show FILE`: what any file of a network holds, after it was verified.
 */
import type { Command } from "commander";
import { armorKind } from "../../members/armor.ts";
import type { Book } from "../../members/book.ts";
import { decodeIssuerFile, decodeMemberFile, decodeRevocationsFile } from "../../members/bundle.ts";
import type { Decoded } from "../../members/bytes.ts";
import { type Definition, decodeDefinition } from "../../members/definition.ts";
import { byName, formatDay } from "../../members/grant.ts";
import { knownTo } from "../../members/issue.ts";
import { decodeRequest } from "../../members/request.ts";
import {
  type RevocationList,
  revocationProblem,
  revocationsOf,
} from "../../members/revocation-list.ts";
import { formatNetworkId, formatNodeId } from "../../members/sign.ts";
import { EngineError } from "../../schema/errors.ts";
import { formatWireguardKey, loadIdentity } from "../../schema/identity.ts";
import { formatCidr } from "../../wire/cidr.ts";
import { formatAmount, formatTable, printJson, printText } from "../print.ts";
import { addExamples, addJsonOption } from "../shared.ts";
import { addPassphraseOption, withAuthority } from "./authority.ts";
import { bytesOfText, describeText, isArmorKind, readText } from "./files.ts";
import {
  certificateLine,
  certificateRows,
  certificateValue,
  formatMoment,
  isoTime,
  issuerRows,
  issuerValue,
} from "./texts.ts";

interface Options {
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

/** What is printed: for programs, and for people. */
interface Shown {
  readonly value: Readonly<Record<string, unknown>>;
  readonly text: string;
}

const indented = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join("\n");

const networkValue = (definition: Definition) => ({
  name: definition.name,
  networkId: formatNetworkId(definition.networkId),
  cidrs: definition.cidrs.map(formatCidr),
  sequence: definition.sequence,
  issued: isoTime(definition.issuedS),
  authorityKeys: definition.authorities.map(({ key }) => Buffer.from(key).toString("base64url")),
});

const networkRows = (definition: Definition): string[][] => [
  ["network:", `${definition.name}, ${definition.cidrs.map(formatCidr).join(" and ")}`],
  ["network id:", formatNetworkId(definition.networkId)],
];

const authorityRows = ({ authorities, sequence, issuedS }: Definition): string[][] => [
  ...authorities.map(({ key, issuesToS, countsToS }, i) => {
    const to = Number.isFinite(issuesToS) ? `, until ${formatMoment(issuesToS)}` : ", the newest";
    const end = Number.isFinite(countsToS) ? `, counts until ${formatMoment(countsToS)}` : "";
    return [`authority key ${i + 1}:`, `${Buffer.from(key).toString("base64url")}${to}${end}`];
  }),
  ["sequence:", `${sequence}, of ${formatMoment(issuedS)}`],
];

const listValue = (list: RevocationList) => ({
  sequence: list.sequence,
  issued: isoTime(list.issuedS),
  nextUpdate: isoTime(list.nextUpdateS),
  epoch: list.epoch,
  revoked: list.count,
});

const listRows = (list: RevocationList): string[][] => [
  [
    "revocations:",
    `number ${list.sequence}, of ${formatMoment(list.issuedS)}, ${list.count} in all`,
  ],
  ["secret:", `of epoch ${list.epoch}`],
];

const showNetwork = (definition: Definition): Shown => ({
  value: { kind: "network", ...networkValue(definition) },
  text: formatTable([...networkRows(definition), ...authorityRows(definition)]),
});

const showCertificate = (file: ReturnType<typeof decodeMemberFile> & { ok: true }): Shown => {
  const { certificate, definition, list } = file.value;
  const problem = revocationProblem(list, certificate);
  const revoked = problem === null ? [] : [["revoked:", `${problem} by the list in this file`]];
  return {
    value: {
      kind: "certificate",
      ...certificateValue(certificate, definition),
      revoked: problem !== null,
      network: networkValue(definition),
      revocations: listValue(list),
    },
    text: formatTable([
      ...certificateRows(certificate, definition),
      ...revoked,
      ...networkRows(definition),
      ...listRows(list),
    ]),
  };
};

const showRequest = (file: ReturnType<typeof decodeRequest> & { ok: true }): Shown => {
  const { name, nodeKey, handshakeKey, issuedS } = file.value;
  const nodeId = formatNodeId(nodeKey);
  const wireguardPublicKey = formatWireguardKey(handshakeKey);
  return {
    value: {
      kind: "request",
      name,
      nodeId,
      wireguardPublicKey,
      proved: ["nodeId", "wireguardPublicKey"],
      issued: isoTime(issuedS),
    },
    text: formatTable([
      ["asks to be called:", name],
      ["node id:", `${nodeId}; have it read out to you`],
      ["WireGuard public key:", wireguardPublicKey],
      ["proved:", "both keys; whoever made this has the secrets of both"],
      ["of:", formatMoment(issuedS)],
    ]),
  };
};

const showIssuer = (file: ReturnType<typeof decodeIssuerFile> & { ok: true }): Shown => {
  const { issuer, definition, list, known } = file.value;
  const certificates = [...known].sort(byName);
  const lines = certificates.map((one) => certificateLine(one, definition));
  const rows = [...issuerRows(issuer), ...networkRows(definition), ...listRows(list)];
  const table = formatTable([...rows, ["knows:", formatAmount(known.length, "certificate")]]);
  return {
    value: {
      kind: "issuer",
      ...issuerValue(issuer),
      certificates: certificates.map((one) => certificateValue(one, definition)),
      network: networkValue(definition),
      revocations: listValue(list),
    },
    text: lines.length === 0 ? table : `${table}\n${indented(lines)}`,
  };
};

const showRevocations = (file: ReturnType<typeof decodeRevocationsFile> & { ok: true }): Shown => {
  const { definition, list, entries } = file.value;
  const members = entries.length / 96;
  const nodes = revocationsOf(list).map(({ id, issuedBeforeS }) => ({
    id: Buffer.from(id).toString("hex"),
    issuedBefore: isoTime(issuedBeforeS),
  }));
  const rows = [...networkRows(definition), ...authorityRows(definition), ...listRows(list)];
  const told = ["holds the secret for:", formatAmount(members, "member")];
  const lines = nodes.map(({ id, issuedBefore }) => `${id}, issued before ${issuedBefore}`);
  const table = formatTable([...rows, told]);
  return {
    value: {
      kind: "revocations",
      ...listValue(list),
      members,
      nodes,
      network: networkValue(definition),
    },
    text: lines.length === 0 ? table : `${table}\n${indented(lines)}`,
  };
};

const showBook = (book: Book, nowS: number): Shown => {
  const { definition, list, issuers, revoked } = book;
  const known = knownTo(book, nowS);
  const all = [...known.certificates].sort(byName);
  const living = [...known.living].sort(byName);
  const lines = living.map((one) => certificateLine(one, definition));
  const gone = revoked.map(({ name, atS }) => `${name}: revoked on ${formatDay(atS)}`);
  const ended = all
    .filter((one) => !known.isLiving(one) && revocationProblem(list, one) === null)
    .map(({ name, notAfterS }) => `${name}: ended on ${formatDay(notAfterS)}`);
  const table = formatTable([
    ...networkRows(definition),
    ...authorityRows(definition),
    ...listRows(list),
    ["issuers:", String(issuers.filter((one) => one.notAfterS >= nowS).length)],
    ["members:", String(living.length)],
  ]);
  return {
    value: {
      kind: "authority",
      network: networkValue(definition),
      revocations: listValue(list),
      members: living.map((one) => certificateValue(one, definition)),
      issuers: issuers.map(issuerValue),
      revoked: revoked.map(({ name, nodeKey, atS }) => ({
        name,
        nodeId: formatNodeId(nodeKey),
        at: isoTime(atS),
      })),
    },
    text: [table, indented([...lines, ...ended, ...gone])].filter((one) => one !== "").join("\n"),
  };
};

/** Of the secret file of a host, what is public. */
const showIdentity = (file: string): Shown => {
  const { nodeId, publicKey, privateKey } = loadIdentity(file);
  privateKey.fill(0);
  const wireguardPublicKey = formatWireguardKey(publicKey);
  return {
    value: { kind: "identity", nodeId, wireguardPublicKey },
    text: formatTable([
      ["node id:", nodeId ?? "none"],
      ["WireGuard public key:", wireguardPublicKey],
    ]),
  };
};

const decoded = <Value>(file: string, result: Decoded<Value>): { ok: true; value: Value } => {
  if (result.ok) return result;
  throw new EngineError("FILE_DAMAGED", { file, reason: result.why });
};

const shownOf = async (file: string, { passphraseFile }: Options): Promise<Shown> => {
  const text = readText(file);
  const named = armorKind(text);
  if (named === "identity") return showIdentity(file);
  if (!isArmorKind(named)) {
    throw new EngineError("FILE_OF_NO_NETWORK", { file, what: describeText(text) });
  }
  const kind = named;
  if (kind === "authority") {
    const who = { authority: file, ...(passphraseFile === undefined ? {} : { passphraseFile }) };
    return withAuthority(who, ({ book, nowS }) => showBook(book, nowS));
  }
  const bytes = bytesOfText(kind, file, text);
  switch (kind) {
    case "certificate":
      return showCertificate(decoded(file, decodeMemberFile(bytes)));
    case "issuer":
      return showIssuer(decoded(file, decodeIssuerFile(bytes)));
    case "network":
      return showNetwork(decoded(file, decodeDefinition(bytes)).value);
    case "request":
      return showRequest(decoded(file, decodeRequest(bytes)));
    case "revocations":
      return showRevocations(decoded(file, decodeRevocationsFile(bytes)));
  }
};

const show = async (file: string, options: Options): Promise<void> => {
  const { value, text } = await shownOf(file, options);
  if (options.json) printJson(value);
  else printText(text);
};

/** Describes `network show`. */
export const defineShow = (network: Command): void => {
  const command = network
    .command("show")
    .description("verify a file of a network, and print what it holds")
    .argument("<FILE>", "a request, certificate, network file, authority, issuer or revocations");
  addPassphraseOption(command);
  addJsonOption(command).action(show);
  addExamples(command, [
    "p2pvpn-engine network show laptop.request",
    "p2pvpn-engine network show lab.authority --json | jq '.members[].name'",
  ]);
};
