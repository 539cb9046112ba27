/**
 * rivals — who takes part in scenarios `paper` and `direct`: what the machine has of each.
 */
import { WIREGUARD_GO_VERSION } from "../fetch.ts";
import type { Options } from "../options.ts";
import { ours } from "../rivals/ours.ts";
import { oursMet } from "../rivals/ours-met.ts";
import type { Rival } from "../rivals/rival.ts";
import { wireguardGo, wireguardKernel } from "../rivals/wireguard.ts";
import { findNodes, wireguardGoScheme } from "./schemes.ts";
import { findWireguardGo } from "./speed.ts";

/**
 * Ours under each Node; the quick form shows the faster cipher under one. `met`: members that found
 * each other through an index node, which is on s; else peers of each other's files.
 */
export const oursRivals = ({ nodes, quick }: Options, version: string, met = false): Rival[] => {
  const make = met ? oursMet : ours;
  const found = findNodes([process.execPath, ...nodes]);
  const ciphers = quick ? (["aes256gcm"] as const) : (["aes256gcm", "chacha20poly1305"] as const);
  return found
    .slice(0, quick ? 1 : found.length)
    .flatMap((node) => ciphers.map((cipher) => make({ version, node, cipher })));
};

interface WireguardGoRivals {
  readonly hub: Rival;
  readonly direct: Rival;
  /** By family, why they are not there. */
  readonly why: Readonly<Record<string, string>>;
}

const FAMILY = "wireguard-go";
const NOBODY: WireguardGoRivals = {
  hub: wireguardGo(null, false),
  direct: wireguardGo(null, true),
  why: {},
};

/** wireguard-go of the given path, or the one that is fetched. Errors: UsageError. */
export const wireguardGoRivals = async (
  options: Options,
  root: string,
): Promise<WireguardGoRivals> => {
  const { only } = options;
  // Not looked for in vain: it may have to be fetched.
  if (only.length > 0 && !only.some((name) => name.startsWith(FAMILY))) return NOBODY;
  const found = await findWireguardGo(options, root);
  if ("why" in found) return { ...NOBODY, why: { [FAMILY]: found.why } };
  const given = options.wireguardGo !== null;
  const version = given ? wireguardGoScheme(found.path, true).version : WIREGUARD_GO_VERSION;
  const binary = { path: found.path, version };
  return { hub: wireguardGo(binary, false), direct: wireguardGo(binary, true), why: {} };
};

/** WireGuard of the kernel, where the kernel has it. */
export const kernelRivals = (): Rival[] =>
  [wireguardKernel(false), wireguardKernel(true)].filter((rival) => rival.version() !== null);
