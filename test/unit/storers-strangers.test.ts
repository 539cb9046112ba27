/** storers-strangers — who knocks at a member that stores: what strangers get, and what members. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { makeKnock } from "../../src/directory/card.ts";
import { CERTIFICATE_FLAG } from "../../src/members/certificate.ts";
import { derive } from "../../src/members/secret.ts";
import { CHANNEL_KIND, PROOF } from "../../src/wire/channel.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import type { Resident } from "../simulation/members-air.ts";
import { certify, DEFINITION, identityOf, secretOf } from "../simulation/members-fleet.ts";
import { VirtualNode } from "../simulation/members-node.ts";
import { placeOf, sockaddrOf } from "../simulation/members-places.ts";
import { openScene } from "./network-room.ts";

const STRANGER = 50;
const STRANGER_AT = sockaddrOf(STRANGER);
const NO_LOCAL = new Uint8Array(0);
const random = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));

/** A storer, and what it sent to a stranger. */
const scene = () => {
  const { stage, counts, pass } = openScene();
  const identity = identityOf(0);
  const certificate = certify(identity, { flags: CERTIFICATE_FLAG.relay });
  stage.ledger.signed(identity, certificate);
  const storer = new VirtualNode(stage, identity, 0, { certificate });
  const came: Buffer[] = [];
  const stranger: Resident = {
    ...{ place: STRANGER, isUp: true, life: 1, bytesIn: 0, bytesOut: 0 },
    datagram: (bytes) => void came.push(Buffer.from(bytes)),
  };
  stage.air.place(stranger, placeOf(STRANGER));
  storer.start();
  const send = (datagram: Uint8Array, from = STRANGER_AT): void =>
    storer.network!.datagram(datagram, from, NO_LOCAL);
  return { storer, counts, pass, came, send };
};

const knock = (epoch: number): Uint8Array =>
  makeKnock(DEFINITION.networkId, random(16), {
    ...{ proof: PROOF.secret, low: epoch & 0xff, key: derive(secretOf(epoch), "knock") },
  });

test("strangers at a storer's port get nothing, whatever they send", () => {
  const { counts, pass, came, send } = scene();
  let knocks = 0;
  for (const proof of Object.values(PROOF)) {
    for (let low = 0; low < 256; low++, knocks++) {
      const key = proof === PROOF.none ? null : random(32);
      send(makeKnock(DEFINITION.networkId, random(16), { proof, low, key }));
    }
  }
  // Of another network, and with a former secret's tag.
  const proved = { proof: PROOF.secret, low: 1, key: derive(secretOf(1), "knock") };
  send(makeKnock(random(16), random(16), proved));
  send(knock(257));
  let others = 0;
  for (const type of [10, 14]) {
    for (const kind of [0, ...Object.values(CHANNEL_KIND)]) {
      for (const bytes of [24, 40, 192, 1_232]) {
        const datagram = random(bytes);
        datagram.set([type, 0, 0, 0, kind, 0, 0, 0]);
        // Not a tag that is right by chance, but all else.
        send(datagram);
        others++;
      }
    }
  }
  pass(1_000);
  assert.equal(came.length, 0);
  const names = ["knockTag", "knockUnknown", "openTicket", "channelUnknown", "channelInvalid"];
  const all = [...names, "channelUnexpected"].map((name) => counts.get(name) ?? 0);
  assert.equal(
    all.reduce((sum, count) => sum + count, 0),
    knocks + 2 + others,
    JSON.stringify([...counts]),
  );
});

test("with the secret no answer is longer than its request before the address is proved", () => {
  const { counts, pass, came, send } = scene();
  const sent = knock(1);
  send(sent);
  pass(100);
  assert.deepEqual(
    came.map((one) => [one[4], one.length]),
    [[CHANNEL_KIND.card, sent.length]],
  );
  // An OPEN with its ticket that is none: a Noise message costs, and gets nothing.
  const open = random(1_232);
  open.fill(0, 0, 32);
  open.set([10, 0, 0, 0, CHANNEL_KIND.open], 0);
  open.set(came[0]!.subarray(8, 24), 8);
  send(open);
  // The ticket is of no use at another address.
  send(open, makeSockaddr(Uint8Array.of(198, 51, 100, 9), 4_000));
  pass(100);
  assert.equal(came.length, 1);
  assert.deepEqual([counts.get("openSealed"), counts.get("openTicket")], [1, 1]);
});

test("who knows the secret has a bounded number of cards and openings", () => {
  const { counts, pass, came, send } = scene();
  for (let i = 0; i < 1_000; i++) send(knock(1));
  pass(500);
  assert.ok(came.length <= 200, `${came.length}`);
  assert.equal(counts.get("knockBusy")! + (counts.get("knockTag") ?? 0), 1_000 - came.length);
  const ticket = came[0]!.subarray(8, 24);
  for (let i = 0; i < 200; i++) {
    const open = random(1_232);
    open.fill(0, 0, 32);
    open.set([10, 0, 0, 0, CHANNEL_KIND.open], 0);
    open.set(ticket, 8);
    send(open);
  }
  // Twenty of one source at once are looked into.
  assert.ok(counts.get("openSealed")! <= 21, `${counts.get("openSealed")}`);
  assert.equal(counts.get("openSealed")! + counts.get("openSource")!, 200);
});
