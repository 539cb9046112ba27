/** admission, addresses — who is a peer, what leads to it, who leaves when there is no room. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Contest } from "../../src/control/network/addresses.ts";
import { Admission } from "../../src/control/network/admission.ts";
import { Members } from "../../src/control/network/members.ts";
import type { Statement } from "../../src/control/network/statement.ts";
import type { Handle, NetworkWorld } from "../../src/control/network/world.ts";
import type { PeerChange } from "../../src/schema/change.ts";
import { type Cidr, formatCidr, parseCidr } from "../../src/wire/cidr.ts";
import {
  addressOf,
  BORN_S,
  certify,
  DEFINITION,
  identityOf,
  routeOf,
} from "../simulation/members-fleet.ts";
import { recordKey, statementOf } from "./network-room.ts";

const DAY_S = 86_400;

/** Control's peers, as many as there is room for. */
class Peers {
  readonly now = new Map<string, { readonly handle: Handle; ips: readonly string[] }>();
  readonly sessions = new Set<Handle>();
  /** Names of those that a file has named. */
  readonly statics = new Set<string>();
  room: number;
  nowMs = 1_000_000;

  constructor(room: number) {
    this.room = room;
  }

  readonly world = {
    bootMs: () => this.nowMs,
    admit: (change: PeerChange): Handle | null => {
      if (this.now.size >= this.room) return null;
      const handle = { publicKey: change.publicKey };
      this.now.set(change.name!, { handle, ips: change.allowedIps!.map(formatCidr) });
      return handle;
    },
    amend: (handle: Handle, change: PeerChange): boolean => {
      const peer = this.now.get(change.name!);
      if (peer?.handle !== handle) return false;
      peer.ips = change.allowedIps!.map(formatCidr);
      return true;
    },
    dismiss: (handle: Handle): void => {
      for (const [name, peer] of this.now) {
        if (peer.handle === handle && !this.statics.has(name)) this.now.delete(name);
      }
      this.sessions.delete(handle);
    },
    isStatic: (handle: Handle): boolean =>
      [...this.statics].some((name) => this.now.get(name)?.handle === handle),
    hasSession: (handle: Handle): boolean => this.sessions.has(handle),
    lastUsedMs: () => 0,
  };

  ips(name: string): readonly string[] | undefined {
    return this.now.get(name)?.ips;
  }
}

const make = (room = 100, acceptRoutes: readonly Cidr[] = []) => {
  const members = new Members();
  const peers = new Peers(room);
  const contests: Contest[] = [];
  const refused: string[] = [];
  const full: number[] = [];
  const admission = new Admission({
    world: peers.world as unknown as NetworkWorld,
    members,
    cidrs: () => DEFINITION.cidrs,
    acceptRoutes,
    recordKey,
    needed: () => false,
    onGone: () => {},
    onRouteRefused: (_slot, why) => refused.push(why),
    onContest: (contest) => contests.push(contest),
    onFull: (slot) => full.push(slot),
  });
  const take = (statement: Statement): number => {
    const before = members.byId(statement.id);
    const isNew = before < 0 || members.at(before).owner !== statement.owner;
    const slot = members.put(statement, { way: "gossip", from: -1, heardS: 1 });
    members.list(slot, true);
    admission.update(slot, isNew);
    return slot;
  };
  const drop = (slot: number): void => {
    admission.remove(slot);
    members.drop(slot);
  };
  return { members, peers, admission, contests, refused, full, take, drop };
};

const announcing = (number: number, texts: readonly string[], more: object = {}): Statement => {
  const announced = texts.map((text) => {
    const [prefix, metric = "10"] = text.split(" ");
    return { prefix: parseCidr(prefix!)!, metric: Number(metric) };
  });
  return statementOf(identityOf(number), { announced, ...more });
};

const route = (number: number): string => formatCidr(routeOf(number));

test("a member is a peer with the addresses of its certificate, until it goes", () => {
  const { peers, take, drop } = make();
  const slot = take(statementOf(identityOf(1)));
  assert.deepEqual(peers.ips("node-1"), ["10.64.0.1/32"]);
  drop(slot);
  assert.equal(peers.now.size, 0);
});

test("announced prefixes: held by the certificate, and inside the network or accepted here", () => {
  const inside = parseCidr("10.70.0.0/16")!;
  const holds = [routeOf(1), routeOf(2), inside];
  const certificate = certify(identityOf(1), { routes: holds });
  const texts = [route(1), route(2), "10.70.0.0/16", "10.70.9.0/24", "10.71.0.0/16", "0.0.0.0/0"];
  const { peers, take, refused } = make(10, [routeOf(1), parseCidr("10.71.0.0/16")!]);
  take(announcing(1, texts, { certificate }));
  const ips = [...peers.ips("node-1")!].sort();
  assert.deepEqual(ips, ["10.64.0.1/32", "10.70.0.0/16", "10.70.9.0/24", route(1)]);
  assert.equal(refused.length, 3);
  assert.ok(refused.some((why) => why.includes("0.0.0.0/0, which its certificate does not hold")));
  assert.ok(refused.some((why) => why.includes(`${route(2)}, which accept_routes does not hold`)));
});

test("nobody announces the address of another", () => {
  const { peers, take, refused } = make();
  take(statementOf(identityOf(2)));
  const certificate = certify(identityOf(1), { routes: [parseCidr("10.64.0.0/16")!] });
  take(announcing(1, ["10.64.0.2/32", "10.64.0.77/32"], { certificate }));
  assert.deepEqual(peers.ips("node-1"), ["10.64.0.1/32", "10.64.0.77/32"]);
  assert.match(refused[0]!, /another member's address/);
});

test("one prefix of two members: the lower metric has it, and the other when that one goes", () => {
  const shared = parseCidr("10.80.0.0/16")!;
  const { peers, take, drop, members } = make();
  const says = (number: number, metric: number, sequence = 0): Statement => {
    const certificate = certify(identityOf(number), { routes: [shared] });
    const more = { certificate, sequence: BORN_S * 1_000 + sequence };
    return announcing(number, [`10.80.0.0/16 ${metric}`], more);
  };
  take(says(1, 20));
  assert.deepEqual(peers.ips("node-1"), ["10.64.0.1/32", "10.80.0.0/16"]);
  const slot = take(says(2, 10));
  assert.deepEqual(peers.ips("node-1"), ["10.64.0.1/32"]);
  assert.deepEqual(peers.ips("node-2"), ["10.64.0.2/32", "10.80.0.0/16"]);
  // It withdraws by a record that announces nothing.
  take(statementOf(identityOf(2), { certificate: members.at(slot).owner, sequence: 2e12 }));
  assert.deepEqual(peers.ips("node-1"), ["10.64.0.1/32", "10.80.0.0/16"]);
  assert.deepEqual(peers.ips("node-2"), ["10.64.0.2/32"]);
  drop(take(says(1, 20, 1)));
  take(says(2, 10, 5));
  assert.equal(peers.ips("node-1"), undefined);
});

test("an address of two certificates: the authority's first, then the later one", () => {
  const { peers, take, drop, contests, admission } = make();
  const addresses = [addressOf(1)];
  const first = take(statementOf(identityOf(1)));
  const older = certify(identityOf(2), { addresses, notBeforeS: BORN_S - 20 * DAY_S });
  const second = take(statementOf(identityOf(2), { certificate: older }));
  assert.deepEqual(peers.ips("node-1"), ["10.64.0.1/32"]);
  assert.deepEqual(peers.ips("node-2"), []);
  assert.deepEqual(contests.at(-1), { address: "10.64.0.1", loser: second, winner: first });
  const newer = certify(identityOf(3), { addresses, notBeforeS: BORN_S - DAY_S });
  const third = take(statementOf(identityOf(3), { certificate: newer }));
  assert.deepEqual(peers.ips("node-1"), []);
  assert.deepEqual(peers.ips("node-3"), ["10.64.0.1/32"]);
  assert.deepEqual(admission.contests(first), [
    { address: "10.64.0.1", loser: first, winner: third },
  ]);
  drop(third);
  assert.deepEqual(peers.ips("node-1"), ["10.64.0.1/32"], "the next one has it");
  drop(first);
  assert.deepEqual(peers.ips("node-2"), ["10.64.0.1/32"]);
});

test("a renewed certificate with other addresses: what leads to it follows", () => {
  const { peers, take } = make();
  take(statementOf(identityOf(1)));
  const certificate = certify(identityOf(1), { addresses: [addressOf(7), addressOf(8)] });
  take(statementOf(identityOf(1), { certificate, sequence: 2e12 }));
  assert.deepEqual(peers.ips("node-1"), ["10.64.0.7/32", "10.64.0.8/32"]);
  take(
    statementOf(identityOf(2), {
      certificate: certify(identityOf(2), { addresses: [addressOf(1)] }),
    }),
  );
  assert.deepEqual(peers.ips("node-2"), ["10.64.0.1/32"], "the former address is free");
});

test("no entry left: who calls takes the place of one that is idle", () => {
  const { peers, take, admission, members, full } = make(3);
  const slots = [1, 2, 3, 4, 5].map((number) => take(statementOf(identityOf(number))));
  assert.deepEqual([...peers.now.keys()], ["node-1", "node-2", "node-3"]);
  assert.deepEqual(full, slots.slice(3));
  for (const name of ["node-1", "node-3"]) peers.sessions.add(peers.now.get(name)!.handle);
  assert.notEqual(admission.admitNow(slots[3]!), null);
  assert.deepEqual([...peers.now.keys()].sort(), ["node-1", "node-3", "node-4"]);
  assert.equal(members.handle(slots[1]!), null);
  peers.sessions.add(peers.now.get("node-4")!.handle);
  assert.equal(admission.admitNow(slots[4]!), null, "nobody is idle");
  assert.equal(admission.waiting, 2);
});

test("an entry comes free: who waited longest has it", () => {
  const { peers, take, drop } = make(2);
  const slots = [1, 2, 3, 4].map((number) => take(statementOf(identityOf(number))));
  drop(slots[0]!);
  assert.deepEqual([...peers.now.keys()].sort(), ["node-2", "node-3"]);
});

test("barred: no peer, and its addresses are nobody else's; then it is one again", () => {
  const { peers, take, admission, members } = make();
  const slot = take(statementOf(identityOf(1)));
  members.bar(slot, true);
  admission.bar(slot);
  assert.equal(peers.now.size, 0);
  assert.equal(admission.admitNow(slot), null);
  assert.equal(members.byAddress(addressOf(1)), slot);
  members.bar(slot, false);
  admission.update(slot, false);
  assert.deepEqual(peers.ips("node-1"), ["10.64.0.1/32"]);
});

test("an address that its holder is signed without is theirs who lost it", () => {
  const { peers, take } = make();
  const [first, second] = [addressOf(1), addressOf(9)];
  const laterS = BORN_S - DAY_S;
  const signed = (addresses: readonly Uint8Array[], notBeforeS: number) =>
    certify(identityOf(1), { addresses, notBeforeS });
  take(statementOf(identityOf(1), { certificate: signed([first, second], laterS) }));
  const loser = certify(identityOf(2), {
    addresses: [addressOf(2), first],
    notBeforeS: laterS - 9,
  });
  take(statementOf(identityOf(2), { certificate: loser }));
  assert.deepEqual(peers.ips("node-1"), ["10.64.0.1/32", "10.64.0.9/32"]);
  assert.deepEqual(peers.ips("node-2"), ["10.64.0.2/32"]);
  const sequence = BORN_S * 1_000 + 5;
  take(statementOf(identityOf(1), { certificate: signed([second], laterS + 9), sequence }));
  assert.deepEqual(peers.ips("node-1"), ["10.64.0.9/32"]);
  assert.deepEqual(peers.ips("node-2"), ["10.64.0.2/32", "10.64.0.1/32"]);
});

test("whom a file has named makes no room: another idle one does", () => {
  const { peers, take, admission, members } = make(2);
  for (const number of [1, 2, 3]) take(statementOf(identityOf(number)));
  peers.statics.add("node-2");
  const slot = members.byNodeKey(identityOf(3).signing.publicKey);
  assert.equal(members.handle(slot), null);
  assert.notEqual(admission.admitNow(slot), null);
  assert.deepEqual([...peers.now.keys()].sort(), ["node-2", "node-3"]);
});
