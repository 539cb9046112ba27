/** members-looks — at what a node of a storm knows, and at what it must not have. */
import { formatCidr } from "../../src/wire/cidr.ts";
import { routeOf } from "./members-fleet.ts";
import { Violation } from "./members-ledger.ts";
import type { VirtualNode } from "./members-node.ts";
import type { Stage } from "./members-stage.ts";

/** What of a storm is looked at. */
interface Sky {
  readonly stage: Stage;
  readonly misfits: readonly VirtualNode[];
  say(text: string): void;
}

/** What a node knows: for who looks into a run that failed. */
export const tellNode = (sky: Sky, node: VirtualNode): void => {
  const report = node.network?.report;
  sky.say(`${node.name} knows ${JSON.stringify(report?.network())}`);
  for (const { name } of report?.members() ?? []) {
    sky.say(`  ${report?.explain(name)?.join(" ")}`);
  }
};

/** Nobody has a peer that is revoked; who is served by a liar is served by others too. */
export const checkPeers = ({ stage, misfits }: Sky, node: VirtualNode): void => {
  for (const other of misfits) {
    const wrong = stage.ledger.isRevoked(other.identity) && node.isPeer(other.identity);
    if (wrong) throw new Violation(`${node.name} has ${other.name}, which is revoked`);
  }
  for (const facts of node.network!.report.members()) {
    if (facts.allowedIps.includes(formatCidr(routeOf(1))) && facts.name !== "node-1") {
      throw new Violation(`${node.name} routes node-1's prefix to ${facts.name}`);
    }
  }
};
