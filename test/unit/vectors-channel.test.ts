/**
 * vectors-channel — every byte of OPEN, OPENED, CHANNEL and DIRECTORY beside a second
 * implementation (channel-oracle.ts), from fixed keys.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Channel } from "../../src/directory/channel.ts";
import {
  type ChannelKeys,
  consumeOpen,
  consumeOpened,
  createOpen,
  createOpened,
} from "../../src/directory/opening.ts";
import { hashOf } from "../../src/members/sign.ts";
import { publicKeyOf } from "../../src/noise/transcript.ts";
import * as oracle from "./channel-oracle.ts";

const seeded = (name: string, bytes = 32): Uint8Array =>
  Uint8Array.from(hashOf(64, Buffer.from(name)).subarray(0, bytes));
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const pairOf = (privateKey: Uint8Array) => ({ privateKey, publicKey: publicKeyOf(privateKey) });

for (let run = 0; run < 20; run++) {
  test(`OPEN, OPENED and what follows, byte for byte, number ${run}`, () => {
    const keys: oracle.Keys = {
      networkId: seeded(`network ${run}`, 16),
      caller: seeded(`caller ${run}`),
      callerEphemeral: seeded(`caller's ephemeral ${run}`),
      callee: seeded(`callee ${run}`),
      calleeEphemeral: seeded(`callee's ephemeral ${run}`),
    };
    const { networkId } = keys;
    const [caller, callee] = [pairOf(keys.caller.slice()), pairOf(keys.callee.slice())];
    const ticket = seeded(`ticket ${run}`, 16);
    const payload = seeded(`payload ${run}`, 1 + (run % 64));
    const [number, calleeNumber] = [0xfffffff0 + run - 16, 70_000 + run];
    const expected = oracle.open(keys, run % 2, ticket, number, payload);
    const opening = createOpen({
      ...{ networkId, purpose: run % 2, ticket, sender: number, us: caller, payload },
      callee: callee.publicKey,
      ephemeralPrivate: keys.callerEphemeral.slice(),
    })!;
    assert.deepEqual(opening.datagram, expected.message);
    const came = consumeOpen(opening.datagram, networkId, callee)!;
    assert.deepEqual(came.caller, caller.publicKey);
    assert.deepEqual(came.payload.subarray(0, payload.length), payload);
    const answer = seeded(`answer ${run}`, 1 + (run % 64));
    const second = oracle.opened(keys, expected.state, number, calleeNumber, answer);
    const made = createOpened(came, {
      ...{ sender: calleeNumber, payload: answer },
      ephemeralPrivate: keys.calleeEphemeral.slice(),
    })!;
    assert.deepEqual(made.datagram, second.message);
    const opened = consumeOpened(opening, second.message)!;
    assert.equal(opened.number, calleeNumber);
    assert.deepEqual(opened.payload.slice(), answer);
    const hex = ({ send, receive }: ChannelKeys) => [send, receive].map((key) => textOf(key));
    const [fromCaller, fromCallee] = [second.fromCaller, second.fromCallee].map(textOf);
    assert.deepEqual(hex(opened.keys), [fromCaller, fromCallee]);
    assert.deepEqual(hex(made.keys), [fromCallee, fromCaller]);
    const channel = new Channel(opened.keys, calleeNumber);
    for (const [counter, type] of [10, 14, 10].entries()) {
      const plain = seeded(`plain ${run} ${counter}`, 1 + counter);
      const bytes = oracle.sealed(second.fromCaller, type, calleeNumber, counter, plain);
      assert.deepEqual(channel.seal(type, plain), bytes);
    }
  });
}
