/**
 * index-report — what there is to say of index nodes: where each is, who it is, since when it is
 * there, what it said last, and why not. Nothing in here changes anything. Thread: control.
 */
import { formatNodeId } from "../../members/sign.ts";
import type { IndexFacts } from "../../schema/answers.ts";
import { formatSockaddr, makeSockaddr } from "../../wire/sockaddr.ts";
import { formatAge } from "./ages.ts";
import { SKEW_MS } from "./clock.ts";
import type { IndexNode } from "./index-node.ts";

const seconds = (sinceMs: number | null, nowMs: number): number | null =>
  sinceMs === null ? null : (nowMs - sinceMs) / 1_000;

/** Its clock and ours differ by more than records may: what one of the two says is refused. */
const clockProblem = ({ name, clockAheadMs }: IndexNode): string | null => {
  if (clockAheadMs === null || Math.abs(clockAheadMs) <= SKEW_MS) return null;
  const by = formatAge(Math.abs(clockAheadMs) / 1_000);
  const how = clockAheadMs > 0 ? `ahead of this host's` : `behind this host's`;
  return `The clock of the index node ${name} is ${by} ${how}: set the one that is wrong.`;
};

/** What is wrong with it, as a sentence; null: nothing. */
const problemOf = (node: IndexNode): string | null => {
  const { name, isOpen, other, place, nodeKey } = node;
  if (isOpen) return clockProblem(node);
  if (other !== null && nodeKey !== null) {
    const [there, named] = [formatNodeId(other), formatNodeId(nodeKey)];
    return `Another index node answers at ${name}, ${there}, and not ${named}: name the right one.`;
  }
  if (place.sockaddrs.length === 0) {
    return place.problem === null
      ? `The name of the index node ${name} has not resolved yet.`
      : `The name of the index node ${name} does not resolve: ${place.problem}.`;
  }
  if (node.state === "silent") return `The index node ${name} does not answer any more.`;
  if (node.state !== "opening") return `No index node answers at ${name} yet.`;
  const why = "it has too many callers, or this host's certificate does not count there";
  return `The index node ${name} answers, and does not let this host in: ${why}.`;
};

export const indexFacts = (node: IndexNode, nowMs: number): IndexFacts => {
  const { name, nodeKey, place, sockaddr, said, state } = node;
  return {
    name,
    nodeId: nodeKey === null ? null : formatNodeId(nodeKey),
    isNamed: place.nodeKey !== null,
    state,
    address: sockaddr === null ? null : formatSockaddr(sockaddr),
    openS: seconds(node.openedMs, nowMs),
    heardAgeS: seconds(node.heardMs, nowMs),
    observed: said === null ? null : formatSockaddr(makeSockaddr(said.address, said.port)),
    members: said?.members ?? null,
    problem: problemOf(node),
  };
};
