/** members-stage — what the nodes of one simulated run share. */
import type { Air } from "./members-air.ts";
import type { SharedDirectory } from "./members-directory.ts";
import type { SharedVerifier } from "./members-fleet.ts";
import type { Ledger } from "./members-ledger.ts";
import type { Time } from "./members-time.ts";

/** What nodes of one run share. */
export interface Stage {
  readonly time: Time;
  readonly air: Air;
  readonly ledger: Ledger;
  readonly directory: SharedDirectory;
  readonly verifier: SharedVerifier;
  readonly seed: number;
  readonly count: (what: string, amount: number) => void;
  /** Members are written to disk. */
  readonly keeps: boolean;
  readonly trace: ((text: string) => void) | null;
}
