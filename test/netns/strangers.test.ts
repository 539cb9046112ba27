/**
 * strangers — a running member engine, and somebody on its link who sends it datagrams of every
 * type and kind: without the network's secret, and with it.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Epochs } from "../../src/control/network/epochs.ts";
import { mac } from "../../src/control/strangers/hashes.ts";
import { inside, mustRun } from "../../src/demo/tools.ts";
import { unarmor } from "../../src/members/armor.ts";
import { decodeMemberFile } from "../../src/members/bundle.ts";
import { openSecret } from "../../src/members/secret.ts";
import { DROPS } from "../../src/memory/layout.ts";
import { loadIdentity } from "../../src/schema/identity.ts";
import { field } from "../../src/wire/handshake.ts";
import {
  CHALLENGE,
  CHALLENGE_BYTES,
  INTRO,
  INTRO_BYTES,
  INTRO_KIND,
} from "../../src/wire/intro.ts";
import { ours, PORT } from "../lab/engines.ts";
import { cannotRun, LabError } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { withTag } from "../unit/intro-parts.ts";
import { fixedBytes } from "../unit/noise-parties.ts";

const skip = cannotRun([]);
const LENGTHS = [32, CHALLENGE_BYTES, 92, 148, INTRO_BYTES];
const KINDS = 8;
/** Data to no session, which is no stranger's only. */
const DATA = [4, 8];
const JUNK = 3_000;

let mesh: Mesh;
let engine: Member;
let stranger: Member;

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(2);
  [engine, stranger] = mesh.members as [Member, Member];
  for (const member of mesh.members) await mesh.enroll(member);
  mesh.configure(engine);
  await mesh.start(engine);
});
after(() => {
  if (skip === false) mesh.remove();
});

/** Sends them from the stranger's host; what came back. */
const knock = async (datagrams: readonly Uint8Array[], together: number): Promise<Buffer[]> => {
  const file = mesh.file("datagrams");
  const parts = datagrams.flatMap((one) => [Uint8Array.of(one.length & 255, one.length >> 8), one]);
  writeFileSync(file, Buffer.concat(parts));
  const program = [process.execPath, ours("./knocker")];
  const words = [...program, engine.under4, String(PORT), file, String(together)];
  const output = await mustRun(inside(stranger.namespace, words));
  return (JSON.parse(output) as string[]).map((hex) => Buffer.from(hex, "hex"));
};

const drops = async (): Promise<Readonly<Record<string, number>>> =>
  (await mesh.json<{ drops: Record<string, number> }>(engine, "status")).drops;

/** Every first byte and kind, at lengths that some message has. */
const everything = (): Uint8Array[] =>
  LENGTHS.flatMap((length) =>
    Array.from({ length: 256 }, (_, type) => type)
      .filter((type) => !DATA.includes(type))
      .flatMap((type) =>
        Array.from({ length: type < 16 ? KINDS : 1 }, (_, kind) => {
          const datagram = fixedBytes(`${length} ${type} ${kind}`, length);
          datagram.set([type, 0, 0, 0, kind, 1, 0, 0]);
          return datagram;
        }),
      ),
  );

test("without the secret: not a byte comes back, and each is counted", { skip }, async (t) => {
  const sent = everything();
  const before = await drops();
  assert.deepEqual(await knock(sent, 16), []);
  const now = await drops();
  // What the kernel says into the tunnel by itself is none of it.
  const ofNetwork = DROPS.filter(({ unit }) => unit === "datagrams").map(({ name }) => name);
  const grown = ofNetwork.filter((name) => now[name]! > (before[name] ?? 0));
  t.diagnostic(`measured: ${sent.length} datagrams, counted as ${grown.join(", ")}`);
  const names = ["introInvalid", "introTag", "hereUnexpected", "challengeUnexpected", "badType"];
  for (const name of names)
    assert.ok(
      grown.some((one) => one === name),
      name,
    );
  const count = grown.reduce((sum, name) => sum + now[name]! - (before[name] ?? 0), 0);
  assert.equal(count, sent.length);
});

/** The keys of the network's secret, as the stranger's certificate file has it. */
const secretKeys = () => {
  const identity = loadIdentity(stranger.key);
  const bytes = unarmor("certificate", readFileSync(stranger.certificate, "utf8"));
  if (!bytes.ok) throw new LabError(bytes.why);
  const file = decodeMemberFile(bytes.value);
  if (!file.ok) throw new LabError(file.why);
  const secret = openSecret(file.value.sealed, identity.publicKey, identity.privateKey);
  assert.ok(secret !== null);
  const epochs = new Epochs();
  epochs.hold([{ epoch: file.value.list.epoch, secret }]);
  return epochs.newest!;
};

test("with the secret, without a ticket: never more than was sent", { skip }, async () => {
  const keys = secretKeys();
  const sent = [9, 10].flatMap((type) =>
    Array.from({ length: 256 }, (_, kind) => {
      const datagram = fixedBytes(`${type} ${kind}`, type === 9 ? INTRO_BYTES : CHALLENGE_BYTES);
      datagram.set([type, 0, 0, 0, kind, keys.low, 0, 0]);
      return withTag(datagram, keys, mac);
    }),
  );
  const [challenge, here, ...more] = (await knock(sent, 1)).sort((a, b) => a.length - b.length);
  assert.equal(more.length, 0);
  const [intro, who] = [sent[INTRO_KIND.intro]!, sent[INTRO_KIND.who]!];
  const ephemeral = (datagram: Uint8Array) => Buffer.from(field(datagram, INTRO.ephemeral));
  assert.deepEqual([challenge![0], challenge!.length], [10, CHALLENGE_BYTES]);
  assert.ok(ephemeral(intro).indexOf(field(challenge!, CHALLENGE.name)) === 0, "answers the INTRO");
  assert.deepEqual([here![0], here![4], here!.length], [9, INTRO_KIND.here, who.length]);
  assert.deepEqual(ephemeral(here!), ephemeral(who), "answers the WHO");
});

test("a thousand junk INTROs a second: none succeeds, each is counted", { skip }, async () => {
  const before = await drops();
  const junk = Array.from({ length: JUNK }, (_, i) => {
    const datagram = fixedBytes(`junk ${i}`, INTRO_BYTES);
    datagram.set([9, 0, 0, 0, 0, 1, 0, 0]);
    return datagram;
  });
  assert.deepEqual(await knock(junk, 5), []);
  assert.equal((await drops()).introTag! - (before.introTag ?? 0), JUNK);
});
