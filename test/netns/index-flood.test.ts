/**
 * index-flood — a newcomer at an index node that is flooded with 1,000 Mbit/s of each kind: KNOCKs
 * of the network and of no network, OPENs without a ticket, junk; from random sources. A channel
 * opens within ten seconds.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inside } from "../../src/demo/tools.ts";
import { armor } from "../../src/members/armor.ts";
import { Field } from "../lab/field.ts";
import { startFlood, type Tunnel } from "../lab/floods.ts";
import { floodOf, INDEX_FLOODS } from "../lab/index-floods.ts";
import { type IndexProcess, startIndex } from "../lab/index-process.ts";
import { cannotRun } from "../lab/lab.ts";
import { callerFile, Lab, Member } from "../unit/service-parts.ts";

const skip = cannotRun(["tc", "ethtool"]);
/** Issue 14. */
const JOIN_MS = 10_000;
const FLOOD_SECONDS = 16;
const CALLER = fileURLToPath(new URL("../lab/index-caller.js", import.meta.url));
const PORT = 4_740;

const lab = new Lab(Math.floor(Date.now() / 1_000));
const KINDS = INDEX_FLOODS.map((row) => floodOf(row, lab.networkId));

let field: Field;
let index: IndexProcess;
before(async () => {
  if (skip !== false) return;
  field = await Field.lay("attacker");
  const network = join(field.folder, "lab.network");
  writeFileSync(network, armor("network", lab.definition.bytes, []));
  const words = ["--network", network, "--data", join(field.folder, "index")];
  index = await startIndex(
    [...words, "--listen", `${field.s.under4}:${PORT}`],
    inside(field.s.namespace, []),
  );
});
after(async () => {
  await index?.stop();
  field?.remove();
});

/** Milliseconds until a member's channel is open, as its program says. */
const opens = async (member: Member): Promise<number | null> => {
  const file = join(field.folder, `caller${member.number}`);
  writeFileSync(file, JSON.stringify(callerFile(member)));
  const words = [process.execPath, CALLER, field.s.under4, String(PORT), file, "15000"];
  const told = JSON.parse(await field.must(field.a, words)) as { readonly ms: number | null };
  return told.ms;
};

const cpuTicks = (): number => {
  const fields = readFileSync(`/proc/${index.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
};

test("without a flood, in no time", { skip }, async (t) => {
  const ms = await opens(new Member(lab, 1));
  t.diagnostic(`measured: ${ms} ms`);
  assert.ok(ms !== null && ms < 2_000);
});

for (const [i, kind] of KINDS.entries()) {
  test(`1,000 Mbit/s of ${kind.title}`, { skip }, async (t) => {
    const tunnel: Tunnel = {
      ...{ from: field.a, to: field.s.under4, port: PORT, serverPort: PORT },
      ...{ publicKey: null, dataTypes: [], programs: [] },
    };
    const target = { host: field.s, port: PORT };
    const from = await field.counters(field.s);
    const ticks = cpuTicks();
    const flood = { kind, megabits: 1_000, seconds: FLOOD_SECONDS };
    const flooder = await startFlood(field, tunnel, target, flood);
    const times: (number | null)[] = [];
    for (let n = 0; n < 3; n++) times.push(await opens(new Member(lab, 100 + 10 * i + n)));
    const to = await field.counters(field.s);
    const seconds = Number(to.atNs - from.atNs) / 1e9;
    const mbps = (8 * (to.entered.x - from.entered.x)) / seconds / 1e6;
    const cpu = (cpuTicks() - ticks) / seconds;
    const drops = (to.socketDrops - from.socketDrops) / seconds;
    t.diagnostic(
      `measured: ${kind.id}: open after ${times.join(", ")} ms; ${mbps.toFixed(0)} Mbit/s, ` +
        `index ${cpu.toFixed(0)} % of a processor, ${drops.toFixed(0)} drops/s at its socket`,
    );
    await flooder.stop();
    for (const ms of times) assert.ok(ms !== null && ms <= JOIN_MS, `${times}`);
  });
}
