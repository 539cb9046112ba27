/**
 * members-trouble — what befalls index nodes in a storm: they lie, die and come back; and members
 * have packets for addresses, of which they ask them and the directory who has them.
 */
import { addressOf } from "./members-fleet.ts";
import type { VirtualIndex } from "./members-index.ts";
import { lieOf } from "./members-index-lies.ts";
import type { VirtualNode } from "./members-node.ts";
import { FAIR_MS, NODES, STORM_MS } from "./members-outcome.ts";
import type { Stage } from "./members-stage.ts";
import type { Random } from "./random.ts";

/** Packets to somebody, in a storm. */
const PACKETS = 40;

interface Sky {
  readonly stage: Stage;
  readonly nodes: readonly VirtualNode[];
  say(text: string): void;
}

/** An index node lies, from some time on, and is gone for a while; it comes back. */
export const trouble = ({ stage, say }: Sky, server: VirtualIndex, random: Random): void => {
  const { time } = stage;
  if (random.chance(0.4)) {
    time.at(random.between(0, STORM_MS), () => {
      say("an index node lies");
      stage.count("indexLiars", 1);
      server.lie = lieOf(random);
    });
  }
  const downMs = random.between(FAIR_MS, STORM_MS);
  time.at(downMs, () => {
    say("an index node is killed");
    stage.count("indexDeaths", 1);
    server.stop();
  });
  time.at(downMs + random.between(1_000, 200_000), () => server.start());
};

/** Half of them in the first seconds, when few know each other. */
export const sendPackets = ({ stage, nodes }: Sky, random: Random): void => {
  for (let i = 0; i < PACKETS; i++) {
    const atMs = random.between(0, i % 2 === 0 ? FAIR_MS / 4 : STORM_MS);
    stage.time.at(atMs, () => {
      random.pick(nodes).network?.seek(addressOf(random.below(NODES)));
    });
  }
};
