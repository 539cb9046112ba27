/** tunnels — two engines of ours, one on each host of a lab, for as long as a test needs them. */
import { makeKeys, type Plan, runCli, writeConfig } from "../lab/engines.ts";
import type { Lab, Program } from "../lab/lab.ts";

/** All inline, with keys of their own. */
export const withTunnel = async (
  lab: Lab,
  planA: Plan,
  planB: Plan,
  body: () => Promise<void>,
): Promise<void> => {
  const [a, b] = [makeKeys(lab, lab.a, "identity"), makeKeys(lab, lab.b, "identity")];
  const programs: readonly Program[] = await Promise.all([
    runCli(lab, lab.a, writeConfig(lab, lab.a, a, b.publicKey, planA), ["--threads", "0"]),
    runCli(lab, lab.b, writeConfig(lab, lab.b, b, a.publicKey, planB), ["--threads", "0"]),
  ]);
  try {
    await body();
  } finally {
    for (const program of programs) await program.stop();
  }
};
