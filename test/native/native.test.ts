/**
 * native — compiles every test/native/*_test.c with sanitizers and runs it.
 *
 * The first line of a C test names its sources, seen from src/io/native:
 *
 *     /* sources: names.c memory.c *\/
 *
 * `PACKET_PATH` stands for all files of an I/O thread's work on a job, `NETLINK` for rtnetlink's.
 *
 * A program passes with exit code 0 and is skipped, with its reason, by exit code 77.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";

const SKIPPED = 77;
const COMPILE_MS = 120_000;
/** Fuzz drivers run for as long as the variable says. */
const RUN_MS = 60_000 + 1_000 * Number(process.env.P2PVPN_FUZZ_SECONDS ?? 0);

// biome-ignore format: a table
const FLAGS = [
  "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow",
  "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer",
];

/** The checkout's root, from test/native as well as from dist/test/native. */
const findRoot = (): string => {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, "src/io/native/addon.h"))) return folder;
  }
  throw new Error("src/io/native is not above this test; run it inside a checkout");
};

const root = findRoot();
const sourceFolder = join(root, "src/io/native");
const testFolder = join(root, "test/native");
const compiler = process.env.CC ?? "cc";
const found = spawnSync(compiler, ["--version"]).status === 0;
const scratch = mkdtempSync(join(tmpdir(), "native-test-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Names that stand for several files. */
// biome-ignore format: lists
const GROUPS: Readonly<Record<string, readonly string[]>> = { PACKET_PATH: [
  "io.c", "io_find.c", "io_inbound.c", "io_deliver.c", "io_outbound.c", "io_send.c", "routes.c",
  "io_connected.c", "io_way.c", "io_pass.c", "io_own.c", "io_too_big.c", "icmp.c", "fragment.c",
  "mss.c", "merge.c", "split.c", "checksum.c", "replay.c", "tun.c", "udp.c", "udp_connected.c",
  "udp_own.c", "probe.c",
], NETLINK: [
  "netlink.c", "netlink_request.c", "netlink_way.c", "netlink_read.c", "netlink_events.c",
] };

/** Files named by the comment on a test's first line. */
const sourcesOf = (file: string): string[] => {
  const first = readFileSync(join(testFolder, file), "utf8").split("\n", 1)[0] ?? "";
  const names = /^\/\* sources: (.+) \*\/$/.exec(first)?.[1];
  assert(names !== undefined, `${file} must begin with /* sources: FILE.c ... */`);
  return names.split(" ").flatMap((name) => GROUPS[name] ?? [name]);
};

const outputOf = (run: { stdout: string; stderr: string; signal: string | null }): string =>
  `${run.signal === null ? "" : `ended by ${run.signal}\n`}${run.stdout}${run.stderr}`;

const callCompiler = (what: string, ...words: string[]): void => {
  const args = [...FLAGS, "-I", sourceFolder, "-I", testFolder, ...words];
  const run = spawnSync(compiler, args, { encoding: "utf8", timeout: COMPILE_MS });
  assert.equal(run.status, 0, `${what} does not compile:\n${outputOf(run)}`);
};

/** A source of ours, compiled for whoever needs it first. */
const objectOf = (name: string): string => {
  const object = join(scratch, `${name}.o`);
  if (!existsSync(object)) callCompiler(name, "-c", join(sourceFolder, name), "-o", object);
  return object;
};

const compile = (file: string): string => {
  const program = join(scratch, file.slice(0, -".c".length));
  callCompiler(file, join(testFolder, file), ...sourcesOf(file).map(objectOf), "-o", program);
  return program;
};

const files = readdirSync(testFolder).filter((name) => name.endsWith("_test.c"));

test("there is a C compiler and a C test", () => {
  assert(found, `The C compiler ${compiler} was not found; run apt-get install gcc libc6-dev.`);
  assert(files.length > 0, `${testFolder} holds no *_test.c`);
});

for (const file of files) {
  test(file, { skip: found ? false : "no C compiler" }, (t) => {
    const program = compile(file);
    const run = spawnSync(program, [], { encoding: "utf8", timeout: RUN_MS });
    if (run.status === SKIPPED) {
      t.skip(/skip: (.+)/.exec(run.stdout)?.[1] ?? "no reason was printed");
      return;
    }
    assert.equal(run.status, 0, `${file} failed:\n${outputOf(run)}`);
    for (const line of run.stdout.trimEnd().split("\n")) t.diagnostic(line);
  });
}
