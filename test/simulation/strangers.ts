/**
 * strangers — cookie replies of a machine to those on its link whom it does not know: so few that
 * the kernel's table of neighbours never fills with addresses that do not answer.
 */
import { BUDGETS } from "../../src/control/strangers/load.ts";

/** So long Linux looks for somebody. Source: mcast_solicit and retrans_time of neigh_parms. */
const SEARCH_MS = 3_000;
const { perSecond, burst } = BUDGETS.neighbours;
/** Twice, since a restart or another key gives a fresh budget. */
const SEARCHES_MAX = 2 * (burst + (perSecond * SEARCH_MS) / 1_000);

export class Strangers {
  #sentMs: number[] = [];

  /** One more. Errors: Error when they are too many. */
  reply(nowMs: number): void {
    this.#sentMs = this.#sentMs.filter((sentMs) => sentMs > nowMs - SEARCH_MS);
    if (this.#sentMs.push(nowMs) <= SEARCHES_MAX) return;
    throw new Error(`more than ${SEARCHES_MAX} cookie replies to strangers on the link`);
  }
}
