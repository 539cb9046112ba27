/**
 * addresses — addresses and ports of an end change while a session stands, in the steps of
 * WireGuard's own tests (tools/testing/selftests/wireguard/netns.sh): the very next ping is
 * answered, and whoever asks right after it hears where the peer is now.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { type Keys, makeKeys, PORT } from "../lab/engines.ts";
import { cannotRun, type Host, Lab, LINK, wireguardName } from "../lab/lab.ts";
import { firstPing, flow } from "../lab/measure.ts";
import { until } from "../lab/until.ts";
import { runDropIn, socketOf, untilGone } from "./drop-in.ts";
import { FULL, inTurn, type Wireguard } from "./versions.ts";

const skip = cannotRun(["wg", "iperf3"]);
let lab: Lab;
let keys: { readonly a: Keys; readonly b: Keys };
before(async () => {
  if (skip !== false) return;
  lab = await Lab.make();
  keys = { a: makeKeys(lab, lab.a, "wireguard"), b: makeKeys(lab, lab.b, "wireguard") };
  // Else the kernel takes the second address of a network away with the first.
  const promote = ["sysctl", "-qw", "net.ipv4.conf.all.promote_secondaries=1"];
  for (const host of [lab.a, lab.b]) await lab.must(host, promote);
});
after(() => lab?.remove());

/** Null is ours. */
type Role = Wireguard | null;
const named = (role: Role): string => role?.name ?? "ours";

/** One end: its device lies on `host`, its sockets where it was started. */
interface End {
  readonly host: Host;
  readonly name: string;
}

const wg = (...words: string[]): Promise<string> => lab.must(lab.a, ["wg", ...words]);

/** The only peer's endpoint as `wg show` has it. */
const shown = async ({ name }: End): Promise<string> =>
  (await wg("show", name, "endpoints")).trim().split("\t")[1] ?? "";

/** One ping, waited for a second. True: it was answered. */
const once = async (from: End, to: End, version: 4 | 6 = 4): Promise<boolean> => {
  const address = version === 4 ? to.host.inner4 : to.host.inner6;
  const { code } = await lab.run(from.host, ["ping", "-n", "-c", "1", "-W", "1", address]);
  return code === 0;
};

/**
 * Where b is seen to be asked from. wireguard-go reads IPv4 and IPv6 by threads of their own, and
 * may take what was on its way for newer: it may look again after one more ping.
 */
const assertShown = async (b: End, role: Role, expected: string, ping: () => Promise<unknown>) => {
  if (role !== null && (await shown(b)) !== expected) await ping();
  assert.equal(await shown(b), expected);
};

interface EndsPlan {
  readonly port: { readonly a: number; readonly b: number };
  readonly endpoint: { readonly a: string; readonly b: string };
  /** Host of b's sockets. */
  readonly started: Host;
}

const startEnd = async (
  { host, name }: End,
  side: "a" | "b",
  roles: readonly [Role, Role],
  plan: EndsPlan,
): Promise<void> => {
  const other = side === "a" ? "b" : "a";
  const start = side === "a" ? lab.a : plan.started;
  const role = roles[side === "a" ? 0 : 1];
  if (role === null) assert.equal((await runDropIn(lab, start, name)).code, 0);
  else {
    await lab.must(start, [role.binary, name]);
    // It returns before its socket is there, and the socket is there before anybody listens.
    await until(`${name} answers`, async () => {
      return existsSync(socketOf(name)) && (await lab.run(start, ["wg", "show", name])).code === 0;
    });
  }
  if (start !== host) await lab.must(start, ["ip", "link", "set", name, "netns", host.namespace]);
  await wg("set", name, "private-key", keys[side].file, "listen-port", String(plan.port[side]));
  const peer = ["peer", keys[other].publicKey, "endpoint", plan.endpoint[side]];
  await wg("set", name, ...peer, "allowed-ips", "0.0.0.0/0,::/0");
  await lab.must(host, ["ip", "address", "add", `${host.inner4}/24`, "dev", name]);
  await lab.must(host, ["ip", "address", "add", `${host.inner6}/64`, "dev", name, "nodad"]);
  await lab.must(host, ["ip", "link", "set", name, "up"]);
};

/** Both ends up, b's device on host b whichever host its sockets are on. */
const withEnds = async (
  roles: readonly [Role, Role],
  plan: EndsPlan,
  body: (a: End, b: End) => Promise<void>,
): Promise<void> => {
  const ends = {
    a: { host: lab.a, name: wireguardName(lab.a) },
    b: { host: lab.b, name: wireguardName(lab.b) },
  };
  try {
    for (const side of ["a", "b"] as const) await startEnd(ends[side], side, roles, plan);
    await firstPing(lab, lab.a, lab.b.inner4);
    await body(ends.a, ends.b);
  } finally {
    // One that did not come so far lies where it was started.
    for (const { host, name } of [ends.a, ends.b]) {
      await lab.run(host, ["ip", "link", "delete", name]);
    }
    await untilGone(lab, lab.a, ends.a.name);
    await untilGone(lab, plan.started, ends.b.name);
  }
};

/** Ours at either end, and at both. */
const rolesOf = (turn: number): (readonly [Role, Role])[] => [
  [null, null],
  ...inTurn(turn).flatMap((one): (readonly [Role, Role])[] => [
    [null, one],
    [one, null],
  ]),
];

const skipFor = (roles: readonly Role[]): string | false =>
  skip || (roles.find((role) => role !== null && role.skip !== false)?.skip ?? false);

const ROUNDS = FULL ? 20 : 3;

for (const roles of rolesOf(0)) {
  test(`${roles.map(named).join(" and ")}: another port, address and version, at once`, {
    skip: skipFor(roles),
  }, async () => {
    const endpoint = { a: "127.0.0.1:2002", b: "127.0.0.1:2001" };
    const plan = { port: { a: 2001, b: 2002 }, endpoint, started: lab.a };
    const lo = (...words: string[]) => lab.must(lab.a, ["ip", "address", ...words, "dev", "lo"]);
    await withEnds(roles, plan, async (a, b) => {
      await lo("delete", "127.0.0.1/8");
      await lo("add", "127.212.121.99/8");
      try {
        const move = async (port: number, endpoint: string): Promise<void> => {
          await wg("set", a.name, "listen-port", String(port));
          await wg("set", a.name, "peer", keys.b.publicKey, "endpoint", endpoint);
        };
        for (let round = 0; round < ROUNDS; round++) {
          await move(9_000 + round, "127.0.0.1:2002");
          assert.ok(await once(a, b, 6), `IPv4, round ${round}: no answer`);
          const four = `127.212.121.99:${9_000 + round}`;
          await assertShown(b, roles[1], four, () => once(a, b, 6));
          // wireguard-go may answer from the address that lo has, and that is where it is then.
          const here = ["127.0.0.1:2002", ...(roles[1] === null ? [] : ["127.212.121.99:2002"])];
          assert.ok(here.includes((await shown(a)) ?? ""), `${await shown(a)}, round ${round}`);
          await move(9_500 + round, "[::1]:2002");
          assert.ok(await once(a, b, 4), `IPv6, round ${round}: no answer`);
          await assertShown(b, roles[1], `[::1]:${9_500 + round}`, () => once(a, b, 4));
          assert.equal(await shown(a), "[::1]:2002");
        }
      } finally {
        await lo("add", "127.0.0.1/8");
        await lo("delete", "127.212.121.99/8");
      }
    });
  });
}

const OTHER = { 4: "192.0.2.10", 6: "2001:db8::10" } as const;

// biome-ignore format: a table
const MOVES: readonly { readonly busy: boolean; readonly back: boolean }[] = [
  { busy: false, back: false },
  ...(FULL ? [{ busy: false, back: true }, { busy: true, back: false }] : []),
  { busy: true, back: true },
];

/** Gives a's link one address for another. */
const replace = async (from: string, to: string): Promise<void> => {
  const [bits, nodad] = to.includes(":") ? [64, "nodad"] : [24, ""];
  const script = [
    `ip address add ${to}/${bits} dev ${LINK} ${nodad}`,
    `ip address delete ${from}/${bits} dev ${LINK}`,
  ].join(" && ");
  await lab.must(lab.a, ["sh", "-c", script]);
};

const endpointText = (address: string): string =>
  address.includes(":") ? `[${address}]:${PORT}` : `${address}:${PORT}`;

for (const roles of rolesOf(1)) {
  if (roles[0] !== null) continue; // whose address is replaced is ours
  for (const outer of [4, 6] as const) {
    test(`${roles.map(named).join(" and ")} over IPv${outer}: our address is replaced`, {
      skip: skipFor(roles),
    }, async () => {
      const under = outer === 4 ? ("under4" as const) : ("under6" as const);
      const endpoint = { a: endpointText(lab.b[under]), b: endpointText(lab.a[under]) };
      const plan = { port: { a: PORT, b: PORT }, endpoint, started: lab.b };
      try {
        await withEnds(roles, plan, async (a, b) => {
          for (const pinger of ["a", "b"] as const) {
            for (const { busy, back } of MOVES) {
              const [was, is] = back ? [OTHER[outer], lab.a[under]] : [lab.a[under], OTHER[outer]];
              if (busy) await flow(lab, lab.b, lab.a.inner4, { seconds: 1 });
              await replace(was, is);
              const how = `${pinger} pings${busy ? " after a stream" : ""}, ours is ${is} now`;
              // Who is told of it cannot know before.
              const told = async () => (await shown(b)) === endpointText(is);
              if (pinger === "b") await until(`b is told: ${how}`, told);
              assert.ok(await (pinger === "a" ? once(a, b) : once(b, a)), `${how}: no answer`);
              assert.equal(await shown(b), endpointText(is), how);
            }
          }
        });
      } finally {
        const words = [`${lab.a[under]}/${outer === 4 ? 24 : 64}`, "dev", LINK];
        await lab.run(lab.a, ["ip", "address", "replace", ...words]);
        await lab.run(lab.a, ["ip", "address", "delete", OTHER[outer], "dev", LINK]);
      }
    });
  }
}
