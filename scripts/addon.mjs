/**
 * addon — compiles the C addon, by cc and node-api-headers alone, into build/addon.node.
 *
 * For a checkout (build.mjs), and for an installed package that has no prebuilt addon which loads
 * here (bin/launch.js).
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const nativeDir = join(root, "src/io/native");
const addon = join(root, "build/addon.node");
const FLAGS = [
  "-std=c11",
  "-O3",
  "-fPIC",
  "-shared",
  "-fvisibility=hidden",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-Wconversion",
  "-Wshadow",
  "-fstack-protector-strong",
  "-D_FORTIFY_SOURCE=2",
  "-pthread",
  // A thread of names.c may outlive the last of Node's threads that loaded the addon.
  "-Wl,-z,relro,-z,now,-z,nodelete",
];

/** Where node-api-headers lies: beside us, or above us when we are installed; null: nowhere. */
const headersFolder = () => {
  try {
    const require = createRequire(import.meta.url);
    return join(dirname(require.resolve("node-api-headers/package.json")), "include");
  } catch {
    return null;
  }
};

/** Newest change among the C files, in milliseconds. */
const newestSource = () =>
  Math.max(
    ...readdirSync(nativeDir)
      .filter((name) => /\.[ch]$/.test(name))
      .map((name) => statSync(join(nativeDir, name)).mtimeMs),
  );

/**
 * Compiles what changed. Returns null, or one clause that says what to do.
 *
 * @param {{readonly say: (clause: string) => void}} options  told when a compiler is about to run
 * @returns {string | null}
 */
export const buildAddon = ({ say }) => {
  if (existsSync(addon) && statSync(addon).mtimeMs > newestSource()) return null;
  const headers = headersFolder();
  if (headers === null) return "node-api-headers is not there; run `npm run setup`.";
  const compiler = process.env.CC ?? "cc";
  if (spawnSync(compiler, ["--version"]).error) {
    return `the C compiler ${compiler} was not found; run \`apt-get install gcc libc6-dev\`.`;
  }
  say("compiling the addon");
  const temporary = `${addon}.${process.pid}`;
  try {
    mkdirSync(dirname(addon), { recursive: true });
    const sources = readdirSync(nativeDir).filter((name) => name.endsWith(".c"));
    const words = [...FLAGS, `-I${headers}`, "-o", temporary, ...sources, "-ldl"];
    const result = spawnSync(compiler, words, { cwd: nativeDir, encoding: "utf8" });
    if (result.status !== 0) {
      rmSync(temporary, { force: true });
      return `${compiler} could not compile the addon:\n${result.stderr}`;
    }
    renameSync(temporary, addon);
    return null;
  } catch (error) {
    return `the addon cannot be written (${error.message}); run this once as the package's owner.`;
  }
};
