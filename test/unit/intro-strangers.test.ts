/**
 * intro-strangers — every type and kind, from somebody who does not have the network's secret: not
 * a byte is answered; from somebody who has, without a ticket: no more bytes than came.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CHALLENGE, CHALLENGE_BYTES, INTRO, INTRO_BYTES } from "../../src/wire/intro.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { call, hex, keysOf, type Node, SECRETS, Wire, withTag } from "./intro-parts.ts";
import { fixed, fixedBytes } from "./noise-parties.ts";

const LENGTHS = [0, 1, 4, 5, 63, CHALLENGE_BYTES, 148, INTRO_BYTES - 1, INTRO_BYTES, 1_472];

/** All first bytes and kinds at these lengths, with whatever `fill` leaves behind them. */
function* everything(fill: (bytes: Uint8Array, i: number) => void): Generator<Uint8Array> {
  let i = 0;
  for (const length of LENGTHS) {
    for (let type = 0; type < 16; type++) {
      for (let kind = 0; kind < 16; kind++) {
        const datagram = new Uint8Array(length);
        fill(datagram, i++);
        datagram.set([type, 0, 0, 0, kind, SECRETS[i % 2]!.epoch, 0, 0].slice(0, length));
        yield datagram;
      }
    }
  }
}

/** Brings all of them, each from an address of its own; bytes in and out. */
const bringAll = (
  wire: Wire,
  to: Node,
  all: Iterable<Uint8Array>,
  each: (sent: number, datagram: Uint8Array) => void = () => undefined,
): { readonly bytesIn: number; readonly bytesOut: number } => {
  let [bytesIn, bytesOut, i] = [0, 0, 0];
  for (const datagram of all) {
    const from = makeSockaddr(Uint8Array.of(198, 18, i >> 8, i & 255), 4_000 + (i % 7));
    i++;
    wire.nowMs += 25;
    wire.sent.length = 0;
    wire.bring({ datagram, from, to: to.address });
    const out = wire.sent.reduce((sum, { datagram: { length } }) => sum + length, 0);
    assert.ok(wire.sent.every((sent) => hex(sent.to) === hex(from)));
    each(out, datagram);
    bytesIn += datagram.length;
    bytesOut += out;
  }
  wire.flying.length = 0;
  return { bytesIn, bytesOut };
};

test("a stranger gets nothing, whatever it sends", () => {
  const wire = new Wire();
  const [a, b] = [wire.join(1), wire.join(2)];
  // It saw a CHALLENGE and a HERE, and has the tag of another network.
  const other = keysOf({ epoch: 3, secret: fixed("another network") });
  const zero = () => undefined;
  const random = (bytes: Uint8Array, i: number) => bytes.set(fixedBytes(`${i}`, bytes.length));
  const ones = (bytes: Uint8Array) => bytes.fill(255);
  for (const fill of [zero, random, ones]) {
    const { bytesIn, bytesOut } = bringAll(wire, b, everything(fill));
    assert.ok(bytesIn > 1_000_000);
    assert.equal(bytesOut, 0);
  }
  const tagged = [...everything(random)].map((datagram) => withTag(datagram, other));
  assert.equal(bringAll(wire, b, tagged).bytesOut, 0);
  assert.equal(b.verified, 0);
  // It counted all of them, each once.
  const counted = [...b.counts.values()].reduce((sum, count) => sum + count, 0);
  assert.equal(counted, 4 * LENGTHS.length * 256);
  assert.deepEqual([...b.counts.keys()].sort(), [
    "challengeUnexpected",
    "hereUnexpected",
    "introInvalid",
    "introTag",
  ]);
  assert.deepEqual(b.intro.held, { calls: 0, asked: 0, seen: 0 });
  assert.ok(a);
});

test("who has the secret and no ticket gets no more than it sent, and no table grows", () => {
  const wire = new Wire();
  const b = wire.join(2);
  const random = (bytes: Uint8Array, i: number) => bytes.set(fixedBytes(`${i}`, bytes.length));
  const tagged = [...everything(random)].map((datagram) =>
    withTag(datagram, keysOf(SECRETS.find(({ epoch }) => epoch === datagram[5]) ?? SECRETS[0]!)),
  );
  let answered = 0;
  const { bytesIn, bytesOut } = bringAll(wire, b, tagged, (sent, datagram) => {
    assert.ok(sent <= datagram.length, `${sent} for ${datagram.length}`);
    if (sent > 0) answered++;
  });
  assert.ok(bytesOut <= bytesIn);
  assert.equal(answered, 2, "INTRO and WHO");
  assert.deepEqual(b.intro.held, { calls: 0, asked: 0, seen: 0 });
  assert.equal(b.verified, 0);
});

test("keys and certificate stand in nothing that goes to an unproved address in clear", () => {
  const wire = new Wire();
  const [a, b] = [wire.join(1), wire.join(2)];
  call(wire, a, b);
  wire.pass(1_000);
  a.intro.ask(b.address, wire.nowMs);
  wire.pass(1_000);
  const kinds = new Set(wire.sent.map(({ datagram }) => `${datagram[0]}.${datagram[4]}`));
  assert.deepEqual([...kinds].sort(), ["10.3", "9.0", "9.3", "9.4"]);
  for (const { datagram } of wire.sent) {
    const text = hex(datagram);
    for (const { shows } of [a, b]) {
      assert.ok(!text.includes(hex(shows.keys.publicKey)));
      // Name, keys and signature of the certificate, eight bytes at a time.
      const { certificate, record } = shows.pair;
      for (const secret of [certificate, record]) {
        for (let at = 8; at + 8 <= secret.length; at += 8) {
          const piece = hex(secret.subarray(at, at + 8));
          assert.ok(/^(00)*$/.test(piece) || !text.includes(piece), `bytes ${at}`);
        }
      }
    }
  }
});

test("a WHO brought again, to whoever it is, is answered with no more than itself", () => {
  const wire = new Wire();
  const [a, b] = [wire.join(1), wire.join(2)];
  a.intro.ask(b.address, wire.nowMs);
  const { datagram } = wire.flying.shift()!;
  const victim = makeSockaddr(Uint8Array.of(203, 0, 113, 9), 53);
  let bytesOut = 0;
  for (let i = 0; i < 10_000; i++) {
    wire.sent.length = 0;
    wire.bring({ datagram, from: victim, to: b.address });
    for (const sent of wire.sent) bytesOut += sent.datagram.length;
  }
  assert.ok(bytesOut <= 100 * INTRO_BYTES, "the budget of one moment");
  // The same as an INTRO: what goes to the victim is a twentieth of what came.
  call(wire, a, b);
  wire.flying.length = 0;
  wire.nowMs += 60_000;
  a.intro.tick(wire.nowMs);
  const intro = wire.flying.find((flying) => flying.datagram[4] === 0)!;
  wire.sent.length = 0;
  wire.bring({ ...intro, from: victim });
  assert.equal(wire.sent[0]!.datagram.length, CHALLENGE_BYTES);
});

test("layouts: fields lie one behind the other, and end with the datagram", () => {
  for (const [fields, bytes] of [
    [INTRO, INTRO_BYTES],
    [CHALLENGE, CHALLENGE_BYTES],
  ] as const) {
    let at = 4;
    for (const field of Object.values(fields)) {
      assert.equal(field.at, at);
      at += field.bytes;
    }
    assert.equal(at, bytes);
  }
});
