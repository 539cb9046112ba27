/**
 * setup — everything that `npm run demo` and `npm test` need on a clean clone: packages, addon,
 * TypeScript. Quick when nothing changed. Every failure is one sentence.
 */
import { spawn, spawnSync } from "node:child_process";
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

/** Tuning: who asks for a package's name alone waits this long, twice. */
const REACH_MS = 10_000;
/** Tuning: a sign of life this often. */
const ALIVE_MS = 10_000;

/** Runs npm; says every ten seconds that it still does. */
const npm = (words, doing) =>
  new Promise((resolve) => {
    const startedMs = Date.now();
    const child = spawn("npm", words, { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
    const alive = setInterval(() => {
      const seconds = Math.round((Date.now() - startedMs) / 1_000);
      process.stdout.write(`setup: still ${doing}, ${seconds} seconds\n`);
    }, ALIVE_MS);
    let errors = "";
    child.stderr.on("data", (text) => {
      errors = (errors + text).slice(-65_536);
    });
    child.once("error", () => fail("npm was not found; install it with Node."));
    child.once("close", (status) => {
      clearInterval(alive);
      resolve({ status, errors });
    });
  });

/** The line in which npm says why; undefined: it did not. */
const reason = (errors) => errors.split("\n").find((line) => /^npm error (?!code)/.test(line));

/** npm itself tries for minutes, so ask for one name first. Without a network, its cache may do. */
const reachable = async () => {
  const patience = [`--fetch-timeout=${REACH_MS}`, "--fetch-retries=1"];
  const pauses = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=1000"];
  const words = ["view", "node-api-headers", "version", "--prefer-online", ...patience, ...pauses];
  return (await npm(words, "asking npm's registry")).status === 0;
};

if (installed !== lock) {
  process.stdout.write("setup: asking npm's registry\n");
  const online = await reachable();
  process.stdout.write(`setup: installing packages${online ? "" : " from npm's cache"}\n`);
  // Not `npm ci`: it fails when a registry lacks an optional build for some other platform.
  const flags = ["--no-save", "--no-fund", "--no-audit", "--loglevel=error"];
  if (!online) flags.push("--offline");
  const { status, errors } = await npm(["install", ...flags], "installing packages");
  if (status !== 0 && !online) {
    fail(
      "npm's registry does not answer, and its cache lacks packages; connect this host, " +
        "or tell npm of a proxy with `npm config set proxy URL`, and run this again.",
    );
  }
  if (status !== 0) {
    fail(`npm could not install the packages (${reason(errors) ?? "it did not say why"}).`);
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
  const result = spawnSync(process.execPath, [join(root, "scripts/build.mjs")], {
    stdio: "inherit",
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
