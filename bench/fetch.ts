/**
 * fetch — wireguard-go from Debian's backports, without a change to the system.
 *
 * A private apt configuration names the mirror that the machine's own sources name for Debian, with
 * the backports suite beside it. apt verifies the archive's signature; nothing is installed.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../src/demo/tools.ts";
import { LabError } from "../test/lab/lab.ts";

/** The first release that batches: GSO, GRO and TUN offloads. */
export const WIREGUARD_GO_VERSION = "0.0.20231211";
const SUITE = "bookworm-backports";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const HINT = "name the program with --wireguard-go PATH";

const succeed = async (words: readonly string[]): Promise<string> => {
  const { code, output, errors } = await runTool(words);
  if (code === 0) return output;
  const why = errors.trim().split("\n").at(-1) || `exit code ${code}`;
  throw new LabError(`wireguard-go cannot be fetched (${words[0]}: ${why}); ${HINT}.`);
};

/** The mirror that the machine gets Debian 12 from. */
const mirror = async (): Promise<string> => {
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
  const lines = await succeed(["apt-get", "indextargets", "--format", format]);
  const rows = lines.split("\n").map((line) => line.split(" "));
  const row = rows.find(([, suite, part]) => suite === "bookworm" && part === "main");
  if (row === undefined) throw new LabError(`apt has no source of Debian 12 here; ${HINT}.`);
  return row[0]!;
};

/** Downloads it into a folder; returns the program's path. Errors: LabError. */
export const fetchWireguardGo = async (folder: string): Promise<string> => {
  const at = (...parts: string[]): string => join(folder, "apt", ...parts);
  for (const name of ["parts", "lists/partial", "cache/archives/partial"]) {
    mkdirSync(at(name), { recursive: true });
  }
  const source = `deb [signed-by=${KEYRING}] ${await mirror()} ${SUITE} main`;
  writeFileSync(at("sources.list"), `${source}\n`);
  const options = [
    `Dir::Etc::sourcelist=${at("sources.list")}`,
    `Dir::Etc::sourceparts=${at("parts")}`,
    `Dir::State::lists=${at("lists")}`,
    `Dir::Cache=${at("cache")}`,
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
  ].flatMap((option) => ["-o", option]);
  await succeed(["apt-get", "-qq", ...options, "update"]);
  // apt-get downloads into the working folder.
  const download = 'cd "$1" && shift && apt-get -qq "$@"';
  const wanted = `wireguard-go/${SUITE}`;
  await succeed(["sh", "-c", download, "sh", at(), ...options, "download", wanted]);
  const deb = readdirSync(at()).find((name) => name.endsWith(".deb"));
  if (deb === undefined) throw new LabError(`apt-get download left no package; ${HINT}.`);
  await succeed(["dpkg", "-x", at(deb), at("root")]);
  return at("root/usr/bin/wireguard-go");
};
