/**
 * rival — what a benchmark needs to know of a VPN, and what it gets when it starts one.
 */
import { spawnSync } from "node:child_process";
import type { Field } from "../../test/lab/field.ts";
import { type Host, LabError, namespaceOf, type Program } from "../../test/lab/lab.ts";
import type { SchemeFacts } from "../report.ts";

/** Where a program that is not there comes from. */
export interface Rival extends Omit<SchemeFacts, "version"> {
  /** Debian packages, or "" when none brings it. */
  readonly install: string;
  /** False: packets between the peers pass through s. */
  readonly direct: boolean;
  /** Asks the program; null: it is not there. */
  readonly version: () => string | null;
  /** Starts all ends; the tunnel may still need its first packet. Errors: LabError. */
  readonly start: (field: Field) => Promise<Tunnel>;
}

/** From a to b of a field. */
export interface Tunnel {
  readonly from: Host;
  /** Inner address of b. */
  readonly to: string;
  /** The same of IPv6; left out: it carries none. */
  readonly to6?: string;
  /** UDP port of the tunnel at a and at b, if they have one of their own. */
  readonly port: number;
  /** Port at s that rivals need open, and that is flooded in scenario `paper`. */
  readonly serverPort: number;
  /** Base64, of b; null when it is no WireGuard. */
  readonly publicKey: string | null;
  /** Types of data that WireGuard's ends take; for others, what floods have. */
  readonly dataTypes: readonly number[];
  /** All ends; processor time and life are watched. */
  readonly programs: readonly Program[];
}

/** Type of WireGuard's data. Source: WireGuard, 5.4.6. */
export const DATA_TYPE = 4;

/** First match of a pattern in what a program says to some words; null: it is not there. */
export const versionOf = (words: readonly string[], pattern: RegExp): string | null => {
  const [tool = "", ...rest] = words;
  const { error, stdout, stderr } = spawnSync(tool, rest, { encoding: "utf8" });
  if (error !== undefined) return null;
  return pattern.exec(`${stdout}${stderr}`)?.[1] ?? "unknown";
};

/** Does the kernel do what `ip` asks of it? Tried in a namespace made for it, and removed. */
export const kernelTakes = (...words: string[]): boolean => {
  // A field has no router: its name is free beside one.
  const namespace = namespaceOf("r");
  const ip = (...rest: string[]): boolean => spawnSync("ip", rest).status === 0;
  if (!ip("netns", "add", namespace)) return false;
  const taken = ip("-netns", namespace, ...words);
  ip("netns", "delete", namespace);
  return taken;
};

/** Sentence for a rival that is not there. */
export const whyMissing = ({ title, install }: Rival): string =>
  install === ""
    ? `${title} is not there, and no package brings it.`
    : `${title} is not there; run \`apt-get install -y --no-install-recommends ${install}\`.`;

/** All programs run. Errors: LabError with what one said last. */
export const checkPrograms = ({ programs }: Tunnel): void => {
  const gone = programs.find(({ child }) => child.exitCode !== null || child.signalCode !== null);
  if (gone === undefined) return;
  const said = `${gone.errors}\n${gone.output}`.trim().split("\n").at(-1);
  throw new LabError(`An end of the tunnel ended: ${said || "it said nothing"}.`);
};
