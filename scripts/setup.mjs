/**
 * setup — everything that `npm run demo` and `npm test` need on a clean clone: packages, addon,
 * TypeScript. Quick when nothing changed. Every failure is one sentence.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [major, minor] = process.versions.node.split(".").map(Number);

const fail = (text) => {
  process.stderr.write(`setup: ${text}\n`);
  process.exit(1);
};

if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Node ${process.versions.node} is too old; install Node 20.19 or newer.`);
}
if (process.platform !== "linux") fail("the engine runs on Linux only.");

const lock = readFileSync(join(root, "package-lock.json"), "utf8");
const stamp = join(root, "node_modules/.setup-stamp");
const installed = existsSync(stamp) ? readFileSync(stamp, "utf8") : "";
if (installed !== lock) {
  process.stdout.write("setup: installing packages\n");
  // Not `npm ci`: it fails when a registry lacks an optional build for some other platform.
  const flags = ["install", "--no-save", "--no-fund", "--no-audit", "--loglevel=error"];
  const result = spawnSync("npm", flags, { cwd: root, encoding: "utf8" });
  if (result.error) fail("npm was not found; install it with Node.");
  if (result.status !== 0) {
    const why = result.stderr.split("\n").find((line) => /^npm error (?!code)/.test(line));
    fail(`npm could not install the packages (${why ?? "it did not say why"}).`);
  }
  writeFileSync(stamp, lock);
}

/** Newest change below a folder. */
const newest = (folder) =>
  Math.max(
    0,
    ...readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs),
  );

const built = join(root, "dist/.built");
const builtAt = existsSync(built) ? statSync(built).mtimeMs : 0;
const sources = ["src", "test", "bench", "scripts"].map(newest);
const files = ["tsconfig.json", "package.json"].map((name) => statSync(join(root, name)).mtimeMs);
if (builtAt < Math.max(...sources, ...files) || !existsSync(join(root, "build/addon.node"))) {
  process.stdout.write("setup: building\n");
  const result = spawnSync(process.execPath, [join(root, "scripts/build.mjs")], {
    stdio: "inherit",
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
  writeFileSync(built, "");
}
