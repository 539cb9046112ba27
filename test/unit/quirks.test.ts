/** quirks — which kernels are taken for faulty, by what `uname -r` says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kernelQuirks } from "../../src/quirks.ts";

// biome-ignore format: a table
const RELEASES: readonly (readonly [release: string, touches: readonly string[]])[] = [
  ["6.18.44", []],
  ["6.19.9-arch1-1", []],
  ["7.0.0", ["gso"]],
  ["7.0.0-rc1+", ["gso"]],
  ["7.0-rc7", ["gso"]],
  ["7.0.12-generic", ["gso"]],
  ["7.1.4-200.fc46.x86_64", ["gso"]],
  ["7.1.5", []],
  ["7.1.40", []],
  ["7.2.0", []],
  ["70.0.1", []],
  ["6.17.0-40-generic", []],
  ["6.17.0-41-generic", ["gso"]],
  ["6.17.0-410-generic", []],
  ["6.17.1-41-generic", []],
  ["6.8.5", []],
  ["6.8.4", ["vxlan"]],
  ["6.1.0-40-amd64", ["vxlan"]],
  ["5.10.0-35-cloud-amd64", ["vxlan"]],
  ["4.18.0-553.el8.x86_64", ["vxlan"]],
  ["", []],
  ["seven", []],
  ["7", []],
  ["7.0.0000000000000000000000", ["gso"]],
];

for (const [release, touches] of RELEASES) {
  test(`"${release}": ${touches.join(" and ") || "nothing"}`, () => {
    const found = kernelQuirks(release);
    assert.deepEqual(
      found.map((quirk) => quirk.touches),
      touches,
    );
    for (const { why } of found) assert.match(why, /^[A-Z].*[^.]$/);
  });
}
