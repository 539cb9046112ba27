/**
 * ladder — what each advantage of ours is worth: the engine as it is, and with one switched off.
 *
 * A rung is a setting of `[engine]`, or a cipher.
 */
import type { NodeOptions } from "../../test/lab/node.ts";
import { type Cipher, type Node, oursScheme, type Scheme } from "./schemes.ts";

interface Rung {
  readonly id: string;
  readonly title: string;
  /** Settings that differ from the usual ones, by their names in the configuration. */
  readonly flags: Readonly<Record<string, string | number | boolean>>;
  /** AES-256-GCM where left out; null: nothing is sealed. */
  readonly cipher?: Cipher | null;
}

// biome-ignore format: a table
const RUNGS: readonly Rung[] = [
  { id: "full", title: "as it is, AES-256-GCM", flags: {} },
  { id: "no-tun-offload", title: "no segmentation offload on the tunnel", flags: { tun_offload: false } },
  { id: "no-gso", title: "no UDP segmentation offload (GSO)", flags: { gso: false } },
  { id: "no-gro", title: "no UDP receive offload (GRO)", flags: { gro: false } },
  { id: "no-offload", title: "none of the three", flags: { tun_offload: false, gso: false, gro: false } },
  { id: "no-connected", title: "no connected sockets", flags: { connected_sockets: false } },
  { id: "no-workers", title: "no worker thread", flags: { threads: 0 } },
  { id: "inline", title: "nothing handed over to the worker", flags: { hand_over: "inline" } },
  { id: "handed-over", title: "everything handed over to the worker", flags: { hand_over: "always" } },
  { id: "chacha", title: "ChaCha20-Poly1305 (sodium-native)", flags: {}, cipher: "chacha20poly1305" },
  { id: "unsealed", title: "nothing sealed", flags: {}, cipher: null },
];

/** The rungs under one Node. */
export const ladderSchemes = (version: string, node: Node): Scheme[] =>
  RUNGS.map((rung) => {
    const { id, title, cipher = "aes256gcm" } = rung;
    const flags = rung.flags as NonNullable<NodeOptions["flags"]>;
    return oursScheme({ version, node, cipher, id, title, options: { flags } });
  });
