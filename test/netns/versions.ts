/**
 * versions — the wireguard-go programs that tests meet, by package version and path.
 *
 * Debian 12's is in the PATH; that of bookworm-backports lies where `.ci/wireguard-go` puts it.
 * P2PVPN_WIREGUARD_GO names one more. P2PVPN_MATRIX=full asks for every combination; without it, a
 * chosen part runs.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Wireguard {
  /** For names of tests: the package's version. */
  readonly name: string;
  /** The version that it prints, which for backports' is another one. */
  readonly printed: string;
  readonly binary: string;
  /** Why it is not there, or false. */
  readonly skip: string | false;
}

/** Every combination, not the chosen ones alone. */
export const FULL = process.env.P2PVPN_MATRIX === "full";

/** All rows where every combination was asked for, else the chosen ones. */
export const rowsOf = <Row>(
  all: readonly Row[],
  isChosen: (row: Row) => boolean,
): readonly Row[] => (FULL ? all : all.filter(isChosen));

/** Root of the checkout: where build/ lies, seen from dist/test/netns as from test/netns. */
const rootOf = (folder: string): string =>
  existsSync(join(folder, "package.json")) || dirname(folder) === folder
    ? folder
    : rootOf(dirname(folder));

const BACKPORTS = join(rootOf(dirname(fileURLToPath(import.meta.url))), "build/wireguard-go");

/** First line that the program prints about itself, without its name. */
const printedBy = (binary: string): string | null => {
  const { stdout, error } = spawnSync(binary, ["--version"], { encoding: "utf8" });
  return error === undefined
    ? (stdout.split("\n")[0]?.replace(/^wireguard-go v?/, "") ?? "")
    : null;
};

const found = (name: string, binary: string, missing: string): Wireguard => {
  const printed = printedBy(binary);
  return { name, binary, printed: printed ?? "", skip: printed === null ? missing : false };
};

const debians = (): Wireguard => {
  const binary = "wireguard-go";
  const missing = "wireguard-go not installed; run `apt-get install wireguard-go`.";
  return found(`wireguard-go ${printedBy(binary) ?? "in the PATH"}`, binary, missing);
};

const backports = (): Wireguard[] => {
  const versions = existsSync(BACKPORTS) ? readdirSync(BACKPORTS).sort() : [];
  const missing = "bookworm-backports' wireguard-go is not in build/; run `.ci/wireguard-go`.";
  if (versions.length === 0) {
    const name = "wireguard-go of bookworm-backports";
    return [{ name, binary: "", printed: "", skip: missing }];
  }
  return versions.map((version) =>
    found(`wireguard-go ${version}`, join(BACKPORTS, version, "wireguard-go"), missing),
  );
};

const named = (binary: string): Wireguard =>
  found(`wireguard-go at ${binary}`, binary, `${binary} does not run.`);

const extra = process.env.P2PVPN_WIREGUARD_GO ?? "";

export const WIREGUARDS: readonly Wireguard[] = [
  debians(),
  ...backports(),
  ...(extra === "" ? [] : [named(extra)]),
];

/** All of them where every combination was asked for, else one; tests take them in turn. */
export const inTurn = (turn: number): readonly Wireguard[] =>
  FULL ? WIREGUARDS : [WIREGUARDS[turn % WIREGUARDS.length]!];

for (const { name, binary, printed, skip } of WIREGUARDS) {
  process.stdout.write(`${name}: ${skip === false ? `${binary}, prints ${printed}` : skip}\n`);
}
