/** invitation — an enroller and joiners, end to end: used once, the same again, refusals. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMemberFile } from "../../src/members/bundle.ts";
import { certificateProblem } from "../../src/members/certificate.ts";
import { openSecret } from "../../src/members/secret.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { channelKind } from "../../src/wire/channel.ts";
import { formatAddress } from "../../src/wire/cidr.ts";
import {
  inviteBy,
  issuerOf,
  joinAt,
  memoryStore,
  NOW_S,
  openOffice,
  revoking,
  SECRET,
} from "./invitation-parts.ts";
import { DEFINITION, must, pairOf, seedOf, whyOf } from "./members-parts.ts";

test("somebody joins: certificate, secret, definition and list, all of them verified", () => {
  const office = openOffice({});
  const { token } = inviteBy(office, { name: "phone", groups: ["ops"] });
  const state = joinAt(office, token, 20);
  assert.equal(state.is, "joined");
  if (state.is !== "joined") return;
  const file = must(decodeMemberFile(state.file));
  assert.equal(file.certificate.name, "phone");
  assert.deepEqual(file.certificate.groups, ["ops"]);
  assert.equal(certificateProblem(file.certificate, DEFINITION), null);
  const { publicKey, privateKey } = identityFromSeed(seedOf(20));
  assert.deepEqual(openSecret(file.sealed, publicKey, privateKey), SECRET);
  assert.equal(office.counts.get("joinsSigned"), 1);
});

test("no address and no name is given twice, also those that are promised", () => {
  const office = openOffice({});
  const first = inviteBy(office);
  const second = inviteBy(office, { name: "second" });
  const joined = [first, second].map(({ token }, i) => joinAt(office, token, 30 + i));
  const given = joined.flatMap((state) =>
    state.is === "joined" ? state.certificate.addresses.map(formatAddress) : [],
  );
  assert.deepEqual(given, ["10.66.0.1", "10.66.0.3"]); // .2 is the office's own
  const wish = { name: "second", addresses: [], groups: [], hours: 1 };
  assert.match(whyOf(office.office!.invite(wish)), /another member is called second/);
  const third = inviteBy(office, { name: "third" });
  assert.match(
    whyOf(office.office!.invite({ ...wish, name: "third" })),
    /another invitation is for third/,
  );
  assert.equal(joinAt(office, third.token, 33).is, "joined");
});

test("an answer that was lost is given again, the same; to nobody else, and that is said", () => {
  const office = openOffice({});
  const { token } = inviteBy(office);
  const deaf = joinAt(office, token, 20, { lose: (_, toOffice) => !toOffice && deafTo(_) });
  assert.equal(deaf.is, "asking");
  const again = joinAt(office, token, 20);
  const third = joinAt(office, token, 20);
  assert.ok(again.is === "joined" && third.is === "joined");
  assert.deepEqual(again.certificate.bytes, third.certificate.bytes);
  const other = joinAt(office, token, 21);
  assert.ok(other.is === "refused");
  assert.match(other.why, /^it was used on \d{4}-\d\d-\d\d by host-20, another identity; ask for/);
  assert.match(office.said.join("\n"), /an invitation was refused .*host-21/);
});

/** OPENED, and what follows it. */
const deafTo = (datagram: Uint8Array): boolean => channelKind(datagram) !== "card";

test("it is used once over a restart too, and one that is over says so", () => {
  const store = memoryStore();
  const before = openOffice({ store });
  const { token } = inviteBy(before);
  const late = inviteBy(before, { hours: 1 });
  assert.equal(joinAt(before, token, 20).is, "joined");
  before.network.stop();
  const after = openOffice({ store });
  after.pass(3_700);
  const other = joinAt(after, token, 21);
  assert.ok(other.is === "refused");
  assert.match(other.why, /used on/);
  const again = joinAt(after, token, 20);
  assert.equal(again.is, "joined");
  const over = joinAt(after, late.token, 22);
  assert.ok(over.is === "refused");
  assert.match(over.why, /^it ended on/);
});

test("who ended between signing and answering gives the same to who asks again", () => {
  const store = memoryStore();
  const before = openOffice({ store });
  const { token } = inviteBy(before);
  const kept = store.files.get("invitations")!;
  assert.equal(joinAt(before, token, 20).is, "joined");
  store.files.set("invitations", kept);
  const again = joinAt(openOffice({ store }), token, 20);
  assert.equal(again.is, "joined");
});

test("what an issuer may not give is not promised", () => {
  const refused = (fields: Parameters<typeof issuerOf>[0], groups: readonly string[] = []) => {
    const { office } = openOffice({ file: issuerOf(fields) });
    return whyOf(office!.invite({ name: null, addresses: [], groups, hours: 1 }));
  };
  assert.match(refused({ flags: 1 }), /renew members, and not take in new ones/);
  assert.match(refused({}, ["admins"]), /its issuer may not give its groups/);
  assert.match(refused({ notAfterS: issuerOf().issuer.notBeforeS + 1 }), /ended on/);
  const { office } = openOffice({});
  const outside = { name: null, addresses: [Uint8Array.of(10, 77, 0, 1)], groups: [], hours: 1 };
  assert.match(whyOf(office!.invite(outside)), /outside 10\.66\.0\.0\/16/);
});

test("a disk that refuses has nobody invited, and nobody taken in", () => {
  const store = memoryStore();
  const office = openOffice({ store });
  const { token } = inviteBy(office);
  const full = { ...store, write: () => false };
  Object.assign(office.store, full);
  const wish = { name: null, addresses: [], groups: [], hours: 1 };
  assert.match(whyOf(office.office!.invite(wish)), /cannot write/);
  const state = joinAt(office, token, 20);
  assert.ok(state.is === "refused");
  assert.match(state.why, /cannot write/);
});

test("joins through loss: each third datagram is lost, both ways", () => {
  const office = openOffice({});
  const { token } = inviteBy(office);
  let number = 0;
  const state = joinAt(office, token, 20, { lose: () => number++ % 3 === 0, ms: 10_000 });
  assert.equal(state.is, "joined");
});

test("whose certificate has ended gets no secret for the invitation of then", () => {
  const office = openOffice({ file: issuerOf({ lifeS: 3_600 }) });
  const { token } = inviteBy(office);
  assert.equal(joinAt(office, token, 20).is, "joined");
  office.pass(7_200);
  const again = joinAt(office, token, 20);
  assert.ok(again.is === "refused");
  assert.match(again.why, /^its certificate ended on .*; ask for another$/);
  assert.equal(office.counts.get("joinsSigned"), 1);
});

test("who is revoked gets no secret for another invitation to the same address", () => {
  const office = openOffice({});
  const first = inviteBy(office, { ip: "10.66.0.40" });
  assert.equal(joinAt(office, first.token, 20).is, "joined");
  assert.ok(office.network.publish(revoking(pairOf(20).publicKey, NOW_S + 10)).ok);
  const second = inviteBy(office, { ip: "10.66.0.40" });
  const again = joinAt(office, second.token, 20);
  assert.ok(again.is === "refused");
  assert.match(again.why, /make a new one with keygen/);
  assert.equal(office.counts.get("joinsSigned"), 1);
});
