/**
 * routes — which prefix leads to which peer.
 */
import type { Command } from "commander";
import { askRoutes } from "../client.ts";
import type { RouteValue } from "../schema/requests.ts";
import { type EngineOptions, formatTable } from "./print.ts";
import { addExamples, addInterface, addJsonOption, calledPeer, showEngines } from "./shared.ts";

/** The text of `routes`. */
export const formatRoutes = (routes: readonly RouteValue[]): string => {
  if (routes.length === 0) return "There are no routes; give a peer allowed_ips.";
  const rows = routes.map((route) => [
    route.prefix,
    calledPeer(route),
    String(route.metric),
    route.active ? "active" : (route.reason ?? "not in use"),
  ]);
  return formatTable([["prefix", "peer", "metric", "state"], ...rows], [2]);
};

const routes = async (options: EngineOptions): Promise<void> => {
  await showEngines(options, async (name) => {
    const value = await askRoutes(name);
    return { value, text: () => formatRoutes(value) };
  });
};

/** Describes `routes`. */
export const define = (command: Command): void => {
  addJsonOption(addInterface(command, routes));
  addExamples(command, [
    "p2pvpn-engine routes",
    "p2pvpn-engine routes --json | jq -r '.[] | select(.active) | .prefix'",
  ]);
};
