/**
 * router — puts a router with address translation between the two hosts of a lab.
 *
 *   a 198.51.100.2 ──── 198.51.100.1 router 192.0.2.1 ──── 192.0.2.2 b        inner: a
 *
 * The inner host's own address is a's or b's; the router takes the address that the inner host had,
 * so that the outer host finds it where it was. Each new mapping has a random port. IPv4 only. The
 * router's namespace goes with the lab.
 */
import { mustRun } from "../../src/demo/tools.ts";
import { type Lab, LINK, namespaceOf, type Peer, type Place } from "../lab/lab.ts";

/** Documentation addresses. Source: RFC 5737. */
const OUTSIDE = { a: "192.0.2.1", b: "192.0.2.2" } as const;
const INNER = "198.51.100.2";
const ROUTER = "198.51.100.1";

// biome-ignore format: a table
const RULES = [
  "add table ip nat",
  "add chain ip nat postrouting { type nat hook postrouting priority 100; }",
  "add rule ip nat postrouting oifname outside masquerade fully-random",
];

/** Moves `inner` behind a router. Units: `mappingSeconds`, how long an idle mapping lives. */
export const insertRouter = async (
  lab: Lab,
  inner: Peer,
  mappingSeconds: number,
): Promise<Place> => {
  const router: Place = { namespace: namespaceOf("r") };
  const ip = (place: Place, ...words: string[]) =>
    mustRun(["ip", "-netns", place.namespace, ...words]);
  await mustRun(["ip", "netns", "add", router.namespace]);
  await ip(inner, "link", "set", LINK, "netns", router.namespace);
  await ip(router, "link", "set", LINK, "name", "outside");
  await ip(router, "address", "add", `${OUTSIDE[inner.name]}/24`, "dev", "outside");
  await ip(router, "link", "set", "outside", "up");
  await ip(router, "link", "set", "lo", "up");
  const cable = ["type", "veth", "peer", "name", "inside", "netns", router.namespace];
  await ip(inner, "link", "add", LINK, ...cable);
  await ip(router, "address", "add", `${ROUTER}/24`, "dev", "inside");
  await ip(router, "link", "set", "inside", "up");
  await ip(inner, "address", "add", `${INNER}/24`, "dev", LINK);
  await ip(inner, "link", "set", LINK, "up");
  await ip(inner, "route", "add", "default", "via", ROUTER);
  for (const rule of RULES) await lab.must(router, ["nft", rule]);
  const conntrack = "/proc/sys/net/netfilter/nf_conntrack_udp_timeout";
  const settings = [
    `echo 1 > /proc/sys/net/ipv4/ip_forward`,
    `echo ${mappingSeconds} > ${conntrack}`,
    `echo ${mappingSeconds} > ${conntrack}_stream`,
  ];
  await lab.must(router, ["sh", "-c", settings.join(" && ")]);
  return router;
};
