/** index-node-disk — the disk of an index node that is full, damaged, or another's. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Caller } from "../../src/directory/callers.ts";
import { type FileName, Folder } from "../../src/index-node/folder.ts";
import { makeSourceHash } from "../../src/index-node/hashes.ts";
import { Knocks } from "../../src/index-node/knocks.ts";
import { IndexNetwork } from "../../src/index-node/network.ts";
import { formatNetworkId } from "../../src/members/sign.ts";
import { parseCidr } from "../../src/wire/cidr.ts";
import { PIECE_OF } from "../../src/wire/index-messages.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { Lab, Member, NOW_S, random } from "./service-parts.ts";

const folders: string[] = [];
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "p2pvpn-index-disk-"));
  folders.push(folder);
  return folder;
};
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const lab = new Lab();

/** A network on a disk in memory, which may be full. */
const network = (disk = new Map<FileName, Uint8Array>()) => {
  const state = { full: false };
  const said: string[] = [];
  const write = (_: Uint8Array, name: FileName, bytes: Uint8Array): boolean => {
    if (!state.full) disk.set(name, bytes);
    return !state.full;
  };
  const identity = new Member(lab, 1);
  const { publicKey: nodeKey, secretKey } = identity.signing;
  const one = new IndexNetwork({
    definition: lab.definition,
    signer: { nodeKey, secretKey, identity: identity.identity },
    folder: {
      prepare: () => undefined,
      read: (_, name) => disk.get(name) ?? null,
      write,
      writeLater: async (...all) => write(...all),
    },
    openStorer: () => ({
      guest: () => undefined,
      directory: () => true,
      lookUp: (_, answer) => answer(null),
      stop: async () => undefined,
    }),
    unixMs: () => NOW_S * 1_000,
    randomBytes: random,
    timer: { bootMs: () => 0, after: () => () => undefined },
    say: (sentence) => said.push(sentence),
  });
  one.serve({ say: () => true, dismiss: (_: Caller) => undefined });
  return { one, disk, state, said };
};

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what a full disk did not take is written when there is room again", async () => {
  const { one, disk, state } = network();
  state.full = true;
  const list = lab.list(3);
  assert.equal(one.service.take(PIECE_OF.revocations, list.bytes), null);
  const { pair } = { pair: new Member(lab, 2).pair() };
  assert.ok(one.records.put(pair, null).ok);
  one.write(false);
  await settled();
  assert.equal(disk.size, 0);
  state.full = false;
  one.write(false);
  await settled();
  assert.deepEqual(disk.get("list"), list.bytes);
  assert.ok(disk.has("records"));
});

test("what was not on the disk when it ends is written then", async () => {
  const { one, disk, state } = network();
  assert.ok(one.records.put(new Member(lab, 2).pair(), null).ok);
  state.full = true;
  one.write(false);
  await settled();
  state.full = false;
  one.write(true);
  assert.ok(disk.has("records"));
});

test("what did not change is written once", async () => {
  const { one, disk } = network();
  assert.ok(one.records.put(new Member(lab, 2).pair(), null).ok);
  one.write(false);
  await settled();
  assert.ok(disk.delete("records"));
  one.write(false);
  one.write(true);
  await settled();
  assert.equal(disk.size, 0);
});

test("a damaged list or definition is said, and what the network file says holds", () => {
  const list = lab.list(3).bytes;
  const damaged = list.slice();
  damaged[20]! ^= 1;
  for (const [name, bytes] of [
    ["list", damaged],
    ["list", list.subarray(0, 50)],
    ["definition", lab.define(5).bytes.subarray(1)],
    ["definition", new Lab().definition.bytes],
  ] as const) {
    const { one, said } = network(new Map<FileName, Uint8Array>([[name, bytes]]));
    assert.equal(said.length, 1, name);
    assert.match(said[0]!, new RegExp(`the ${name} on the disk is damaged`));
    assert.equal(one.lists.list, null);
    assert.equal(one.lists.definition.sequence, 1);
  }
  const { one, said } = network(
    new Map<FileName, Uint8Array>([
      ["list", list],
      ["definition", lab.define(5).bytes],
    ]),
  );
  assert.deepEqual([one.lists.list?.sequence, one.lists.definition.sequence], [3, 5]);
  assert.equal(said.length, 0);
});

test("a folder that cannot be written is refused at the start", () => {
  const path = newFolder();
  const folder = new Folder(path, () => undefined);
  const file = join(path, formatNetworkId(lab.networkId));
  writeFileSync(file, "");
  assert.throws(() => folder.prepare(lab.networkId), { code: "FILE_UNWRITABLE" });
  rmSync(file);
  mkdirSync(file);
  folder.prepare(lab.networkId);
  assert.throws(() => new Folder("/proc/self", () => undefined), { code: "FILE_UNWRITABLE" });
});

test("where this host does not say what its addresses are, KNOCKs are answered as before", () => {
  let fails = false;
  const knocks = new Knocks(makeSourceHash(random(32)), () => {
    if (fails) throw new Error("uv_interface_addresses returned EMFILE");
    return [parseCidr("192.0.2.0/24")!];
  });
  const at = (last: number): Uint8Array => makeSockaddr(Uint8Array.of(192, 0, 2, last), 9);
  let answered = 0;
  for (let last = 0; last < 200; last++) if (knocks.mayAnswer(at(last), 1_000)) answered++;
  assert.equal(answered, 60);
  fails = true;
  answered = 0;
  for (let last = 0; last < 200; last++) if (knocks.mayAnswer(at(last), 100_000)) answered++;
  assert.equal(answered, 60, "what was known is known");
});
