/** contact — a callee with two addresses: both are called, one opens, and it is the one in use. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Contact } from "../../src/control/network/contact.ts";
import { channelKind, PROOF } from "../../src/wire/channel.ts";
import { encodeAsk, MESSAGE } from "../../src/wire/index-messages.ts";
import { makeSockaddr, sameSockaddr } from "../../src/wire/sockaddr.ts";
import { Index, Lab, Member, random, report } from "./service-parts.ts";

const PORT = 4_740;
const PLACES = [1, 2].map((last) => makeSockaddr(Uint8Array.of(192, 0, 2, last), PORT));
/** Where the callee sees us, by which of its addresses we call. */
const SEEN = [1, 2].map((last) => makeSockaddr(Uint8Array.of(198, 51, 100, last), PORT));

/** A callee that answers at both addresses, and who calls it; `loses`: by kind and address. */
const scene = (loses: (kind: number, place: number) => boolean = () => false) => {
  const lab = new Lab();
  const member = new Member(lab, 1);
  const index = new Index([lab]);
  const heard: number[] = [];
  let opened = 0;
  const carry = (datagram: Uint8Array, place: number, act: () => void): boolean => {
    if (!loses(datagram[4]!, place)) index.wire.push(act);
    return true;
  };
  const contact = new Contact(
    {
      ...{ networkId: lab.networkId, us: member.identity },
      proof: () => ({ proof: PROOF.none, low: 0, key: null }),
      payload: () => report(member.pair()),
      onOpen: () => opened++,
      onMessage: (_, plain) => heard.push(plain[0]!),
      onOther: () => undefined,
      world: {
        random: Math.random,
        randomBytes: random,
        count: () => undefined,
        sendDatagram: (datagram, to) => {
          const place = PLACES.findIndex((one) => sameSockaddr(one, to));
          return carry(datagram, place, () => index.bring(datagram, SEEN[place]!));
        },
      },
    },
    null,
  );
  const answers = (datagram: Uint8Array, to: Uint8Array): void => {
    const place = SEEN.findIndex((one) => sameSockaddr(one, to));
    const kind = channelKind(datagram)!;
    carry(datagram, place, () => contact.datagram(kind, datagram, PLACES[place]!, index.nowMs));
  };
  const clients = SEEN.map((sockaddr) => ({
    sockaddr,
    callee: { tick: () => contact.tick(index.nowMs) },
    take: (datagram: Uint8Array) => answers(datagram, sockaddr),
  }));
  index.clients.push(...(clients as never[]));
  contact.call(PLACES, index.nowMs);
  return { index, contact, heard, opened: () => opened };
};

const asks = ({ index, contact, heard }: ReturnType<typeof scene>): void => {
  assert.equal(contact.say(encodeAsk({ question: 1, target: random(32) })), true);
  index.run(100);
  assert.ok(heard.includes(MESSAGE.found));
};

test("both addresses answer: one channel is opened, at both ends the same", () => {
  const all = scene();
  all.index.run(3_000);
  assert.equal(all.opened(), 1);
  assert.equal(all.index.callers.size, 1);
  assert.equal(all.index.counted("channelUnknown"), 0);
  asks(all);
});

test("an OPEN to the first address is never answered: the second opens", () => {
  const OPENED = 5;
  const all = scene((kind, place) => kind === OPENED && place === 0);
  all.index.run(8_000);
  assert.equal(all.opened(), 1);
  assert.ok(sameSockaddr(all.contact.sockaddr!, PLACES[1]!));
  asks(all);
});
