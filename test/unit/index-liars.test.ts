/** index-liars — one index node of several lies: the others are of use all the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Forwards } from "../../src/control/network/forwards.ts";
import { sameBytes } from "../../src/members/bytes.ts";
import { memberId } from "../../src/members/member-id.ts";
import { CARD, channelKind } from "../../src/wire/channel.ts";
import { decodeFound, encodeFound, MESSAGE, type Passed } from "../../src/wire/index-messages.ts";
import { encodePair, type Pair } from "../../src/wire/intro.ts";
import { sameSockaddr } from "../../src/wire/sockaddr.ts";
import type { Resident } from "../simulation/members-air.ts";
import { addressOf, identityOf } from "../simulation/members-fleet.ts";
import { type Lie, VirtualIndex } from "../simulation/members-index.ts";
import { placeOf, sockaddrOf } from "../simulation/members-places.ts";
import { openScene, shownOf } from "./network-room.ts";

const INDEX_PLACE = 60_000;
const NO_LOCAL = new Uint8Array(0);

/** Two index nodes, and members that know both; none is shown unasked. */
const scene = (count: number) => {
  const all = openScene();
  const servers = [0, 1].map((i) => new VirtualIndex(all.stage, 900 + i, INDEX_PLACE + i));
  const indexes = servers.map((server) => server.at(false));
  for (const server of servers) {
    server.start();
    server.lie = (message) => (message[0] === MESSAGE.shown ? [] : [message]);
  }
  const nodes = Array.from({ length: count }, (_, i) => all.add(i, 0, { bootstrap: [], indexes }));
  for (const node of nodes) node.openDirectory = null;
  const [liar, honest] = servers as [VirtualIndex, VirtualIndex];
  return { ...all, liar, honest, nodes, indexes };
};

test("one that says again and again that it knows nobody does not end the search", () => {
  const { liar, honest, nodes, pass, counts } = scene(2);
  for (const node of nodes) node.start();
  pass(2_000);
  const nobody: Lie = (message) => {
    const found = message[0] === MESSAGE.found ? decodeFound(message) : null;
    if (message[0] === MESSAGE.shown) return [];
    return found === null ? [message] : Array(5).fill(encodeFound({ ...found, pair: null }));
  };
  liar.lie = nobody;
  // Of the other one, the first answer is lost.
  let lost = 0;
  honest.lie = (message) => {
    if (message[0] === MESSAGE.shown) return [];
    return message[0] === MESSAGE.found && lost++ === 0 ? [] : [message];
  };
  nodes[0]!.network!.seek(addressOf(1));
  pass(1_500);
  assert.equal(counts.get("seeksFailed"), undefined);
  assert.equal(counts.get("seeksFound"), 1);
  assert.ok(nodes[0]!.isPeer(nodes[1]!.identity));
});

test("one that has us called by nobody keeps no other from having us called", () => {
  const called: Pair[] = [];
  const isGood = (pair: Pair): boolean => sameBytes(pair.certificate, good.certificate);
  const forwards = new Forwards({
    own: () => null,
    say: () => 0,
    isMet: () => false,
    isMetAs: () => false,
    call: (pair) => isGood(pair) && called.push(pair) > 0,
    count: () => undefined,
  });
  const [junk, good] = [shownOf(identityOf(6)), shownOf(identityOf(5))];
  const asks = (number: number, pair: Pair): Passed => ({
    id: memberId(identityOf(number).signing.publicKey),
    body: Buffer.concat([Uint8Array.of(1), encodePair(pair)]),
  });
  for (let nowMs = 0; nowMs < 1_000; nowMs++) {
    assert.equal(forwards.forwarded("liar", asks(6, junk), nowMs), "forwardRefused");
  }
  assert.equal(forwards.forwarded("honest", asks(5, good), 1_000), null);
  assert.equal(called.length, 1);
});

test("one that answers each KNOCK with hundreds of cards keeps no channel from opening", () => {
  const { liar, honest, nodes, pass, stage, counts } = scene(1);
  const [node] = nodes;
  // In place of the liar somebody who repeats its card, from where it is.
  liar.stop();
  const other = new VirtualIndex(stage, 900, INDEX_PLACE + 5);
  other.start();
  const knocker: Resident = {
    ...{ place: INDEX_PLACE, isUp: true, life: 1, bytesIn: 0, bytesOut: 0 },
    datagram: (bytes, from) => {
      if (channelKind(bytes) === "knock") other.datagram(bytes, from);
    },
  };
  stage.air.place(knocker, placeOf(INDEX_PLACE));
  honest.stop();
  node!.start();
  pass(500);
  // Its cards come from where the liar is, as many as there is room for before any of the other's.
  const { network } = node!;
  const given = network!.datagram.bind(network);
  let card: Uint8Array | null = null;
  network!.datagram = (bytes, from, local) => {
    const isLiars = sameSockaddr(from, sockaddrOf(INDEX_PLACE + 5));
    // A right one is looked into once.
    if (isLiars) card = bytes.slice();
    if (isLiars) card![CARD.signature.at]! ^= 1;
    for (let i = 0; i < 200 && card !== null; i++) {
      given(card, sockaddrOf(INDEX_PLACE), NO_LOCAL);
    }
    if (!isLiars) given(bytes, from, local);
  };
  pass(500);
  honest.start();
  pass(3_000);
  assert.ok(counts.get("channelRate")! > 100);
  assert.equal(network!.report.network().indexes[1]!.state, "open");
});
