/** admit — peers of the network come and go at once, and change nothing that is configured. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MembershipWorld } from "../../src/control/membership.ts";
import type { Network } from "../../src/control/network/network.ts";
import type { NetworkWorld } from "../../src/control/network/world.ts";
import type { Peer } from "../../src/control/peers/peer.ts";
import { GATHER_MS } from "../../src/control/peers/roster.ts";
import { COMMAND, EVENT } from "../../src/memory/layout.ts";
import { Consumer, Producer } from "../../src/memory/queue.ts";
import type { PeerChange } from "../../src/schema/change.ts";
import type { EngineError } from "../../src/schema/errors.ts";
import { type Cidr, formatCidr, parseCidr } from "../../src/wire/cidr.ts";
import { RouteLookup } from "../lab/route-lookup.ts";
import { type End, Pair } from "./control-pair.ts";
import { fixed } from "./noise-parties.ts";

const AUTO = { cipher: "auto" } as const;
const cidr = (text: string): Cidr => parseCidr(text)!;
const member = (name: number, ...prefixes: string[]): PeerChange => ({
  publicKey: fixed(`member ${name}`),
  replaceAllowedIps: true,
  allowedIps: prefixes.map(cidr),
});
const publicKeyOf = ({ publicKey }: PeerChange) => publicKey;

/** Whom packets to an IPv4 address go to; -1: nobody. */
const leadsTo = ({ arena }: End, text: string): number => {
  const word = arena.layout.base.slots / 4;
  arena.u32[word] = Buffer.from(cidr(text).bytes).readUInt32BE();
  return new RouteLookup(arena).find(4, word);
};

const room = async (): Promise<{ readonly pair: Pair; readonly end: End }> => {
  const pair = await Pair.make({ ...AUTO, peers: 4 }, AUTO);
  await pair.a.control.apply(
    { peers: [{ publicKey: pair.b.publicKey, allowedIps: [cidr("10.0.0.2/32")] }] },
    "file",
  );
  return { pair, end: pair.a };
};

test("a member comes at once, its routes with the first that are gathered", async () => {
  const { pair, end } = await room();
  pair.run(GATHER_MS);
  const first = end.control.admit(member(1, "10.0.0.11/32"));
  assert(first !== null);
  assert.equal(leadsTo(end, "10.0.0.11/32"), first.entry, "nothing was published for a while");
  const second = end.control.admit(member(2, "10.0.0.12/32"));
  assert(second !== null);
  assert.equal(leadsTo(end, "10.0.0.12/32"), -1, "gathered");
  pair.run(GATHER_MS + 20);
  assert.equal(leadsTo(end, "10.0.0.12/32"), second.entry);
});

test("where there are few, who was met a moment after another has its routes at once", async () => {
  const { pair, end } = await room();
  pair.run(GATHER_MS);
  assert(end.control.admit(member(1, "10.0.0.11/32")) !== null);
  pair.run(1);
  const second = end.control.admit(member(2, "10.0.0.12/32"));
  assert(second !== null);
  assert.equal(leadsTo(end, "10.0.0.12/32"), second.entry, "its first packet may be on its way");
});

test("routes one after the other: the kernel is looked at for a tenth of the time", async () => {
  const { pair, end } = await room();
  let looks = 0;
  let seen = "";
  end.onRoutes = () => {
    looks++;
    pair.nowMs += 20;
    seen = [...end.control.roster.prefixes()].map(formatCidr).join(" ");
  };
  const last = 40;
  for (let i = 1; i <= last; i++) {
    assert(end.control.admit(member(1, `10.0.1.${i}/32`)) !== null);
    pair.run(GATHER_MS);
  }
  assert.ok(looks > 2 && looks < (last * GATHER_MS) / 150, `${looks} looks`);
  pair.run(1_000);
  assert.match(seen, /10\.0\.1\.40\/32/, "the last one is there");
});

test("dismissed, it is gone at once, whatever is gathered", async () => {
  const { pair, end } = await room();
  pair.run(GATHER_MS);
  const peer = end.control.admit(member(1, "10.0.0.11/32"))!;
  assert.equal(end.control.dismiss(peer), true);
  assert.equal(leadsTo(end, "10.0.0.11/32"), -1);
  assert.equal(end.control.dismiss(peer), false, "once");
});

test("a group fails over: one store, and what waits is looked up again", async () => {
  const { pair, end } = await room();
  const { control, arena } = end;
  const gateways = [1, 2].map((name) => control.admit(member(name))!) as [Peer, Peer];
  const group = control.roster.group("gateways")!;
  for (const { entry } of gateways) assert(control.roster.groups.entitle(group.entry, entry));
  assert(control.roster.route(group, cidr("10.9.0.0/16")));
  control.failOver(group, gateways[0]);
  pair.run(GATHER_MS + 20);
  assert.equal(leadsTo(end, "10.9.0.1/32"), group.entry);
  const told = new Consumer(arena, "commands", 0);
  while (told.next());
  control.failOver(group, gateways[1]);
  assert.equal(control.roster.groups.active(group.entry), gateways[1].entry);
  assert(told.next() && told.kind === COMMAND.release && !told.next());
});

test("what a file or a person says is never changed by the network", async () => {
  const { pair, end } = await room();
  const { control, peer: ours } = end;
  assert.equal(control.admit({ ...member(1), publicKey: ours.publicKey }), null);
  assert.equal(control.amend(ours, member(1, "10.0.0.9/32")), false);
  assert.equal(control.dismiss(ours), false);
  const peer = control.admit(member(1, "10.0.0.2/32", "10.0.0.11/32"));
  assert(peer !== null);
  pair.run(GATHER_MS + 20);
  assert.equal(leadsTo(end, "10.0.0.2/32"), ours.entry);
  assert.equal(leadsTo(end, "10.0.0.11/32"), peer.entry);
  // A person who gives a member's prefix to somebody else is obeyed.
  const mine = { publicKey: ours.publicKey, allowedIps: [cidr("10.0.0.11/32")] };
  await control.apply({ peers: [mine] });
  assert.equal(leadsTo(end, "10.0.0.11/32"), ours.entry);
});

test("reload, setconf and remove touch what is configured, and no member", async () => {
  const { end } = await room();
  const { control } = end;
  const one = member(1, "10.0.0.11/32");
  const peer = control.admit(one)!;
  await control.apply({ replacePeers: true, peers: [] }, "file");
  await control.apply({ replacePeers: true, peers: [] }, "command");
  const removed = { peers: [{ publicKey: publicKeyOf(one), remove: true as const }] };
  await control.apply(removed, "file");
  // As `wg syncconf` writes it.
  const { listenPort, fwmark } = control;
  await control.apply({ ...removed, privateKey: end.privateKey, listenPort, fwmark }, "wg");
  const isRefused = (error: EngineError): boolean => error.code === "NETWORK_PEER";
  for (const by of ["command", "wg"] as const) {
    await assert.rejects(control.apply(removed, by), isRefused, "who asks for it is told");
  }
  assert.deepEqual([...control.roster.peers()], [peer]);
  assert.equal(leadsTo(end, "10.0.0.11/32"), peer.entry);
});

test("a person sets a member's keepalive and nothing else; a file makes it its own", async () => {
  const { end } = await room();
  const { control } = end;
  const one = member(1, "10.0.0.11/32");
  const { publicKey } = one;
  const peer = control.admit(one)!;
  await control.apply({ peers: [{ publicKey, updateOnly: true, persistentKeepaliveS: 25 }] });
  assert.equal(peer.persistentKeepaliveS, 25);
  const wrong = control.apply({ peers: [{ publicKey, presharedKey: fixed("psk") }] });
  await assert.rejects(wrong, (error: EngineError) => error.code === "NETWORK_PEER");
  await control.apply({ peers: [{ publicKey, presharedKey: fixed("psk") }] }, "file");
  assert.equal(peer.origin, "file");
  assert.equal(control.dismiss(peer), false);
});

test("a prefix of a member's that somebody had comes back to it", async () => {
  const { end } = await room();
  const { control, peer: ours } = end;
  const one = control.admit(member(1, "10.0.0.2/32", "10.0.0.11/32"))!;
  const prefixes = (peer: Peer): Cidr[] => [...control.roster.allowed.of(peer)];
  assert.deepEqual(prefixes(one), [cidr("10.0.0.11/32")]);
  const { publicKey } = ours;
  const taken = [cidr("10.0.0.11/32")];
  await control.apply({ peers: [{ publicKey, allowedIps: taken }] });
  assert.deepEqual(prefixes(one), []);
  await control.apply({ peers: [{ publicKey, removedAllowedIps: taken }] });
  assert.deepEqual(prefixes(one), taken);
  await control.apply({ peers: [{ publicKey, remove: true }] });
  assert.equal(prefixes(one).length, 2);
});

test("no room is no member: entries, prefixes, and while a change waits", async () => {
  const { end } = await room();
  const { control } = end;
  const waiting = control.apply({ peers: [] });
  await Promise.resolve();
  assert.equal(control.admit(member(1)), null, "a change waits");
  await waiting;
  for (let i = 1; i <= 3; i++) assert.notEqual(control.admit(member(i)), null);
  assert.equal(control.admit(member(4)), null);
});

test("what the network changes while a change waits is made when that is", async () => {
  const { pair, end } = await room();
  const { control } = end;
  const peer = control.admit(member(1, "10.0.0.11/32"))!;
  const waiting = control.apply({ peers: [] });
  await Promise.resolve();
  assert.equal(control.amend(peer, member(1, "10.0.0.12/32")), true);
  await waiting;
  pair.run(GATHER_MS + 20);
  assert.equal(leadsTo(end, "10.0.0.12/32"), peer.entry);
  assert.equal(leadsTo(end, "10.0.0.11/32"), -1);
});

test("a file that names a member's key has its peer, which is a member all the same", async () => {
  const { end } = await room();
  const { control } = end;
  const gone: unknown[] = [];
  let made = 0;
  const network = {
    ranges: [],
    gone: (handle: unknown) => gone.push(handle),
    roomMade: () => made++,
  } as unknown as Network;
  let given: NetworkWorld | null = null;
  control.join({} as MembershipWorld, (world) => {
    given = world;
    return network;
  });
  const one = member(1, "10.0.0.11/32");
  const peer = given!.admit(one) as Peer;
  assert.equal(control.entries.frameBudget(peer.entry), "member");
  await control.apply({ peers: [one] }, "file");
  assert.ok(given!.isStatic(peer));
  assert.equal(made, 1);
  assert.deepEqual(gone, []);
  assert.equal(control.entries.frameBudget(peer.entry), "member", "it tells others");
  assert.equal(given!.amend(peer, { ...one, allowedIps: [] }), true);
  assert.equal(leadsTo(end, "10.0.0.11/32"), peer.entry, "and what a file says holds");
  // The file gives it up: what the network may still hold of it reaches nobody's entry.
  await control.apply({ replacePeers: true, peers: [] }, "file");
  assert.deepEqual(gone, [peer]);
  assert.equal(given!.sendFrame(peer, 12, new Uint8Array(13)), false);
  assert.equal(given!.endpoint(peer), null);
  assert.equal(given!.hasSession(peer), false);
});

test("who is admitted while it is admitted, since somebody wants it, is one peer", async () => {
  const { end } = await room();
  const { control, arena } = end;
  const one = member(1, "10.0.0.11/32");
  let given: NetworkWorld | null = null;
  const wanted: (Peer | null)[] = [];
  const network = {
    ranges: [],
    gone: () => undefined,
    roomMade: () => undefined,
    // As the seeker: its member is known, and nobody's peer yet.
    seek: () => wanted.push(given!.admit(one) as Peer | null),
  } as unknown as Network;
  control.join({} as MembershipWorld, (world) => {
    given = world;
    return network;
  });
  const before = control.roster.size;
  const want = (): void => {
    assert(new Producer(arena, "events", 0).put(EVENT.unknown, 4, 0, 0, 0));
  };
  // An I/O thread has just told of a packet to its address.
  want();
  const peer = given!.admit(one) as Peer;
  assert.deepEqual(wanted, [peer]);
  assert.equal(control.roster.size, before + 1);
  assert.equal(control.roster.at(peer.entry), peer);
  assert.equal(control.roster.find(one.publicKey), peer);
  // And one that goes meanwhile is changed no more.
  network.seek = () => void given!.dismiss(peer);
  want();
  assert.equal(given!.amend(peer, one), false);
  assert.equal(control.roster.size, before);
});
