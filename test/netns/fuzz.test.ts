/**
 * fuzz — the short form of `npm run fuzz`: 200,000 wrong datagrams at an engine whose tunnel is in
 * use; and damaged frames at its control socket, while others are served.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { controlFile, type StatusValue } from "../../src/schema/requests.ts";
import { Chance } from "../lab/chance.ts";
import {
  hostJson,
  interfaceOf,
  makeKeys,
  type NodeEngine,
  runNode,
  writeConfig,
} from "../lab/engines.ts";
import { cannotRun, Lab } from "../lab/lab.ts";
import { type Books, fuzz, judgeBooks, judgeLooks } from "../long/fuzzing.ts";
import { type Look, lookAt } from "../long/soaking.ts";
import { damagedStream } from "../property/envelopes.ts";

const SEED = Number(process.env.P2PVPN_FUZZ_SEED ?? process.pid);
const DATAGRAMS = 200_000;
const STREAMS = 600;
/** A stream that the engine neither answers nor closes waits for more; it is given this long. */
const ANSWER_MS = 100;
const skip = cannotRun(["iperf3"]);
let lab: Lab;
const running: NodeEngine[] = [];
before(async () => {
  if (skip === false) lab = await Lab.make();
});
after(() => lab?.remove());
afterEach(async () => {
  for (const engine of running.splice(0)) await engine.program.stop();
});

const CALM: Look = {
  ...{ second: 0, rssMb: 90, fds: 40, sessions: 2, indexes: [], jobsInFlight: 0, slotsHeld: 0 },
  ...{ counters: {}, drops: {} },
};

test("the verdict names what grew, what is held, and what nobody counted", () => {
  const growing = [0, 1, 2, 3, 4].map((second) => ({ ...CALM, second, rssMb: 90 + 20 * second }));
  assert.deepEqual(judgeLooks(CALM, [CALM, CALM], CALM), []);
  assert.match(judgeLooks(CALM, growing, CALM).join(), /^memory rose by 40\.0 MB$/);
  assert.match(judgeLooks(CALM, [CALM], { ...CALM, rssMb: 500 }).join(), /from 90 to 500 MB/);
  assert.match(judgeLooks(CALM, [CALM], { ...CALM, fds: 50 }).join(), /from 40 to 50/);
  assert.match(judgeLooks(CALM, [CALM], { ...CALM, slotsHeld: 1 }).join(), /^1 slots held/);
  assert.match(judgeLooks(CALM, [CALM], { ...CALM, sessions: 99 }).join(), /^99 sessions/);
  const books: Books = {
    ...{ delivered: 10, dropped: 7, accepted: 3, kernelDropped: 0, responses: 0, byReason: {} },
  };
  assert.deepEqual(judgeBooks(books), []);
  assert.match(judgeBooks({ ...books, delivered: 11 }).join(), /delivered 11 .* accounts for 10/);
  assert.match(judgeBooks({ ...books, accepted: 4 }).join(), /delivered 10 .* accounts for 11/);
});

test("200,000 wrong datagrams: alive, flat, unharmed, every one accounted for", {
  skip,
}, async (t) => {
  t.diagnostic(`seed ${SEED}`);
  const options = { seed: SEED, datagrams: DATAGRAMS, seconds: 60, perSecond: 0 };
  const { faults, books, fuzzer } = await fuzz(lab, options, () => {});
  t.diagnostic(`${fuzzer.sent} sent, ${books.delivered} delivered, ${books.dropped} dropped`);
  assert.deepEqual(faults, []);
  assert.ok(fuzzer.sent + fuzzer.refused >= DATAGRAMS, `only ${fuzzer.sent} were sent`);
  // The mix reached every stage; a drop here that stays at 0 means that it did not.
  for (const reason of ["badType", "tooShort", "unknownIndex", "wrongSuite", "openFailed"]) {
    assert.ok(books.byReason[reason]! > 0, `nothing was dropped as ${reason}`);
  }
  for (const reason of ["replayed", "innerInvalid", "innerSource", "macInvalid"]) {
    assert.ok(books.byReason[reason]! > 0, `nothing was dropped as ${reason}`);
  }
  for (const reason of ["frameInvalid", "frameRate"]) {
    assert.ok(books.byReason[reason]! > 0, `nothing was dropped as ${reason}`);
  }
  for (const reason of ["introTag", "introEpoch", "introReplayed", "introSealed"]) {
    assert.ok(books.byReason[reason]! > 0, `nothing was dropped as ${reason}`);
  }
  // Behind ticket, seal and curve: what the network itself refuses.
  for (const reason of ["certificateInvalid", "recordInvalid", "recordAhead"]) {
    assert.ok(books.byReason[reason]! > 0, `nothing was dropped as ${reason}`);
  }
  for (const reason of ["hereUnexpected", "challengeUnexpected"]) {
    assert.ok(books.byReason[reason]! > 0, `nothing was dropped as ${reason}`);
  }
  for (const reason of ["handshakeInvalid", "cookieAsked", "cookieUnexpected"]) {
    assert.ok(books.byReason[reason]! > 0, `nothing was dropped as ${reason}`);
  }
});

/** What came back until the engine closed, or ANSWER_MS after the end of what was sent. */
const deliver = (client: Socket, pieces: readonly Buffer[], half: boolean): Promise<number> =>
  new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(() => client.destroy(), ANSWER_MS + (half ? 0 : 900));
    client.on("data", (data: Buffer) => {
      bytes += data.length;
    });
    client.on("error", () => {});
    client.on("close", () => {
      clearTimeout(timer);
      resolve(bytes);
    });
    for (const piece of pieces) client.write(piece);
    // The other half stays open for an answer; or it is left hanging, as a dead client would.
    if (!half) client.end();
  });

test("damaged frames at the control socket: answered or closed, others are served", {
  skip,
}, async (t) => {
  t.diagnostic(`seed ${SEED}`);
  const keys = makeKeys(lab, lab.b, "wireguard");
  const peer = makeKeys(lab, lab.a, "wireguard");
  const engine = await runNode(lab, lab.b, writeConfig(lab, lab.b, keys, peer.publicKey));
  running.push(engine);
  const file = controlFile(interfaceOf(lab.b), lab.runFolder);
  const chance = new Chance(SEED);
  const first = await lookAt(engine, 0);
  let answered = 0;
  let served = 0;
  const round = async (): Promise<void> => {
    const streams = Array.from({ length: 8 }, () => {
      const half = chance.once(20);
      return deliver(connect(file), damagedStream(chance), half);
    });
    for (const bytes of await Promise.all(streams)) if (bytes > 0) answered++;
  };
  for (let i = 0; i < STREAMS / 8; i++) {
    await round();
    if (i % 15 !== 0) continue;
    const status = await hostJson<StatusValue>(lab, lab.b, "status");
    assert.equal(status.interface, interfaceOf(lab.b));
    served++;
  }
  await sleep(200);
  const last = await lookAt(engine, 1);
  assert.ok(answered > STREAMS / 4, `${answered} of ${STREAMS} streams had an answer`);
  assert.ok(served >= 5);
  assert.ok(last.fds <= first.fds + 2, `descriptors went from ${first.fds} to ${last.fds}`);
  assert.ok(last.rssMb < first.rssMb + 96, `memory: ${first.rssMb} to ${last.rssMb} MB`);
  assert.ok(readdirSync(lab.runFolder).includes(`${interfaceOf(lab.b)}.sock`));
  assert.equal(engine.program.child.exitCode, null);
});
