/**
 * backup — `network backup`: the authority once more, under a passphrase of its own, and opened
 * again to see that it can be.
 */
import type { Command } from "commander";
import { wipe } from "../../members/book.ts";
import { formatNetworkId } from "../../members/sign.ts";
import { writeNewFile } from "../../schema/new-file.ts";
import { printJson, printText } from "../print.ts";
import { addExamples, addJsonOption } from "../shared.ts";
import {
  type AuthorityOptions,
  addAuthorityOptions,
  authorityText,
  keyForPassphrase,
  openText,
  withAuthority,
} from "./authority.ts";
import { readText, refuseExisting } from "./files.ts";
import { askNewPassphrase } from "./passphrase.ts";

interface Options extends AuthorityOptions {
  readonly out: string;
  /** False: --no-passphrase. */
  readonly passphrase: boolean;
  readonly newPassphraseFile?: string;
  readonly json?: boolean;
}

/** Opens what was written. Borrows: `passphrase`. Errors: as `openText`. */
const verifyBackup = (file: string, passphrase: Buffer | null): void => {
  const { book, key } = openText(file, readText(file, true), passphrase);
  wipe(book);
  key?.key.fill(0);
};

const backup = async (options: Options): Promise<void> => {
  const { out, newPassphraseFile, json } = options;
  refuseExisting([out]);
  await withAuthority(options, async ({ book }) => {
    const source = { file: newPassphraseFile, option: "new-passphrase-file", of: out };
    const passphrase = options.passphrase ? await askNewPassphrase(source) : null;
    try {
      const key = passphrase === null ? null : keyForPassphrase(Buffer.from(passphrase));
      writeNewFile(out, authorityText(book, key), 0o600);
      key?.key.fill(0);
      verifyBackup(out, passphrase);
    } finally {
      passphrase?.fill(0);
    }
    const { name, networkId } = book.definition;
    const members = book.members.length;
    if (json) {
      const sealed = passphrase !== null;
      printJson({
        network: name,
        networkId: formatNetworkId(networkId),
        file: out,
        sealed,
        members,
      });
    } else printText(`${out}: the authority of ${name} as it is now; it was opened again`);
  });
};

/** Describes `network backup`. */
export const defineBackup = (network: Command): void => {
  const command = network
    .command("backup")
    .description("write the authority once more, under another passphrase, and open it again");
  addAuthorityOptions(command)
    .requiredOption("-o, --out <FILE>", "write it to a new file")
    .option("--new-passphrase-file <FILE>", "take the backup's passphrase from a file")
    .option("--no-passphrase", "do not seal the backup");
  addJsonOption(command).action(backup);
  addExamples(command, [
    "p2pvpn-engine network backup --authority lab.authority --out /media/stick/lab.authority",
  ]);
};
