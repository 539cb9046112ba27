/**
 * wireguard — WireGuard by wireguard-go or by the kernel: direct, or through a hub on s.
 *
 *     hub     a ── UDP 51820 ──▶ s: peers a and b, passes packets on ◀── UDP 51820 ── b
 *     direct  a ◀── UDP 51820 ──▶ b
 */
import {
  type Keys,
  makeKeys,
  type Plan,
  PORT,
  runWireguardGo,
  setWireguardPeer,
} from "../../test/lab/engines.ts";
import type { Field } from "../../test/lab/field.ts";
import { DATA_TYPE, type Tunnel } from "../../test/lab/floods.ts";
import { type Host, type Program, wireguardName } from "../../test/lab/lab.ts";
import { kernelTakes, type Rival, versionOf } from "./rival.ts";

const NET = "10.66.0.0/24";
const MTU = "1420";

/** Brings up the interface of a host with its first peer; null: the kernel is the program. */
type Runner = (
  field: Field,
  host: Host,
  keys: Keys,
  peer: string,
  plan: Plan,
) => Promise<Program | null>;

const runKernel: Runner = async (field, host, keys, peer, plan) => {
  const name = wireguardName(host);
  const ip = (...words: string[]) => field.must(host, ["ip", ...words]);
  await ip("link", "add", name, "type", "wireguard");
  const own = ["private-key", keys.file, "listen-port", String(PORT)];
  await field.must(host, ["wg", "set", name, ...own]);
  await setWireguardPeer(field, host, peer, plan);
  await ip("address", "add", `${host.inner4}/24`, "dev", name);
  await ip("address", "add", `${host.inner6}/64`, "dev", name, "nodad");
  await ip("link", "set", name, "mtu", MTU, "up");
  return null;
};

const planOf = (host: Host, peer: Host, prefix: string): Plan => ({
  addresses: [`${host.inner4}/24`],
  allowedIps: [prefix],
  endpoint: `${peer.under4}:${PORT}`,
});

const startDirect = async (field: Field, run: Runner): Promise<Tunnel> => {
  const { a, b } = field;
  const [own, other] = [a, b].map((host) => makeKeys(field, host, "wireguard")) as [Keys, Keys];
  const programs = [
    await run(field, a, own, other.publicKey, {}),
    await run(field, b, other, own.publicKey, {}),
  ];
  return { ...tunnelOf(field, programs, other.publicKey), to6: b.inner6 };
};

const startHub = async (field: Field, run: Runner): Promise<Tunnel> => {
  const { a, b, s } = field;
  const all = [a, b, s].map((host) => makeKeys(field, host, "wireguard")) as [Keys, Keys, Keys];
  const [own, other, hub] = all;
  await field.forward(s);
  const programs = [
    await run(field, a, own, hub.publicKey, planOf(a, s, NET)),
    await run(field, b, other, hub.publicKey, planOf(b, s, NET)),
    await run(field, s, hub, own.publicKey, planOf(s, a, `${a.inner4}/32`)),
  ];
  await setWireguardPeer(field, s, other.publicKey, planOf(s, b, `${b.inner4}/32`));
  return tunnelOf(field, programs, other.publicKey);
};

const tunnelOf = (
  { a, b }: Field,
  programs: readonly (Program | null)[],
  publicKey: string,
): Tunnel => ({
  ...{ from: a, to: b.inner4, port: PORT, serverPort: PORT, publicKey, dataTypes: [DATA_TYPE] },
  programs: programs.filter((program) => program !== null),
});

const CIPHER = { cipher: "chacha20poly1305", node: null } as const;

/** wireguard-go from a binary of a version; null: there is none. */
export const wireguardGo = (
  found: { readonly path: string; readonly version: string } | null,
  direct: boolean,
): Rival => ({
  id: direct ? "wireguard-go" : "wireguard-go-hub",
  title: direct ? "wireguard-go, direct" : "wireguard-go through a hub",
  family: "wireguard-go",
  ...CIPHER,
  install: "wireguard-go",
  direct,
  version: () => found?.version ?? null,
  start: (field) => {
    const run: Runner = (lab, host, keys, peer, plan) =>
      runWireguardGo(lab, host, keys, peer, plan, found?.path);
    return direct ? startDirect(field, run) : startHub(field, run);
  },
});

/** The kernel makes interfaces of that kind. */
const kernelHasWireguard = (): boolean => kernelTakes("link", "add", "wg0", "type", "wireguard");

export const wireguardKernel = (direct: boolean): Rival => ({
  id: direct ? "wireguard-kernel" : "wireguard-kernel-hub",
  title: direct ? "WireGuard of the kernel, direct" : "WireGuard of the kernel through a hub",
  family: "wireguard-kernel",
  ...CIPHER,
  install: "",
  direct,
  version: () => (kernelHasWireguard() ? versionOf(["uname", "-r"], /^(\S+)/) : null),
  start: (field) => (direct ? startDirect(field, runKernel) : startHub(field, runKernel)),
});
