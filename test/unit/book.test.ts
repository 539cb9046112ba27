/** book — the authority's book: sealed, damaged, full; who signs next; what is published. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { authorityText, withAuthority } from "../../src/commands/network/authority.ts";
import { locked } from "../../src/commands/network/lock.ts";
import {
  type Book,
  bookSealing,
  newBookKey,
  openBook,
  sealBook,
  WRONG_PASSPHRASE,
  wipe,
} from "../../src/members/book.ts";
import { type Certificate, decodeCertificate } from "../../src/members/certificate.ts";
import { freeAddress } from "../../src/members/grant.ts";
import { authorityDesk, certify, knownTo, withCertificates } from "../../src/members/issue.ts";
import { revoke, rotateAuthority, rotateSecret, signList } from "../../src/members/publication.ts";
import {
  REVOCATIONS_MAX,
  revocationProblem,
  revokedBefore,
} from "../../src/members/revocation-list.ts";
import { EPOCHS_HELD, isSecret, secretCheck } from "../../src/members/secret.ts";
import { EngineError } from "../../src/schema/errors.ts";
import { formatAddress } from "../../src/wire/cidr.ts";
import {
  address,
  BORN_S,
  certificateOf,
  DAY_S,
  DEFINITION,
  FIELDS,
  HANDSHAKE,
  must,
  pairOf,
  prefix,
  seedOf,
  whyOf,
} from "./members-parts.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-book-test-"));
after(() => rmSync(folder, { recursive: true }));

const certificate = (fields: Parameters<typeof certificateOf>[0]): Certificate =>
  must(decodeCertificate(certificateOf(fields)));

const bookOf = (certificates: readonly Certificate[] = []): Book => {
  const secret = seedOf(40);
  const fields = { sequence: 1, issuedS: BORN_S, epoch: 1, secretCheck: secretCheck(1, secret) };
  const list = signList({ ...fields, authority: 0 }, [], DEFINITION.networkId, seedOf(1));
  const secrets = [{ epoch: 1, secret }];
  const empty = { members: [], issuers: [], revoked: [], serial: 1 };
  const book = { seed: seedOf(1), secrets, definition: DEFINITION, list, ...empty };
  return { ...book, members: withCertificates(book, certificates, BORN_S) };
};

const NONCE = seedOf(9).slice(0, 24);
const opened = (bytes: Uint8Array, passphrase: Uint8Array | null = null): Book => {
  const result = openBook(bytes, passphrase);
  if (!result.ok) throw new Error(result.why);
  return result.book;
};

test("a book comes back as it was, and its keys are cleared", () => {
  const book = bookOf([certificate({})]);
  const bytes = sealBook(book, null, NONCE);
  const again = opened(bytes);
  bytes.fill(0);
  assert.deepEqual(again.seed, seedOf(1));
  assert.deepEqual(again.secrets, book.secrets);
  assert.deepEqual(again.members, book.members);
  assert.deepEqual(sealBook(again, null, NONCE), sealBook(book, null, NONCE));
  wipe(again);
  assert.deepEqual(again.seed, new Uint8Array(32));
  assert.deepEqual(again.secrets[0]!.secret, new Uint8Array(32));
});

test("sealed, it opens with its passphrase, and nothing of it may change", () => {
  const key = newBookKey(Buffer.from("a passphrase"), seedOf(7).slice(0, 16));
  const bytes = sealBook(bookOf(), key, NONCE);
  assert.deepEqual(opened(bytes, Buffer.from("a passphrase")).seed, seedOf(1));
  assert.equal(Buffer.from(bytes).includes(Buffer.from(seedOf(1))), false);
  const refusedBy = (at: number): string => {
    const other = Uint8Array.from(bytes);
    other[at]! ^= 1;
    const result = openBook(other, Buffer.from("a passphrase"));
    return result.ok ? "" : result.why;
  };
  // Salt, passes, nonce, the sealed part and its tag.
  for (const at of [2, 26, 60, bytes.length - 1]) assert.equal(refusedBy(at), WRONG_PASSPHRASE);
  const wrong = openBook(bytes, Buffer.from("another"));
  assert.deepEqual(wrong, { ok: false, why: WRONG_PASSPHRASE });
  assert.deepEqual(openBook(bytes, null), { ok: false, why: WRONG_PASSPHRASE });
});

test("a file asks for no more work than it may", () => {
  const head = Buffer.alloc(200);
  head.set([1, 1]);
  const asking = (passes: number, memoryKib: number): Uint8Array => {
    head.writeUInt32LE(passes, 18);
    head.writeUInt32LE(memoryKib, 22);
    return head;
  };
  assert.equal(bookSealing(asking(3, 262_144)).ok, true);
  assert.match(whyOf(bookSealing(asking(13, 262_144))), /too much work/);
  assert.match(whyOf(bookSealing(asking(0, 262_144))), /too much work/);
  assert.match(whyOf(bookSealing(asking(3, 1_048_577))), /too much memory/);
  assert.match(whyOf(bookSealing(asking(3, 0))), /too much memory/);
  assert.match(whyOf(bookSealing(Uint8Array.of(1, 2))), /not known here/);
});

test("a book whose parts are not of one network is refused", () => {
  const why = (book: Book): string => {
    const result = openBook(sealBook(book, null, NONCE), null);
    return result.ok ? "" : result.why;
  };
  const book = bookOf();
  assert.equal(why(book), "");
  assert.equal(why({ ...book, seed: seedOf(3) }), "its key is another's");
  const secrets = [{ epoch: 1, secret: seedOf(41) }];
  assert.equal(why({ ...book, secrets }), "its secret is another's");
  assert.equal(why({ ...book, secrets: [] }), "its secret is another's");
  const bytes = sealBook(bookOf([certificate({})]), null, NONCE);
  for (let cut = 0; cut < bytes.length; cut++) {
    assert.equal(openBook(bytes.subarray(0, cut), null).ok, false);
  }
});

const named = (number: number, more: Parameters<typeof certificateOf>[0] = {}): Certificate =>
  certificate({
    nodeKey: pairOf(number).publicKey,
    handshakeKey: seedOf(number),
    name: `host-${number}`,
    addresses: [address(`10.66.0.${number}`)],
    ...more,
  });

test("the next address is one that nobody has, nor had, and none that stands for all", () => {
  const known = knownTo(bookOf([named(1), named(2), named(4)]), BORN_S);
  const free = (range: string, of = known) => {
    const found = freeAddress(of, prefix(range));
    return found && formatAddress(found);
  };
  assert.equal(free("10.66.0.0/16"), "10.66.0.3");
  assert.equal(free("10.66.0.0/30"), "10.66.0.3");
  assert.equal(free("10.66.255.254/31"), "10.66.255.254");
  assert.equal(free("fd00:66::/48"), "fd00:66::1");
  // host-1 has ended: its address is given when there is no other.
  const later = BORN_S + 2 * DAY_S;
  const some = [named(1, { notAfterS: BORN_S + DAY_S }), named(2), named(3)];
  const full = knownTo(bookOf(some), later);
  assert.equal(free("10.66.0.0/30", full), "10.66.0.1");
  assert.equal(free("10.66.0.2/31", full), null);
});

test("revoked: void, a new secret each time, sixteen of them held", () => {
  let book = bookOf([named(1), named(2)]);
  const first = must(
    revoke(book, [{ nodeKey: named(1).nodeKey, name: "host-1" }], seedOf(50), BORN_S),
  );
  assert.equal(revocationProblem(first.book.list, named(1)), "it is revoked");
  assert.equal(first.book.list.epoch, 2);
  assert.equal(isSecret(first.book.list, 2, seedOf(50)), true);
  assert.deepEqual(
    first.book.revoked.map(({ name }) => name),
    ["host-1"],
  );
  // The same once more is one entry, with a later time.
  const again = must(
    revoke(first.book, [{ nodeKey: named(1).nodeKey, name: "host-1" }], seedOf(51), BORN_S + 5),
  );
  assert.equal(again.book.list.count, 1);
  assert.equal(revokedBefore(again.book.list, named(1).nodeKey), BORN_S + 5);
  for (let i = 0; i < 20; i++) book = rotateSecret(book, seedOf(60 + i), BORN_S + i).book;
  assert.equal(book.secrets.length, EPOCHS_HELD);
  assert.equal(book.secrets.at(-1)!.epoch, 21);
  assert.equal(opened(sealBook(book, null, NONCE)).secrets.length, EPOCHS_HELD);
});

test("revoked is also what was signed when the authority's clock was ahead", () => {
  const early = named(1, { notBeforeS: BORN_S + DAY_S });
  const { nodeKey, name } = early;
  const made = must(revoke(bookOf([early]), [{ nodeKey, name }], seedOf(50), BORN_S));
  assert.equal(revocationProblem(made.book.list, early), "it is revoked");
  // Signed again with the right clock, it is the newest all the same.
  const desk = authorityDesk(bookOf([early]), BORN_S);
  const { certificate: again } = must(certify(desk, { ...early, reinstate: false }));
  assert.ok(again.notBeforeS >= early.notBeforeS);
});

test("a full list makes room of those whose certificates have all ended, else refuses", () => {
  const nodes = Array.from({ length: REVOCATIONS_MAX }, (_, i) => {
    const nodeKey = new Uint8Array(32);
    new DataView(nodeKey.buffer).setUint32(0, i);
    return { nodeKey, name: "gone" };
  });
  const living = named(1, { notAfterS: BORN_S + 9 * DAY_S });
  const book = bookOf([living, named(2)]);
  const all = [{ nodeKey: living.nodeKey, name: "host-1" }, ...nodes.slice(1)];
  const full = must(revoke(book, all, seedOf(50), BORN_S)).book;
  assert.equal(full.list.count, REVOCATIONS_MAX);
  const two = [{ nodeKey: named(2).nodeKey, name: "host-2" }];
  const next = must(revoke(full, two, seedOf(51), BORN_S + DAY_S)).book;
  // Only host-1 and host-2 ever had a certificate that this authority knows of.
  assert.equal(next.list.count, 2);
  assert.equal(revocationProblem(next.list, living), "it is revoked");
  const many = [...nodes, ...two];
  assert.match(whyOf(revoke(book, many, seedOf(52), BORN_S)), /a list holds 3000 revocations/);
});

test("a rotation keeps what was signed; nine keys are the most", () => {
  let book = bookOf([named(1)]);
  for (let i = 0; i < 8; i++) {
    const step = { seed: seedOf(100 + i), nowS: BORN_S + i, untilS: Number.POSITIVE_INFINITY };
    book = must(rotateAuthority(book, step)).book;
    assert.deepEqual(opened(sealBook(book, null, NONCE)).definition.bytes, book.definition.bytes);
  }
  assert.deepEqual(book.definition.networkId, DEFINITION.networkId);
  assert.equal(knownTo(book, BORN_S + 9).living.length, 1);
  const step = { seed: seedOf(120), nowS: BORN_S, untilS: Number.POSITIVE_INFINITY };
  assert.match(whyOf(rotateAuthority(book, step)), /8 times at most; make a new one/);
});

test("two handshake keys in one hand, and a key of nobody", () => {
  const desk = authorityDesk(bookOf([named(1)]), BORN_S);
  const wish = {
    ...FIELDS,
    addresses: [address("10.66.0.9")],
    notAfterS: BORN_S + DAY_S,
    reinstate: false,
  };
  assert.equal(certify(desk, wish).ok, true);
  const twin = { ...wish, handshakeKey: named(1).handshakeKey };
  assert.match(whyOf(certify(desk, twin)), /its handshake key is host-1's, under another node key/);
  const nobody = { ...wish, handshakeKey: new Uint8Array(32) };
  assert.match(whyOf(certify(desk, nobody)), /its handshake key is nobody's/);
  assert.equal(
    must(certify(desk, wish)).certificate.handshakeKey.length,
    HANDSHAKE.publicKey.length,
  );
});

test("a file that changed meanwhile is not replaced", async (t) => {
  t.mock.method(Date, "now", () => BORN_S * 1_000);
  const file = join(folder, "lab.authority");
  writeFileSync(file, authorityText(bookOf(), null), { mode: 0o600 });
  const other = authorityText(bookOf([named(1)]), null);
  const saved = withAuthority({ authority: file }, ({ book, save }) => {
    writeFileSync(file, other);
    save({ ...book, serial: 9 });
  });
  await assert.rejects(
    saved,
    (error) => error instanceof EngineError && error.code === "AUTHORITY_CHANGED",
  );
  assert.equal(readFileSync(file, "latin1"), other);
  await withAuthority({ authority: file }, ({ book, save }) => save({ ...book, serial: 9 }));
  await withAuthority({ authority: file }, ({ book }) => assert.equal(book.serial, 9));
});

const said = (program: ChildProcess): Promise<void> =>
  new Promise((resolve) => program.stdout!.once("data", () => resolve()));

test("who may not read a file takes nobody's lock on it", async () => {
  const file = join(folder, "watched.authority");
  writeFileSync(file, authorityText(bookOf(), null), { mode: 0o600 });
  const name = createHash("sha256").update(file).digest("hex").slice(0, 32);
  const squatter = createServer();
  await new Promise<void>((done) => {
    squatter.listen(`\0p2pvpn-authority-${name}`, done);
  });
  try {
    // It gets as far as to see that this book is of a later time.
    const isOpen = (error: EngineError): boolean => error.code === "CLOCK_BEHIND";
    await assert.rejects(
      withAuthority({ authority: file }, () => {}),
      isOpen,
    );
  } finally {
    squatter.close();
  }
});

test("a lock is taken by one, waited for, and free when its holder is killed", async () => {
  const lock = new URL("../../src/commands/network/lock.js", import.meta.url).href;
  const code = `import(${JSON.stringify(lock)}).then(({ locked }) =>
    locked("a file", new Uint8Array(16), async () => {
    process.stdout.write("held"); await new Promise((r) => setTimeout(r, 60_000)); }));`;
  const holder = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await said(holder);
  const order: string[] = [];
  const waiting = locked("a file", new Uint8Array(16), async () => {
    order.push("waited");
  });
  await locked("another file", new Uint8Array(16), async () => {
    order.push("other");
  });
  assert.deepEqual(order, ["other"]);
  holder.kill("SIGKILL");
  await waiting;
  assert.deepEqual(order, ["other", "waited"]);
});
