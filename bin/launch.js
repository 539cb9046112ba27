/**
 * launch — whether a program can run here at all, in one sentence where it cannot; then runs it.
 *
 * An installed package brings the addon for its packer's processor. Where that one does not load
 * (another processor, an older C library), the addon is compiled once, at the first start.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const built = new URL("../build/addon.node", import.meta.url);
const prebuilt = new URL(`../prebuilt/addon-${process.arch}.node`, import.meta.url);

/** Commands that run wherever node does. */
const WITHOUT_ADDON = ["index"];

/** Does the prebuilt addon load? */
const loads = () => {
  try {
    createRequire(import.meta.url)(fileURLToPath(prebuilt));
    return true;
  } catch {
    return false;
  }
};

/**
 * Null: there is an addon; else one clause that says what to do.
 *
 * @param {string} program
 * @returns {Promise<string | null>}
 */
const addonProblem = async (program) => {
  if (existsSync(built) || loads()) return null;
  const { buildAddon } = await import("../scripts/addon.mjs");
  return buildAddon({
    say: (clause) => process.stderr.write(`${program}: ${clause}, once\n`),
  });
};

/**
 * Null: it can run; else one clause that says why not and what to do.
 *
 * @param {string} program
 * @param {URL} entry
 * @returns {Promise<string | null>}
 */
const problem = async (program, entry) => {
  const [word] = process.argv.slice(2).filter((one) => !one.startsWith("-"));
  if (major < 20 || (major === 20 && minor < 19)) {
    return `Node ${process.versions.node} is too old; install Node 20.19 or newer.`;
  }
  if (process.platform !== "linux") return "This runs on Linux only.";
  if (!existsSync(entry)) return "It is not built yet; run `npm run setup`.";
  return WITHOUT_ADDON.includes(word) ? null : addonProblem(program);
};

/**
 * Runs what is built of a program in src/.
 *
 * @param {string} program  its name, in front of each sentence
 * @param {URL} entry       its built file
 */
export const launch = async (program, entry) => {
  const why = await problem(program, entry);
  if (why === null) await import(entry.href);
  else {
    process.stderr.write(`${program}: ${why}\n`);
    process.exitCode = 1;
  }
};
