/**
 * create — `network create`: an authority, and the public file of its network.
 */
import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { type Book, wipe } from "../../members/book.ts";
import { PRIVATE, prefixHolds, someHolds } from "../../members/fields.ts";
import { foundNetwork } from "../../members/founding.ts";
import { formatNetworkId } from "../../members/sign.ts";
import { EngineError } from "../../schema/errors.ts";
import { writeNewFiles } from "../../schema/new-file.ts";
import { type Cidr, formatCidr, parseCidr } from "../../wire/cidr.ts";
import { formatTable, printJson, printText } from "../print.ts";
import { addExamples, addJsonOption, warn } from "../shared.ts";
import { addPassphraseOption, authorityText, keyForPassphrase } from "./authority.ts";
import { unixS } from "./clock.ts";
import { newFileOf, refuseExisting } from "./files.ts";
import { nameOption, prefixesOption } from "./options.ts";
import { askNewPassphrase } from "./passphrase.ts";

interface Options {
  readonly name: string;
  readonly cidr: readonly Cidr[];
  readonly out?: string;
  /** False: --no-passphrase. */
  readonly passphrase: boolean;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

const prefix = (text: string): Cidr => parseCidr(text)!;
const CIDRS_MAX = 8;
/** Fewer addresses are no network. */
const BITS_LEFT = 2;

/** Where members cannot be. */
const NOWHERE = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"]
  .concat(["::/128", "::1/128", "::ffff:0:0/96", "fe80::/10", "ff00::/8"])
  .map(prefix);

/** Errors: EngineError USAGE. */
const checkRanges = (cidrs: readonly Cidr[]): void => {
  const refuse = (reason: string): never => {
    throw new EngineError("USAGE", { reason });
  };
  if (cidrs.length > CIDRS_MAX) refuse(`a network has ${CIDRS_MAX} ranges at most.`);
  for (const [i, one] of cidrs.entries()) {
    const text = formatCidr(one);
    if (one.prefixLength > 8 * one.bytes.length - BITS_LEFT) refuse(`${text} is too small.`);
    const nowhere = NOWHERE.find((other) => prefixHolds(other, one) || prefixHolds(one, other));
    if (nowhere !== undefined) {
      refuse(`${text} holds addresses of ${formatCidr(nowhere)}, which no host may have.`);
    }
    const twin = cidrs.slice(0, i).find((two) => prefixHolds(two, one) || prefixHolds(one, two));
    if (twin !== undefined) refuse(`${text} and ${formatCidr(twin)} overlap.`);
    if (!someHolds(PRIVATE, one)) {
      warn(`${text} is public: members will not reach its owners on the internet.`);
    }
  }
};

/** A new network's book. */
const newBook = (name: string, cidrs: readonly Cidr[]): Book => {
  const keys = { seed: randomBytes(32), secret: randomBytes(32) };
  const book = foundNetwork({ name, cidrs, ...keys, issuedS: unixS() });
  if (!book.ok) throw new EngineError("USAGE", { reason: `${book.why}.` });
  return book.value;
};

const create = async (options: Options): Promise<void> => {
  const { name, cidr: cidrs, out = name } = options;
  const [authority, networkFile] = [`${out}.authority`, `${out}.network`];
  checkRanges(cidrs);
  refuseExisting([authority, networkFile]);
  const source = { file: options.passphraseFile, option: "passphrase-file", of: authority };
  const key = options.passphrase ? keyForPassphrase(await askNewPassphrase(source)) : null;
  const book = newBook(name, cidrs);
  const { definition } = book;
  const networkId = formatNetworkId(definition.networkId);
  const ranges = definition.cidrs.map(formatCidr);
  const comments = [`the network ${name}, ${ranges.join(" and ")}, id ${networkId}: public`];
  try {
    writeNewFiles([
      { file: authority, text: authorityText(book, key), mode: 0o600 },
      newFileOf("network", networkFile, definition.bytes, comments),
    ]);
  } finally {
    wipe(book);
    key?.key.fill(0);
  }
  if (options.json) {
    printJson({ name, networkId, cidrs: ranges, authority, networkFile, sealed: key !== null });
    return;
  }
  const sealed = key === null ? "not sealed" : "sealed with your passphrase";
  printText(
    formatTable([
      ["network:", `${name}, ${ranges.join(" and ")}`],
      ["network id:", networkId],
      ["authority:", `${authority}, secret, ${sealed}: keep it offline, and a backup elsewhere`],
      ["network file:", `${networkFile}, public: for every member`],
    ]),
  );
};

/** Describes `network create`. */
export const defineCreate = (network: Command): void => {
  const command = network
    .command("create")
    .description("make an authority and the public file of its network")
    .requiredOption("--name <NAME>", "what the network is called", nameOption)
    .requiredOption(
      "--cidr <PREFIX>",
      "range of its addresses; may be given several times",
      prefixesOption,
    )
    .option("-o, --out <FILE>", "write FILE.authority and FILE.network (default: the name)")
    .option("--no-passphrase", "do not seal the authority with a passphrase");
  addPassphraseOption(command);
  addJsonOption(command).action(create);
  addExamples(command, [
    "p2pvpn-engine network create --name lab --cidr 10.66.0.0/16 --out lab",
    "p2pvpn-engine network create --name lab --cidr 10.66.0.0/16 --cidr fd00:66::/48",
    "pass show lab | p2pvpn-engine network create --name lab --cidr 10.66.0.0/16 \\",
    "    --passphrase-file -",
  ]);
};
