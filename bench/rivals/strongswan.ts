/**
 * strongswan — IPsec by strongSwan, AES-256-GCM: a and b have each a tunnel to s, which passes on.
 *
 *     a 10.66.0.1 ══ ESP ══ s ══ ESP ══ b 10.66.0.2
 *
 * ESP is the kernel's where the kernel can do it, and else strongSwan's own (kernel-libipsec: a TUN
 * device, ESP in UDP 4500). Each daemon has a /run of its own. Keys are made for one run.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Field } from "../../test/lab/field.ts";
import { DATA_TYPE, type Tunnel } from "../../test/lab/floods.ts";
import { type Host, LabError, type Program } from "../../test/lab/lab.ts";
import { kernelTakes, type Rival, versionOf } from "./rival.ts";

const CHARON = "/usr/lib/ipsec/charon";
const LIBIPSEC = "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so";
const ESP_PORT = 4_500;
const NET = "10.66.0.0/24";
const UP_MS = 10_000;
const POLL_MS = 50;
const IKE = "aes256gcm16-prfsha256-ecp256";
const ESP = "aes256gcm16";
/** In the order that strongSwan builds in: AES instructions of the processor come first. */
const PLUGINS = ["random", "nonce", "aesni", "sha1", "sha2", "hmac", "kdf", "openssl"];
const AEAD = "rfc4106(gcm(aes))";

let known: boolean | null = null;

/** The kernel has ESP and AES-GCM: it takes a security association. Asked once. */
const kernelHasEsp = (): boolean => {
  const key = `0x${randomBytes(36).toString("hex")}`;
  const ends = ["src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "4096"];
  const seal = ["mode", "tunnel", "aead", AEAD, key, "128"];
  known ??= kernelTakes("xfrm", "state", "add", ...ends, ...seal);
  return known;
};

/** The daemon's configuration. */
const daemonText = (socket: string): string => {
  const kernel = kernelHasEsp() ? ["kernel-netlink"] : ["kernel-libipsec", "kernel-netlink"];
  const plugins = [...PLUGINS, ...kernel, "socket-default", "vici"].join(" ");
  return [
    "charon {",
    "  load_modular = no",
    `  load = ${plugins}`,
    "  install_virtual_ip = no",
    "  filelog { stderr { default = 0 } }",
    `  plugins { vici { socket = unix://${socket} } }`,
    "}",
    "",
  ].join("\n");
};

interface Connection {
  readonly name: string;
  readonly local: string;
  readonly remote: string;
  readonly localPrefix: string;
  readonly remotePrefix: string;
  readonly starts: boolean;
}

/** One connection; both sides prove themselves by the same key. */
const connectionText = (one: Connection): string => `
  ${one.name} {
    version = 2
    local_addrs = ${one.local}
    remote_addrs = ${one.remote}
    proposals = ${IKE}
    local {
      auth = psk
      id = ${one.local}
    }
    remote {
      auth = psk
      id = ${one.remote}
    }
    children {
      inner {
        local_ts = ${one.localPrefix}
        remote_ts = ${one.remotePrefix}
        esp_proposals = ${ESP}
        start_action = ${one.starts ? "start" : "none"}
      }
    }
  }`;

const configText = (connections: readonly Connection[], secret: string): string => {
  const shared = `secrets {\n  ike-field {\n    secret = ${secret}\n  }\n}\n`;
  return `connections {${connections.map(connectionText).join("")}\n}\n${shared}`;
};

const connectionOf = (field: Field, peer: Host, at: Host): Connection => {
  const ofServer = at.name === field.s.name;
  const own = { prefix: `${peer.inner4}/32`, address: peer.under4 };
  const all = { prefix: NET, address: field.s.under4 };
  const [local, remote] = ofServer ? [all, own] : [own, all];
  return {
    name: `field-${peer.name}`,
    local: local.address,
    remote: remote.address,
    localPrefix: local.prefix,
    remotePrefix: remote.prefix,
    starts: !ofServer,
  };
};

/** Starts a daemon, gives it its connections, and waits until it has taken them. */
const runDaemon = async (field: Field, host: Host, config: string): Promise<Program> => {
  const folder = join(field.folder, `ipsec-${host.name}`);
  mkdirSync(folder, { mode: 0o700 });
  const socket = join(folder, "vici");
  writeFileSync(join(folder, "strongswan.conf"), daemonText(socket));
  writeFileSync(join(folder, "swanctl.conf"), config, { mode: 0o600 });
  const own = `mount --bind "$1" /run && exec env STRONGSWAN_CONF="$1/strongswan.conf" ${CHARON}`;
  const program = field.start(host, ["sh", "-c", own, "sh", folder]);
  for (let waited = 0; !existsSync(socket); waited += POLL_MS) {
    if (waited > UP_MS || program.child.exitCode !== null) {
      throw new LabError(`strongSwan did not come up: ${program.errors.trim().split("\n").at(-1)}`);
    }
    await sleep(POLL_MS);
  }
  const load = ["--load-all", "--noprompt", "--file", join(folder, "swanctl.conf")];
  await field.must(host, ["swanctl", ...load, "--uri", `unix://${socket}`]);
  return program;
};

const start = async (field: Field): Promise<Tunnel> => {
  const { a, b, s } = field;
  const secret = `0s${randomBytes(32).toString("base64")}`;
  await field.forward(s);
  for (const host of [a, b, s]) {
    await field.must(host, ["ip", "address", "add", `${host.inner4}/32`, "dev", "lo"]);
  }
  const ofServer = [a, b].map((peer) => connectionOf(field, peer, s));
  const server = await runDaemon(field, s, configText(ofServer, secret));
  const peers: Program[] = [];
  for (const peer of [a, b]) {
    const config = configText([connectionOf(field, peer, peer)], secret);
    peers.push(await runDaemon(field, peer, config));
  }
  const ends = { from: a, to: b.inner4, publicKey: null, dataTypes: [DATA_TYPE] };
  return { ...ends, port: ESP_PORT, serverPort: ESP_PORT, programs: [...peers, server] };
};

export const strongswan: Rival = {
  id: "strongswan",
  get title(): string {
    const where = process.geteuid?.() === 0 && kernelHasEsp() ? "kernel ESP" : "kernel-libipsec";
    return `strongSwan, AES-256-GCM, ${where}`;
  },
  family: "strongswan",
  cipher: "aes256gcm",
  node: null,
  install: "strongswan strongswan-swanctl libcharon-extra-plugins libstrongswan-standard-plugins",
  direct: false,
  version: () => {
    if (!existsSync(CHARON) || !(existsSync(LIBIPSEC) || kernelHasEsp())) return null;
    return versionOf(["swanctl", "--version"], /strongSwan (\d[\d.]*)/);
  },
  start,
};
