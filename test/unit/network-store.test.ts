/** store (of the network) — files that are as they were written, or none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Disk, type FileName } from "../../src/control/network/store.ts";
import { sockaddrOf } from "../simulation/members-places.ts";

const make = () => {
  const files = new Map<string, Uint8Array>();
  const damaged: FileName[] = [];
  const durable: string[] = [];
  const disk = new Disk(
    {
      read: (name) => files.get(name) ?? null,
      write: (name, bytes, isDurable) => {
        files.set(name, Uint8Array.from(bytes));
        if (isDurable) durable.push(name);
        return true;
      },
    },
    (name) => damaged.push(name),
  );
  return { files, damaged, durable, disk };
};

test("what holds and found no room is written when there is some, and at the end", () => {
  const files = new Map<string, string>();
  let full = true;
  let tries = 0;
  const write = (name: string, bytes: Uint8Array): boolean => {
    tries++;
    if (!full) files.set(name, Buffer.from(bytes).toString("hex"));
    return !full;
  };
  const disk = new Disk({ read: () => null, write }, () => {});
  disk.keep("list", Uint8Array.of(1));
  disk.keep("list", Uint8Array.of(2));
  assert.equal(disk.write("issued", Uint8Array.of(3)), false);
  for (let nowMs = 0; nowMs < 120_000; nowMs += 1_000) disk.tick(nowMs);
  assert.equal(tries, 3 + 2, "each minute");
  full = false;
  disk.tick(120_000);
  assert.deepEqual([...files.keys()], ["list"], "what did not count is not written");
  assert.match(files.get("list")!, /^7032706e0102/);
  full = true;
  disk.keep("secrets", Uint8Array.of(4));
  full = false;
  disk.stop();
  assert.deepEqual([...files.keys()], ["list", "secrets"]);
  disk.tick(1e9);
  assert.equal(tries, 8);
});

const OWN = { sequence: 1_800_000_000_123, floor: { chain: 2, sequence: 77 } };

test("what is written is read again; what is not there is nothing", () => {
  const { disk, durable } = make();
  assert.equal(disk.read("list"), null);
  assert.deepEqual(disk.readOwn(), { sequence: 0, floor: { chain: 0, sequence: 0 } });
  assert.deepEqual(disk.readMembers(), []);
  disk.write("list", Uint8Array.of(1, 2, 3));
  disk.keepOwn(OWN);
  assert.deepEqual([...disk.read("list")!], [1, 2, 3]);
  assert.deepEqual(disk.readOwn(), OWN);
  const members = [
    {
      record: new Uint8Array(300).fill(1),
      certificate: new Uint8Array(200).fill(2),
      place: sockaddrOf(7),
    },
    {
      record: new Uint8Array(1).fill(3),
      certificate: new Uint8Array(512),
      place: new Uint8Array(0),
    },
  ];
  disk.writeMembers(members);
  const read = disk.readMembers().map((one) => Object.values(one).map((bytes) => [...bytes]));
  assert.deepEqual(
    read,
    members.map((one) => Object.values(one).map((bytes) => [...bytes])),
  );
  assert.deepEqual(durable, ["list", "own"], "members are no more than a cache");
});

test("a file that is changed anywhere, cut, or of another kind is none, and that is said", () => {
  const { disk, files, damaged } = make();
  disk.keepOwn(OWN);
  const whole = files.get("own")!;
  for (let at = 0; at < whole.length; at++) {
    files.set(
      "own",
      whole.map((byte, i) => (i === at ? byte ^ 1 : byte)),
    );
    assert.equal(disk.readOwn().sequence, 0);
    files.set("own", whole.subarray(0, at));
    assert.equal(disk.readOwn().sequence, 0);
  }
  assert.equal(damaged.length, 2 * whole.length);
  disk.write("own", Uint8Array.of(1));
  assert.equal(disk.readOwn().sequence, 0);
  disk.write("members", Uint8Array.of(9, 0, 1));
  assert.deepEqual(disk.readMembers(), []);
  assert.deepEqual(damaged.slice(-2), ["own", "members"]);
});
