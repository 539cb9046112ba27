/** intro-refused — what is refused of an INTRO, a HERE and a CHALLENGE, and how it is counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { STRANGE_RATES } from "../../src/control/network/strange-budgets.ts";
import { sealIntro, sealWho } from "../../src/control/network/strange-seal.ts";
import { NO_TICKET } from "../../src/control/strangers/tickets.ts";
import { CHALLENGE_BYTES, INTRO, INTRO_BYTES } from "../../src/wire/intro.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import {
  by,
  call,
  hex,
  keysOf,
  type Node,
  SECRETS,
  showsOf,
  Wire,
  withTag,
} from "./intro-parts.ts";
import { pairOf } from "./members-parts.ts";
import { fixed, fixedBytes, mac } from "./noise-parties.ts";

const two = (): { readonly wire: Wire; readonly a: Node; readonly b: Node } => {
  const wire = new Wire();
  return { wire, a: wire.join(1), b: wire.join(2) };
};

/** An INTRO of a's to b, as a itself would make it. */
const introOf = (
  a: Node,
  b: Node,
  ticket: Uint8Array = NO_TICKET,
  secret = SECRETS[0]!,
  label = "e",
) =>
  sealIntro(
    {
      keys: keysOf(secret),
      pair: a.shows.pair,
      receiver: b.shows.keys.publicKey,
      ticket,
      ephemeralSecret: fixed(label),
    },
    mac,
  )!;

/** The ticket that b gives to who asks from there. */
const ticketFrom = (wire: Wire, b: Node, from: Uint8Array): Uint8Array => {
  const nonce = fixedBytes(`who ${wire.sent.length}`, 32);
  wire.bring({
    datagram: sealWho(keysOf(SECRETS[0]!), nonce, NO_TICKET, mac),
    from,
    to: b.address,
  });
  const here = wire.sent.at(-1)!.datagram;
  wire.flying.length = 0;
  return here.slice(INTRO.ticket.at, INTRO.ticket.at + 16);
};

/** Gives it a good tag, as one can who has the secret. */
const retag = (datagram: Uint8Array): Uint8Array => withTag(datagram, keysOf(SECRETS[0]!));

test("of 17 secrets the oldest counts no more", () => {
  const secrets = Array.from({ length: 17 }, (_, i) => ({
    epoch: 250 + i,
    secret: fixed(`s${i}`),
  }));
  const wire = new Wire();
  const a = wire.join(1, { secrets });
  for (const [i, secret] of secrets.entries()) {
    const before = a.counts.get("introEpoch") ?? 0;
    wire.bring({ datagram: introOf(a, a, NO_TICKET, secret), from: a.address, to: a.address });
    assert.equal((a.counts.get("introEpoch") ?? 0) - before, i === 0 ? 1 : 0, `${i}`);
  }
});

test("a ticket is good for the address and port that it was sent to", () => {
  const { wire, a, b } = two();
  const ticket = ticketFrom(wire, b, a.address);
  const elsewhere = makeSockaddr(Uint8Array.of(10, 0, 0, 1), 51_821);
  wire.bring({ datagram: introOf(a, b, ticket), from: elsewhere, to: b.address });
  assert.equal(b.counts.get("introChallenged"), 1);
  assert.equal(wire.sent.at(-1)!.datagram.length, CHALLENGE_BYTES);
  wire.bring({ datagram: introOf(a, b, ticket), from: a.address, to: b.address });
  assert.equal(b.counts.get("introsTaken"), 1);
});

test("a copy of an INTRO costs no curve arithmetic and no verification", () => {
  const { wire, a, b } = two();
  const ticket = ticketFrom(wire, b, a.address);
  const datagram = introOf(a, b, ticket);
  for (let i = 0; i < 40; i++) wire.bring({ datagram, from: a.address, to: b.address });
  assert.deepEqual([b.verified, b.counts.get("introReplayed")], [1, 39]);
  // As long as its ticket may be good.
  for (let i = 0; i < 24; i++) {
    wire.nowMs += 10_000;
    wire.bring({ datagram, from: a.address, to: b.address });
  }
  assert.equal(b.verified, 1);
  // It used up nothing of the source: another of the same address is taken.
  const another = introOf(a, b, ticketFrom(wire, b, a.address), SECRETS[0], "f");
  wire.bring({ datagram: another, from: a.address, to: b.address });
  assert.equal(b.verified, 2);
});

test("what is sealed to another, or altered by one who has the secret, does not open", () => {
  const wire = new Wire();
  const [a, b, c] = [wire.join(1), wire.join(2), wire.join(3)];
  const ticket = ticketFrom(wire, b, a.address);
  wire.bring({ datagram: introOf(a, c, ticket), from: a.address, to: b.address });
  assert.equal(b.counts.get("introSealed"), 1);
  // An insider gives it a ticket of its own, with a good tag: the seal covers the ticket.
  const altered = introOf(a, b, NO_TICKET);
  const mine = ticketFrom(wire, b, c.address);
  altered.set(mine, INTRO.ticket.at);
  retag(altered);
  wire.bring({ datagram: altered, from: c.address, to: b.address });
  assert.equal(b.counts.get("introSealed"), 2);
  // An ephemeral of small order.
  const small = introOf(a, b, ticket);
  small.fill(0, 24, 56);
  retag(small);
  wire.bring({ datagram: small, from: a.address, to: b.address });
  assert.equal(b.counts.get("introSealed"), 3);
  assert.equal(b.verified, 0);
});

test("a certificate of another authority, and a revoked one, are refused", () => {
  const wire = new Wire();
  const b = wire.join(2);
  const foreign = wire.join(7, { shows: showsOf(7, pairOf(9)) });
  const revoked = wire.join(8);
  b.revoked.add(hex(pairOf(8).publicKey));
  for (const from of [foreign, revoked]) {
    call(wire, from, b);
    wire.pass(1_000);
  }
  assert.deepEqual([b.verified, b.introduced.length, b.counts.has("introsTaken")], [2, 0, false]);
});

test("a CHALLENGE counts when it names an INTRO of ours, from where that went, with a tag", () => {
  const { wire, a, b } = two();
  call(wire, a, b);
  a.intro.tick(wire.nowMs);
  wire.bring(wire.flying.shift()!);
  const { datagram, from, to } = wire.flying.shift()!;
  const altered = (change: (bytes: Uint8Array) => void): Uint8Array => {
    const bytes = datagram.slice();
    change(bytes);
    return bytes;
  };
  const other = makeSockaddr(Uint8Array.of(10, 0, 0, 2), 51_821);
  const wrong = [
    { datagram: altered((bytes) => bytes.fill(1, 24, 40)), from, to },
    { datagram, from: other, to },
    { datagram: altered((bytes) => bytes.fill(1, 8, 24)), from, to },
    { datagram: altered((bytes) => bytes.fill(1, 40, 56)), from, to },
  ];
  for (const flying of wrong) wire.bring(flying);
  assert.deepEqual([a.counts.get("challengeUnexpected"), a.counts.get("introTag")], [2, 2]);
  assert.equal(wire.flying.length, 0);
  wire.bring({ datagram, from, to });
  wire.bring({ datagram, from, to });
  assert.deepEqual([a.counts.get("challengesTaken"), a.again.length], [1, 1]);
  assert.equal(a.counts.get("challengeUnexpected"), 3, "once");
});

test("a HERE counts when it answers a WHO to that address, and opens", () => {
  const wire = new Wire();
  const [a, b, c] = [wire.join(1), wire.join(2), wire.join(3)];
  a.intro.ask(b.address, wire.nowMs);
  const who = wire.flying.shift()!;
  wire.bring(who);
  const here = wire.flying.shift()!;
  wire.bring({ ...here, from: c.address });
  const altered = here.datagram.slice();
  altered[30]! ^= 1;
  wire.bring({ ...here, datagram: altered });
  assert.equal(a.counts.get("hereUnexpected"), 2);
  const forged = here.datagram.slice();
  forged[200]! ^= 1;
  wire.bring({ ...here, datagram: forged });
  assert.equal(a.counts.get("introTag"), 1);
  // Of one who has the secret: the tag is good, the seal is not.
  retag(forged);
  wire.bring({ ...here, datagram: forged });
  assert.deepEqual([a.counts.get("hereInvalid"), a.verified], [1, 0]);
  wire.bring(here);
  assert.deepEqual(a.introduced, [by("here", b)]);
  wire.bring(here);
  assert.equal(a.counts.get("hereUnexpected"), 3);
  // The same WHO, brought to another: its HERE is sealed under another nonce.
  wire.bring({ ...who, to: c.address });
  const other = wire.sent.at(-1)!.datagram;
  assert.equal(hex(other.subarray(24, 56)), hex(here.datagram.subarray(24, 56)));
  assert.notEqual(hex(other.subarray(72, 96)), hex(here.datagram.subarray(72, 96)));
});

test("budgets: types, older secrets, answers, neighbours, sources, what is opened", () => {
  const one = { perSecond: 1, burst: 1 };
  const rated = (rates: Partial<typeof STRANGE_RATES>, unknown = false) => {
    const wire = new Wire();
    const b = wire.join(2, {
      rates: { ...STRANGE_RATES, ...rates },
      isUnknownNeighbour: () => unknown,
    });
    return { wire, b, a: wire.join(1) };
  };
  const twice = (
    { wire, a, b }: ReturnType<typeof rated>,
    make: (i: number) => Uint8Array,
    from = (_: number) => a.address,
  ): string[] => {
    for (let i = 0; i < 2; i++) wire.bring({ datagram: make(i), from: from(i), to: b.address });
    return [...b.counts.keys()];
  };
  const junk = new Uint8Array(INTRO_BYTES);
  junk[0] = 9;
  assert.deepEqual(
    twice(rated({ intro: one }), () => junk),
    ["introEpoch", "introRate"],
  );
  let scene = rated({ old: one });
  const older = () => introOf(scene.a, scene.b, NO_TICKET, SECRETS[1]);
  assert.deepEqual(twice(scene, older), ["introChallenged", "introOld"]);
  scene = rated({ challenges: one });
  const fresh = () => introOf(scene.a, scene.b);
  assert.deepEqual(twice(scene, fresh), ["introChallenged", "introUnanswered"]);
  scene = rated({ neighbours: one }, true);
  assert.deepEqual(twice(scene, fresh), ["introChallenged", "introNeighbour"]);
  scene = rated({ heres: one });
  const who = (i: number) => sealWho(keysOf(SECRETS[0]!), fixed(`${i}`), NO_TICKET, mac);
  assert.deepEqual(twice(scene, who), ["whosAnswered", "introUnanswered"]);
  for (const [rates, refused] of [
    [{ source: one }, "introSource"],
    [{ verified: one }, "introBusy"],
  ] as const) {
    scene = rated(rates);
    const { wire, a, b } = scene;
    const ticket = ticketFrom(wire, b, a.address);
    b.counts.clear();
    const withTicket = (i: number) => introOf(a, b, ticket, SECRETS[0], `${i}`);
    assert.deepEqual(twice(scene, withTicket), ["introsTaken", refused]);
  }
});

test("one that has old secrets alone takes nothing of those who have the newest", () => {
  const wire = new Wire();
  const [a, b] = [wire.join(1), wire.join(2)];
  for (let i = 0; i < 900; i++) {
    const from = makeSockaddr(Uint8Array.of(10, 9, i >> 8, i & 255), 5_000);
    wire.bring({ datagram: introOf(a, b, NO_TICKET, SECRETS[1]), from, to: b.address });
  }
  assert.equal(b.counts.get("introOld"), 900 - STRANGE_RATES.old.burst);
  wire.flying.length = 0;
  call(wire, a, b);
  wire.pass(1);
  assert.deepEqual(b.introduced, [by("intro", a)]);
});
