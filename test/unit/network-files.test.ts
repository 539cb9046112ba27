/** network-files — what the network keeps on disk: replaced whole, also where a folder went. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { NetworkFiles } from "../../src/control/network-files.ts";

const root = mkdtempSync(join(tmpdir(), "p2pvpn-network-files-"));
after(() => rmSync(root, { recursive: true }));

const AGAIN_MS = 50;
const open = (name: string) => {
  const said: string[] = [];
  const folder = join(root, name, "id");
  const files = new NetworkFiles(folder, (_, text) => void said.push(text), AGAIN_MS);
  return { folder, said, files };
};
const bytes = (...all: number[]): Uint8Array => Uint8Array.from(all);

test("a folder that somebody takes away is made anew by the next file", async () => {
  const { folder, files, said } = open("gone");
  assert.ok(files.write("list", bytes(1), true));
  rmSync(join(root, "gone"), { recursive: true });
  assert.ok(files.write("list", bytes(2), true));
  assert.deepEqual(files.read("list"), bytes(2));
  rmSync(join(root, "gone"), { recursive: true });
  assert.ok(files.write("members", bytes(3), false));
  for (let i = 0; i < 100 && !existsSync(join(folder, "members")); i++) await sleep(10);
  assert.deepEqual(files.read("members"), bytes(3));
  assert.deepEqual(said, []);
});

test("of what waits to be written beside the event loop the last counts", async () => {
  const { files } = open("later");
  for (let i = 0; i < 10; i++) files.write("members", bytes(i), false);
  files.write("members", bytes(77), true);
  await sleep(300);
  assert.deepEqual(files.read("members"), bytes(77));
});

test("a folder that refuses is told of, and nothing is thrown", (t) => {
  if (process.geteuid?.() === 0) return t.skip("root is refused nothing");
  const { folder, files, said } = open("refuses");
  assert.ok(files.write("own", bytes(1), true));
  chmodSync(folder, 0o500);
  assert.equal(files.write("own", bytes(2), true), false);
  assert.equal(said.length, 1);
  return undefined;
});

test("what fails beside the event loop is tried again, and the newest counts", async () => {
  const { folder, files, said } = open("full");
  writeFileSync(join(root, "full"), "a file where a folder should be");
  assert.ok(files.write("stored", bytes(1), false));
  for (let i = 0; i < 100 && said.length < 2; i++) await sleep(10);
  files.write("stored", bytes(2), false);
  rmSync(join(root, "full"));
  for (let i = 0; i < 100 && !existsSync(join(folder, "stored")); i++) await sleep(10);
  assert.deepEqual(files.read("stored"), bytes(2));
  assert.ok(said.length >= 2);
});
