/**
 * middle — puts a plain router between the two hosts of a lab, and a smaller link beyond it.
 *
 *   a 198.51.100.2 ─── 1500 ─── 198.51.100.1 router 192.0.2.1 ─── smaller ─── 192.0.2.2 b
 *   a 2001:db8:1::2 ─────────── 2001:db8:1::1      2001:db8::1 ────────────── 2001:db8::2 b
 *
 * The router takes a's addresses towards b. Its namespace goes with the lab.
 */
import { mustRun } from "../../src/demo/tools.ts";
import { type Lab, LINK, namespaceOf, type Place } from "../lab/lab.ts";

/** Source: RFC 5737, RFC 3849. */
export const INNER = { a4: "198.51.100.2", a6: "2001:db8:1::2" } as const;
const ROUTER = { inside4: "198.51.100.1", inside6: "2001:db8:1::1" } as const;

/** Returns the router. Units: `mtu` in bytes. */
export const insertMiddle = async (lab: Lab, mtu: number): Promise<Place> => {
  const { a, b } = lab;
  const router: Place = { namespace: namespaceOf("r") };
  const ip = (place: Place, ...words: string[]) =>
    mustRun(["ip", "-netns", place.namespace, ...words]);
  await mustRun(["ip", "netns", "add", router.namespace]);
  await ip(a, "link", "set", LINK, "netns", router.namespace);
  const cable = ["type", "veth", "peer", "name", "inside", "netns", router.namespace];
  await ip(a, "link", "add", LINK, ...cable);
  const own = [
    [a, LINK, `${INNER.a4}/24`, `${INNER.a6}/64`],
    [router, "inside", `${ROUTER.inside4}/24`, `${ROUTER.inside6}/64`],
    [router, LINK, `${a.under4}/24`, `${a.under6}/64`],
  ] as const;
  for (const [place, link, v4, v6] of own) {
    await ip(place, "address", "add", v4, "dev", link);
    await ip(place, "address", "add", v6, "dev", link, "nodad");
    await ip(place, "link", "set", link, "up");
  }
  await ip(a, "route", "add", "default", "via", ROUTER.inside4);
  await ip(a, "route", "add", "default", "via", ROUTER.inside6);
  await ip(b, "route", "add", "default", "via", a.under4);
  await ip(b, "route", "add", "default", "via", a.under6);
  for (const place of [router, b]) await ip(place, "link", "set", LINK, "mtu", String(mtu));
  const forward = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"];
  for (const name of forward) await lab.must(router, ["sh", "-c", `echo 1 > /proc/sys/${name}`]);
  return router;
};
