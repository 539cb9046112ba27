/** identity — key derivation against known vectors and an independent library; files. */
import assert from "node:assert/strict";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { x25519 } from "@noble/curves/ed25519.js";
import { blake2b } from "@noble/hashes/blake2.js";
import { EngineError } from "../../src/schema/errors.ts";
import {
  formatWireguardKey,
  identityFromSeed,
  loadIdentity,
  loadPresharedKey,
  makeIdentity,
  parseWireguardKey,
  writeSecret,
} from "../../src/schema/identity.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-identity-"));
after(() => rmSync(folder, { recursive: true }));

let count = 0;
const secretFile = (text: string, mode = 0o600): string => {
  const file = join(folder, `secret-${count++}`);
  writeFileSync(file, text, { mode });
  chmodSync(file, mode);
  return file;
};

const failsWith = (code: string, run: () => unknown): void => {
  assert.throws(run, (error) => error instanceof EngineError && error.code === code);
};

test("the node id is the ed25519 public key of the seed (RFC 8032 7.1, test 1)", () => {
  const seed = Buffer.from(
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "hex",
  );
  const key = Buffer.from(
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "hex",
  );
  assert.equal(identityFromSeed(seed).nodeId, `p2p:${key.toString("base64url")}`);
});

test("the handshake key is keyed BLAKE2b of the label, clamped, as another library has it", () => {
  const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
  const label = Buffer.from("p2pvpn/1/handshake-key");
  const secret = blake2b(label, { key: seed, dkLen: 32 });
  secret[0]! &= 248;
  secret[31] = (secret[31]! & 127) | 64;
  const { privateKey, publicKey } = identityFromSeed(seed);
  assert.deepEqual(Buffer.from(privateKey), Buffer.from(secret));
  assert.deepEqual(Buffer.from(publicKey), Buffer.from(x25519.getPublicKey(secret)));
});

test("a plain WireGuard key has a public key and no node id (RFC 7748 6.1, Alice)", () => {
  const hex = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
  const known = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
  const text = Buffer.from(hex, "hex").toString("base64");
  const identity = loadIdentity(secretFile(`${text}\n`));
  assert.equal(identity.nodeId, null);
  assert.equal(Buffer.from(identity.publicKey).toString("hex"), known);
  assert.equal(identity.privateKey[0]! & 7, 0);
});

test("an identity that was written is read again, from a new file of mode 600", () => {
  const { identity, text } = makeIdentity();
  const file = join(folder, "written.key");
  writeSecret(file, text);
  assert.match(readFileSync(file, "utf8"), /^p2pvpn-identity-1\n[A-Za-z0-9_-]{43}\n$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(loadIdentity(file), identity);
  const other = makeIdentity();
  failsWith("FILE_EXISTS", () => writeSecret(file, other.text));
  assert.equal(readFileSync(file, "utf8"), text);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith(".")),
    [],
  );
  failsWith("FILE_UNWRITABLE", () => writeSecret(join(folder, "none", "x.key"), text));
});

test("a key file that others may read is refused", () => {
  const { text } = makeIdentity();
  for (const mode of [0o640, 0o604, 0o620, 0o644]) {
    failsWith("KEY_EXPOSED", () => loadIdentity(secretFile(text, mode)));
  }
  assert.match(loadIdentity(secretFile(text, 0o400)).nodeId!, /^p2p:/);
});

test("what is no identity is refused", () => {
  const { text } = makeIdentity();
  const line = text.split("\n")[1]!;
  const bad = [
    "",
    "p2pvpn-identity-1\n",
    `p2pvpn-identity-2\n${line}\n`,
    `p2pvpn-identity-1\n${line.slice(1)}\n`,
    `p2pvpn-identity-1\n${line}\nmore\n`,
    `p2pvpn-identity-1\n${line.slice(0, -1)}9\n`,
    `${"A".repeat(43)}\n`,
    "x".repeat(9_000),
  ];
  for (const one of bad) failsWith("KEY_INVALID", () => loadIdentity(secretFile(one)));
  failsWith("KEY_UNREADABLE", () => loadIdentity(folder));
  failsWith("KEY_UNREADABLE", () => loadIdentity(join(folder, "nothing")));
});

test("preshared keys follow the rules of key files", () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);
  const text = formatWireguardKey(key);
  assert.deepEqual(loadPresharedKey(secretFile(`${text}\n`)), key);
  failsWith("KEY_EXPOSED", () => loadPresharedKey(secretFile(text, 0o644)));
  failsWith("PSK_INVALID", () => loadPresharedKey(secretFile("psk")));
});

test("WireGuard keys are read strictly", () => {
  const text = formatWireguardKey(new Uint8Array(32).fill(7));
  assert.deepEqual(parseWireguardKey(text), new Uint8Array(32).fill(7));
  for (const bad of [text.slice(1), `${text} `, `${text.slice(0, -2)}d=`, text.replace("B", "*")]) {
    assert.equal(parseWireguardKey(bad), null, bad);
  }
});
