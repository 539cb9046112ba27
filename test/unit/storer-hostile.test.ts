/** storer-hostile — the directory at an index node: its pace, and its end at any moment. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller } from "../../src/directory/callers.ts";
import { DhtStore } from "../../src/directory/dht.ts";
import { Guests } from "../../src/directory/guests.ts";
import { nameOf } from "../../src/directory/names.ts";
import { PairChecker } from "../../src/directory/pairs.ts";
import { Records } from "../../src/directory/records.ts";
import { Storer } from "../../src/directory/storer.ts";
import { decodeCertificate } from "../../src/members/certificate.ts";
import { Lab, Member, NOTHING_KNOWN, NOW_S, random } from "./service-parts.ts";

const lab = new Lab();

const recordsOf = (): Records => {
  const clock = { nowMs: () => NOW_S * 1_000, certificateS: () => NOW_S, trusted: true };
  const law = { definition: () => lab.definition, list: () => null, clock };
  return new Records({ checker: new PairChecker(law), count: () => undefined });
};

/** Time that stands, and calls nobody. */
const still = { bootMs: () => 5_000, after: () => () => undefined };

test("what the directory answers a guest is of its fifty datagrams a second", async () => {
  const counts = new Map<string, number>();
  const said: number[] = [];
  const storer = new Storer({
    nodeKey: new Member(lab, 9).signing.publicKey,
    records: recordsOf(),
    say: (_, bytes) => said.push(bytes.length) > 0,
    timer: still,
    count: (what, amount = 1) => counts.set(what, (counts.get(what) ?? 0) + amount),
  });
  const certificate = decodeCertificate(new Member(lab, 1).certificate());
  assert.ok(certificate.ok);
  const guest = new Guests().add({} as Caller, certificate.value, 0, NOTHING_KNOWN);
  storer.guest(guest, true);
  await new Promise((resolve) => setTimeout(resolve, 50));
  // dht-rpc's PING, as its engine writes it.
  const ping = (number: number): Uint8Array =>
    Uint8Array.of(0x03, 4, number & 255, number >> 8, 1, 2, 3, 4, 5, 0, 0);
  storer.directory(guest, ping(1));
  assert.equal(said.length, 1);
  while (guest.share.outbox.take(still.bootMs()));
  for (let number = 2; number < 20; number++) storer.directory(guest, ping(number));
  assert.equal(said.length, 1);
  assert.equal(counts.get("answerRate"), 18);
  await storer.stop();
});

test("a directory that ends while it begins ends in silence", async () => {
  const failed: unknown[] = [];
  const onFailed = (reason: unknown): void => void failed.push(reason);
  process.on("unhandledRejection", onFailed);
  for (const isStorer of [true, false]) {
    for (let turns = 0; turns < 40; turns++) {
      const store = new DhtStore({
        ...{ name: nameOf(random(32)), isStorer, records: recordsOf() },
        transport: { send: () => true, onMessage: () => undefined },
        timer: {
          bootMs: () => performance.now(),
          after: (ms, act) => {
            const timer = setTimeout(act, ms);
            return () => clearTimeout(timer);
          },
        },
        count: () => undefined,
        onFound: () => undefined,
      });
      store.setStorers([nameOf(random(32)), nameOf(random(32))]);
      const asked = [store.get(random(32)), store.put(new Member(lab, 1).pair())];
      for (let i = 0; i < turns; i++) await Promise.resolve();
      if (turns > 30) await new Promise((resolve) => setTimeout(resolve, turns - 30));
      await store.stop();
      await Promise.all(asked);
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.off("unhandledRejection", onFailed);
  assert.deepEqual(failed, []);
});
