/** difference — the change, applied to a model of the old configuration, gives the new one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Change, PeerChange } from "../../src/schema/change.ts";
import type { EngineConfig, PeerConfig } from "../../src/schema/config.ts";
import { difference } from "../../src/schema/difference.ts";
import { type Cidr, formatCidr, parseCidr } from "../../src/wire/cidr.ts";

const keyText = (key: Uint8Array): string => Buffer.from(key).toString("hex");

/** A running engine, as simply as it can be said: who has which prefix, and the rest by key. */
interface Model {
  readonly peers: Map<string, Omit<PeerConfig, "allowedIps" | "publicKey">>;
  readonly owners: Map<string, string>;
  readonly sessions: Map<string, number>;
  link: { listenPort: number; fwmark: number; mtu: number; privateKey: string };
}

const modelOf = ({ interface: link, peers }: EngineConfig): Model => ({
  peers: new Map(peers.map(({ allowedIps: _, publicKey, ...rest }) => [keyText(publicKey), rest])),
  owners: new Map(
    peers.flatMap((one) => one.allowedIps.map((ip) => [formatCidr(ip), keyText(one.publicKey)])),
  ),
  sessions: new Map(peers.map((one, i) => [keyText(one.publicKey), i])),
  link: {
    listenPort: link.listenPort,
    fwmark: link.fwmark,
    mtu: link.mtu,
    privateKey: keyText(link.identity!.privateKey),
  },
});

const dropPrefixes = (model: Model, key: string): void => {
  for (const [prefix, owner] of model.owners) if (owner === key) model.owners.delete(prefix);
};

/** By the words of schema/change.ts. */
const applyPeer = (model: Model, change: PeerChange): void => {
  const key = keyText(change.publicKey);
  if (change.remove) {
    dropPrefixes(model, key);
    model.peers.delete(key);
    model.sessions.delete(key);
    return;
  }
  const nobody = { name: null, presharedKey: null, endpoint: null, persistentKeepaliveS: 0 };
  const before = model.peers.get(key) ?? nobody;
  model.peers.set(key, {
    name: change.name === undefined ? before.name : change.name,
    presharedKey: change.presharedKey === undefined ? before.presharedKey : change.presharedKey,
    endpoint: change.endpoint === undefined ? before.endpoint : change.endpoint,
    persistentKeepaliveS: change.persistentKeepaliveS ?? before.persistentKeepaliveS,
  });
  if (change.replaceAllowedIps) dropPrefixes(model, key);
  for (const ip of change.allowedIps ?? []) model.owners.set(formatCidr(ip), key);
  for (const ip of change.removedAllowedIps ?? []) {
    if (model.owners.get(formatCidr(ip)) === key) model.owners.delete(formatCidr(ip));
  }
};

const apply = (model: Model, change: Change): void => {
  assert.equal(change.replacePeers, undefined);
  const { privateKey } = change;
  if (privateKey !== undefined && privateKey !== null) model.link.privateKey = keyText(privateKey);
  model.link.listenPort = change.listenPort ?? model.link.listenPort;
  model.link.fwmark = change.fwmark ?? model.link.fwmark;
  model.link.mtu = change.mtu ?? model.link.mtu;
  for (const peer of change.peers ?? []) applyPeer(model, peer);
};

const key = fc.integer({ min: 1, max: 6 }).map((n) => new Uint8Array(32).fill(n));
const PREFIXES = Array.from({ length: 8 }, (_, i) => parseCidr(`10.0.${i}.0/24`)!);
const peer = fc.record({
  name: fc.constant(null),
  publicKey: key,
  presharedKey: fc.option(key),
  allowedIps: fc.constant<readonly Cidr[]>([]),
  endpoint: fc.option(
    fc.record(
      { host: fc.constantFrom("a", "b"), port: fc.constantFrom(1, 2) },
      { noNullPrototype: true },
    ),
  ),
  persistentKeepaliveS: fc.constantFrom(0, 25),
});
const config: fc.Arbitrary<EngineConfig> = fc
  .record({
    peers: fc.uniqueArray(peer, { selector: (one) => keyText(one.publicKey), maxLength: 6 }),
    owners: fc.array(fc.nat(7), { minLength: 8, maxLength: 8 }),
    names: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "f"), { minLength: 6 }),
    privateKey: key,
    listenPort: fc.constantFrom(0, 1, 2),
    fwmark: fc.constantFrom(0, 1),
    mtu: fc.constantFrom(1_400, 1_420),
    addresses: fc.subarray(["10.0.0.1/24", "10.0.0.2/24", "fd66::1/64"]),
    threads: fc.constantFrom(1, 2),
    logLevel: fc.constantFrom("info", "debug"),
    nodeId: fc.constantFrom(null, null, "p2p:x"),
    installRoutes: fc.boolean(),
  })
  .map(
    (it): EngineConfig => ({
      interface: {
        name: "wg0",
        identity: {
          nodeId: it.nodeId,
          seed: null,
          privateKey: it.privateKey,
          publicKey: it.privateKey,
        },
        addresses: it.addresses.map((text) => parseCidr(text)!),
        listenPort: it.listenPort,
        listenAddress: "",
        bindDevice: "",
        fwmark: it.fwmark,
        mtu: it.mtu,
        cipher: "auto",
      },
      // Each prefix has one owner, or none; each name one bearer, or none.
      network: null,
      peers: it.peers.map((one, i) => ({
        ...one,
        name: i % 2 === 0 ? it.names[i]! : null,
        allowedIps: PREFIXES.filter((_, p) => it.owners[p] === i),
      })),
      host: {
        bringUp: true,
        installRoutes: it.installRoutes,
        stateDir: null,
        keyLogFile: null,
        logFile: null,
        logLevel: it.logLevel as "info" | "debug",
      },
      engine: {
        threads: it.threads,
        ioThreads: 1,
        gso: true,
        gro: true,
        connectedSockets: true,
        tunOffload: true,
        quirks: "avoid",
        handOver: "auto",
      },
    }),
  );

const sameKeyKind = (a: EngineConfig, b: EngineConfig): boolean =>
  a.interface.identity!.nodeId === null && b.interface.identity!.nodeId === null;

test("the change makes the new of the old, and leaves what stays alone", () => {
  fc.assert(
    fc.property(config, config, (before, after) => {
      const { change } = difference(before, after);
      const model = modelOf(before);
      const sessions = new Map(model.sessions);
      apply(model, change);
      const wanted = modelOf(after);
      // Another node id is another host: its key waits for a new start.
      if (!sameKeyKind(before, after)) wanted.link.privateKey = modelOf(before).link.privateKey;
      assert.deepEqual(model.link, wanted.link);
      assert.deepEqual(new Map([...model.peers].sort()), new Map([...wanted.peers].sort()));
      assert.deepEqual(new Map([...model.owners].sort()), new Map([...wanted.owners].sort()));
      // Who stands in both files is never removed on the way, so its sessions are untouched.
      for (const [known, session] of sessions) {
        assert.equal(model.sessions.get(known), wanted.peers.has(known) ? session : undefined);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a peer that is the same in both is not in the change", () => {
  fc.assert(
    fc.property(config, config, (before, after) => {
      const shared = before.peers.filter((one) =>
        after.peers.some((other) => JSON.stringify(other) === JSON.stringify(one)),
      );
      const named = (difference(before, after).change.peers ?? []).map((one) =>
        keyText(one.publicKey),
      );
      for (const one of shared) assert.ok(!named.includes(keyText(one.publicKey)));
    }),
  );
});

test("nothing differs from itself", () => {
  fc.assert(
    fc.property(config, (same) => {
      assert.deepEqual(difference(same, structuredClone(same)), {
        change: {},
        addresses: { add: [], remove: [] },
        logLevel: null,
        changed: [],
        needsRestart: [],
      });
    }),
  );
});

test("every difference is told once, as done or as waiting", () => {
  fc.assert(
    fc.property(config, config, (before, after) => {
      const { changed, needsRestart, addresses, logLevel } = difference(before, after);
      const [was, is] = [before.interface, after.interface];
      const told = [...changed, ...needsRestart];
      assert.equal(new Set(told).size, told.length);
      const says = (name: string, differs: boolean): void =>
        assert.equal(told.map((text) => text.split(": ")[0]).includes(name), differs, name);
      says("interface.mtu", was.mtu !== is.mtu);
      says("interface.listen_port", was.listenPort !== is.listenPort);
      says("interface.fwmark", was.fwmark !== is.fwmark);
      says("engine.threads", before.engine.threads !== after.engine.threads);
      says("interface.routes", before.host.installRoutes !== after.host.installRoutes);
      says("engine.log_level", before.host.logLevel !== after.host.logLevel);
      says("interface.addresses", JSON.stringify(was.addresses) !== JSON.stringify(is.addresses));
      assert.equal(logLevel !== null, before.host.logLevel !== after.host.logLevel);
      const kept = was.addresses.filter((one) => !addresses.remove.includes(one));
      const now = [...kept, ...addresses.add].map(formatCidr).sort();
      assert.deepEqual(now, is.addresses.map(formatCidr).sort());
      assert.ok(!needsRestart.includes("interface.mtu"));
      assert.ok(!changed.includes("engine.threads"));
    }),
  );
});
