/** gossip, wants — what is told, what is asked for, what is owed; all within bounds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Link, OWED_MAX, Pace, SlotSet } from "../../src/control/network/links.ts";
import { Wants } from "../../src/control/network/wants.ts";
import { FRAME_BODY_BYTES, FRAME_KINDS } from "../../src/wire/frames.ts";
import { decodeWants, encodeShown, encodeWants } from "../../src/wire/network-frames.ts";
import { BORN_S, identityOf } from "../simulation/members-fleet.ts";
import { missing } from "../simulation/members-ledger.ts";
import { openScene, shownOf } from "./network-room.ts";

const { digest, record, want } = FRAME_KINDS;

test("slots as bits: added, taken, removed, as a Set has them", () => {
  const slots = new SlotSet();
  const twin = new Set<number>();
  for (let i = 0; i < 2_000; i++) {
    const slot = (i * 7_919) % 997;
    if (i % 3 === 0) {
      slots.remove(slot);
      twin.delete(slot);
    } else {
      slots.add(slot);
      twin.add(slot);
    }
    assert.equal(slots.count, twin.size);
    assert.equal(slots.has(slot), twin.has(slot));
  }
  const order = [...twin].sort((a, b) => a - b);
  assert.deepEqual(slots.take(64), order.slice(0, 64));
  assert.deepEqual(slots.take(5_000), order.slice(64));
  assert.equal(slots.count, 0);
});

test("the pace of a link: a few at once, then so many a second", () => {
  const pace = new Pace();
  let sent = 0;
  for (let ms = 0; ms < 10_000; ms++) while (pace.take(ms)) sent++;
  assert.ok(sent > 1_450 && sent < 1_550, `${sent}`);
  while (pace.take(10_000)) sent++;
  assert.ok(pace.dueMs(10_000) > 10_000);
  assert.equal(pace.dueMs(20_000), 20_000);
});

/** What came is as new as anything that was announced. */
const HELD = Number.MAX_SAFE_INTEGER;

const openWants = () => {
  const sent: { link: Link; ids: number[]; certificates: number }[] = [];
  const counts = new Map<string, number>();
  const room = { left: Number.POSITIVE_INFINITY };
  const wants = new Wants({
    salt: 1,
    send: (link, body) => {
      if (room.left-- <= 0) return false;
      const all = decodeWants(body)!;
      const certificates = all.filter(({ certificate }) => certificate).length;
      sent.push({ link, ids: all.map(({ id }) => id), certificates });
      return true;
    },
    count: (what, amount) => void counts.set(what, (counts.get(what) ?? 0) + amount),
  });
  const links = [0, 1, 2].map((i) => new Link({ publicKey: new Uint8Array(32) }, i, i, 0));
  return { wants, sent, counts, links: links as [Link, Link, Link], room };
};

test("a record is asked of one member, and of the next when it does not come", () => {
  const { wants, sent, counts, links } = openWants();
  const [a, b] = links;
  wants.announced(a, 7, 1, true, 0);
  wants.announced(b, 7, 1, true, 0);
  wants.pump(a, 0);
  wants.pump(b, 0);
  assert.deepEqual(sent, [{ link: a, ids: [7], certificates: 0 }]);
  assert.ok(!wants.came(b, 7), "it was not asked");
  wants.tick(wants.dueMs);
  assert.deepEqual(sent[1], { link: b, ids: [7], certificates: 0 });
  assert.ok(!wants.came(a, 7));
  assert.ok(wants.came(b, 7));
  wants.done(7, b, "taken", HELD, 2_500);
  assert.equal(wants.size, 0);
  assert.equal(wants.dueMs, Number.POSITIVE_INFINITY);
  assert.equal(counts.get("wantTimeouts"), 1);
  assert.deepEqual([a.asked, b.asked], [0, 0]);
});

test("a certificate that is not known is asked for in the second place", () => {
  const { wants, sent, links } = openWants();
  const [a] = links;
  wants.announced(a, 7, 1, true, 0);
  wants.pump(a, 0);
  assert.ok(wants.came(a, 7));
  wants.done(7, a, "certificate", 0, 10);
  wants.pump(a, 10);
  assert.equal(sent[1]!.certificates, 1);
  assert.ok(wants.came(a, 7));
  wants.done(7, a, "certificate", 0, 20);
  assert.equal(wants.size, 0, "but not for ever");
});

test("what a member had and does not count is not asked of it again; of others it is", () => {
  const { wants, sent, links } = openWants();
  const [liar, honest] = links;
  wants.announced(liar, 7, 9, true, 0);
  wants.pump(liar, 0);
  assert.ok(wants.came(liar, 7));
  wants.done(7, liar, "refused", 0, 0);
  wants.announced(liar, 7, 9, true, 100);
  wants.announced(honest, 7, 8, true, 100);
  for (const link of links) wants.pump(link, 100);
  assert.deepEqual(
    sent.map(({ link }) => link),
    [liar, honest],
  );
  wants.announced(liar, 8, 1, true, 100);
  assert.equal(wants.size, 2);
});

test("bounds: so many at a time, so many of one member; the rest is compared again", () => {
  const { wants, sent, counts, links } = openWants();
  const [a] = links;
  for (let id = 0; id < 5_000; id++) wants.announced(a, id, 1, false, 0);
  assert.equal(wants.size, 2_048, "as much as is left for all others");
  assert.equal(counts.get("wantsFull"), 5_000 - 2_048);
  assert.ok(a.again);
  wants.pump(a, 0);
  assert.deepEqual(
    sent.map(({ ids }) => ids.length),
    [32, 32],
  );
  assert.ok(encodeWants(sent[0]!.ids.map((id) => ({ id, certificate: true }))).length <= want.most);
  for (const id of sent.flatMap(({ ids }) => ids)) {
    assert.ok(wants.came(a, id));
    wants.done(id, a, "taken", HELD, 1);
  }
  wants.pump(a, 1);
  assert.equal(sent.length, 4);
  assert.equal(wants.size, 1_984);
});

test("a link that ends: what it had is asked of others, or is wanted no more", () => {
  const { wants, sent, links } = openWants();
  const [a, b] = links;
  for (const id of [1, 2, 3]) wants.announced(a, id, 1, true, 0);
  wants.announced(b, 2, 1, true, 0);
  wants.pump(a, 0);
  wants.forget(a, 5);
  wants.tick(wants.dueMs);
  assert.deepEqual(sent.at(-1), { link: b, ids: [2], certificates: 0 });
  assert.equal(wants.size, 1);
});

test("no room to ask: it is asked a little later", () => {
  const { wants, sent, links, room } = openWants();
  room.left = 0;
  wants.announced(links[0], 1, 1, true, 0);
  wants.pump(links[0], 0);
  assert.equal(sent.length, 0);
  room.left = 9;
  assert.equal(wants.dueMs, 50);
  wants.tick(50);
  assert.equal(sent.length, 1);
});

test("a record goes from end to end by itself; each node is sent it once or twice", () => {
  const scene = openScene();
  const nodes = Array.from({ length: 20 }, (_, i) => scene.add(i, i === 0 ? 1 : i - 1));
  for (const node of nodes) node.start();
  scene.pass(30_000);
  for (const node of nodes) assert.equal(missing(node, nodes), null);
  let records = 0;
  for (const node of nodes) {
    node.overhears = (type) => {
      if (type === record.type) records++;
    };
  }
  nodes[7]!.move(300);
  scene.pass(1_500 + 2_000);
  for (const node of nodes) assert.equal(missing(node, nodes), null, node.name);
  assert.ok(records >= 19 && records <= 24, `${records}`);
});

test("a member that lacks hundreds gets them, and what it sends is within its budget", () => {
  const scene = openScene(false);
  const [a, b] = [scene.add(0, 1), scene.add(1, 0)];
  a.start();
  const { intake, members } = a.network!.parts;
  for (let i = 10; i < 510; i++) {
    scene.stage.ledger.signed(identityOf(i), identityOf(i).certificate);
    intake.take(shownOf(identityOf(i)), i, "disk", null);
  }
  scene.pass(2_000);
  assert.equal(members.size, 501);
  b.start();
  scene.pass(12_000);
  assert.equal(b.network!.parts.members.size, 502);
  assert.equal(scene.counts.get("frameRate") ?? 0, 0);
  assert.equal(scene.counts.get("checksFull") ?? 0, 0);
  const { digests } = b.network!.parts.members;
  assert.deepEqual(digests.root(), members.digests.root());
});

test("a member that wants without end is owed so much and no more", () => {
  const scene = openScene();
  const [a, b] = [scene.add(0, 1), scene.add(1, 0)];
  a.start();
  b.start();
  scene.pass(3_000);
  const id = a.network!.parts.ownId;
  const body = encodeWants(Array.from({ length: 32 }, () => ({ id, certificate: true })));
  for (let i = 0; i < 100; i++) a.network!.frame(b.identity, want.type, body);
  const link = a.network!.parts.links.get(b.identity)!;
  assert.equal(link.owed.length, OWED_MAX);
  assert.equal(scene.counts.get("owedFull"), 100 * 32 - OWED_MAX);
  scene.pass(3_000);
  assert.equal(link.owed.length, 0);
  assert.equal(scene.counts.get("recordUnwanted"), OWED_MAX);
});

test("records that nobody asked for are not looked at", () => {
  const scene = openScene();
  const [a, b] = [scene.add(0, 1), scene.add(1, 0)];
  a.start();
  b.start();
  scene.pass(3_000);
  const body = encodeShown([shownOf(identityOf(30), { sequence: BORN_S * 1_000 })]);
  assert.ok(body.length <= FRAME_BODY_BYTES);
  assert.equal(a.network!.frame(b.identity, record.type, body), null);
  scene.pass(1_000);
  assert.equal(a.network!.parts.members.size, 2);
  assert.equal(scene.counts.get("recordUnwanted"), 1);
  assert.equal(digest.type, 7);
});
