/**
 * schemes — what a benchmark compares: ours by cipher and Node, and wireguard-go.
 *
 * `p2pvpn-aes-node20`, `p2pvpn-chacha-node24`, `p2pvpn-unsealed-node20` (see unsealed-work.ts),
 * `wireguard-go`, and `bare`, the floor. Each starts both ends of one tunnel, from a to b of a lab.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../../test/lab/compile.ts";
import {
  type Keys,
  makeKeys,
  runNode,
  runWireguardGo,
  swapIn,
  writeConfig,
} from "../../test/lab/engines.ts";
import { type Host, type Lab, LabError, type Program, wireguardName } from "../../test/lab/lab.ts";
import type { NodeOptions } from "../../test/lab/node.ts";
import { WIREGUARD_GO_VERSION } from "../fetch.ts";
import { UsageError } from "../options.ts";

export type Cipher = "aes256gcm" | "chacha20poly1305";

export interface Scheme {
  readonly id: string;
  /** In tables. */
  readonly title: string;
  /** Whose it is: "p2pvpn" or the rival's name. */
  readonly family: string;
  readonly version: string;
  /** Null: nothing is sealed. */
  readonly cipher: Cipher | null;
  /** Version of the Node it runs under; null: it is no Node program. */
  readonly node: string | null;
  /** Starts both ends, each with so many peers that never speak; a's program is the first. */
  readonly start: (lab: Lab, idlePeers: number) => Promise<readonly Program[]>;
}

export interface Node {
  readonly path: string;
  /** As "20.20.2". */
  readonly version: string;
}

/** Asks binaries for their versions. Errors: UsageError when one is no Node, or two are alike. */
export const findNodes = (paths: readonly string[]): Node[] => {
  const nodes = paths.map((path) => {
    const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
    const version = /^v(\d+\.\d+\.\d+)/.exec(stdout ?? "")?.[1];
    if (version === undefined) throw new UsageError(`${path} is no Node; --node takes a binary.`);
    return { path, version };
  });
  const majors = nodes.map(({ version }) => version.split(".")[0]!);
  const twice = majors.find((major, i) => majors.indexOf(major) < i);
  if (twice !== undefined) throw new UsageError(`Two of the Nodes are ${twice}; name one of each.`);
  return nodes;
};

const PAIR = 2;
/** Ids of idle peers' addresses: 10.128.0.0/9 has room for eight million. */
const idleAddress = (i: number): string => `10.${128 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32`;
const idleKeys = (count: number): string[] =>
  Array.from({ length: count }, () => randomBytes(32).toString("base64"));

const keysOf = (lab: Lab): readonly [Keys, Keys] => [
  makeKeys(lab, lab.a, "wireguard"),
  makeKeys(lab, lab.b, "wireguard"),
];

const withIdlePeers = (file: string, count: number): string => {
  const peers = idleKeys(count).map(
    (key, i) => `[[peer]]\npublic_key = "${key}"\nallowed_ips = ["${idleAddress(i)}"]\n`,
  );
  appendFileSync(file, peers.join(""));
  return file;
};

/** Makes an engine use a cipher. Nothing sealed goes ChaCha20's way: C seals lone AES packets. */
const cipherOptions = (cipher: Cipher | null): NodeOptions => ({
  suite: cipher ?? "chacha20poly1305",
});

const CIPHER_WORDS = { aes256gcm: "AES-256-GCM", chacha20poly1305: "ChaCha20-Poly1305" } as const;
const CIPHER_IDS = { aes256gcm: "aes", chacha20poly1305: "chacha" } as const;

export interface OursOptions {
  readonly version: string;
  readonly node: Node;
  readonly cipher: Cipher | null;
  /** Beside the cipher's. */
  readonly options?: NodeOptions;
  /** Instead of the usual ones. */
  readonly id?: string;
  readonly title?: string;
}

/** Neither seals nor opens: what all the rest of an engine costs. */
const UNSEALED = swapIn("../../src/crypto/work", "../../bench/unsealed-work");

/** p2pvpn-engine. */
export const oursScheme = (given: OursOptions): Scheme => {
  const { version, node, cipher, options = {} } = given;
  const major = node.version.split(".")[0];
  const what = cipher === null ? "unsealed" : CIPHER_IDS[cipher];
  const named = cipher === null ? "nothing sealed" : CIPHER_WORDS[cipher];
  const imports = cipher === null ? [UNSEALED] : [];
  return {
    id: given.id ?? `p2pvpn-${what}-node${major}`,
    title: given.title ?? `ours, ${named}, Node ${major}`,
    family: "p2pvpn",
    version,
    cipher,
    node: node.version,
    start: async (lab, idlePeers) => {
      const [a, b] = keysOf(lab);
      const start = async (host: Host, keys: Keys, peer: Keys): Promise<Program> => {
        const file = withIdlePeers(writeConfig(lab, host, keys, peer.publicKey), idlePeers);
        const all = { ...cipherOptions(cipher), ...options };
        return (await runNode(lab, host, file, all, node.path, imports)).program;
      };
      return Promise.all([start(lab.a, a, b), start(lab.b, b, a)]);
    },
  };
};

/** wireguard-go from a binary. */
export const wireguardGoScheme = (binary: string, given: boolean): Scheme => {
  // The program of that release says 0.0.20230223.
  const { stdout } = spawnSync(binary, ["--version"], { encoding: "utf8" });
  const says = /v?(\d+\.\d+\.\d+)/.exec(stdout ?? "")?.[1] ?? "unknown";
  const version = given ? says : WIREGUARD_GO_VERSION;
  return {
    id: "wireguard-go",
    title: `wireguard-go ${version}`,
    family: "wireguard-go",
    version,
    cipher: "chacha20poly1305",
    node: null,
    start: async (lab, idlePeers) => {
      const [a, b] = keysOf(lab);
      const start = async (host: Host, keys: Keys, peer: Keys): Promise<Program> => {
        const program = await runWireguardGo(lab, host, keys, peer.publicKey, {}, binary);
        if (idlePeers === 0) return program;
        const file = join(lab.folder, `${host.name}.peers`);
        const peers = idleKeys(idlePeers).map(
          (key, i) => `[Peer]\nPublicKey = ${key}\nAllowedIPs = ${idleAddress(i)}\n`,
        );
        writeFileSync(file, peers.join(""), { mode: 0o600 });
        await lab.must(host, ["wg", "addconf", wireguardName(host), file]);
        return program;
      };
      return [await start(lab.a, a, b), await start(lab.b, b, a)];
    },
  };
};

const BARE_UP_MS = 5_000;

/** bare.c at both ends: what no cipher and no protocol would cost. It has no peers. */
export const bareScheme: Scheme = {
  id: "bare",
  title: "no protocol, no cipher (bare.c)",
  family: "bare",
  version: "",
  cipher: null,
  node: null,
  start: async (lab) => {
    const binary = compile(lab, "bare");
    const start = async (host: Host): Promise<Program> => {
      const name = wireguardName(host);
      const program = lab.start(host, [binary, name, lab.peerOf(host).under4]);
      await program.says("bare is up", BARE_UP_MS);
      await lab.must(host, ["ip", "address", "add", `${host.inner4}/24`, "dev", name]);
      await lab.must(host, ["ip", "link", "set", name, "mtu", "1420", "up"]);
      return program;
    };
    return [await start(lab.a), await start(lab.b)];
  },
};

/** Both ends run. Errors: LabError. */
export const checkRunning = (programs: readonly Program[]): void => {
  const gone = programs.find(({ child }) => child.exitCode !== null || child.signalCode !== null);
  if (gone !== undefined || programs.length !== PAIR) {
    throw new LabError(`An end of the tunnel ended: ${gone?.errors.trim() || "it said nothing"}.`);
  }
};
