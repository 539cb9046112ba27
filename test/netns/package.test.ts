/**
 * package — what `npm pack` makes works where it is installed, and a clone sets itself up or says
 * why not.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, test } from "node:test";
import { cannotRun } from "../lab/lab.ts";
import { root } from "../tidy/tree.ts";

const skip = cannotRun([]);
const folder = mkdtempSync(join(tmpdir(), "p2pvpn-package-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const PREFIX = join(folder, "prefix");
const HOME = join(PREFIX, "lib/node_modules/p2pvpn-engine");
/** Packages of development alone are six times as much. */
const MEGABYTES_MAX = 45;
/** Setup without a network says so in this time. */
const SETUP_MS = 60_000;
const NODES = [process.execPath, process.env.P2PVPN_NODE24 ?? ""].filter(Boolean);

/** What a tarball holds. */
const KNOWN = [
  /^(package\.json|README\.md|LICENSE|scripts\/addon\.mjs)$/,
  /^bin\/[\w-]+\.js$/,
  /^dist\/src\/.*\.js$/,
  /^prebuilt\/addon-\w+\.node$/,
  /^src\/io\/native\/\w+(\.gen)?\.[ch]$/,
];

/** A copy of this checkout with its packages: packing builds, and other tests run what is here. */
const copyCheckout = (): string => {
  const copy = join(folder, "checkout");
  const leftOut = ["node_modules", ".git"];
  const filter = (path: string): boolean => !leftOut.includes(relative(root, path));
  cpSync(root, copy, { recursive: true, preserveTimestamps: true, filter });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
};

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

const run = (words: readonly string[], env: Record<string, string> = {}, cwd = folder) => {
  const [tool = "", ...rest] = words;
  const options = { cwd, encoding: "utf8", env: { ...process.env, ...env } } as const;
  const { status, stdout, stderr } = spawnSync(tool, rest, { ...options, timeout: 120_000 });
  return { status, output: stdout, errors: stderr };
};

const mustRun = (words: readonly string[], env: Record<string, string> = {}, cwd = folder) => {
  const { status, output, errors } = run(words, env, cwd);
  assert.equal(status, 0, `${words.join(" ")}: ${errors}`);
  return `${output}${errors}`;
};

const program = (name: string): string => join(PREFIX, "bin", name);

/** What demos leave where they should not: namespaces and folders. */
const leftByDemos = (): string[] =>
  [...run(["ip", "netns", "list"]).output.split("\n"), ...readdirSync(tmpdir())].filter((name) =>
    name.startsWith("p2pvpn-demo-"),
  );

test("a tarball holds what runs and nothing else, and installs without any script", {
  skip,
}, () => {
  const words = ["pack", "--json", "--silent", "--pack-destination", folder];
  const text = mustRun(["npm", ...words], {}, copyCheckout());
  const [packed] = JSON.parse(text.slice(text.indexOf("[\n"))) as Packed[];
  const paths = packed!.files.map(({ path }) => path);
  const strange = paths.filter((path) => !KNOWN.some((known) => known.test(path)));
  assert.deepEqual(strange, []);
  const install = [
    "install",
    "--global",
    "--prefix",
    PREFIX,
    "--ignore-scripts",
    "--prefer-offline",
  ];
  mustRun(["npm", ...install, join(folder, packed!.filename)]);
  const [kib] = mustRun(["du", "-sk", PREFIX]).split("\t");
  assert.ok(Number(kib) / 1_024 < MEGABYTES_MAX, `${kib} KiB`);
  assert.equal(existsSync(join(HOME, "build")), false);
  assert.match(mustRun([program("p2pvpn-wireguard"), "--version"]), /^p2pvpn-wireguard \d/);
});

for (const node of NODES) {
  test(`what was installed carries packets, by ${node}`, { skip }, () => {
    const text = mustRun([node, program("p2pvpn-engine"), "demo", "--seconds", "1", "--json"]);
    const result = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)) as {
      ping4: { sent: number; lost: number };
    };
    assert.ok(result.ping4.sent > result.ping4.lost);
    assert.deepEqual(leftByDemos(), []);
  });
}

test("a demo whose reader goes away leaves nothing behind", { skip }, () => {
  mustRun(["sh", "-c", `${program("p2pvpn-engine")} demo 2>&1 | head -2`]);
  assert.deepEqual(leftByDemos(), []);
});

test("where the addon that was brought does not load, it is compiled once", { skip }, () => {
  renameSync(join(HOME, "prebuilt"), join(folder, "prebuilt"));
  const version = [program("p2pvpn-engine"), "--version"];
  const without = run(version, { CC: "absent-cc" });
  assert.equal(without.status, 1);
  assert.match(without.errors, /absent-cc was not found; run `apt-get install gcc libc6-dev`\.$/m);
  assert.match(mustRun(version), /compiling the addon, once\n/);
  assert.doesNotMatch(mustRun(version), /compiling/);
  mustRun([program("p2pvpn-engine"), "keygen", "--out", join(folder, "made.key")]);
});

test("setup without a network says so within a minute, and what to do", { skip }, () => {
  const clone = join(folder, "clone");
  mkdirSync(clone);
  for (const name of ["package.json", "package-lock.json", ".npmrc", "scripts"]) {
    cpSync(join(root, name), join(clone, name), { recursive: true });
  }
  const startedMs = Date.now();
  const env = { npm_config_cache: join(folder, "cache") };
  const alone = ["unshare", "--net", process.execPath, "scripts/setup.mjs"];
  const { status, output, errors } = run(alone, env, clone);
  assert.equal(status, 1);
  assert.match(output, /^setup: asking npm's registry$/m);
  assert.match(errors, /^setup: npm's registry does not answer.* connect this host.*\.$/m);
  assert.ok(Date.now() - startedMs < SETUP_MS);
});
