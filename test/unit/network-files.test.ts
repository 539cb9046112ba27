/** network-files — what the network keeps on disk: replaced whole, also where a folder went. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { NetworkFiles } from "../../src/control/network-files.ts";

const root = mkdtempSync(join(tmpdir(), "p2pvpn-network-files-"));
after(() => rmSync(root, { recursive: true }));

const open = (name: string) => {
  const said: string[] = [];
  const folder = join(root, name, "id");
  return { folder, said, files: new NetworkFiles(folder, (_, text) => void said.push(text)) };
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
