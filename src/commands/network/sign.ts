/**
 * sign — `network sign`: certificates for requests, and new ones for members that have one.
 *
 * All checks come first; then the authority (or the issuer) keeps what it signed, and last the
 * files are written.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { decodeMemberFile } from "../../members/bundle.ts";
import {
  CERTIFICATE_FLAG,
  type Certificate,
  certificateProblem,
} from "../../members/certificate.ts";
import type { Definition } from "../../members/definition.ts";
import { isMemberName } from "../../members/fields.ts";
import { byName, formatDay, freeAddress, isInside, rangesOf } from "../../members/grant.ts";
import {
  authorityDesk,
  type CertificateWish,
  certify,
  type Desk,
  type IssuedCertificate,
  withCertificates,
} from "../../members/issue.ts";
import { ISSUER_FLAG } from "../../members/issuer.ts";
import { decodeRequest } from "../../members/request.ts";
import { makeFolder } from "../../schema/atomic-file.ts";
import { EngineError } from "../../schema/errors.ts";
import { errnoText } from "../../schema/new-file.ts";
import { type Cidr, formatAddress, formatCidr } from "../../wire/cidr.ts";
import { printJson, printText } from "../print.ts";
import { addExamples, addJsonOption, warn } from "../shared.ts";
import { type Authority, addPassphraseOption, withAuthority } from "./authority.ts";
import { readFileOf, refuseExisting, writeFileOf } from "./files.ts";
import { type OpenIssuer, withIssuer } from "./issuer-file.ts";
import {
  addFlagOptions,
  addressesOption,
  DAY_S,
  daysOption,
  type FlagOptions,
  groupsOption,
  nameOption,
  prefixesOption,
} from "./options.ts";
import { certificateLine, certificateValue, flagWords } from "./texts.ts";

interface Options extends FlagOptions {
  readonly authority?: string;
  readonly passphraseFile?: string;
  readonly issuer?: string;
  readonly key?: string;
  readonly revocations?: string;
  readonly request?: string;
  readonly renew?: readonly string[];
  readonly name?: string;
  readonly ip?: readonly Uint8Array[];
  readonly route?: readonly Cidr[];
  readonly group?: readonly string[];
  readonly days?: number;
  readonly reinstate?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

/** Tuning: a member of a network without an issuer should not have to ask each season. */
const DAYS_ALONE = 365;
const DAYS_WITH_ISSUER = 90;

const usage = (reason: string): EngineError => new EngineError("USAGE", { reason });

/** Who signs, and for how long at most. */
interface Counter {
  readonly desk: Desk;
  /** The name of the file, for what is said. */
  readonly file: string;
  readonly days: number;
  /** Nothing that is signed may end later; Infinity for the authority. Units: seconds. */
  readonly endS: number;
  readonly nextSerial: () => number;
  /** New members may be taken in. */
  readonly mayEnrol: boolean;
  readonly keep: (certificates: readonly Certificate[]) => void;
}

const authorityCounter = ({ book, nowS, save }: Authority, file: string): Counter => {
  let { serial } = book;
  const issuers = book.issuers.some((one) => one.notAfterS >= nowS);
  return {
    desk: authorityDesk(book, nowS),
    file,
    days: issuers ? DAYS_WITH_ISSUER : DAYS_ALONE,
    endS: Number.POSITIVE_INFINITY,
    nextSerial: () => serial++,
    mayEnrol: true,
    keep: (added) => save({ ...book, serial, members: withCertificates(book, added, nowS) }),
  };
};

const issuerCounter = ({ desk, keep, file: { issuer } }: OpenIssuer, file: string): Counter => {
  // Of the authority's serials and other issuers' alike, none is so large.
  let serial = desk.known.nowS * 1_000;
  return {
    desk,
    file,
    days: Math.min(DAYS_WITH_ISSUER, Math.floor(issuer.lifeS / DAY_S)),
    endS: issuer.notAfterS,
    nextSerial: () => serial++,
    mayEnrol: (issuer.flags & ISSUER_FLAG.enrol) !== 0,
    keep,
  };
};

/** When a certificate ends: what was asked for, cut by its issuer's own end. */
const endOf = (counter: Counter, name: string, asked: number | undefined): number => {
  const { desk, days, endS } = counter;
  const wanted = desk.known.nowS + (asked ?? days) * DAY_S;
  if (wanted <= endS) return wanted;
  if (asked !== undefined) {
    const reason = `its issuer ends on ${formatDay(endS)}; give fewer --days`;
    throw new EngineError("NOT_SIGNED", { name, reason });
  }
  return endS;
};

/** Signs. Errors: EngineError NOT_SIGNED. */
const issue = (counter: Counter, wish: CertificateWish): IssuedCertificate => {
  const issued = certify(counter.desk, wish);
  if (issued.ok) return issued.value;
  throw new EngineError("NOT_SIGNED", { name: wish.name, reason: issued.why });
};

/** Errors: EngineError NOT_SIGNED. */
const nextFree = ({ desk }: Counter, name: string): readonly Uint8Array[] => {
  const [range] = rangesOf(desk.known.definition, desk.signer);
  const free = range === undefined ? null : freeAddress(desk.known, range);
  if (free !== null) return [free];
  const what = range === undefined ? "" : ` of ${formatCidr(range)}`;
  const reason = `all addresses${what} are given; give one by --ip`;
  throw new EngineError("NOT_SIGNED", { name, reason });
};

/** Each once, in their order. */
const unique = <Value>(
  values: readonly Value[] | undefined,
  text: (value: Value) => string,
): readonly Value[] | undefined =>
  values && [...new Map(values.map((value) => [text(value), value])).values()];

/** What a member had, and has no more: nobody said so. */
const warnOfLosses = (
  held: Certificate,
  { routes, groups, flags }: Pick<Certificate, "routes" | "groups" | "flags">,
): void => {
  const now = new Set([...routes.map(formatCidr), ...groups]);
  const lost = [
    ...held.routes.map(formatCidr).filter((one) => !now.has(one)),
    ...held.groups.filter((one) => !now.has(one)),
    ...flagWords(held.flags & ~flags),
  ];
  if (lost.length > 0) {
    warn(`${held.name} had ${lost.join(", ")}, and has not any more; say so again to keep it.`);
  }
};

/** The certificate for a request. */
const fromRequest = (counter: Counter, options: Options): IssuedCertificate => {
  const { known } = counter.desk;
  const {
    nodeKey,
    handshakeKey,
    name: asked,
  } = readFileOf("request", options.request!, decodeRequest);
  const name = options.name ?? asked;
  const before = known.of(nodeKey);
  if (before === null && !counter.mayEnrol) {
    const reason = "its issuer may renew, and not take in new members";
    throw new EngineError("NOT_SIGNED", { name, reason });
  }
  const held = before !== null && known.isLiving(before) ? before : null;
  const addresses = unique(options.ip, formatAddress) ?? held?.addresses ?? nextFree(counter, name);
  const routes = unique(options.route, formatCidr) ?? [];
  const groups = unique(options.group, String) ?? [];
  const flags = Object.entries(CERTIFICATE_FLAG).reduce(
    (sum, [word, bit]) => (options[word as keyof FlagOptions] ? sum | bit : sum),
    0,
  );
  return issue(counter, {
    nodeKey,
    handshakeKey,
    name,
    flags,
    addresses,
    routes,
    groups,
    serial: counter.nextSerial(),
    notAfterS: endOf(counter, name, options.days),
    reinstate: options.reinstate ?? false,
  });
};

/** A certificate of the network from a file. Errors: EngineError FILE_DAMAGED and of files.ts. */
const certificateFrom = (file: string, definition: Definition): Certificate => {
  const { certificate } = readFileOf("certificate", file, decodeMemberFile);
  const reason = certificateProblem(certificate, definition);
  if (reason === null) return certificate;
  throw new EngineError("FILE_DAMAGED", { file, reason: `in ${definition.name}, ${reason}` });
};

/** Who is to be renewed: names, or files of their certificates. Errors: MEMBER_UNKNOWN. */
const whoIsRenewed = ({ desk, file }: Counter, words: readonly string[]): Certificate[] => {
  const { known } = desk;
  if (words.includes("all")) {
    if (words.length > 1) throw usage("--renew takes all, or names.");
    if (known.living.length === 0) throw new EngineError("MEMBER_UNKNOWN", { name: "all", file });
    return [...known.living].sort(byName);
  }
  const chosen = new Map<string, Certificate>();
  for (const word of words) {
    const one = isMemberName(word) ? known.called(word) : certificateFrom(word, known.definition);
    if (one === null) throw new EngineError("MEMBER_UNKNOWN", { name: word, file });
    chosen.set(one.name, one);
  }
  return [...chosen.values()];
};

const renewedOne = (counter: Counter, one: Certificate, days: number | undefined) => {
  const { nodeKey, handshakeKey, name, flags, addresses, routes, groups, extensions } = one;
  return issue(counter, {
    nodeKey,
    handshakeKey,
    name,
    flags,
    addresses,
    routes,
    groups,
    extensions,
    serial: counter.nextSerial(),
    notAfterS: endOf(counter, name, days),
    reinstate: false,
  });
};

/** Of all, those that can be; who cannot is told, and the command fails. Of names, all or none. */
const renewed = (counter: Counter, { renew, days }: Options): IssuedCertificate[] => {
  const all = renew!.includes("all");
  const problems: EngineError[] = [];
  const issued = whoIsRenewed(counter, renew!).flatMap((one) => {
    try {
      return [renewedOne(counter, one, days)];
    } catch (error) {
      if (!all || !(error instanceof EngineError)) throw error;
      problems.push(error);
      return [];
    }
  });
  if (issued.length === 0) throw problems[0]!;
  for (const { message } of problems) warn(message);
  if (problems.length > 0) process.exitCode = 1;
  return issued;
};

/** Routes that members follow only when they say so themselves. */
const warnOfRoutes = ({ routes, name }: Certificate, definition: Definition): void => {
  const outside = routes.filter((route) => !isInside(route, definition)).map(formatCidr);
  if (outside.length === 0) return;
  const what = outside.join(", ");
  warn(`${what} of ${name} is outside the network: members follow it with accept_routes only.`);
};

const signWith = (counter: Counter, options: Options): void => {
  const { known } = counter.desk;
  const { definition } = known;
  const issued = options.renew ? renewed(counter, options) : [fromRequest(counter, options)];
  const fileOf = ({ name }: Certificate): string =>
    options.renew ? join(options.out!, `${name}.cert`) : (options.out ?? `${name}.cert`);
  const files = issued.map(({ certificate }) => fileOf(certificate));
  if (options.renew && !existsSync(options.out!)) {
    try {
      makeFolder(options.out!);
    } catch (error) {
      const reason = errnoText(error);
      throw new EngineError("FILE_UNWRITABLE", { file: options.out, reason, cause: error });
    }
  }
  refuseExisting(files);
  counter.keep(issued.map(({ certificate }) => certificate));
  for (const [i, { certificate, file }] of issued.entries()) {
    const line = certificateLine(certificate, definition);
    writeFileOf("certificate", files[i]!, file, [`${definition.name}, ${line}`]);
    if (options.renew) continue;
    warnOfRoutes(certificate, definition);
    const held = known.of(certificate.nodeKey);
    if (held !== null && known.isLiving(held)) warnOfLosses(held, certificate);
  }
  if (options.json) {
    const certificates = issued.map(({ certificate }, i) => ({
      ...certificateValue(certificate, definition),
      file: files[i],
    }));
    printJson({ network: definition.name, certificates });
    return;
  }
  const lines = issued.map(
    ({ certificate }, i) => `${certificateLine(certificate, definition)}; in ${files[i]}`,
  );
  printText(lines.join("\n"));
};

/** What goes together. Errors: EngineError USAGE. */
const checkOptions = (options: Options): void => {
  const { authority, issuer, key, request, renew, out, revocations } = options;
  if ((authority === undefined) === (issuer === undefined)) {
    throw usage("sign with --authority FILE, or with --issuer FILE --key FILE.");
  }
  if ((issuer === undefined) !== (key === undefined)) {
    throw usage("--issuer and --key, the identity of its member, go together.");
  }
  if (revocations !== undefined && issuer === undefined) {
    throw usage("--revocations is for --issuer; the authority knows its own.");
  }
  if ((request === undefined) === (renew === undefined)) {
    throw usage("say what to sign: --request FILE, or --renew NAME… or all.");
  }
  if (renew === undefined) return;
  if (out === undefined)
    throw usage("--renew writes NAME.cert into a folder; name it by --out DIR.");
  const fixed = ["name", "ip", "route", "group", "relay", "index", "exit", "enrol", "reinstate"];
  const given = fixed.find((one) => options[one as keyof Options] !== undefined);
  if (given === undefined) return;
  throw usage(
    `--renew changes nothing but the time; for another --${given} sign the request again.`,
  );
};

const sign = async (options: Options): Promise<void> => {
  checkOptions(options);
  const { authority, issuer, key, revocations, passphraseFile } = options;
  if (authority !== undefined) {
    const who = { authority, ...(passphraseFile === undefined ? {} : { passphraseFile }) };
    await withAuthority(who, (open) => {
      const counter = authorityCounter(open, authority);
      try {
        signWith(counter, options);
      } finally {
        counter.desk.secretKey.fill(0);
      }
    });
    return;
  }
  const who = { issuer: issuer!, key: key!, ...(revocations === undefined ? {} : { revocations }) };
  await withIssuer(who, (open) => signWith(issuerCounter(open, issuer!), options));
};

/** Describes `network sign`. */
export const defineSign = (network: Command): void => {
  const command = network
    .command("sign")
    .description("certify who asks to be a member, or renew members")
    .option("--authority <FILE>", "sign as the authority, from `network create`")
    .option("--issuer <FILE>", "sign as an issuer, from `network issuer`")
    .option("--key <FILE>", "identity of the issuer's member")
    .option("--revocations <FILE>", "what the issuer is to know besides, from `network revoke`")
    .option("--request <FILE>", "who asks, from `request`")
    .option("--renew <NAME...>", "members, or files of their certificates, or all")
    .option("--name <NAME>", "call it so (default: as it asks)", nameOption)
    .option(
      "--ip <ADDRESS>",
      "its address; several times for more (default: the next)",
      addressesOption,
    )
    .option(
      "--route <PREFIX>",
      "a prefix that it may announce; several times for more",
      prefixesOption,
    )
    .option("--group <GROUP>", "a group that it is in; several times for more", groupsOption);
  addFlagOptions(command, "let it")
    .option("--enrol", "let it take in new members, with an issuer certificate")
    .option("--days <DAYS>", "how long it counts (default: 365, with an issuer 90)", daysOption)
    .option("--reinstate", "take back a key that was revoked")
    .option("-o, --out <FILE>", "new file, or with --renew a folder (default: NAME.cert)");
  addPassphraseOption(command);
  addJsonOption(command).action(sign);
  addExamples(command, [
    "p2pvpn-engine network sign --authority lab.authority --request laptop.request",
    "p2pvpn-engine network sign --authority lab.authority --request office.request \\",
    "    --ip 10.66.0.2 --route 192.168.5.0/24 --group ops --relay --out office.cert",
    "p2pvpn-engine network sign --authority lab.authority --renew all --out certificates-2027",
    "p2pvpn-engine network sign --issuer office.issuer --key office.key --request new.request",
  ]);
};
