/**
 * restore — `network restore`: an old backup becomes the authority again, with what members still
 * have of what it signed since.
 */
import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { armorKind } from "../../members/armor.ts";
import { decodeMemberFile, decodeRevocationsFile } from "../../members/bundle.ts";
import { type Remains, restore } from "../../members/publication.ts";
import { EngineError } from "../../schema/errors.ts";
import { formatAmount } from "../print.ts";
import { addExamples } from "../shared.ts";
import { addAuthorityOptions } from "./authority.ts";
import { readFileOf, readText } from "./files.ts";
import { addPublishOptions, type PublishOptions, signAndPublish } from "./publish.ts";

interface Options extends PublishOptions {
  readonly from: readonly string[];
}

/** What one file still has. Errors: EngineError of files.ts. */
const remainsOf = (file: string): Remains => {
  if (armorKind(readText(file)) === "revocations") {
    const { definition, list } = readFileOf("revocations", file, decodeRevocationsFile);
    return { definitions: [definition], lists: [list], certificates: [] };
  }
  const { definition, list, certificate } = readFileOf("certificate", file, decodeMemberFile);
  return { definitions: [definition], lists: [list], certificates: [certificate] };
};

const restoreFrom = (options: Options): Promise<void> => {
  const { authority, from } = options;
  const remains = from.map(remainsOf);
  const all: Remains = {
    definitions: remains.flatMap(({ definitions }) => definitions),
    lists: remains.flatMap(({ lists }) => lists),
    certificates: remains.flatMap(({ certificates }) => certificates),
  };
  return signAndPublish(options, ({ book, nowS }) => {
    const restored = restore(book, all, randomBytes(32), nowS);
    if (!restored.ok) {
      throw new EngineError("NOT_RESTORED", { file: authority, reason: restored.why });
    }
    const publication = restored.value;
    const { members, list } = publication.book;
    const added = members.length - book.members.length;
    const { name } = book.definition;
    return {
      publication,
      done: `${name}: ${formatAmount(added, "member")} taken in, and a new secret made`,
      value: { added, members: members.length },
      file: `${name}-${list.sequence}.revocations`,
    };
  });
};

/** Describes `network restore`. */
export const defineRestore = (network: Command): void => {
  const command = network
    .command("restore")
    .description("bring an old backup up to date with what members have, and change the secret");
  addAuthorityOptions(command).requiredOption(
    "--from <FILE...>",
    "the newest certificates and revocations that there are",
  );
  addPublishOptions(command, "NETWORK-SEQUENCE.revocations beside the authority").action(
    restoreFrom,
  );
  addExamples(command, [
    "p2pvpn-engine network restore --authority backup.authority --from *.cert *.revocations",
  ]);
};
