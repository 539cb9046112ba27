/** ledger — each thing that must never happen is noticed when it does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SESSION } from "../../src/memory/layout.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { doubleAt, makeArena } from "../../src/memory/region.ts";
import { Sessions, sessionWord } from "../../src/memory/sessions.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { Ledger, Violation } from "./ledger.ts";
import { Moves } from "./moves.ts";
import { addressOf, type Flow, makeFrame, readFrame } from "./packets.ts";
import { Random } from "./random.ts";

const random = new Random(7, 0);

const flow = (version: 4 | 6, protocol: 6 | 17, from = 0, to = 1): Flow => ({
  version,
  protocol,
  source: addressOf(version, from),
  destination: addressOf(version, to),
});

const noticed = (act: () => void, says: RegExp): void =>
  assert.throws(act, (error) => error instanceof Violation && says.test(error.message));

for (const version of [4, 6] as const) {
  for (const protocol of [6, 17] as const) {
    test(`IPv${version}, protocol ${protocol}: what was sent may be delivered once`, () => {
      const ledger = new Ledger(2);
      const payload = ledger.write(0, 1, 200, 5, false);
      // Whichever of the two forms of the checksum it gets: both are taken.
      const forms = [0, 1, 2, 3].map(() => makeFrame(flow(version, protocol), [payload], random));
      const whole = forms.find((frame) => frame[0] === 0) ?? forms[0]!;
      assert.notEqual(typeof readFrame(whole), "string");
      assert.equal(ledger.written(1, whole)[0]!.sequence, 0);
      assert.equal(ledger.newestMs(0, 1), 5);
      noticed(() => ledger.written(1, whole), /delivered twice/);
    });
  }
}

test("delivered to somebody else, changed, damaged, forged, or sent by nobody", () => {
  const ledger = new Ledger(3);
  const frame = (payload: Buffer, from = 0, to = 1): Buffer => {
    for (;;) {
      const made = makeFrame(flow(4, 17, from, to), [payload], random);
      if (made[0] === 0) return made;
    }
  };
  const payload = ledger.write(0, 1, 100, 0, false);
  noticed(() => ledger.written(2, frame(payload)), /delivered to 2/);
  noticed(() => ledger.written(1, frame(payload, 2)), /from another address/);
  noticed(() => ledger.written(1, frame(payload, 0, 2)), /to another address/);
  const changed = Buffer.from(payload);
  changed[50] = changed[50]! ^ 1;
  noticed(() => ledger.written(1, frame(changed)), /was changed/);
  noticed(() => ledger.written(1, frame(payload.subarray(0, 40))), /was changed/);
  noticed(() => ledger.written(1, frame(Buffer.alloc(100, 1))), /nobody sent/);
  const damaged = frame(payload);
  damaged[60] = damaged[60]! ^ 1;
  noticed(() => ledger.written(1, damaged), /wrong checksum/);
  noticed(() => ledger.written(1, ledgerForged(ledger, frame)), /another's source/);
});

const ledgerForged = (ledger: Ledger, frame: (payload: Buffer, from: number) => Buffer): Buffer =>
  frame(ledger.write(0, 1, 100, 0, true), 2);

test("a nonce twice, and a message in clear", () => {
  const ledger = new Ledger(2);
  const message = Buffer.alloc(64, 3);
  ledger.sealed("key", message);
  ledger.sealed("another key", message);
  noticed(() => ledger.sealed("key", message), /nonce twice/);
  const clear = Buffer.concat([Buffer.alloc(16), ledger.write(0, 1, 40, 0, false)]);
  noticed(() => ledger.sealed("key", clear), /in clear/);
});

/** A data message under a counter, to the session that the index names. */
const dataOf = (index: number, counter: bigint): Buffer => {
  const datagram = Buffer.alloc(32);
  datagram.writeUInt32LE(4);
  datagram.writeUInt32LE(index, 4);
  datagram.writeBigUInt64LE(counter, 8);
  return datagram;
};

test("a peer moves by the newest of its session, sealed and from there, by nothing else", () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 2, routes: 4 });
  const sessions = new Sessions(arena);
  const entries = new PeerEntries(arena);
  const places = [1, 2].map((last) => makeSockaddr(Uint8Array.of(192, 0, 2, last), 1));
  const [here, there] = places as [Uint8Array, Uint8Array];
  const key = new Uint8Array(32);
  const [peer, localIndex] = [1, 8];
  const session = sessions.take();
  sessions.fill(session, {
    ...{ peer, localIndex, remoteIndex: 8, suite: 0, initiator: true, owner: 0 },
    ...{ rejectAtMs: 1, rejectAt: 1n, sendKey: key, receiveKey: key },
  });
  const last = doubleAt(sessionWord(arena, session), SESSION.fields.lastCounter);
  const turn = (datagram: Buffer, from: Uint8Array, isSealed = true): number => {
    const moves = new Moves(arena, { isSealed: () => isSealed });
    entries.setEndpoint(peer, here);
    arena.u64[last] = 7n;
    moves.before([{ datagram, from }]);
    entries.setEndpoint(peer, there);
    return moves.after();
  };
  assert.equal(turn(dataOf(localIndex, 7n), there), 1);
  noticed(() => turn(dataOf(localIndex, 6n), there), /moved to 192\.0\.2\.2:1/);
  noticed(() => turn(dataOf(localIndex, 7n), here), /moved/);
  noticed(() => turn(dataOf(localIndex, 7n), there, false), /moved/);
  noticed(() => turn(dataOf(localIndex + 16, 7n), there), /moved/);
  noticed(() => turn(Buffer.alloc(8), there), /moved/);
});
