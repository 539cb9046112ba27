/** config — the configuration file: what it gives, and one sentence for every mistake. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { PEERS_MAX } from "../../src/memory/layout.ts";
import { formatEndpoint, parseEndpoint, SETTINGS } from "../../src/schema/config.ts";
import { EngineError } from "../../src/schema/errors.ts";
import { formatWireguardKey, loadIdentity, writeSecret } from "../../src/schema/identity.ts";
import { loadConfig } from "../../src/schema/load-config.ts";
import { isPeerName } from "../../src/schema/names.ts";
import { configValue, LIVE_SETTINGS, liveSet, settingName } from "../../src/schema/settings.ts";
import { meant, nearestWithin } from "../../src/schema/words.ts";
import { formatCidr } from "../../src/wire/cidr.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-config-"));
after(() => rmSync(folder, { recursive: true }));

const SEED = Buffer.alloc(32, 9).toString("base64url");
mkdirSync(join(folder, "keys"));
writeSecret(join(folder, "keys", "own.key"), `p2pvpn-identity-1\n${SEED}\n`);
writeSecret(join(folder, "psk"), `${formatWireguardKey(new Uint8Array(32).fill(3))}\n`);
writeSecret(join(folder, "bad"), "nothing of use");
const own = formatWireguardKey(loadIdentity(join(folder, "keys", "own.key")).publicKey);
const keyOf = (n: number): string => formatWireguardKey(new Uint8Array(32).fill(n));

const file = join(folder, "test.toml");
const load = (text: string, flags = {}) => {
  writeFileSync(file, text);
  return loadConfig(file, flags);
};

const HEAD = '[interface]\nprivate_key_file = "keys/own.key"\n';
const peer = (n: number, more = ""): string => `[[peer]]\npublic_key = "${keyOf(n)}"\n${more}\n`;

test("the example of the documentation gives what the engine takes", () => {
  const config = load(`[interface]
name = "p2p1"
private_key_file = "keys/own.key"
addresses = ["10.66.0.1/24", "fd66::1/64"]
listen_port = 51821
listen_address = "192.0.2.1"
bind_device = "eth0"
fwmark = 0xca6c
mtu = 1400
cipher = "chacha20poly1305"
routes = "leave"
state_dir = "state"
[[peer]]
name = "Office-2"
public_key = "${keyOf(1)}"
allowed_ips = ["10.66.0.2/24", "10.66.0.9/24", "fd66::2/128"]
endpoint = "[2001:db8::7]:51820"
persistent_keepalive = 25
preshared_key_file = "psk"
[engine]
threads = 3
gso = false
hand_over = "always"
log_level = "debug"
log_file = "a.log"
`);
  const { identity, addresses, ...link } = config.interface;
  assert.deepEqual(link, {
    name: "p2p1",
    listenPort: 51_821,
    listenAddress: "192.0.2.1",
    bindDevice: "eth0",
    fwmark: 0xca6c,
    mtu: 1_400,
    cipher: "chacha20poly1305",
  });
  assert.equal(formatWireguardKey(identity!.publicKey), own);
  assert.deepEqual(addresses.map(formatCidr), ["10.66.0.1/24", "fd66::1/64"]);
  assert.deepEqual(config.host, {
    bringUp: true,
    installRoutes: false,
    stateDir: join(folder, "state"),
    keyLogFile: null,
    logLevel: "debug",
    logFile: join(folder, "a.log"),
  });
  const privateKeyFile = join(folder, "keys", "own.key");
  assert.deepEqual(config.source, { file, flags: {}, privateKeyFile });
  const [one] = config.peers;
  assert.equal(one!.name, "Office-2");
  assert.deepEqual(one!.allowedIps.map(formatCidr), ["10.66.0.0/24", "fd66::2/128"]);
  assert.deepEqual(one!.endpoint, { host: "2001:db8::7", port: 51_820 });
  assert.deepEqual(one!.presharedKey, new Uint8Array(32).fill(3));
  assert.equal(one!.persistentKeepaliveS, 25);
  assert.deepEqual(config.engine, {
    threads: 3,
    ioThreads: 1,
    gso: false,
    gro: true,
    connectedSockets: true,
    tunOffload: true,
    quirks: "avoid",
    handOver: "always",
  });
});

test("what is left out has its default, and flags go before the file", () => {
  const flags = { threads: 0, gro: false, log_level: "warn", key_log: "a.keys" } as const;
  const config = load(`${HEAD}[engine]\nthreads = 3\nlog_level = "debug"`, flags);
  assert.deepEqual(config.host, {
    bringUp: true,
    installRoutes: true,
    stateDir: "/var/lib/p2pvpn",
    keyLogFile: resolve("a.keys"),
    logLevel: "warn",
    logFile: null,
  });
  assert.deepEqual(config.source!.flags, flags);
  assert.equal(load(`${HEAD}state_dir = ""`).host.stateDir, null);
  assert.equal(config.interface.name, "p2p0");
  assert.equal(config.interface.listenPort, 51_820);
  assert.equal(config.interface.mtu, 1_420);
  assert.equal(config.interface.cipher, "auto");
  assert.equal(load(`${HEAD}cipher = "aes256gcm"`).interface.cipher, "aes256gcm");
  assert.equal(config.engine.threads, 0);
  assert.equal(config.engine.gro, false);
  assert.deepEqual(config.peers, []);
  const { threads } = load(HEAD).engine;
  assert.equal(threads, Math.min(64, Math.max(1, availableParallelism() - 1)));
});

const route = (text: string): string => `allowed_ips = ["${text}"]`;

// biome-ignore format: a table
const MISTAKES: readonly (readonly [string, string, RegExp])[] = [
  ["unknown key", `${HEAD}listen_prot = 1`, /unknown key listen_prot in \[interface\]; did you mean listen_port\?/],
  ["unknown key of a peer", `${HEAD}${peer(1)}${peer(2, 'allowed_ip = []')}`, /unknown key allowed_ip in \[\[peer\]\] 2; did you mean allowed_ips\?/],
  ["key of another section", `${HEAD}allowed_ips = []`, /allowed_ips belongs into \[\[peer\]\], not \[interface\]\./],
  ["inline secret", `${HEAD}private_key = "x"`, /line 3: unknown key private_key in \[interface\]; write private_key_file, which names a file\.$/],
  ["prototype key", `${HEAD}__proto__ = 1`, /__proto__|line 3/],
  ["unknown section", `${HEAD}[engin]`, /line 3: this section is written \[engine\]\.$/],
  ["key without section", `mtu = 1420\n${HEAD}`, /mtu belongs into \[interface\]/],
  ["one bracket", `${HEAD}[peer]\npublic_key = "x"`, /\[\[peer\]\], with two brackets/],
  ["two brackets", `[[interface]]`, /line 1: this section is written \[interface\]\./],
  ["nothing", "", /the section \[interface\] is missing/],
  ["no key file", "[interface]\nmtu = 1420", /\[interface\] needs private_key_file/],
  ["no public key", `${HEAD}[[peer]]`, /\[\[peer\]\] 1 needs public_key/],
  ["syntax", "[interface]\nmtu = ", /line 2, column 7: the value is missing; write it like mtu = 1420\.$/],
  ["key twice", "[interface]\nmtu = 1420\nmtu = 1", /line 3/],
  ["wg-quick", "[Interface]\nPrivateKey = x", /wg-quick/],
  ["mtu low", `${HEAD}mtu = 575`, /mtu in \[interface\] must be a whole number from 576 to 65455, not 575/],
  ["mtu high", `${HEAD}mtu = 65456`, /from 576 to 65455, not 65456/],
  ["mtu text", `${HEAD}mtu = "1420"`, /not "1420"/],
  ["mtu and IPv6", `${HEAD}mtu = 1279\naddresses = ["fd66::1/64"]`, /at least 1280/],
  ["port", `${HEAD}listen_port = 65536`, /from 0 to 65535/],
  ["port negative", `${HEAD}listen_port = -1`, /from 0 to 65535/],
  ["name long", `${HEAD}name = "abcdefghijklmnop"`, /name in \[interface\] must be 1 to 15/],
  ["name path", `${HEAD}name = "../x"`, /must be 1 to 15/],
  ["name that Linux keeps", `${HEAD}name = "all"`, /must be 1 to 15.* but not \., \.\., all or default, not "all"/],
  ["name dots", `${HEAD}name = ".."`, /must be 1 to 15/],
  ["cipher", `${HEAD}cipher = "des"`, /must be "auto" or "chacha20poly1305" or "aes256gcm", not "des"/],
  ["address", `${HEAD}addresses = ["10.0.0.1/33"]`, /line 3: "10\.0\.0\.1\/33" in addresses of \[interface\] must be like/],
  ["address twice", `${HEAD}addresses = ["10.0.0.1/24", "10.0.0.1/24"]`, /10\.0\.0\.1\/24 is in addresses twice/],
  ["address of a network", `${HEAD}addresses = ["10.0.0.0/24"]`, /10\.0\.0\.0\/24 in addresses is the network's own address; use a host's, like 10\.0\.0\.1\/24\.$/],
  ["address of nobody", `${HEAD}addresses = ["fd66::1/64", "ff02::1/64"]`, /ff02::1\/64 in addresses is a multicast address; use a host's\.$/],
  ["routes", `${HEAD}routes = "keep"`, /routes in \[interface\] must be "install" or "leave", not "keep"/],
  ["state_dir", `${HEAD}state_dir = 1`, /state_dir in \[interface\] must be text, not 1/],
  ["log level", `${HEAD}[engine]\nlog_level = "all"`, /log_level in \[engine\] must be "silent" or "error" or "warn" or "info" or "debug", not "all"/],
  ["key log", `${HEAD}key_log = "x"`, /unknown key key_log in \[interface\]/],
  ["peer's name", HEAD + peer(1, 'name = "a.b"'), /name in \[\[peer\]\] 1 must be 1 to 63 letters, digits or hyphens, with none at its ends, not "a\.b"/],
  ["name of two", HEAD + peer(1, 'name = "ann"') + peer(2, 'name = "Ann"'), /\[\[peer\]\] 1 and \[\[peer\]\] 2 have the same name; change one\.$/],
  ["addresses no list", `${HEAD}addresses = "10.0.0.1/24"`, /must be a list/],
  ["listen address", `${HEAD}listen_address = "host"`, /must be an IP address/],
  ["fwmark", `${HEAD}fwmark = 4294967296`, /from 0 to 4294967295/],
  ["threads", `${HEAD}[engine]\nthreads = 65`, /threads in \[engine\] must be a whole number from 0 to 64/],
  ["io threads", `${HEAD}[engine]\nio_threads = 0`, /from 1 to 8/],
  ["gso", `${HEAD}[engine]\ngso = 1`, /must be true or false, not 1/],
  ["key text", `${HEAD}[[peer]]\npublic_key = "abc"`, /public_key in \[\[peer\]\] 1 must be the peer's WireGuard public key.*prints it\.$/],
  ["own key", `${HEAD}[[peer]]\npublic_key = "${own}"`, /\[\[peer\]\] 1 has this host's own public key/],
  ["key of small order", `${HEAD}[[peer]]\npublic_key = "${Buffer.alloc(32).toString("base64")}"`, /public_key in \[\[peer\]\] 1 is nobody's/],
  ["key twice", HEAD + peer(1) + peer(2) + peer(1), /\[\[peer\]\] 1 and \[\[peer\]\] 3 have the same public_key/],
  ["prefix twice", HEAD + peer(1, route("10.0.0.1/24")) + peer(2, route("10.0.0.2/24")), /1 and \[\[peer\]\] 2 both have 10\.0\.0\.0\/24/],
  ["endpoint", HEAD + peer(1, 'endpoint = "1.2.3.4"'), /endpoint in \[\[peer\]\] 1 must be like/],
  ["keepalive", HEAD + peer(1, "persistent_keepalive = 65536"), /from 0 to 65535/],
  ["psk inline", HEAD + peer(1, `preshared_key_file = "${keyOf(7)}"`), /preshared_key_file in \[\[peer\]\] 1 must name a file that holds the key, not the key itself\.$/],
  ["psk missing", HEAD + peer(1, 'preshared_key_file = "none"'), /none cannot be read: there is no such file/],
  ["psk bad", HEAD + peer(1, 'preshared_key_file = "bad"'), /bad holds no key/],
  ["key missing", '[interface]\nprivate_key_file = "none.key"', /none\.key cannot be read: .* make one with `p2pvpn-engine keygen --out .*none\.key`\.$/],
  ["key bad", '[interface]\nprivate_key_file = "bad"', /bad is no identity/],
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
        assert.ok(!error.message.includes(keyOf(7)), "a key was repeated");
        return true;
      },
    );
  });
}

test("files that cannot be read, are no text or are too many peers are refused", () => {
  assert.throws(() => loadConfig(join(folder, "none.toml")), /there is no such file/);
  assert.throws(() => loadConfig(folder), /it is a folder/);
  writeFileSync(file, Buffer.from([0x5b, 0xff, 0xfe]));
  assert.throws(() => loadConfig(file), /no UTF-8/);
  const keys = Array.from({ length: PEERS_MAX + 1 }, (_, i) => {
    const key = new Uint8Array(32).fill(1);
    new DataView(key.buffer).setUint32(0, i);
    return `[[peer]]\npublic_key = "${formatWireguardKey(key)}"\n`;
  });
  assert.throws(() => load(HEAD + keys.join("")), /16384 times at most/);
  assert.equal(load(HEAD + keys.slice(1).join("")).peers.length, PEERS_MAX);
});

test("endpoints are host:port or [IPv6]:port", () => {
  const good = {
    "203.0.113.7:1": { host: "203.0.113.7", port: 1 },
    "vpn.example.org:65535": { host: "vpn.example.org", port: 65_535 },
    "localhost:51820": { host: "localhost", port: 51_820 },
    "[::1]:51820": { host: "::1", port: 51_820 },
    "[fe80::1%eth0]:51820": { host: "fe80::1%eth0", port: 51_820 },
    "[febf::1%2]:1": { host: "febf::1%2", port: 1 },
  };
  for (const [text, endpoint] of Object.entries(good)) {
    assert.deepEqual(parseEndpoint(text), endpoint);
    assert.equal(formatEndpoint(endpoint), text);
  }
  const bad = ["", "host", "host:", "host:0", "host:65536", "host:+1", ":1", "::1:51820", "a b:1"];
  for (const text of [
    ...bad,
    "[1.2.3.4]:1",
    "[host]:1",
    "[::1]",
    "1.2.3:4",
    "1.2.3.256:4",
    "-a:1",
    "[fd00::1%eth0]:1",
    "[fe80::1%]:1",
    "[fe80::1%a/b]:1",
    "[fe80::1%a%b]:1",
    "fe80::1%eth0:1",
  ]) {
    assert.equal(parseEndpoint(text), null, text);
  }
});

test("every setting has help, and its default passes its own check", () => {
  assert.ok(SETTINGS.length >= 20);
  for (const { key, help, required, fallback, check } of SETTINGS) {
    assert.match(help, /^[A-Z].*\.$/, key);
    if (required || fallback === undefined) continue;
    assert.deepEqual(check(fallback), { value: fallback }, key);
  }
});

test("the nearest word takes the fewest edits, a beginning before that, and is near", () => {
  const nearest = (word: string, known: string[]): string | null => nearestWithin(word, known, 9);
  assert.equal(nearest("lsiten_port", ["mtu", "listen_port", "listen_address"]), "listen_port");
  assert.equal(nearest("private_key", ["public_key", "private_key_file"]), "private_key_file");
  assert.equal(nearest("x".repeat(100_000), ["mtu"]), null);
  assert.equal(meant("mtuu", ["mtu", "name"]), "mtu");
  for (const far of ["port", "jc", "s1", "dhcp", "keepalive", "x"]) {
    assert.equal(meant(far, ["mtu", "name", "routes", "persistent_keepalive"]), null, far);
  }
});

test("peers are called by labels of host names", () => {
  for (const name of ["a", "A1", "a-b", "1", "x".repeat(63)]) assert.ok(isPeerName(name), name);
  for (const name of ["", "-a", "a-", "a_b", "a.b", "ä", "a b", "x".repeat(64)]) {
    assert.ok(!isPeerName(name), name);
  }
});

test("a running engine tells every setting but the peers' and a network's", () => {
  const value = configValue(load(`${HEAD}addresses = ["10.0.0.1/24"]`));
  const file = SETTINGS.filter(({ section }) => section === "interface" || section === "engine");
  assert.deepEqual(Object.keys(value), file.map(settingName));
  for (const setting of file) {
    const now = value[settingName(setting)];
    if (setting.key === "private_key_file") assert.equal(now, join(folder, "keys", "own.key"));
    else if (setting.key === "addresses") assert.deepEqual(now, ["10.0.0.1/24"]);
    else assert.equal(now, setting.fallback, setting.key);
  }
});

test("what is live is set by its own check, and becomes one change", () => {
  assert.deepEqual(liveSet("interface.mtu", "1300"), { type: "change", change: { mtu: 1_300 } });
  assert.deepEqual(liveSet("interface.fwmark", "0xff"), {
    type: "change",
    change: { fwmark: 255 },
  });
  assert.deepEqual(liveSet("engine.log_level", "error"), { type: "level", level: "error" });
  for (const setting of SETTINGS.map(settingName)) {
    if (LIVE_SETTINGS.includes(setting)) continue;
    assert.throws(() => liveSet(setting, "1"), /cannot be changed while the engine runs; /);
  }
  for (const text of ["", "1e3", "1.5", "-1", "+1", " 1", "0b1", "0x", "x"]) {
    assert.throws(() => liveSet("interface.fwmark", text), /must be a whole number from 0/, text);
  }
});
