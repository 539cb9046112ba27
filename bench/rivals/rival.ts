/**
 * rival — what a benchmark needs to know of a VPN, and what it gets when it starts one.
 */
import { spawnSync } from "node:child_process";
import type { Field } from "../../test/lab/field.ts";
import type { Tunnel } from "../../test/lab/floods.ts";
import { LabError, namespaceOf } from "../../test/lab/lab.ts";
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

/**
 * Words in front of a program on s that carries no packet: its host would have processors of its
 * own, so here it gives way to those that carry, as the flooder comes before all.
 */
export const GIVES_WAY = ["chrt", "--idle", "0"];

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
