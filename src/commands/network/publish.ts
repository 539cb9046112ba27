/**
 * publish — `network revoke`, `rotate-secret`, `rotate-authority` and `publish`: what all members
 * are to know at once. With -i a running engine tells them; without it a file does, which any
 * member's engine takes in by `network publish`.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { ask, chooseEngine } from "../../client.ts";
import { armor, unarmor } from "../../members/armor.ts";
import { newestSecret, wipe } from "../../members/book.ts";
import { decodeRevocationsFile, sealedFor } from "../../members/bundle.ts";
import type { Decoded } from "../../members/bytes.ts";
import { type Definition, decodeDefinition, successorProblem } from "../../members/definition.ts";
import { knownTo } from "../../members/issue.ts";
import {
  type Publication,
  revoke,
  rotateAuthority,
  rotateSecret,
} from "../../members/publication.ts";
import type { RevocationList } from "../../members/revocation-list.ts";
import { formatNodeId } from "../../members/sign.ts";
import { replaceFile } from "../../schema/atomic-file.ts";
import { EngineError } from "../../schema/errors.ts";
import { parseWireguardKey } from "../../schema/identity.ts";
import type { PublishValue, ToldMember } from "../../schema/publish.ts";
import { formatCidr } from "../../wire/cidr.ts";
import { type EngineOptions, formatAmount, printJson, printText } from "../print.ts";
import { addExamples, addInterfaceOption, addJsonOption, interfaceName } from "../shared.ts";
import {
  type Authority,
  type AuthorityOptions,
  addAuthorityOptions,
  withAuthority,
} from "./authority.ts";
import { besides, PUBLIC_MODE, readFileOf, refuseExisting, stemOf, writeFileOf } from "./files.ts";
import { DAY_S, daysOption, nameOption, nodeOption } from "./options.ts";

export interface PublishOptions extends AuthorityOptions, EngineOptions {
  readonly out?: string;
}

/** Members that a line names. */
const NAMES_TOLD = 20;

const calledMember = ({ name, nodeId }: ToldMember): string => name ?? nodeId;

const told = (members: readonly ToldMember[], count: number): string => {
  const names = members.slice(0, NAMES_TOLD).map(calledMember).join(", ");
  return count > NAMES_TOLD ? `${names} and ${count - NAMES_TOLD} more` : names;
};

/** Who knows it, for people. */
const formatTold = (value: PublishValue): string => {
  const { acknowledged, waiting, acknowledgedCount, waitingCount } = value;
  const known = acknowledgedCount === 0 ? "" : `: ${told(acknowledged, acknowledgedCount)}`;
  const rest =
    waitingCount === 0
      ? ""
      : `\nnot yet told: ${told(waiting, waitingCount)}; they are told when they are reached`;
  return `${formatAmount(acknowledgedCount, "member")} acknowledged${known}${rest}`;
};

/** What was signed, beside what became of it. */
export interface Signed {
  readonly publication: Publication;
  /** "laptop is revoked". */
  readonly done: string;
  /** For programs. */
  readonly value: Readonly<Record<string, unknown>>;
  /** Name of the file when there is no --out. */
  readonly file: string;
  /** What else follows when the authority knows it. */
  readonly saved?: () => void;
}

const sequenceOf = (list: RevocationList, definition: Definition) => ({
  network: definition.name,
  sequence: list.sequence,
  epoch: list.epoch,
});

/** Has the engine tell all members. Errors: as `ask`. */
const publishTo = async (name: string, { book }: Publication): Promise<PublishValue> => {
  const { definition, list } = book;
  const secret = Uint8Array.from(newestSecret(book));
  const signed = { definition: definition.bytes, list: list.bytes };
  try {
    return await ask(name, { type: "network.publish", ...signed, secret, sealed: null });
  } finally {
    secret.fill(0);
  }
};

const writePublication = (file: string, { book, file: bytes }: Publication): void => {
  const { definition, list } = book;
  const what = `${definition.name}: revocations ${list.sequence}, ${list.count} in all`;
  writeFileOf("revocations", file, bytes, [what]);
};

/**
 * Signs with an authority, then publishes, or writes the file.
 *
 * Errors: EngineError of the authority; NOT_PUBLISHED, when it is signed and in a file.
 */
export const signAndPublish = async (
  options: PublishOptions,
  act: (authority: Authority) => Signed,
): Promise<void> => {
  const { json, out } = options;
  // An engine that does not run is found out before anything is signed.
  const engine = options.interface === undefined ? null : await chooseEngine(options.interface);
  if (engine !== null) await ask(engine, { type: "status.get" });
  const tell = async ({ publication, done, value }: Signed, target: string): Promise<void> => {
    const { definition, list } = publication.book;
    const common = { ...value, ...sequenceOf(list, definition) };
    if (engine === null) {
      writePublication(target, publication);
      if (json) printJson({ ...common, file: target, published: null });
      else printText(`${done}; publish it: p2pvpn-engine network publish ${target}`);
      return;
    }
    let answer: PublishValue;
    try {
      answer = await publishTo(engine, publication);
    } catch (cause) {
      writePublication(target, publication);
      const reason = (cause as Error).message.replace(/\.$/, "");
      throw new EngineError("NOT_PUBLISHED", { reason, file: target, cause });
    }
    if (out !== undefined) writePublication(target, publication);
    if (json)
      printJson({ ...common, file: out ?? null, published: { interface: engine, ...answer } });
    else printText(`${done}; ${formatTold(answer)}`);
  };
  await withAuthority(options, async (authority) => {
    const signed = act(authority);
    const target = out ?? besides(options.authority, signed.file);
    try {
      refuseExisting([target]);
      authority.save(signed.publication.book);
      // It is so from now on: whatever else fails, members are told.
      try {
        signed.saved?.();
      } finally {
        await tell(signed, target);
      }
    } finally {
      wipe(signed.publication.book);
    }
  });
};

const must = <Value>(name: string, decoded: Decoded<Value>): Value => {
  if (decoded.ok) return decoded.value;
  throw new EngineError("NOT_SIGNED", { name, reason: decoded.why });
};

interface RevokeOptions extends PublishOptions {
  readonly name?: string;
  readonly node?: Uint8Array;
}

const revoking =
  (options: RevokeOptions) =>
  (authority: Authority): Signed => {
    const { book, nowS } = authority;
    const { name: asked, node } = options;
    const called =
      node === undefined
        ? knownTo(book, nowS).called(asked!)
        : (book.members.find(({ certificate }) => Buffer.compare(certificate.nodeKey, node) === 0)
            ?.certificate ?? null);
    const nodeKey = node ?? called?.nodeKey;
    if (nodeKey === undefined) {
      throw new EngineError("MEMBER_UNKNOWN", { name: asked, file: options.authority });
    }
    // A node that only an issuer ever signed for has no name here.
    const name = called?.name ?? "unknown";
    const made = must(name, revoke(book, [{ nodeKey, name }], randomBytes(32), nowS));
    const nodeId = formatNodeId(nodeKey);
    return {
      publication: made,
      done: `${called?.name ?? nodeId} is revoked`,
      value: { revoked: [{ name: called?.name ?? null, nodeId }] },
      file: `${called?.name ?? "node"}.revocations`,
    };
  };

const revokeMember = async (options: RevokeOptions): Promise<void> => {
  if ((options.name === undefined) === (options.node === undefined)) {
    throw new EngineError("USAGE", { reason: "say who is revoked: --name NAME, or --node ID." });
  }
  await signAndPublish(options, revoking(options));
};

const rotateSecretOf = (options: PublishOptions): Promise<void> =>
  signAndPublish(options, ({ book, nowS }) => {
    const publication = rotateSecret(book, randomBytes(32), nowS);
    const { sequence } = publication.book.list;
    return {
      publication,
      done: `${book.definition.name} has a new secret`,
      value: {},
      file: `${stemOf(options.authority)}-${sequence}.revocations`,
    };
  });

interface RotateOptions extends PublishOptions {
  readonly untilDays?: number;
}

/**
 * The public file takes the new key: it is replaced when it is this network's and older.
 * Errors: EngineError FILE_EXISTS, FILE_UNWRITABLE.
 */
const checkNetworkFile = (file: string, next: Definition): void => {
  if (!existsSync(file)) return;
  const bytes = unarmor("network", readFileSync(file, "latin1"));
  const held = bytes.ok ? decodeDefinition(bytes.value) : bytes;
  if (!held.ok || successorProblem(held.value, next) !== null) {
    throw new EngineError("FILE_EXISTS", { file });
  }
};

const replaceNetworkFile = (file: string, { bytes, name, cidrs }: Definition): void => {
  const comments = [`the network ${name}, ${cidrs.map(formatCidr).join(" and ")}: public`];
  if (existsSync(file)) replaceFile(file, armor("network", bytes, comments), PUBLIC_MODE);
  else writeFileOf("network", file, bytes, comments);
};

const rotateAuthorityOf = async (options: RotateOptions): Promise<void> => {
  const networkFile = join(dirname(options.authority), `${stemOf(options.authority)}.network`);
  await signAndPublish(options, ({ book, nowS }) => {
    const { untilDays } = options;
    const untilS = untilDays === undefined ? Number.POSITIVE_INFINITY : nowS + untilDays * DAY_S;
    const { name } = book.definition;
    const step = { seed: randomBytes(32), nowS, untilS };
    const publication = must(name, rotateAuthority(book, step));
    const { definition, list } = publication.book;
    checkNetworkFile(networkFile, definition);
    return {
      publication,
      done:
        `${name} has a new authority key, number ${definition.authorities.length}` +
        (untilDays === undefined ? "" : "; renew all members before the former one's end"),
      value: { authorityKeys: definition.authorities.length, networkFile },
      file: `${stemOf(options.authority)}-${list.sequence}.revocations`,
      saved: () => replaceNetworkFile(networkFile, definition),
    };
  });
};

const publish = async (file: string, options: EngineOptions): Promise<void> => {
  const revocations = readFileOf("revocations", file, decodeRevocationsFile);
  const { definition, list } = revocations;
  const name = await chooseEngine(options.interface);
  const { wireguardPublicKey } = await ask(name, { type: "status.get" });
  const sealed = sealedFor(revocations, parseWireguardKey(wireguardPublicKey)!);
  if (sealed === null) {
    const reason = `it holds no secret for ${name}; publish it at a member that is not revoked`;
    throw new EngineError("FILE_DAMAGED", { file, reason });
  }
  const answer = await ask(name, {
    type: "network.publish",
    definition: definition.bytes,
    list: list.bytes,
    secret: null,
    sealed: Uint8Array.from(sealed),
  });
  const common = { file, ...sequenceOf(list, definition) };
  if (options.json) printJson({ ...common, published: { interface: name, ...answer } });
  else printText(`revocations ${list.sequence} of ${definition.name}; ${formatTold(answer)}`);
};

/** `-i`, `--out`, `--json`. */
export const addPublishOptions = (command: Command, fallback: string): Command =>
  addJsonOption(
    command
      .option("-i, --interface <IFACE>", "have this running engine tell all members", interfaceName)
      .option("-o, --out <FILE>", `write the file to publish elsewhere (default: ${fallback})`),
  );

/** Describes `network revoke`, `publish`, `rotate-secret`, `rotate-authority`. */
export const definePublish = (network: Command): void => {
  const revoking = network
    .command("revoke")
    .description("make void what was certified for a member, and change the network's secret");
  addAuthorityOptions(revoking)
    .option("--name <NAME>", "the member", nameOption)
    .option("--node <ID>", "a node by its id, also one that an issuer took in", nodeOption);
  addPublishOptions(revoking, "NAME.revocations beside the authority").action(revokeMember);
  addExamples(revoking, [
    "p2pvpn-engine network revoke --authority lab.authority --name laptop -i p2p0",
    "p2pvpn-engine network revoke --authority lab.authority --name laptop",
  ]);
  const publishing = network
    .command("publish")
    .description("have a running engine tell all members what a file of revocations says")
    .argument("<FILE>", "from `network revoke`, `rotate-secret` or `rotate-authority`");
  addJsonOption(addInterfaceOption(publishing)).action(publish);
  addExamples(publishing, ["p2pvpn-engine network publish laptop.revocations -i p2p0"]);
  const secret = network.command("rotate-secret").description("change the network's secret");
  addAuthorityOptions(secret);
  addPublishOptions(secret, "NETWORK-SEQUENCE.revocations beside the authority").action(
    rotateSecretOf,
  );
  addExamples(secret, ["p2pvpn-engine network rotate-secret --authority lab.authority -i p2p0"]);
  const authority = network
    .command("rotate-authority")
    .description("give the authority a new key, which the former one signs");
  addAuthorityOptions(authority).option(
    "--until-days <DAYS>",
    "what the former key signed counts for so long at most (default: to its own end)",
    daysOption,
  );
  addPublishOptions(authority, "NETWORK-SEQUENCE.revocations beside the authority").action(
    rotateAuthorityOf,
  );
  addExamples(authority, [
    "p2pvpn-engine network rotate-authority --authority lab.authority -i p2p0",
    "p2pvpn-engine network rotate-authority --authority lab.authority --until-days 14",
  ]);
};
