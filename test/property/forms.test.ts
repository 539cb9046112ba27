/** forms — a wg-quick file and the equal TOML file give exactly the same configuration. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import type { EngineConfig } from "../../src/schema/config.ts";
import { isPublicKey } from "../../src/schema/identity.ts";
import { loadConfig } from "../../src/schema/load-config.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-forms-"));
after(() => rmSync(folder, { recursive: true }));

/** What both files say. */
interface Said {
  readonly key: string;
  readonly port: number | undefined;
  readonly mark: number | undefined;
  readonly mtu: number | undefined;
  readonly install: boolean | undefined;
  readonly addresses: readonly string[];
  readonly peers: readonly {
    readonly key: string;
    readonly psk: string | undefined;
    readonly prefixes: readonly string[];
    readonly endpoint: string | undefined;
    readonly keepalive: number | undefined;
  }[];
}

const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const key = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .filter((bytes) => isPublicKey(bytes))
  .map((bytes) => Buffer.from(bytes).toString("base64"));
const byte = fc.nat(255);
const host4 = fc
  .tuple(fc.integer({ min: 1, max: 126 }), byte, byte, fc.integer({ min: 1, max: 254 }))
  .map((bytes) => bytes.join("."));
const host6 = fc.integer({ min: 1, max: 0xffff }).map((last) => `fd66::${last.toString(16)}`);
const address = fc.oneof(
  host4.map((host) => `${host}/24`),
  host4,
  host6.map((host) => `${host}/64`),
);
const prefix = fc.oneof(
  fc.tuple(host4, fc.nat(32)).map(([host, length]) => `${host}/${length}`),
  fc.tuple(host6, fc.nat(128)).map(([host, length]) => `${host}/${length}`),
);
const endpoint = fc
  .tuple(
    fc.oneof(
      host4,
      host6.map((host) => `[${host}]`),
      fc.constant("vpn.example.org"),
    ),
    fc.integer({ min: 1, max: 65_535 }),
  )
  .map(([host, port]) => `${host}:${port}`);
const peer = fc.record({
  key,
  psk: maybe(key),
  prefixes: fc.array(prefix, { maxLength: 6 }),
  endpoint: maybe(endpoint),
  keepalive: maybe(fc.nat(65_535)),
});
const said: fc.Arbitrary<Said> = fc.record({
  key,
  port: maybe(fc.nat(65_535)),
  mark: maybe(fc.nat(0xffff_ffff)),
  mtu: maybe(fc.integer({ min: 1_280, max: 65_455 })),
  install: maybe(fc.boolean()),
  addresses: fc.uniqueArray(address, { maxLength: 4 }),
  peers: fc.uniqueArray(peer, { maxLength: 5, selector: (one) => one.key }),
});

const line = (name: string, value: unknown): string[] =>
  value === undefined ? [] : [`${name} = ${String(value)}`];

/** `noise` chooses how it is spelled: case, comments, one line or several. */
const confText = (it: Said, noise: boolean): string => {
  const word = (text: string): string => (noise ? text.toUpperCase() : text);
  const list = (name: string, values: readonly string[]): string[] =>
    noise ? values.map((value) => `${name}=${value} # one`) : [`${name} = ${values.join(", ")}`];
  const table = it.install === undefined ? undefined : it.install ? "auto" : "off";
  const mark = noise && it.mark !== undefined ? `0x${it.mark.toString(16)}` : it.mark;
  const keepalive = (seconds: number | undefined) => (noise && seconds === 0 ? "off" : seconds);
  return [
    `[${word("Interface")}]`,
    ...line(word("PrivateKey"), it.key),
    ...line("ListenPort", it.port),
    ...line("FwMark", mark),
    ...line(word("mtu"), it.mtu),
    ...line("Table", table),
    ...list("Address", it.addresses),
    ...it.peers.flatMap((one) => [
      `[${word("Peer")}]`,
      ...line("PublicKey", one.key),
      ...line("PresharedKey", one.psk),
      ...list(word("AllowedIPs"), one.prefixes),
      ...line("Endpoint", one.endpoint),
      ...line("PersistentKeepalive", keepalive(one.keepalive)),
    ]),
  ].join("\n");
};

const quoted = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : JSON.stringify(text);

const tomlText = (it: Said): string => {
  writeFileSync(join(folder, "own.key"), it.key, { mode: 0o600 });
  const rule = it.install === undefined ? undefined : it.install ? "install" : "leave";
  return [
    "[interface]",
    'name = "wg0"',
    'private_key_file = "own.key"',
    ...line("listen_port", it.port ?? 0),
    ...line("fwmark", it.mark),
    ...line("mtu", it.mtu),
    ...line("routes", quoted(rule)),
    ...line("addresses", JSON.stringify(it.addresses)),
    ...it.peers.flatMap((one, i) => {
      if (one.psk !== undefined) writeFileSync(join(folder, `psk${i}`), one.psk, { mode: 0o600 });
      return [
        "[[peer]]",
        ...line("public_key", quoted(one.key)),
        ...line("preshared_key_file", quoted(one.psk === undefined ? undefined : `psk${i}`)),
        ...line("allowed_ips", JSON.stringify(one.prefixes)),
        ...line("endpoint", quoted(one.endpoint)),
        ...line("persistent_keepalive", one.keepalive),
      ];
    }),
  ].join("\n");
};

/** A configuration without its place, or the sentence with both files' words made equal. */
const outcome = (name: string, text: string): unknown => {
  const file = join(folder, name);
  writeFileSync(file, text, { mode: 0o600 });
  let config: EngineConfig;
  try {
    config = loadConfig(file);
  } catch (error) {
    return (error as Error).message
      .replaceAll(file, "")
      .replace(/line \d+: /g, "")
      .replaceAll("[[peer]]", "[Peer]")
      .replaceAll("allowed_ips", "AllowedIPs")
      .replaceAll("addresses", "Address");
  }
  const { source: _, ...rest } = config;
  return rest;
};

test("both forms give one configuration, or one sentence", () => {
  const seen = { configurations: 0, sentences: 0 };
  fc.assert(
    fc.property(said, fc.boolean(), (it, noise) => {
      const conf = outcome("wg0.conf", confText(it, noise));
      const toml = outcome("same.toml", tomlText(it));
      assert.deepEqual(conf, toml);
      if (typeof conf === "string") seen.sentences++;
      else seen.configurations++;
    }),
    { numRuns: 150 },
  );
  assert.ok(seen.configurations > 50, `only ${seen.configurations} were accepted`);
});

test("a prefix that two peers have is refused alike by both", () => {
  const one = { psk: undefined, prefixes: ["10.0.0.9/8"], endpoint: undefined, keepalive: 0 };
  const keys = [1, 2].map((n) => Buffer.alloc(32, n).toString("base64"));
  const both: Said = {
    key: keys[0]!,
    port: 1,
    mark: 0,
    mtu: 1_420,
    install: true,
    addresses: [],
    peers: keys.map((text) => ({ ...one, key: text })),
  };
  const sentence = outcome("wg0.conf", confText(both, false));
  assert.match(
    sentence as string,
    /\[Peer\] 1 and \[Peer\] 2 both have 10\.0\.0\.0\/8 in AllowedIPs/,
  );
  assert.equal(outcome("same.toml", tomlText(both)), sentence);
});
