/**
 * join — a new member by an invitation: at the enroller's own port with no index anywhere, and
 * through an index node.
 *
 *     m1   an issuer that enrols: `invite`      m2   `join -`, then `start`; no root for the former
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { inside } from "../../src/demo/tools.ts";
import { cliWords } from "../lab/engines.ts";
import { cannotRun, must } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { INDEX_PORT } from "../lab/network.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun([]);
const MEET_MS = 10_000;

let mesh: Mesh;
let [m1, m2, m3, m4]: Member[] = [];

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(4);
  [m1, m2, m3, m4] = [...mesh.members];
  await mesh.enroll(m1!, { flags: ["enrol"] });
  const issuer = mesh.file("m1.issuer");
  const as = ["--authority", mesh.authority, "--name", "m1", "--enrol", "--group", "ops"];
  await mesh.must("network", "issuer", ...as, "--out", issuer);
  mesh.configure(m1!, { issuer });
  await mesh.start(m1!);
});
after(() => {
  if (skip === false) mesh.remove();
});

interface Said {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** A command on a member's host, with something on its standard input. */
const type = (member: Member, input: string, ...words: readonly string[]): Promise<Said> =>
  new Promise((resolve, reject) => {
    const [program = "", ...rest] = inside(member.namespace, cliWords(words));
    const child = spawn(program, rest);
    const said = { output: "", errors: "" };
    child.stdout.on("data", (bytes) => {
      said.output += bytes;
    });
    child.stderr.on("data", (bytes) => {
      said.errors += bytes;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...said }));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });

const invite = async (...words: readonly string[]): Promise<string> => {
  const { code, output, errors } = await mesh.on(m1!, "invite", ...words);
  assert.equal(code, 0, errors);
  assert.match(output, /^p2pvpn-invitation-1:\S+\n$/);
  return output;
};

test("invite, join -, start: a member that everybody knows", { skip }, async () => {
  const token = await invite("--name", "phone", "--ip", m2!.inner4, "--group", "ops");
  const out = mesh.file("phone");
  const joined = await type(m2!, token, "join", "-", "--out", out);
  assert.equal(joined.code, 0, joined.errors);
  assert.match(joined.output, /name:\s+phone/);
  assert.match(joined.output, /next:\s+sudo p2pvpn-engine start -c \S+lab\.toml/);
  assert.equal(statSync(join(out, "lab.key")).mode & 0o777, 0o600);
  assert.ok(!joined.errors.includes(token.trim()), "the token was said");
  const again = await type(m2!, token, "join", "-", "--out", out);
  assert.equal(again.code, 1);
  assert.match(again.errors, /lab\.cert exists already/);
  const config = join(out, "lab.toml");
  const state = `state_dir = "${m2!.stateDir}"\n[network]`;
  const text = readFileSync(config, "utf8").replace("[network]", state);
  const named = text.replace('"p2p0"', `"${m2!.interfaceName}"`);
  writeFileSync(m2!.config, named.replaceAll('"lab.', `"${out}/lab.`), { mode: 0o600 });
  await mesh.start(m2!);
  await mesh.allReach([m1!, m2!], MEET_MS);
});

test("it is used once; who asks again with its identity gets the same", { skip }, async () => {
  const token = await invite("--hours", "1");
  const first = await type(m3!, token, "join", "-", "--out", mesh.file("a"), "--name", "a");
  assert.equal(first.code, 0, first.errors);
  const key = join(mesh.file("a"), "lab.key");
  const same = await type(m3!, token, "join", "-", "--out", mesh.file("b"), "--key", key);
  assert.equal(same.code, 0, same.errors);
  const files = ["a", "b"].map((name) => readFileSync(join(mesh.file(name), "lab.cert"), "latin1"));
  const body = (text: string) => text.split("\n").slice(0, 4).join("");
  assert.equal(body(files[0]!), body(files[1]!));
  const other = await type(m3!, token, "join", "-", "--out", mesh.file("c"));
  assert.equal(other.code, 1);
  assert.match(other.errors, /did not join lab: it was used on \S+ by a, another identity/);
  assert.ok(!existsSync(join(mesh.file("c"), "lab.cert")));
});

test("a restarted enroller knows its invitations", { skip }, async () => {
  const token = await invite();
  await mesh.stop(m1!);
  const silent = type(m3!, token, "join", "-", "--out", mesh.file("d"), "--name", "d");
  await mesh.start(m1!);
  const joined = await silent;
  assert.equal(joined.code, 0, joined.errors);
});

test("an engine that is no issuer invites nobody", { skip }, async () => {
  const { code, errors } = await mesh.on(m2!, "invite");
  assert.equal(code, 1);
  assert.match(errors, /Nobody is invited: this host is no issuer/);
});

test("an invitation goes through an index node where the enroller cannot be reached", {
  skip,
}, async () => {
  const place = `${m4!.under4}:${INDEX_PORT}`;
  const index = await mesh.startIndex(m4!);
  await mesh.stop(m1!);
  mesh.configure(m1!, { issuer: mesh.file("m1.issuer"), index: [place] });
  await mesh.start(m1!);
  const token = await invite("--name", "tablet");
  const answers = async (): Promise<boolean> =>
    /1 of 1 index node/.test((await mesh.on(m1!, "status")).output);
  await until("the index node answers the enroller", answers, MEET_MS);
  // Nothing comes to the enroller's own port from the joiner.
  const { namespace } = m3!;
  await must(["ip", "-netns", namespace, "route", "add", "blackhole", `${m1!.under4}/32`]);
  const joined = await type(m3!, token, "join", "-", "--out", mesh.file("tablet"));
  assert.equal(joined.code, 0, joined.errors);
  assert.match(joined.output, /name:\s+tablet/);
  await index.stop();
});
