/**
 * quirks — faults of kernels that cannot be probed: a kernel's version alone tells of them.
 *
 * A release is what `uname -r` says: "6.8.0-45-generic", "7.0.0-rc1+". What distributions mend
 * without another version is avoided all the same; the setting `quirks = "ignore"` uses it.
 */

export interface Quirk {
  /**
   * `gso`: UDP GSO is left alone. `vxlan`: nothing is, since no socket tells whether a peer is
   * reached through such a device; `check` says it where there is one.
   */
  readonly touches: "gso" | "vxlan";
  /** One clause: what is wrong, and in which versions. */
  readonly why: string;
}

interface Row extends Quirk {
  /** First version that has the fault, and first that has not; "": all before or after. */
  readonly from: string;
  readonly until: string;
  /** Of one distribution alone: what follows the version. */
  readonly build?: RegExp;
}

/** Source: facts 1.7, which names the commits. */
// biome-ignore format: a table
const ROWS: readonly Row[] = [
  // Linux b10b446ce7ad, v7.0-rc1; mended by 78effd896eee and 5f17ae0f595a.
  { touches: "gso", from: "7.0", until: "7.1.5", why: "Linux 7.0.0 to 7.1.4 damages it" },
  // The same fault, reported of Ubuntu's kernel in virtual machines.
  { touches: "gso", from: "6.17.0", until: "6.17.1", build: /^-41-/, why: "Ubuntu's Linux 6.17.0-41 is said to damage it" },
  { touches: "vxlan", from: "", until: "6.8.5", why: "Linux before 6.8.5 loses UDP GSO through VXLAN" },
];

/** Major, minor and patch as one number that can be compared. */
const numberOf = (version: string): number => {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  return (major * 1_000 + minor) * 1_000 + patch;
};

/** What is wrong with the kernel of this release; nothing is known of one that has no version. */
export const kernelQuirks = (release: string): Quirk[] => {
  const [, version, build = ""] =
    /^(\d{1,3}\.\d{1,3}(?:\.\d{1,3})?)(?!\d)(.*)$/.exec(release) ?? [];
  if (version === undefined) return [];
  const at = numberOf(version);
  return ROWS.filter(
    (row) =>
      (row.from === "" || at >= numberOf(row.from)) &&
      (row.until === "" || at < numberOf(row.until)) &&
      (row.build?.test(build) ?? true),
  ).map(({ touches, why }) => ({ touches, why }));
};
