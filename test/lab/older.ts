/**
 * older — an engine of the version before this one, made of the repository's own history: what runs
 * on hosts that nobody has brought up to date yet.
 *
 *     git archive OLDER ──▶ build/older/OLDER, with our packages ──scripts/build.mjs──▶ bin, dist
 *
 * It is built once and kept. What is missing is said: a clone without history has no older engine.
 */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { LabError } from "./lab.ts";

/** The last commit of 0.5, before there were members: its packages are those of today. */
const OLDER = "e357af52b53cbd1473ceff7deb93de8189b0fc0e";
/** What runs, and what builds it. */
const PARTS = ["package.json", "tsconfig.json", "bin", "scripts", "src"];
const BUILD_MS = 240_000;

const findRoot = (): string => {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, "package-lock.json"))) return folder;
  }
  throw new LabError("No package-lock.json is above this file; run it inside a checkout.");
};

const root = findRoot();
const HOME = join(root, "build/older", OLDER.slice(0, 7));

/** Whoever owns the checkout: tests run as root. */
const git = (...words: readonly string[]): SpawnSyncReturns<string> =>
  spawnSync("git", ["-c", "safe.directory=*", "-C", root, ...words], { encoding: "utf8" });

/** Why there is none here, a sentence; false: there is one, or it can be made. */
export const cannotHaveOlder = (): string | false => {
  if (existsSync(HOME)) return false;
  const { error, status } = git("cat-file", "-e", `${OLDER}^{commit}`);
  if (error !== undefined) return "git not installed; run `apt-get install git`.";
  if (status === 0) return false;
  return git("rev-parse", "--is-shallow-repository").stdout.trim() === "true"
    ? `this clone's history ends after ${OLDER.slice(0, 7)}; run \`git fetch --unshallow\`.`
    : `no commit ${OLDER.slice(0, 7)} here, of which an older engine is made; clone it with git.`;
};

const mustRun = (what: string, words: readonly string[], cwd: string): void => {
  const [tool = "", ...rest] = words;
  const { status, stdout, stderr, error } = spawnSync(tool, rest, {
    cwd,
    encoding: "utf8",
    timeout: BUILD_MS,
  });
  if (status === 0) return;
  const why = (error?.message ?? `${stderr}${stdout}`).trim().split("\n").slice(-4).join("\n");
  throw new LabError(`The older engine could not be made: ${what}: ${why}`);
};

/** Path of the older engine's command line; made where it is not there. Errors: LabError. */
export const olderEngine = (): string => {
  const program = join(HOME, "bin/p2pvpn-engine.js");
  if (existsSync(HOME)) return program;
  const made = `${HOME}.${process.pid}`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  const tar = join(made, "older.tar");
  const archive = git("archive", "--format=tar", `--output=${tar}`, OLDER, ...PARTS);
  if (archive.status !== 0) throw new LabError(`git archive failed: ${archive.stderr.trim()}`);
  mustRun("tar", ["tar", "-xf", tar], made);
  rmSync(tar);
  symlinkSync(join(root, "node_modules"), join(made, "node_modules"));
  mustRun("build", [process.execPath, "scripts/build.mjs"], made);
  try {
    renameSync(made, HOME);
  } catch {
    // Another test made it meanwhile.
    rmSync(made, { recursive: true, force: true });
  }
  return program;
};
