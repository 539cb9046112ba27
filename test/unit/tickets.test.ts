/** tickets — bound to address, port, scope and purpose; good for two minutes at least. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HeldTickets } from "../../src/control/network/held-tickets.ts";
import { Seen } from "../../src/control/network/seen.ts";
import {
  NO_TICKET,
  TICKET_AGE_MS,
  TICKET_FOR,
  Tickets,
} from "../../src/control/strangers/tickets.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { fixedBytes, hex, mac } from "./noise-parties.ts";

const FROM = makeSockaddr(Uint8Array.of(192, 0, 2, 7), 51_820);
const FOR = TICKET_FOR.intro;

const makeTickets = (label = "a"): Tickets => {
  let calls = 0;
  return new Tickets(mac, (bytes) => fixedBytes(`${label} ${calls++}`, bytes));
};

test("a ticket is a MAC over purpose, address and port under a secret of ours", () => {
  const ticket = makeTickets().make(FROM, FOR, 0);
  // The constructor draws one secret, the first use another.
  const expected = mac(fixedBytes("a 1", 32), Uint8Array.of(9, 192, 0, 2, 7, 0xca, 0x6c));
  assert.equal(hex(ticket), hex(expected));
});

test("it is good for its source and its purpose, with us", () => {
  const tickets = makeTickets();
  const ticket = tickets.make(FROM, FOR, 0);
  assert.ok(tickets.valid(ticket, FROM, FOR, 1));
  assert.ok(!tickets.valid(ticket, makeSockaddr(Uint8Array.of(192, 0, 2, 8), 51_820), FOR, 1));
  assert.ok(!tickets.valid(ticket, makeSockaddr(Uint8Array.of(192, 0, 2, 7), 51_821), FOR, 1));
  assert.ok(!tickets.valid(ticket, FROM, FOR + 1, 1));
  assert.ok(!makeTickets("b").valid(ticket, FROM, FOR, 1), "another process");
  for (let at = 0; at < 16; at++) {
    const other = ticket.slice();
    other[at]! ^= 1;
    assert.ok(!tickets.valid(other, FROM, FOR, 1), `byte ${at}`);
  }
  assert.ok(!tickets.valid(NO_TICKET, FROM, FOR, 1));
  assert.ok(!tickets.valid(ticket.subarray(1), FROM, FOR, 1));
});

test("IPv6: the scope counts, a mapped address is IPv4", () => {
  const tickets = makeTickets();
  const local = Uint8Array.from({ length: 16 }, (_, i) => [0xfe, 0x80][i] ?? i);
  const ticket = tickets.make(makeSockaddr(local, 5_000, 3), FOR, 0);
  assert.ok(tickets.valid(ticket, makeSockaddr(local, 5_000, 3), FOR, 0));
  assert.ok(!tickets.valid(ticket, makeSockaddr(local, 5_000, 4), FOR, 0));
  const mapped = new Uint8Array(28);
  mapped.set([10, 0, 0xca, 0x6c]);
  mapped.set([0xff, 0xff, 192, 0, 2, 7], 18);
  assert.ok(tickets.valid(tickets.make(FROM, FOR, 0), mapped, FOR, 0));
});

test("whenever its secret changes, a ticket lasts two minutes, and four at most", () => {
  for (const madeMs of [0, 1, TICKET_AGE_MS / 2, TICKET_AGE_MS - 1]) {
    const tickets = makeTickets();
    tickets.make(FROM, FOR, 0);
    const ticket = tickets.make(FROM, FOR, madeMs);
    assert.ok(tickets.valid(ticket, FROM, FOR, madeMs + TICKET_AGE_MS - 1), `${madeMs}`);
    assert.ok(!tickets.valid(ticket, FROM, FOR, 2 * TICKET_AGE_MS), `${madeMs}`);
  }
});

test("tickets of others are held by address for two minutes, and 4,096 of them", () => {
  const held = new HeldTickets();
  const ticket = fixedBytes("t", 16);
  held.put(FROM, ticket, 7, 0);
  assert.deepEqual(held.of(FROM, TICKET_AGE_MS - 1), { ticket, low: 7, takenMs: 0 });
  assert.equal(held.of(FROM, TICKET_AGE_MS), undefined);
  assert.equal(held.of(makeSockaddr(Uint8Array.of(192, 0, 2, 7), 51_821), 1), undefined);
  for (let i = 0; i < 5_000; i++) {
    held.put(makeSockaddr(Uint8Array.of(10, 0, i >> 8, i & 255), 1), ticket, 0, 1);
  }
  assert.equal(held.size, 4_096);
});

test("what was seen is known for its time, and no more than twice as many are held", () => {
  const seen = new Seen(100, 1_000);
  seen.add("x", 0);
  assert.ok(seen.has("x", 0));
  assert.ok(seen.has("x", 1_000));
  assert.ok(!seen.has("x", 2_001));
  seen.add("y", 5_000);
  seen.add("z", 5_999);
  assert.ok(seen.has("z", 6_998));
  assert.ok(!seen.has("z", 60_000), "after a long silence");
  for (let i = 0; i < 1_000; i++) seen.add(`${i}`, 60_000);
  assert.ok(seen.has("999", 60_000) && seen.has("900", 60_000));
  assert.ok(seen.size <= 200);
});
