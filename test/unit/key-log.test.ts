/** key-log — the lines that Wireshark reads; a new file, 0600, that ends in good order. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { x25519 } from "@noble/curves/ed25519.js";
import { KeyLog, keyLogLines } from "../../src/control/handshake/key-log.ts";
import { staticKeys } from "../../src/control/handshake/noise.ts";
import { EngineError } from "../../src/schema/errors.ts";
import { A, B, fixed } from "./noise-parties.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-key-log-"));
after(() => rmSync(folder, { recursive: true }));

let count = 0;
const newFile = (): string => join(folder, `keys-${count++}`);

const failsWith = (code: string, run: () => unknown): void => {
  assert.throws(run, (error) => error instanceof EngineError && error.code === code);
};

const SECRETS = {
  localStaticPrivate: A.keys.privateKey,
  remoteStaticPublic: B.keys.publicKey,
  localEphemeralPrivate: fixed("ephemeral"),
  presharedKey: fixed("psk"),
};

/** A log, and what it warned of. */
const openLog = (file: string, bytesMax?: number) => {
  const said: string[] = [];
  const warning = { warn: (message: string) => void said.push(message) };
  return { log: KeyLog.create(file, warning, bytesMax), said };
};

const keyIn = (text: string, name: string): Buffer => {
  const found = new RegExp(`^${name} = ([A-Za-z0-9+/]{43}=)$`, "m").exec(text)?.[1];
  assert.ok(found !== undefined, `no ${name} in\n${text}`);
  return Buffer.from(found, "base64");
};

test("a handshake's lines: Wireshark's names in Wireshark's order", () => {
  const lines = keyLogLines(SECRETS).split("\n");
  assert.deepEqual(
    lines.map((line) => line.split(" = ")[0]),
    [
      "LOCAL_STATIC_PRIVATE_KEY",
      "REMOTE_STATIC_PUBLIC_KEY",
      "LOCAL_EPHEMERAL_PRIVATE_KEY",
      "PRESHARED_KEY",
      "",
    ],
  );
});

test("they hold the keys that go with what is on the wire", () => {
  const text = keyLogLines(SECRETS);
  const local = keyIn(text, "LOCAL_STATIC_PRIVATE_KEY");
  const ephemeral = keyIn(text, "LOCAL_EPHEMERAL_PRIVATE_KEY");
  assert.deepEqual(Buffer.from(x25519.getPublicKey(local)), Buffer.from(A.keys.publicKey));
  assert.deepEqual(keyIn(text, "REMOTE_STATIC_PUBLIC_KEY"), Buffer.from(B.keys.publicKey));
  assert.deepEqual(keyIn(text, "PRESHARED_KEY"), Buffer.from(SECRETS.presharedKey));
  // The seed is any 32 bytes; the key is what X25519 makes of it.
  assert.deepEqual(
    Buffer.from(x25519.getPublicKey(ephemeral)),
    Buffer.from(staticKeys(SECRETS.localEphemeralPrivate).publicKey),
  );
  for (const key of [local, ephemeral]) {
    assert.equal(key[0]! & 7, 0);
    assert.equal(key[31]! >> 6, 1);
  }
});

test("no preshared key, or one of zeros, has no line", () => {
  for (const presharedKey of [null, new Uint8Array(32)]) {
    assert.doesNotMatch(keyLogLines({ ...SECRETS, presharedKey }), /PRESHARED/);
  }
});

test("what it was given is as it was", () => {
  const before = SECRETS.localEphemeralPrivate.slice();
  keyLogLines(SECRETS);
  assert.deepEqual(SECRETS.localEphemeralPrivate, before);
});

test("the file is new, its owner's alone, and grows by whole handshakes", () => {
  const file = newFile();
  const { log, said } = openLog(file);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(log.on, true);
  log.handshake(SECRETS);
  log.handshake({ ...SECRETS, presharedKey: null });
  const lines = keyLogLines(SECRETS) + keyLogLines({ ...SECRETS, presharedKey: null });
  assert.equal(readFileSync(file, "utf8"), lines);
  log.close();
  log.close();
  log.handshake(SECRETS);
  assert.equal(log.on, false);
  assert.equal(readFileSync(file, "utf8"), lines);
  assert.deepEqual(said, []);
});

test("a file that is there, or a link, is not written to", () => {
  const file = newFile();
  writeFileSync(file, "mine\n");
  failsWith("FILE_EXISTS", () => openLog(file));
  assert.equal(readFileSync(file, "utf8"), "mine\n");
  const link = newFile();
  symlinkSync(join(folder, "target"), link);
  failsWith("FILE_EXISTS", () => openLog(link));
  assert.equal(existsSync(join(folder, "target")), false);
  failsWith("FILE_UNWRITABLE", () => openLog(join(folder, "nowhere", "keys")));
});

test("it ends at its size with a warning, after a whole handshake", () => {
  const file = newFile();
  const one = keyLogLines(SECRETS);
  const { log, said } = openLog(file, 2 * one.length + 10);
  for (let i = 0; i < 5; i++) log.handshake(SECRETS);
  assert.equal(readFileSync(file, "utf8"), one + one);
  assert.equal(log.on, false);
  assert.equal(said.length, 1);
  assert.match(said[0]!, /^The key log .* has ended: it has reached \d+ bytes\.$/);
});

test("a full disk ends it with a warning, breaks nothing, and leaves whole handshakes", (t) => {
  const place = join(folder, "small");
  mkdirSync(place);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=8k", "tmpfs", place]);
  if (mounted.status !== 0) {
    t.skip(`no small disk can be mounted: ${String(mounted.stderr).trim()}`);
    return;
  }
  try {
    const file = join(place, "keys");
    const { log, said } = openLog(file);
    for (let i = 0; i < 100; i++) log.handshake(SECRETS);
    assert.equal(said.length, 1);
    assert.match(said[0]!, /the disk is full\.$/);
    const text = readFileSync(file, "utf8");
    assert.ok(text.length > 4_000, `${text.length} bytes`);
    const one = keyLogLines(SECRETS);
    assert.equal(text, one.repeat(text.length / one.length));
  } finally {
    assert.equal(spawnSync("umount", [place]).status, 0);
  }
});
