/**
 * failing-control — what stands in for control/control.ts where a group is to fail over: all of it,
 * and one group of all peers that the file names, to which a prefix leads. The active peer is the
 * first one, and from then on the next of them, as often as the plan says. See swap.ts.
 */
import { Control as Original } from "../../src/control/control.ts";
import type { Peer } from "../../src/control/peers/peer.ts";
import type { Group } from "../../src/control/peers/roster.ts";
import { addon } from "../../src/io/native/addon.ts";
import { parseCidr } from "../../src/wire/cidr.ts";

export interface FailoverPlan {
  readonly prefix: string;
  /** UDP payload that peers have been sent when the time begins. */
  readonly flowingBytes: number;
  readonly everyMs: number;
  readonly times: number;
  /** Printed when the last of them is done. */
  readonly saying: string;
}

const LOOK_MS = 5;

const plan = JSON.parse(new URL(import.meta.url).searchParams.get("plan")!) as FailoverPlan;

export class Control extends Original {
  #group: Group | null = null;
  #gateways: readonly Peer[] = [];
  #done = 0;
  #startMs = 0;

  override async apply(...change: Parameters<Original["apply"]>): Promise<void> {
    await super.apply(...change);
    if (this.#group !== null || this.roster.size === 0) return;
    const { roster } = this;
    this.#group = roster.group("gateways");
    this.#gateways = [...roster.peers()];
    for (const { entry } of this.#gateways) roster.groups.entitle(this.#group!.entry, entry);
    roster.route(this.#group!, parseCidr(plan.prefix)!);
    this.failOver(this.#group!, this.#gateways[0]!);
    const timer = setInterval(() => {
      if (this.#look()) clearInterval(timer);
    }, LOOK_MS);
  }

  /** True: it was the last time. */
  #look(): boolean {
    const nowMs = addon.bootMs();
    const sent = this.#gateways.reduce((sum, { entry }) => sum + this.entries.bytes(entry).sent, 0);
    if (this.#startMs === 0 && sent < plan.flowingBytes) return false;
    this.#startMs ||= nowMs;
    if (nowMs < this.#startMs + (this.#done + 1) * plan.everyMs) return false;
    this.#done++;
    this.failOver(this.#group!, this.#gateways[this.#done % this.#gateways.length]!);
    if (this.#done < plan.times) return false;
    process.stdout.write(plan.saying);
    return true;
  }
}
