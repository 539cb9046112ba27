/**
 * renewal — a running member is renewed by a running issuer, in their session, when a third of its
 * day is left: both clocks are ahead of the certificate by so much.
 *
 *     m1   an issuer      m2   certified for a day, of which 19 hours have passed
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { PORT } from "../lab/engines.ts";
import { cannotRun } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun([]);
const MEET_MS = 10_000;
/** The first look is 5 to 15 s after the start. */
const RENEWED_MS = 30_000;
const AHEAD = `const now = Date.now.bind(Date);
Date.now = () => now() + ${19 * 3_600_000};
`;

let mesh: Mesh;
let [m1, m2]: Member[] = [];
let ahead = "";

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(2);
  [m1, m2] = [...mesh.members];
  ahead = mesh.file("ahead.mjs");
  writeFileSync(ahead, AHEAD);
  await mesh.enroll(m1!, { flags: ["enrol"] });
  await mesh.enroll(m2!, { days: 1 });
  const issuer = mesh.file("m1.issuer");
  const as = ["--authority", mesh.authority, "--name", "m1", "--out", issuer];
  await mesh.must("network", "issuer", ...as);
  mesh.configure(m1!, { issuer });
  mesh.configure(m2!, { bootstrap: [`${m1!.under4}:${PORT}`] });
  await mesh.startAll([m1!, m2!], [ahead]);
  await mesh.allReach([m1!, m2!], MEET_MS);
});
after(() => {
  if (skip === false) mesh.remove();
});

const explained = async (from: Member, subject: string): Promise<string> =>
  (await mesh.on(from, "explain", subject)).output.replace(/\s+/g, " ");

test("it is renewed, nothing is lost meanwhile, and it holds over a restart", {
  skip,
}, async () => {
  const pings = await mesh.keepPinging(m1!, m2!.inner4);
  const renewed = async (): Promise<boolean> =>
    /signed by issuer p2p:\S+ and counts for (89|90) d more/.test(await explained(m1!, "m2"));
  await until("m1 knows m2's new certificate", renewed, RENEWED_MS);
  assert.equal(await pings.lost(), 0);
  await mesh.stop(m2!);
  await mesh.start(m2!, [ahead]);
  assert.match(await explained(m2!, "m2"), /signed by issuer p2p:/);
  await mesh.allReach([m1!, m2!], MEET_MS);
});
