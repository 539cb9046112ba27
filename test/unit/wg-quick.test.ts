/** wg-quick — what a .conf file gives, what is ignored, and one sentence for every mistake. */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { PEERS_MAX, ROUTES_MAX } from "../../src/memory/layout.ts";
import { formatEndpoint } from "../../src/schema/config.ts";
import { EngineError } from "../../src/schema/errors.ts";
import { formatWireguardKey, identityFromKey } from "../../src/schema/identity.ts";
import { loadConfig } from "../../src/schema/load-config.ts";
import { formatCidr } from "../../src/wire/cidr.ts";

/** Prefixes of one peer that are read without complaint. */
const MANY = 20_000;
const folder = mkdtempSync(join(tmpdir(), "p2pvpn-quick-"));
after(() => rmSync(folder, { recursive: true }));

const keyOf = (n: number): string => formatWireguardKey(new Uint8Array(32).fill(n));
/** Looked for in every sentence: it must not be there. */
const SECRET = keyOf(77);
const own = formatWireguardKey(identityFromKey(new Uint8Array(32).fill(77)).publicKey);

const load = (text: string, name = "wg0.conf", warn?: (sentence: string) => void) => {
  const file = join(folder, name);
  writeFileSync(file, text, { mode: 0o600 });
  return loadConfig(file, {}, warn);
};

const HEAD = `[Interface]\nPrivateKey = ${SECRET}\n`;
const peer = (n: number, more = ""): string => `[Peer]\nPublicKey = ${keyOf(n)}\n${more}\n`;

const USUAL = `# home
[interface]
privatekey=${SECRET}   # as wg genkey made it
Address = 10.0.0.1/24, fd66::1/64
Address = 10.1.0.1
ListenPort = 51821
FwMark = 0xca6c
MTU = 1400
Table = off
DNS = 10.0.0.53
PostUp = iptables -A FORWARD -i %i -j ACCEPT
PostUp = echo twice
SaveConfig = true

[Peer]
PublicKey = ${keyOf(1)}
PresharedKey = ${keyOf(3)}
AllowedIPs = 10.0.0.2/32,fd66::2/128
AllowedIPs = 10.2.3.4/16
Endpoint = [fe80::1%eth0]:51820
PersistentKeepalive = 25
[Peer]\r
PublicKey = ${keyOf(2)}\r
PersistentKeepalive = off\r
AllowedIPs =\r
`;

test("a file as people have them gives what the engine takes", () => {
  const warnings: string[] = [];
  const config = load(USUAL, "wg0.conf", (sentence) => warnings.push(sentence));
  const { identity, addresses, ...link } = config.interface;
  assert.deepEqual(link, {
    name: "wg0",
    listenPort: 51_821,
    listenAddress: "",
    bindDevice: "",
    fwmark: 0xca6c,
    mtu: 1_400,
    cipher: "auto",
  });
  assert.equal(formatWireguardKey(identity!.publicKey), own);
  assert.equal(identity!.nodeId, null);
  assert.deepEqual(addresses.map(formatCidr), ["10.0.0.1/24", "fd66::1/64", "10.1.0.1/32"]);
  const [one, two] = config.peers;
  assert.deepEqual(one!.allowedIps.map(formatCidr), ["10.0.0.2/32", "fd66::2/128", "10.2.0.0/16"]);
  assert.equal(formatEndpoint(one!.endpoint!), "[fe80::1%eth0]:51820");
  assert.deepEqual(one!.presharedKey, new Uint8Array(32).fill(3));
  assert.equal(one!.persistentKeepaliveS, 25);
  assert.deepEqual(
    { ...two!, publicKey: 0 },
    {
      name: null,
      publicKey: 0,
      presharedKey: null,
      allowedIps: [],
      endpoint: null,
      persistentKeepaliveS: 0,
    },
  );
  assert.equal(config.host.installRoutes, false);
  assert.equal(config.source!.file, join(folder, "wg0.conf"));
  assert.equal(config.source!.privateKeyFile, null);
  assert.deepEqual(
    warnings.map((sentence) => sentence.replace(`${folder}/`, "")),
    [
      "wg0.conf: line 10: DNS is ignored; set the name server yourself.",
      "wg0.conf: line 11: PostUp is never run; do what it does yourself.",
      "wg0.conf: line 13: SaveConfig is ignored; this file is never written.",
      "wg0.conf: line 19: 10.2.3.4/16 in AllowedIPs is taken as 10.2.0.0/16; " +
        "write that, or 10.2.3.4/32 for the one host.",
    ],
  );
});

test("what is left out has the default, but the kernel chooses the port", () => {
  const { interface: link, host } = load(HEAD);
  assert.equal(link.listenPort, 0);
  assert.equal(link.mtu, 1_420);
  assert.equal(host.installRoutes, true);
  assert.equal(host.stateDir, "/var/lib/p2pvpn");
  assert.equal(load(`${HEAD}Table = AUTO\nFwMark = off`).host.installRoutes, true);
});

// biome-ignore format: a table
const MISTAKES: readonly (readonly [string, string, RegExp])[] = [
  ["nothing", "", /the section \[Interface\] is missing; write it, with PrivateKey and Address below it\.$/],
  ["no key", "[Interface]\nMTU = 1400", /line 1: \[Interface\] needs PrivateKey; write it, as `wg genkey` prints one\.$/],
  ["no public key", `${HEAD}[Peer]\nMTU = 1`, /line 4: MTU belongs into \[Interface\], not \[Peer\]\.$/m],
  ["peer without key", `${HEAD}[Peer]`, /line 3: \[Peer\] 1 needs PublicKey; write the key that the peer's `wg pubkey` or keygen printed\.$/],
  ["unknown key", `${HEAD}ListenProt = 1`, /line 3: unknown key ListenProt in \[Interface\]; did you mean ListenPort\?$/],
  ["unknown key of a peer", `${HEAD}[Peer]\nAllowedIP = 1`, /line 4: unknown key AllowedIP in \[Peer\]; did you mean AllowedIPs\?$/],
  ["key of a TOML file", `${HEAD}private_key_file = a`, /line 3: unknown key private_key_file in \[Interface\]; write PrivateKey with the key itself, or make a TOML file/],
  ["unknown section", `${HEAD}[Server]`, /line 3: unknown section \[Server\]; there are \[Interface\] and \[Peer\]\.$/],
  ["section of a near name", `${HEAD}[Pear]`, /line 3: this section is written \[Peer\]\.$/m],
  ["key before a section", "MTU = 1400", /line 1: MTU stands before \[Interface\]; write it below that\.$/m],
  ["no key at all", `${HEAD}hello there`, /line 3: this is neither \[Section\] nor Key = Value; write # in front of it if it is a comment\.$/],
  ["secret alone on a line", `${HEAD}${SECRET}`, /line 3: /],
  ["interface twice", HEAD + HEAD, /line 3: \[Interface\] stands there twice, first in line 1; put all its keys there\.$/m],
  ["key twice", `${HEAD}MTU = 1400\nmtu = 1300`, /line 4: MTU stands twice in \[Interface\], first in line 3; keep one\.$/],
  ["private key twice", `${HEAD}PrivateKey = ${keyOf(9)}`, /line 3: PrivateKey stands twice/],
  ["private key short", "[Interface]\nPrivateKey = abc", /line 2: PrivateKey must be a WireGuard key, 44 characters of base64\.$/],
  ["private key cut", `[Interface]\nPrivateKey = ${SECRET.slice(0, 40)}`, /line 2: PrivateKey must be/],
  ["psk bad", `${HEAD}${peer(1, "PresharedKey = x")}`, /line 5: PresharedKey must be a WireGuard key/],
  ["public key bad", `${HEAD}[Peer]\nPublicKey = ${SECRET.slice(0, 40)}`, /line 4: PublicKey in \[Peer\] must be the peer's WireGuard public key.*prints it\.$/],
  ["mtu low", `${HEAD}MTU = 575`, /line 3: MTU in \[Interface\] must be a whole number from 576 to 65455, not "575"\.$/],
  ["mtu text", `${HEAD}MTU = big`, /line 3: MTU .* not "big"/],
  ["mtu and IPv6", `${HEAD}MTU = 1279\nAddress = fd66::1/64`, /MTU in \[Interface\] must be at least 1280 with IPv6/],
  ["port", `${HEAD}ListenPort = 65536`, /line 3: ListenPort .* from 0 to 65535/],
  ["port name", `${HEAD}ListenPort = http`, /line 3: ListenPort .* from 0 to 65535, not "http"/],
  ["fwmark", `${HEAD}FwMark = 0x1ffffffff`, /line 3: FwMark .* from 0 to 4294967295/],
  ["table", `${HEAD}Table = 51820`, /line 3: Table must be auto or off, not "51820"; write Table = off and set the routes yourself, .*WG_QUICK_USERSPACE_IMPLEMENTATION=p2pvpn-wireguard\.$/],
  ["address", `${HEAD}Address = 10.0.0.1/33`, /line 3: Address in \[Interface\] must be like .* not "10\.0\.0\.1\/33"/],
  ["address of a network", `${HEAD}Address = 10.0.0.0/24`, /10\.0\.0\.0\/24 in Address is the network's own address/],
  ["address twice", `${HEAD}Address = 10.0.0.1/24\nAddress = 10.0.0.1/24`, /10\.0\.0\.1\/24 is in Address twice/],
  ["keepalive", `${HEAD}${peer(1, "PersistentKeepalive = 65536")}`, /line 5: PersistentKeepalive .* from 0 to 65535/],
  ["endpoint", `${HEAD}${peer(1, "Endpoint = 1.2.3.4")}`, /line 5: Endpoint in \[Peer\] must be like/],
  ["allowed ips", `${HEAD}${peer(1, "AllowedIPs = 10.0.0.0/8 nonsense")}`, /line 5: AllowedIPs .* must be like/],
  ["prefix twice", HEAD + peer(1, "AllowedIPs = 10.0.0.1/24") + peer(2, "AllowedIPs = 10.0.0.2/24"), /\[Peer\] 1 and \[Peer\] 2 both have 10\.0\.0\.0\/24 in AllowedIPs; take it from one of them\.$/],
  ["key of two peers", HEAD + peer(1) + peer(1), /\[Peer\] 1 and \[Peer\] 2 have the same PublicKey; keep one of them\.$/],
  ["own key", `${HEAD}[Peer]\nPublicKey = ${own}`, /\[Peer\] 1 has this host's own public key/],
  ["key of small order", `${HEAD}[Peer]\nPublicKey = ${keyOf(0)}`, /PublicKey in \[Peer\] 1 is nobody's/],
];

for (const [name, text, sentence] of MISTAKES) {
  test(`mistake: ${name}`, () => {
    assert.throws(
      () => load(text),
      (error) => {
        assert.ok(error instanceof EngineError);
        assert.equal(error.exit, 2);
        assert.match(error.message, sentence);
        for (const line of error.message.split("\n"))
          assert.ok(line.startsWith(`${folder}/`), line);
        assert.ok(!error.message.includes(SECRET.slice(0, 40)), "a key was repeated");
        return true;
      },
    );
  });
}

test("a file that others may read is refused, since it holds keys", () => {
  load(HEAD, "open.conf");
  for (const mode of [0o640, 0o604, 0o644]) {
    chmodSync(join(folder, "open.conf"), mode);
    assert.throws(
      () => loadConfig(join(folder, "open.conf")),
      /can be read by others; run `chmod 600 /,
    );
  }
});

test("the interface is called as the file, which must be an interface's name", () => {
  assert.equal(load(HEAD, "home-1.conf").interface.name, "home-1");
  for (const name of ["sixteen-letters-.conf", "a b.conf", ".conf", "all.conf"]) {
    assert.throws(() => load(HEAD, name), /must be called as its interface/, name);
  }
  assert.throws(
    () => load(HEAD, "wg0.toml"),
    /this is a wg-quick file; rename it so that it ends in \.conf/,
  );
});

test("many peers and prefixes of one are read, and no more than an engine has", () => {
  const keys = Array.from({ length: PEERS_MAX + 1 }, (_, i) => {
    const key = new Uint8Array(32).fill(1);
    new DataView(key.buffer).setUint32(0, i);
    return `[Peer]\nPublicKey = ${formatWireguardKey(key)}\n`;
  });
  assert.throws(() => load(HEAD + keys.join("")), /\[Peer\] may be there 16384 times at most/);
  const lines = Array.from(
    { length: ROUTES_MAX + 1 },
    (_, i) => `AllowedIPs = ${10 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24`,
  );
  const many = load(HEAD + peer(1, lines.slice(0, MANY).join("\n")));
  assert.equal(many.peers[0]!.allowedIps.length, MANY);
  assert.throws(() => load(HEAD + peer(1, lines.join("\n"))), /must hold at most 262144 prefixes/);
});
