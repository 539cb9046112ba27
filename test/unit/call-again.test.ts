/**
 * call-again — a message 1 that goes a second time as it was: it makes a session where the first
 * one was lost, or was not understood, and changes nothing where that was taken.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pair } from "./control-pair.ts";

const CHACHA = { cipher: "chacha20poly1305" } as const;

test("the first one was lost: the second one makes the session", async () => {
  const pair = await Pair.make(CHACHA, CHACHA);
  let lost = 1;
  pair.carries = () => lost-- <= 0;
  pair.call(pair.a);
  assert.equal(pair.a.current, null);
  assert.equal(pair.a.control.callAgain(pair.a.peer, pair.b.address), true);
  pair.run(1);
  assert.ok(pair.a.current !== null && pair.b.current !== null);
  const [first, second] = pair.a.sent;
  assert.deepEqual(second, first);
});

test("the first one was taken: the second one is refused, and its answer stands", async () => {
  const pair = await Pair.make(CHACHA, CHACHA);
  pair.carries = (datagram) => datagram[0] !== 2;
  pair.call(pair.a);
  const [response] = pair.b.sent;
  assert.equal(pair.a.control.callAgain(pair.a.peer, pair.b.address), true);
  pair.run(1);
  assert.equal(pair.b.count("handshakeReplayed"), 1);
  assert.equal(pair.b.sent.length, 1, "answered once");
  pair.inject(pair.a, response!);
  assert.ok(pair.a.current !== null);
});

test("there is a session, or no call: nothing goes", async () => {
  const pair = await Pair.make(CHACHA, CHACHA);
  assert.equal(pair.a.control.callAgain(pair.a.peer, pair.b.address), false);
  pair.call(pair.a);
  pair.a.types();
  pair.b.types();
  assert.equal(pair.a.control.callAgain(pair.a.peer, pair.b.address), false);
  assert.equal(pair.b.control.callAgain(pair.b.peer, pair.a.address), false, "it answered");
  assert.deepEqual([pair.a.types(), pair.b.types()], [[], []]);
});
