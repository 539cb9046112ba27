/**
 * storers — a member that stores, and members that open channels with it: the real network's rooms
 * and channels, on virtual time; in place of dht-rpc something that remembers what came.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DirectoryEngine } from "../../src/control/network/world.ts";
import type { DhtOptions } from "../../src/directory/dht.ts";
import { type Name, nameOf } from "../../src/directory/names.ts";
import { CERTIFICATE_FLAG } from "../../src/members/certificate.ts";
import {
  BORN_S,
  certify,
  type Identity,
  identityOf,
  listOf,
  revocationsFile,
} from "../simulation/members-fleet.ts";
import { VirtualNode } from "../simulation/members-node.ts";
import { sockaddrOf } from "../simulation/members-places.ts";
import type { Stage } from "../simulation/members-stage.ts";
import { openScene } from "./network-room.ts";

/** As dht-rpc's begin: a request, and an answer. */
const REQUEST = 0x03;
const ANSWER = 0x13;
const MINUTE_MS = 60_000;

/** A member without sessions, and with an engine that the test speaks for. */
class Quiet extends VirtualNode {
  override readonly call = (): void => {};
  readonly heard: { readonly from: Name; readonly bytes: Buffer }[] = [];
  isStorer = false;
  storers: readonly Name[] = [];
  /** How many take what it publishes: from first to last, which is for all that come. */
  takers = [0];
  readonly puts: number[] = [];
  #transport: DhtOptions["transport"] | null = null;

  /** What its engine says. */
  speak(to: VirtualNode, ...bytes: number[]): boolean {
    const name = nameOf(to.identity.signing.publicKey);
    return this.#transport!.send(name, Buffer.from(bytes));
  }

  override openDirectory = (options: Omit<DhtOptions, "timer">): DirectoryEngine => {
    this.#transport = options.transport;
    this.isStorer = options.isStorer;
    options.transport.onMessage = (from, bytes) =>
      void this.heard.push({ from, bytes: Buffer.from(bytes) });
    return {
      put: () => {
        this.puts.push(this.bootMs());
        return Promise.resolve(this.takers.length > 1 ? this.takers.shift()! : this.takers[0]!);
      },
      get: () => Promise.resolve(null),
      setStorers: (names) => {
        this.storers = [...names];
      },
      stop: () => Promise.resolve(),
    };
  };

  get directory() {
    return this.network!.report.network().directory;
  }
}

/** Members of whom the first ones store; all know these. */
const scene = (count: number, storers = 1) => {
  const { stage, counts, pass } = openScene();
  const nodes = Array.from({ length: count }, (_, i) => {
    const identity = identityOf(i);
    const flags = i < storers ? CERTIFICATE_FLAG.relay : 0;
    const certificate = certify(identity, { flags });
    stage.ledger.signed(identity, certificate);
    return new Quiet(stage, identity, i, { certificate });
  });
  for (const node of nodes) node.start();
  for (const node of nodes) tell(node, nodes.slice(0, storers));
  pass(1_100);
  return { stage, counts, pass, nodes };
};

const tell = (node: VirtualNode, storers: readonly VirtualNode[]): void => {
  for (const storer of storers) {
    const own = storer.network!.parts.ownRecord.statement!;
    if (storer === node) continue;
    const pair = { certificate: own.owner.bytes, record: own.record };
    node.network!.parts.intake.takeNow(pair, "gossip");
  }
};

const nameOfNode = ({ identity }: VirtualNode): Name => nameOf(identity.signing.publicKey);
const counted = (counts: ReadonlyMap<string, number>, name: string): number =>
  counts.get(name) ?? 0;

/** The list that revokes somebody, as a member publishes it. */
const revoke = (by: VirtualNode, gone: Identity, { time }: Stage): void => {
  const nowS = BORN_S + Math.floor(time.nowMs / 1_000);
  const list = listOf(2, [{ identity: gone, beforeS: nowS + 1 }], nowS);
  assert.ok(by.network!.publish(revocationsFile(list, by.identity)).ok);
};

test("who stores is known by certificates; nothing is opened before it is needed", () => {
  const { nodes, counts } = scene(4, 2);
  assert.deepEqual(
    nodes.map(({ isStorer }) => isStorer),
    [true, true, false, false],
  );
  assert.deepEqual(
    nodes.map(({ storers }) => storers.length),
    [1, 1, 2, 2],
  );
  assert.deepEqual(nodes[2]!.directory, { storers: 2, channels: 0, guests: null, stored: null });
  assert.equal(counted(counts, "storersOpened"), 0);
});

test("what is said while a channel opens is kept, and comes; answers go back in it", () => {
  const { nodes, pass, counts } = scene(2);
  const [storer, asking] = nodes as [Quiet, Quiet];
  for (let i = 0; i < 8; i++) assert.equal(asking.speak(storer, REQUEST, i), true);
  // One more than is kept.
  assert.equal(asking.speak(storer, REQUEST, 8), false);
  assert.equal(counted(counts, "storerWaits"), 1);
  pass(500);
  assert.deepEqual(storer.heard.map(({ bytes }) => bytes[1]).sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.ok(storer.heard.every(({ from }) => from === nameOfNode(asking)));
  assert.deepEqual([asking.directory.channels, storer.directory.guests], [1, 1]);
  // By opening, its own record is there.
  assert.equal(storer.directory.stored, 1);
  assert.equal(storer.speak(asking, ANSWER, 9), true);
  pass(100);
  assert.deepEqual(
    asking.heard.map(({ bytes }) => bytes[1]),
    [9],
  );
  assert.equal(counted(counts, "storersOpened"), 1);
});

test("a channel that nobody uses is closed at both ends, and at rest nothing is said", () => {
  const { nodes, pass } = scene(2);
  const [storer, asking] = nodes as [Quiet, Quiet];
  asking.speak(storer, REQUEST, 0);
  pass(500);
  storer.speak(asking, ANSWER, 0);
  pass(3 * MINUTE_MS);
  assert.deepEqual([asking.directory.channels, storer.directory.guests], [0, 0]);
  const before = asking.bytesOut;
  pass(10 * MINUTE_MS);
  assert.equal(asking.bytesOut, before);
  asking.speak(storer, REQUEST, 1);
  pass(500);
  assert.equal(storer.heard.length, 2);
});

test("a storer that begins anew is called anew, when it owes an answer", () => {
  const { nodes, pass } = scene(2);
  const [storer, asking] = nodes as [Quiet, Quiet];
  asking.speak(storer, REQUEST, 0);
  pass(500);
  storer.stop(false);
  storer.start();
  storer.heard.length = 0;
  asking.speak(storer, REQUEST, 1);
  pass(3_000);
  assert.deepEqual(storer.heard, [], "it has no channel of before");
  asking.speak(storer, REQUEST, 2);
  pass(100);
  assert.deepEqual(
    storer.heard.map(({ bytes }) => bytes[1]),
    [2],
  );
});

test("one that is not there is called for four seconds, and then left alone for longer", () => {
  const { nodes, pass, counts } = scene(2);
  const [storer, asking] = nodes as [Quiet, Quiet];
  storer.stop(false);
  let sent = asking.bytesOut;
  for (const silentMs of [30_000, 60_000, 120_000]) {
    assert.equal(asking.speak(storer, REQUEST, 0), true);
    pass(5_000);
    assert.ok(asking.bytesOut - sent > 0 && asking.bytesOut - sent < 45 * 220);
    sent = asking.bytesOut;
    pass(silentMs - 6_000);
    assert.equal(asking.speak(storer, REQUEST, 0), false);
    assert.equal(asking.bytesOut, sent);
    pass(6_000);
  }
  assert.equal(counted(counts, "storersSilent"), 3);
});

test("channels are few, whatever the number of storers: the longest unused makes room", () => {
  const { nodes, pass, counts } = scene(101, 100);
  const asking = nodes[100]!;
  assert.equal(asking.storers.length, 100);
  let said = 0;
  for (const [i, storer] of nodes.slice(0, 100).entries()) {
    if (asking.speak(storer, ANSWER, i)) said++;
    if (i % 10 === 9) pass(1_000);
  }
  pass(1_000);
  assert.equal(said, 100);
  assert.equal(asking.directory.channels, 64);
  assert.equal(counted(counts, "storersOpened"), 100);
  // All at once: no more than the budget of openings.
  const { nodes: others, counts: busy } = scene(101, 100);
  const taken = others.slice(0, 100).filter((storer) => others[100]!.speak(storer, REQUEST, 1));
  assert.equal(taken.length, 40);
  assert.equal(counted(busy, "storersBusy"), 60);
});

test("a guest that floods is told fifty a second, and looked into within its budget", () => {
  const { nodes, pass, counts } = scene(2);
  const [storer, asking] = nodes as [Quiet, Quiet];
  asking.speak(storer, REQUEST, 0);
  pass(500);
  const before = storer.bytesOut;
  for (let ms = 0; ms < 2_000; ms += 10) {
    for (let i = 0; i < 5; i++) asking.speak(storer, REQUEST, i);
    for (let i = 0; i < 5; i++) storer.speak(asking, ANSWER, i);
    pass(10);
  }
  // 100 a second and 200 at once, of 1,000; 50 and 50 of as many answers.
  assert.ok(storer.heard.length <= 401, `${storer.heard.length}`);
  assert.ok(counted(counts, "channelRate") >= 590, `${counted(counts, "channelRate")}`);
  assert.ok(storer.bytesOut - before <= 152 * (2 + 40 + 28), `${storer.bytesOut - before}`);
  assert.ok(counted(counts, "answerRate") >= 840);
});

test("many guests together have one budget", () => {
  const { nodes, pass, counts } = scene(31);
  const [storer, ...asking] = nodes as [Quiet, ...Quiet[]];
  for (const one of asking) one.speak(storer, REQUEST, 0);
  pass(5_000);
  assert.equal(storer.directory.guests, 30);
  storer.heard.length = 0;
  const long = Array.from({ length: 600 }, () => REQUEST);
  for (let i = 0; i < 50; i++) for (const one of asking) one.speak(storer, ...long);
  pass(500);
  // Three tokens each, of 1,000 and 250 more.
  assert.ok(storer.heard.length <= 420, `${storer.heard.length}`);
  assert.ok(counted(counts, "directoryBusy") >= 1_000);
});

test("whoever is revoked is cut at its next word, and has no channel any more", () => {
  const { nodes, pass, counts, stage } = scene(3);
  const [storer, gone, other] = nodes as [Quiet, Quiet, Quiet];
  // Who asks nothing is owed nothing: nobody opens anew.
  for (const one of [gone, other]) one.speak(storer, ANSWER, 0);
  pass(500);
  assert.equal(storer.directory.guests, 2);
  revoke(storer, gone.identity, stage);
  storer.heard.length = 0;
  for (const one of [gone, other]) one.speak(storer, ANSWER, 1);
  pass(500);
  assert.deepEqual(
    storer.heard.map(({ from }) => from),
    [nameOfNode(other)],
  );
  assert.equal(counted(counts, "callersCut"), 1);
  assert.equal(storer.directory.guests, 1);
  const before = storer.bytesOut;
  gone.move(70);
  gone.speak(storer, REQUEST, 2);
  pass(10_000);
  assert.equal(storer.directory.guests, 1);
  // Its KNOCKs bear the former secret's tag.
  assert.equal(storer.bytesOut, before);
  assert.ok(counted(counts, "knockTag") > 0);
});

test("what is stored is there after a restart, and what was damaged is not", () => {
  const { nodes, pass } = scene(4);
  const [storer, ...asking] = nodes as [Quiet, ...Quiet[]];
  for (const one of asking) one.speak(storer, ANSWER, 0);
  pass(500);
  assert.equal(storer.directory.stored, 3);
  // Written each ten minutes; then it is gone without a word.
  pass(10 * MINUTE_MS);
  storer.stop(false);
  storer.start();
  assert.equal(storer.directory.stored, 0);
  pass(200);
  assert.equal(storer.directory.stored, 3);
  storer.stop(true);
  storer.damage("stored");
  storer.start();
  pass(200);
  assert.equal(storer.directory.stored, 0);
});

test("who missed our record is offered it again, less and less often", async () => {
  const { nodes, pass } = scene(3, 2);
  const asking = nodes[2]!;
  const offered = async (takers: number[], ms: number): Promise<number[]> => {
    [asking.takers, asking.puts.length] = [takers, 0];
    asking.network!.addressesChanged(true);
    for (let i = 0; i < ms; i += 100) {
      pass(100);
      await new Promise(setImmediate);
    }
    return asking.puts.slice(1).map((at, i) => Math.round((at - asking.puts[i]!) / 1_000));
  };
  // What the start has to say, first.
  await offered([2], MINUTE_MS);
  assert.deepEqual(await offered([2], 5 * MINUTE_MS), []);
  assert.deepEqual(await offered([1, 1, 2], 5 * MINUTE_MS), [5, 10]);
  assert.deepEqual(await offered([1], 3 * MINUTE_MS), [5, 10, 20, 40, 80]);
  assert.deepEqual(await offered([0, 0, 0, 0, 2], 5 * MINUTE_MS), [5, 10, 20, 30]);
});

test("a storer that is revoked, or stores no more, is asked no more", () => {
  const { nodes, pass, stage } = scene(3, 2);
  const [kept, gone, asking] = nodes as [Quiet, Quiet, Quiet];
  asking.speak(gone, REQUEST, 0);
  pass(500);
  revoke(asking, gone.identity, stage);
  pass(1_500);
  assert.deepEqual(asking.storers, [nameOfNode(kept)]);
  assert.equal(asking.speak(gone, REQUEST, 1), false);
  assert.equal(asking.directory.channels, 0);
});

test("one that is gone is left alone, however often it is asked meanwhile", () => {
  const { nodes, pass, counts } = scene(2);
  const [storer, asking] = nodes as [Quiet, Quiet];
  asking.speak(storer, REQUEST, 0);
  pass(500);
  storer.stop(false);
  for (let ms = 0; ms < 10_000; ms += 500) {
    asking.speak(storer, REQUEST, 1);
    pass(500);
  }
  assert.equal(counted(counts, "storersSilent"), 1);
  assert.equal(asking.speak(storer, REQUEST, 1), false);
});

/** A member with many interfaces, of which others reach the last alone. */
class Wide extends Quiet {
  override readonly addresses = () =>
    [81, 82, 83, 84, 85, this.place].map((place) => ({
      kind: "local" as const,
      sockaddr: sockaddrOf(place),
    }));
}

test("of many addresses that a storer names, all are called in turn, and it is found again", () => {
  const { nodes, pass, stage, counts } = scene(1, 0);
  const [asking] = nodes as [Quiet];
  const certificate = certify(identityOf(7), { flags: CERTIFICATE_FLAG.relay });
  stage.ledger.signed(identityOf(7), certificate);
  const storer = new Wide(stage, identityOf(7), 7, { certificate });
  storer.start();
  tell(asking, [storer]);
  pass(1_100);
  for (let ms = 0; ms < 45_000; ms += 1_000) {
    asking.speak(storer, ANSWER, 1);
    pass(1_000);
  }
  assert.equal(counted(counts, "storersOpened"), 1);
  pass(3 * MINUTE_MS);
  assert.equal(asking.directory.channels, 0);
  asking.speak(storer, ANSWER, 1);
  pass(1_000);
  assert.equal(counted(counts, "storersOpened"), 2);
});
