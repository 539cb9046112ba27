/**
 * vectors-aes — the AES-256-GCM suite on the wire: test/vectors/aes-suite.json is what the oracle
 * makes, and what the engine makes and takes, handshake, cookie reply and data.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  consumeResponse,
  createInitiation,
  createResponse,
  staticKeys,
} from "../../src/control/handshake/noise.ts";
import { CookieChecker, CookieHolder } from "../../src/control/strangers/cookie.ts";
import { addon } from "../../src/io/native/addon.ts";
import { JOB, SESSION } from "../../src/memory/layout.ts";
import { fieldWord, wordOf } from "../../src/memory/region.ts";
import { AES_256_GCM } from "../../src/noise/transcript.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { consumeInitiation } from "../lab/consume-initiation.ts";
import { makeBenchArena, makeRun, setSuite } from "../lab/runs.ts";
import { type AesVectors, makeAesVectors } from "./aes-vectors.ts";
import { hex, mac } from "./noise-parties.ts";
import { bytesOf, ownVectors } from "./vectors.ts";

const VECTORS = ownVectors<AesVectors>("aes-suite.json");
const { given } = VECTORS;
const indexOf = (text: string): number => Buffer.from(text, "hex").readUInt32LE();
const A = staticKeys(bytesOf(given.initiatorStatic));
const B = staticKeys(bytesOf(given.responderStatic));
const SOURCE = makeSockaddr(bytesOf(given.cookieSource).slice(0, 4), 51_820);

const initiate = () =>
  createInitiation({
    suite: AES_256_GCM,
    local: A,
    remotePublicKey: B.publicKey,
    ephemeralSeed: bytesOf(given.initiatorEphemeral),
    senderIndex: indexOf(given.initiatorIndex),
    timestamp: bytesOf(given.timestamp),
    mac,
  });

test("the file is what the oracle makes", () => {
  assert.deepEqual(VECTORS, makeAesVectors());
  assert.equal(VECTORS.protocol, AES_256_GCM.construction);
  assert.equal(VECTORS.identifier, AES_256_GCM.identifier);
});

test("messages 5 and 6, and the keys of both ends", () => {
  const { datagram, state } = initiate();
  assert.equal(hex(datagram), VECTORS.initiation);
  const consumed = consumeInitiation({ suite: AES_256_GCM, local: B, datagram, mac });
  assert.ok(consumed.ok);
  assert.equal(hex(consumed.timestamp), given.timestamp);
  const presharedKey = bytesOf(given.presharedKey);
  const answer = createResponse({
    state: consumed.state,
    presharedKey,
    ephemeralSeed: bytesOf(given.responderEphemeral),
    senderIndex: indexOf(given.responderIndex),
    mac,
  });
  assert.equal(hex(answer.datagram), VECTORS.response);
  assert.equal(hex(answer.keys.send), VECTORS.responderSends);
  assert.equal(hex(answer.keys.receive), VECTORS.initiatorSends);
  const done = consumeResponse({ local: A, state, presharedKey, datagram: answer.datagram, mac });
  assert.ok(done.ok);
  assert.equal(hex(done.keys.send), VECTORS.initiatorSends);
  assert.equal(hex(done.keys.receive), VECTORS.responderSends);
});

test("cookie reply 7 to message 5, and that message with mac2; type 3 is no reply to it", () => {
  // The constructor draws one secret, the first use another, then come nonces.
  const drawn = [new Uint8Array(32), bytesOf(given.cookieSecret), bytesOf(given.cookieNonce)];
  const random = () => drawn.shift() ?? assert.fail("nothing more is drawn");
  const checker = new CookieChecker({ publicKey: B.publicKey, mac, random });
  const holder = new CookieHolder(B.publicKey, mac);
  const { datagram } = initiate();
  holder.sign(datagram, SOURCE, new Uint8Array(0), 0);
  const reply = checker.reply(datagram, SOURCE, 0);
  assert.equal(hex(reply), VECTORS.cookieReply);
  const disguised = reply.slice();
  disguised[0] = 3;
  assert.equal(holder.take(disguised, 0), false);
  assert.ok(holder.take(reply, 0));
  assert.equal(hex(datagram), VECTORS.initiationWithCookie);
  assert.ok(checker.valid(datagram, SOURCE, 0));
});

for (const { key, counter, padded, message } of VECTORS.data) {
  const bytes = padded.length / 2;
  test(`message 8 with ${bytes} bytes, counter ${counter}, by the data path`, () => {
    const arena = makeBenchArena(1);
    const run = makeRun(arena, 0, 1, bytes);
    setSuite(run, "aes256gcm");
    const session = wordOf(arena, "sessions", SESSION.size, 0) * 4;
    arena.u8.set(bytesOf(key), session + SESSION.fields.sendKey.at);
    arena.u8.set(bytesOf(key), session + SESSION.fields.receiveKey.at);
    const at = run.segments.slotByte(0);
    const here = (): string => hex(arena.u8.slice(at, at + message.length / 2));
    const header = message.slice(0, 32);
    arena.u8.set(bytesOf(header + padded), at);
    assert.equal(addon.seal(run.job), 0);
    assert.equal(here(), message);
    assert.equal(addon.open(run.job), 0);
    assert.equal(here().slice(0, 32 + 2 * bytes), header + padded);
    assert.equal(arena.u32[run.word + fieldWord(JOB.fields.failedLow)], 0);
    for (let byte = 8; byte < message.length / 2; byte++) {
      arena.u8.set(bytesOf(message), at);
      arena.u8[at + byte]! ^= 0x40;
      addon.open(run.job);
      assert.equal(arena.u32[run.word + fieldWord(JOB.fields.failedLow)], 1, `byte ${byte}`);
    }
  });
}
