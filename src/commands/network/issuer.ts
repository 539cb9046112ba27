/**
 * issuer — `network issuer`: lets a member renew others, and take in new ones, for a while.
 */
import type { Command } from "commander";
import { CERTIFICATE_FLAG } from "../../members/certificate.ts";
import { authorityDesk, knownTo } from "../../members/issue.ts";
import {
  decodeIssuer,
  encodeIssuer,
  ISSUER_BYTES_MAX,
  ISSUER_FLAG,
  ISSUER_GROUPS_MAX,
  ISSUER_PREFIXES_MAX,
  type Issuer,
} from "../../members/issuer.ts";
import { sealSecret } from "../../members/secret.ts";
import { EngineError } from "../../schema/errors.ts";
import { writeNewFile } from "../../schema/new-file.ts";
import type { Cidr } from "../../wire/cidr.ts";
import { formatTable, printJson, printText } from "../print.ts";
import { addExamples, addJsonOption } from "../shared.ts";
import {
  type Authority,
  type AuthorityOptions,
  addAuthorityOptions,
  withAuthority,
} from "./authority.ts";
import { refuseExisting } from "./files.ts";
import { issuerText } from "./issuer-file.ts";
import {
  addFlagOptions,
  DAY_S,
  daysOption,
  type FlagOptions,
  groupsOption,
  nameOption,
  prefixesOption,
} from "./options.ts";
import { issuerRows, issuerValue } from "./texts.ts";

interface Options extends AuthorityOptions, FlagOptions {
  readonly name: string;
  readonly prefix?: readonly Cidr[];
  readonly group?: readonly string[];
  readonly days: number;
  readonly lifeDays: number;
  readonly out?: string;
  readonly json?: boolean;
}

/** Tuning: what it signs ends when it ends, so it lives twice as long as that. */
const DAYS = 180;
const LIFE_DAYS = 90;

const refuse = (name: string, reason: string): EngineError =>
  new EngineError("NOT_SIGNED", { name: `The issuer ${name}`, reason });

/** Signs one. Errors: EngineError NOT_SIGNED. */
const issuerFor = (nodeKey: Uint8Array, open: Authority, options: Options): Issuer => {
  const { book, nowS } = open;
  const { definition } = book;
  const { name, prefix, group = [], days, lifeDays } = options;
  const prefixes = prefix ?? definition.cidrs.slice(0, ISSUER_PREFIXES_MAX);
  if (prefixes.length > ISSUER_PREFIXES_MAX) {
    throw refuse(name, `it may have ${ISSUER_PREFIXES_MAX} prefixes at most; give fewer --prefix`);
  }
  if (group.length > ISSUER_GROUPS_MAX) {
    throw refuse(name, `it may have ${ISSUER_GROUPS_MAX} groups at most; give fewer --group`);
  }
  const desk = authorityDesk(book, nowS);
  const { signer, secretKey } = desk;
  const words = Object.entries(CERTIFICATE_FLAG).filter(
    ([word]) => word !== "enrol" && options[word as keyof FlagOptions],
  );
  const fields = {
    flags: ISSUER_FLAG.renew | (options.enrol ? ISSUER_FLAG.enrol : 0),
    serial: book.serial,
    nodeKey,
    notBeforeS: nowS,
    notAfterS: nowS + days * DAY_S,
    lifeS: lifeDays * DAY_S,
    givesFlags: words.reduce((sum, [, bit]) => sum | bit, 0),
    prefixes,
    groups: [...new Set(group)],
    authority: signer.by === "authority" ? signer.authority : 0,
  };
  try {
    const decoded = decodeIssuer(encodeIssuer(fields, definition.networkId, secretKey));
    if (decoded.ok) return decoded.value;
    throw refuse(name, `${decoded.why}; give each --prefix and --group once`);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const longest = group.length > 0 ? "--group" : "--prefix";
    throw refuse(name, `it would be longer than ${ISSUER_BYTES_MAX} bytes; give fewer ${longest}`);
  } finally {
    secretKey.fill(0);
  }
};

const issuer = async (options: Options): Promise<void> => {
  const { authority, name, out = `${name}.issuer`, json } = options;
  await withAuthority(options, (open) => {
    const { book, nowS, save } = open;
    refuseExisting([out]);
    const members = knownTo(book, nowS);
    const member = members.called(name);
    if (member === null) throw new EngineError("MEMBER_UNKNOWN", { name, file: authority });
    if (!members.isLiving(member)) {
      throw refuse(name, `${name} is no member any more; sign a request of it first`);
    }
    const signed = issuerFor(member.nodeKey, open, options);
    const { definition, list, secrets } = book;
    const sealed = sealSecret(secrets.at(-1)!.secret, member.handshakeKey);
    if (sealed === null) throw refuse(name, "its handshake key is nobody's");
    const living = book.issuers.filter((one) => one.notAfterS >= nowS);
    save({ ...book, serial: book.serial + 1, issuers: [...living, signed] });
    const text = issuerText({ issuer: signed, sealed, definition, list, known: members.living });
    writeNewFile(out, text, 0o600);
    if (json) printJson({ network: definition.name, name, ...issuerValue(signed), file: out });
    else printText(formatTable([["name:", name], ...issuerRows(signed), ["file:", out]]));
  });
};

/** Describes `network issuer`. */
export const defineIssuer = (network: Command): void => {
  const command = network
    .command("issuer")
    .description("let a member renew others, and take in new ones, for a while");
  addAuthorityOptions(command)
    .requiredOption("--name <NAME>", "the member", nameOption)
    .option("--enrol", "it may take in new members too")
    .option(
      "--prefix <PREFIX>",
      "it may give addresses and routes of this; several times for more (default: the network's)",
      prefixesOption,
    )
    .option("--group <GROUP>", "it may give this group; several times for more", groupsOption);
  addFlagOptions(command, "it may let others")
    .option("--days <DAYS>", `how long it may (default: ${DAYS})`, daysOption, DAYS)
    .option(
      "--life-days <DAYS>",
      `how long what it signs counts at most (default: ${LIFE_DAYS})`,
      daysOption,
      LIFE_DAYS,
    )
    .option("-o, --out <FILE>", "write it to a new file (default: NAME.issuer)");
  addJsonOption(command).action(issuer);
  addExamples(command, [
    "p2pvpn-engine network issuer --authority lab.authority --name office --enrol",
    "p2pvpn-engine network issuer --authority lab.authority --name office --group ops --relay \\",
    "    --prefix 10.66.4.0/22 --days 60 --life-days 30",
  ]);
};
