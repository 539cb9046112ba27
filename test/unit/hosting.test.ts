/** hosting — guests of a callee: what another certificate changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Caller } from "../../src/directory/callers.ts";
import { Hosting } from "../../src/directory/hosting.ts";
import { PairChecker } from "../../src/directory/pairs.ts";
import { Records } from "../../src/directory/records.ts";
import { Storer } from "../../src/directory/storer.ts";
import { CERTIFICATE_FLAG } from "../../src/members/certificate.ts";
import { Lab, Member, NOTHING_KNOWN, NOW_S, random, report } from "./service-parts.ts";

test("who is signed anew stores from then on, or no more; nobody else is asked", async () => {
  const lab = new Lab();
  const clock = { nowMs: () => NOW_S * 1_000, certificateS: () => NOW_S, trusted: true };
  const law = { definition: () => lab.definition, list: () => null, clock };
  const records = new Records({ checker: new PairChecker(law), count: () => undefined });
  // Time that comes when it is called.
  const due: (() => void)[] = [];
  const later = (act: () => void): (() => void) => {
    due.push(act);
    return () => undefined;
  };
  const pass = async (): Promise<void> => {
    for (const act of due.splice(0)) act();
    await sleep(20);
  };
  let asked = 0;
  const storer = new Storer({
    ...{ nodeKey: random(32), records, count: () => undefined },
    say: () => ++asked > 0,
    timer: { bootMs: () => 1_000, after: (_, act) => later(act) },
  });
  /** Is somebody else asked for what is not here? */
  const asks = async (): Promise<boolean> => {
    await pass();
    asked = 0;
    storer.lookUp(random(32), () => undefined);
    await sleep(20);
    return asked > 0;
  };
  const hosting = new Hosting({
    ...{ records, list: () => null, standings: () => NOTHING_KNOWN },
    ...{ onLeave: () => undefined, dismiss: () => undefined, count: () => undefined },
    onGuest: (guest, here) => storer.guest(guest, here),
  });
  const seed = random(32);
  const plain = new Member(lab, 1, 0, seed);
  const stores = new Member(lab, 1, CERTIFICATE_FLAG.relay, seed);
  const caller = { key: plain.identity.publicKey } as Caller;
  const { guest } = hosting.open(caller, report(plain.pair(1)))!;
  assert.equal(await asks(), false);
  assert.ok(hosting.renew(guest, stores.pair(2), 1_000));
  assert.equal(await asks(), true);
  // A newer record of the same certificate changes nothing.
  assert.ok(hosting.renew(guest, stores.pair(3), 2_000));
  assert.equal(await asks(), true);
  assert.ok(hosting.renew(guest, plain.pair(4), 3_000));
  assert.equal(await asks(), false);
  hosting.gone(caller);
  await storer.stop();
});
