/**
 * crowd-members — as many members as are asked for, each with a socket on an address of its own
 * below 127.0.0.0/8, in this process: they call one index node and keep their channels up.
 */
import { hashOf } from "../../src/members/sign.ts";
import type { Lab } from "../unit/service-parts.ts";
import { Member } from "../unit/service-parts.ts";
import { CrowdMember, type Manners, nothingPassed, type Traffic } from "./crowd-member.ts";

/** Each member's alarm is looked at so often. */
const ROUND_MS = 100;
const STEP_MS = 10;
const STEPS = ROUND_MS / STEP_MS;
/** Sockets that are bound at a time. */
const BOUND_AT_ONCE = 100;

export interface CrowdOptions {
  readonly lab: Lab;
  readonly count: number;
  readonly index: { readonly address: string; readonly port: number };
  readonly curiousMs: number;
}

const addressOf = (i: number): string => `127.${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;

export class Crowd {
  readonly members: readonly CrowdMember[];
  readonly manners: Manners;
  readonly traffic: Traffic;
  readonly #timer: NodeJS.Timeout;
  #step = 0;
  /** Who is called when, the latest first. */
  readonly #calls: { readonly atMs: number; readonly who: CrowdMember }[] = [];

  private constructor(members: readonly CrowdMember[], manners: Manners, traffic: Traffic) {
    this.members = members;
    this.manners = manners;
    this.traffic = traffic;
    this.#timer = setInterval(() => this.#tick(performance.now()), STEP_MS);
  }

  /** Errors: Error of the system: no more sockets. */
  static async make({ lab, count, index, curiousMs }: CrowdOptions): Promise<Crowd> {
    const manners = { behindNat: true, curiousMs };
    const traffic = nothingPassed();
    const members: CrowdMember[] = [];
    const common = { definition: lab.definition, list: lab.list(1), index, manners, traffic };
    while (members.length < count) {
      const from = members.length;
      const some = Array.from({ length: Math.min(BOUND_AT_ONCE, count - from) }, (_, i) => {
        const number = from + i;
        const member = new Member(lab, number, 0, hashOf(32, Buffer.from(`crowd ${number}`)));
        const pair = member.pair();
        return CrowdMember.open(addressOf(number), { ...common, member, pair });
      });
      members.push(...(await Promise.all(some)));
    }
    return new Crowd(members, manners, traffic);
  }

  /** All call within that time, in no order. */
  callWithin(ms: number): void {
    const nowMs = performance.now();
    for (const who of this.members) {
      this.#calls.push({ atMs: nowMs + ms * Math.random(), who });
    }
    this.#calls.sort((a, b) => b.atMs - a.atMs);
  }

  #tick(nowMs: number): void {
    while ((this.#calls.at(-1)?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      this.#calls.pop()!.who.node.call(nowMs);
    }
    for (let i = this.#step; i < this.members.length; i += STEPS) this.members[i]!.tick(nowMs);
    this.#step = (this.#step + 1) % STEPS;
  }

  /** How many have opened a channel since then. */
  openSince(ms: number): number {
    return this.members.filter(({ openedMs, node }) => openedMs >= ms && node.isOpen).length;
  }

  close(): void {
    clearInterval(this.#timer);
    for (const member of this.members) member.close();
  }
}
