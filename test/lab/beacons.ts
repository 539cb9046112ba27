/**
 * beacons — the LAN beacon alone, on a lab's host; run as a program with an IPC channel.
 *
 *   node beacons.js NAME TUNNEL
 *
 * All have one secret. Says "up LINKS" when it listens and has said its first beacon, and
 * "heard ADDRESS" for each address that it would ask. Told "changed", it looks at the links once
 * more; told "count", it says "read N", how many beacons it has been given. Ends with its parent.
 */
import { randomBytes } from "node:crypto";
import { Multicast } from "../../src/control/host/multicast.ts";
import { Beacon } from "../../src/control/network/beacon.ts";
import { mac } from "../../src/control/strangers/hashes.ts";
import { every, later } from "../../src/control/timer.ts";
import { addon } from "../../src/io/native/addon.ts";
import { formatSockaddr } from "../../src/wire/sockaddr.ts";

const [, , name = "", tunnel = ""] = process.argv;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

let read = 0;
const beacon = new Beacon({
  world: { unixMs: Date.now, randomBytes, mac, count: () => undefined },
  port: () => (name === "a" ? 51_001 : 51_002),
  secrets: () => [{ epoch: 1, secret: new Uint8Array(32).fill(7) }],
  heardOf: (at) => say(`heard ${formatSockaddr(at)}`),
});
const multicast = new Multicast({
  tunnel: () => tunnel,
  make: () => beacon.make(),
  take: (bytes, from) => {
    read++;
    beacon.take(bytes, from, addon.bootMs());
  },
  bootMs: () => addon.bootMs(),
  every,
  later,
});
process.on("message", (order) => {
  if (order === "changed") multicast.changed();
  if (order === "count") say(`read ${read}`);
});
process.on("disconnect", () => process.exit(0));
say(`up ${multicast.links.join(" ")}`);
