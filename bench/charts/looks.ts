/**
 * looks — how each scheme is named and drawn, the same in every chart.
 *
 * Ours is thick and coloured; what goes through a server is thinner than what goes direct.
 */
import type { Row } from "../report.ts";
import type { Tone } from "./theme.ts";

export interface Look {
  /** Of the scheme. */
  readonly id: string;
  /** In charts; short. */
  readonly label: string;
  readonly own: boolean;
  readonly tone: Tone;
  /** Of text, which needs more contrast than a line. */
  readonly textTone: Tone;
  readonly shape: string;
  /** Units: pixels. */
  readonly width: number;
  /** Of the line; none: solid. Units: pixels. */
  readonly dash: readonly number[];
}

const SOLID: readonly number[] = [];

interface Drawn extends Pick<Look, "label" | "tone" | "shape" | "width"> {
  readonly dash?: readonly number[];
}

// biome-ignore format: a table
const RIVALS: Readonly<Record<string, Drawn>> = {
  "openvpn":              { label: "OpenVPN", tone: "openvpn", shape: "triangle-up", width: 1.5 },
  "strongswan":           { label: "strongSwan", tone: "strongswan", shape: "diamond", width: 1.5 },
  "n2n-supernode":        { label: "n2n, supernode", tone: "n2nHub", shape: "triangle-down", width: 1.5 },
  "n2n-direct":           { label: "n2n, direct", tone: "n2n", shape: "square", width: 1.5 },
  "wireguard-go-hub":     { label: "wireguard-go, hub", tone: "wireguardHub", shape: "triangle-left", width: 1.5 },
  "wireguard-go":         { label: "wireguard-go", tone: "wireguard", shape: "square", width: 2 },
  "wireguard-kernel-hub": { label: "kernel WireGuard, hub", tone: "kernelHub", shape: "triangle-left", width: 1.5 },
  "wireguard-kernel":     { label: "kernel WireGuard", tone: "kernel", shape: "triangle-right", width: 2 },
  "none":                 { label: "no VPN (the limit)", tone: "none", shape: "cross", width: 1.5, dash: [2, 3] },
};

// biome-ignore format: a table
const OURS: Readonly<Record<string, { readonly label: string; readonly tone: Tone; readonly older: Tone; readonly shape: string }>> = {
  aes256gcm:        { label: "AES", tone: "aes", older: "aes20", shape: "circle" },
  chacha20poly1305: { label: "ChaCha20", tone: "chacha", older: "chacha20", shape: "diamond" },
  none:             { label: "unsealed", tone: "unsealed", older: "unsealed20", shape: "square" },
};

const majorOf = ({ node }: Row): number => Number.parseInt(node ?? "0", 10);

/** The oldest Node that we run on has a tone of its own, whatever others a chart shows. */
const OLDEST = 20;

const ownLook = (row: Row): Look => {
  const { label, tone, older, shape } = OURS[row.cipher ?? "none"] ?? OURS.none!;
  const major = majorOf(row);
  return {
    ...{ id: row.id, own: true, textTone: tone, shape, dash: SOLID, width: 3 },
    label: `ours, ${label}, Node ${major}`,
    tone: major === OLDEST ? older : tone,
  };
};

const rivalLook = ({ id }: Row): Look => {
  const drawn = RIVALS[id] ?? { label: id, tone: "other", shape: "square", width: 1.5 };
  return { id, own: false, textTone: drawn.tone, dash: SOLID, ...drawn };
};

/** Of every scheme that rows have: ours first, newer Nodes before older ones, then rivals. */
export const looksOf = (rows: readonly Row[]): Look[] => {
  const first = rows.filter(({ id }, i) => rows.findIndex((row) => row.id === id) === i);
  const isOurs = ({ scheme }: Row): boolean => scheme === "p2pvpn";
  const ciphers = Object.keys(OURS);
  const cipherOf = ({ cipher }: Row): number => ciphers.indexOf(cipher ?? "none");
  const ours = first
    .filter(isOurs)
    .sort((x, y) => cipherOf(x) - cipherOf(y) || majorOf(y) - majorOf(x));
  const rivals = first.filter((row) => !isOurs(row));
  return [...ours.map((row) => ownLook(row)), ...rivals.map(rivalLook)];
};
