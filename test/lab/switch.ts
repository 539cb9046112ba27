/**
 * switch — a bridge that does what a switch does, and no more: where this kernel has frames of
 * bridges pass the firewall's hooks, this one's do not. Of a flood of 1,000 Mbit/s that took a
 * third of a processor (bench/RESULTS.md, "The paper's table").
 */
import { inside } from "../../src/demo/tools.ts";
import { must, type Place } from "./lab.ts";

const NAME = "switch";
/** For `sh -c`. Source: the kernel's documentation of net.bridge. */
const NO_FIREWALL = `for what in arptables ip6tables iptables; do
  file=/proc/sys/net/bridge/bridge-nf-call-$what
  [ ! -e $file ] || echo 0 > $file || exit 1
done`;

/** Makes it in a namespace. */
export const makeSwitch = async ({ namespace }: Place): Promise<void> => {
  await must(inside(namespace, ["sh", "-c", NO_FIREWALL]));
  const ip = ["ip", "-netns", namespace, "link"];
  await must([...ip, "add", "name", NAME, "type", "bridge", "mcast_snooping", "0"]);
  await must([...ip, "set", NAME, "up"]);
};

/** Puts the far end of a host's cable into it. */
export const plugIn = async ({ namespace }: Place, port: string): Promise<void> => {
  await must(["ip", "-netns", namespace, "link", "set", port, "master", NAME, "up"]);
};
