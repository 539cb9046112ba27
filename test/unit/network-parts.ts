/**
 * network-parts — the real program in a folder of its own, for tests of `network` and `request`.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { type ArmorKind, unarmor } from "../../src/members/armor.ts";
import { decodeMemberFile, type MemberFile } from "../../src/members/bundle.ts";
import type { Decoded } from "../../src/members/bytes.ts";
import { type Definition, decodeDefinition } from "../../src/members/definition.ts";
import { must } from "./members-parts.ts";

const cli = fileURLToPath(new URL(`../../src/cli${extname(import.meta.url)}`, import.meta.url));

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Sets a program's clock, in days from now: the first thing that it loads. */
const CLOCK = `const days = Number(process.env.P2PVPN_TEST_DAYS);
const now = Date.now.bind(Date);
Date.now = () => now() + days * 86_400_000;
`;

type Run = (line: string, input?: string | null, days?: number) => Promise<Ran>;

/** Runs a line of the program; its clock may be days ahead. */
const makeRun =
  (folder: string): Run =>
  (line, input = null, days = 0) =>
    new Promise((resolve, reject) => {
      const env = {
        ...process.env,
        P2PVPN_RUN_DIR: join(folder, "run"),
        P2PVPN_TEST_DAYS: String(days),
        NODE_OPTIONS: days === 0 ? "" : `--import ${join(folder, "clock.mjs")}`,
      };
      const words = line.split(" ").filter((word) => word !== "");
      const program = spawn(process.execPath, [cli, ...words], { cwd: folder, env });
      const said = { stdout: "", stderr: "" };
      program.stdout.on("data", (bytes) => {
        said.stdout += bytes;
      });
      program.stderr.on("data", (bytes) => {
        said.stderr += bytes;
      });
      program.on("error", reject);
      program.on("close", (status) => resolve({ status, ...said }));
      program.stdin.on("error", () => {}); // who reads nothing closes it
      program.stdin.end(input ?? "");
    });

/** What the program must say to a line. */
const makeSayings = (run: Run) => {
  /** It does what the line says; returns what it printed. */
  const good = async (line: string, input: string | null = null, days = 0): Promise<string> => {
    const { status, stdout, stderr } = await run(line, input, days);
    assert.equal(stderr, "", line);
    assert.equal(status, 0, line);
    return stdout;
  };
  /** It refuses, in one sentence. */
  const refused = async (line: string, sentence: RegExp, exit = 1, days = 0): Promise<void> => {
    const { status, stdout, stderr } = await run(line, null, days);
    assert.match(stderr, sentence, line);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    assert.match(stderr, /^p2pvpn-engine: .*\.\n$/);
    assert.equal(stdout, "", line);
    assert.equal(status, exit, stderr);
  };
  const json = async (line: string, days = 0): Promise<Record<string, unknown>> =>
    JSON.parse(await good(`${line} --json`, null, days));
  /** Makes an identity, and its request. */
  const ask = async (name: string): Promise<void> => {
    await good(`keygen --out ${name}.key`);
    await good(`request --key ${name}.key --name ${name}`);
  };
  return { good, refused, json, ask };
};

/** A folder, and commands that run in it. */
export const makePlace = (name: string) => {
  const folder = mkdtempSync(join(tmpdir(), `p2pvpn-${name}-test-`));
  after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "clock.mjs"), CLOCK);
  const run = makeRun(folder);
  const at = (file: string): string => join(folder, file);
  const read = (file: string): string => readFileSync(at(file), "latin1");
  /** What a file holds. */
  const decode = <Value>(
    kind: ArmorKind,
    file: string,
    take: (bytes: Uint8Array) => Decoded<Value>,
  ): Value => must(take(must(unarmor(kind, read(file)))));
  return {
    folder,
    runFolder: join(folder, "run"),
    run,
    ...makeSayings(run),
    at,
    read,
    decode,
    has: (file: string): boolean => existsSync(at(file)),
    member: (file: string): MemberFile => decode("certificate", file, decodeMemberFile),
    network: (file: string): Definition => decode("network", file, decodeDefinition),
  };
};
