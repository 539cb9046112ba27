/**
 * bounds — what benchmarks decide with: bounds, the kernel's figures, prefixes, silent peers.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { exitCode, figureTable, isKept } from "../../bench/bounds.ts";
import { addressIn, makePrefix, SHAPES } from "../../bench/prefixes.ts";
import { loadConfig } from "../../src/schema/load-config.ts";
import { type Cidr, maskCidr } from "../../src/wire/cidr.ts";
import { addIdlePeers } from "../lab/engines.ts";
import { residentIn, switches, switchesBetween } from "../lab/process.ts";

test("a figure keeps its bound or the check fails; no number keeps none", () => {
  const figure = { name: "x", value: 20, unit: "a second" };
  assert(isKept({ ...figure, most: 20 }));
  assert(!isKept({ ...figure, most: 19.9 }));
  assert(!isKept({ ...figure, least: 20.1 }));
  assert(!isKept({ ...figure, value: Number.NaN, most: 20 }));
  assert(isKept(figure));
  const rows = [figure, { ...figure, most: 10 }];
  assert.equal(exitCode(rows, true), 1);
  assert.equal(exitCode(rows, false), 0);
  assert.equal(exitCode([figure], true), 0);
  assert.match(figureTable(rows), /\| x \| 20\.0 a second \| <= 10\.0 \| no \|/);
});

test("resident memory is read in MB, and a missing field is an error", () => {
  const text = "VmRSS:\t  2048 kB\nRssAnon:\t 512 kB\nRssFile:\t 1024 kB\nRssShmem:\t 512 kB\n";
  assert.deepEqual(residentIn(text), { rssMb: 2, anonymousMb: 1, filesMb: 1 });
  assert.throws(() => residentIn("VmRSS: 1 kB\n"), /RssAnon/);
});

test("switches are those in between, of new threads all", () => {
  const row = (thread: number, voluntary: number) => ({ thread, name: "t", voluntary });
  const between = switchesBetween([row(1, 10), row(2, 5)], [row(1, 12), row(3, 4)]);
  assert.deepEqual(between, [row(1, 2), row(3, 4)]);
  assert(switches(process.pid).some(({ thread }) => thread === process.pid));
});

test("addresses lie in the prefixes that they are made for", () => {
  for (const version of [4, 6] as const) {
    for (const shape of SHAPES) {
      for (let i = 0; i < 500; i++) {
        const cidr = maskCidr(makePrefix(shape, version, i));
        const address: Cidr = { ...cidr, bytes: new Uint8Array(cidr.bytes.length) };
        const view = new DataView(address.bytes.buffer);
        for (const [w, word] of addressIn(cidr).entries()) view.setUint32(4 * w, word);
        assert.deepEqual(maskCidr(address).bytes, cidr.bytes);
      }
    }
  }
});

test("silent peers are a configuration that loads, each with prefixes of its own", () => {
  const folder = mkdtempSync(join(tmpdir(), "p2pvpn-bench-test-"));
  try {
    const key = join(folder, "a.key");
    writeFileSync(key, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
    const file = join(folder, "a.toml");
    writeFileSync(file, `[interface]\nname = "p2pa"\nprivate_key_file = "${key}"\n`, {
      mode: 0o600,
    });
    addIdlePeers(file, 300);
    const { peers } = loadConfig(file);
    assert.equal(peers.length, 300);
    const prefixes = peers.flatMap(({ allowedIps }) => allowedIps.map((one) => String(one.bytes)));
    assert.equal(new Set(prefixes).size, 600);
    assert.throws(() => addIdlePeers(file, 70_000), RangeError);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
