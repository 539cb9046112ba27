/**
 * offloads — what of them is in use, and why the rest is not.
 *
 *   wanted (configuration) ─┐
 *   probed (probes.ts) ─────┼─▶ chooseOffloads() ─▶ device, status, check
 *   known (quirks.ts) ──────┘
 *
 * Each can be switched off; each is probed, but for faults that only a version tells of. What fails
 * in use in spite of that is done without it: UDP_SEGMENT for one way (io_send.c), merging for
 * one I/O thread (io_deliver.c).
 */
import { UDP_TAKES } from "./memory/numbers.ts";
import { kernelQuirks } from "./quirks.ts";
import type { EngineConfig } from "./schema/config.ts";

/** In the order in which they are told. */
export const OFFLOADS = {
  gso: "UDP GSO",
  gro: "UDP GRO",
  tunOffload: "TUN offload",
  uso: "TUN UDP offload",
  mergeTcp: "TCP merging",
  mergeUdp: "UDP merging",
} as const;

export type OffloadName = keyof typeof OFFLOADS;

/** Why each is off; null: it is on. */
export type Offloads = Readonly<Record<OffloadName, string | null>>;

/** What the kernel takes. */
export interface Found {
  /** UDP_TAKES bits of `addon.udpProbe`. */
  readonly udp: number;
  /** Result of setOffload(). */
  readonly tun: number;
  readonly mergesTcp: boolean;
  readonly mergesUdp: boolean;
  /** `uname -r`. */
  readonly release: string;
}

export type Wanted = Pick<EngineConfig["engine"], "gso" | "gro" | "tunOffload" | "quirks">;

/** Why a setting's own feature is off. */
export const AS_CONFIGURED = "as configured";

/** The first reason that is one. */
const firstOf = (...reasons: readonly (string | false)[]): string | null =>
  reasons.find((reason) => reason !== false) || null;

/** What is used of what is wanted and found. */
export const chooseOffloads = (wanted: Wanted, found: Found): Offloads => {
  const avoided = wanted.quirks === "ignore" ? [] : kernelQuirks(found.release);
  const damaged = avoided.find(({ touches }) => touches === "gso")?.why ?? false;
  const tunOffload = firstOf(
    !wanted.tunOffload && AS_CONFIGURED,
    found.tun < 1 && "the kernel refuses it",
  );
  const uso = firstOf(
    tunOffload !== null && tunOffload,
    found.tun < 2 && "the kernel does not have it; Linux 6.2 has",
  );
  const mergeTcp = firstOf(
    tunOffload !== null && tunOffload,
    !found.mergesTcp && "the kernel refuses merged packets; a newer one of its series takes them",
  );
  return {
    gso: firstOf(
      !wanted.gso && AS_CONFIGURED,
      (found.udp & UDP_TAKES.segment) === 0 && "the kernel does not have it; Linux 4.18 has",
      damaged,
    ),
    gro: firstOf(
      !wanted.gro && AS_CONFIGURED,
      (found.udp & UDP_TAKES.gro) === 0 && "the kernel does not tell of it; Linux 5.12 does",
    ),
    tunOffload,
    uso,
    mergeTcp,
    mergeUdp: firstOf(
      uso !== null && uso,
      mergeTcp !== null && mergeTcp,
      !found.mergesUdp && "the kernel refuses merged UDP",
    ),
  };
};

/** Reasons by name, of what is off. */
export const reasonsOf = (offloads: Offloads): Record<string, string> => {
  const off: Record<string, string> = {};
  for (const [name, why] of Object.entries(offloads)) if (why !== null) off[name] = why;
  return off;
};

/** One sentence for each that is off against what is configured. */
export const surprises = (offloads: Offloads): string[] =>
  (Object.keys(OFFLOADS) as OffloadName[])
    .filter((name) => (offloads[name] ?? AS_CONFIGURED) !== AS_CONFIGURED)
    .map((name) => `${OFFLOADS[name]} is off: ${offloads[name]}.`);
