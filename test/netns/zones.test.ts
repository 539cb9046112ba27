/**
 * zones — a link-local endpoint is shown with the interface that it goes through, everywhere, so
 * that what was shown, or saved, can be set again. The newer wireguard-go is asked the same; Debian
 * 12's leaves the zone out.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { PeerValue } from "../../src/schema/requests.ts";
import { cli, hostJson, interfaceOf, PORT, runCli, runWireguardGo } from "../lab/engines.ts";
import { type Host, type Lab, LINK, type Program, wireguardName } from "../lab/lab.ts";
import { firstPing } from "../lab/measure.ts";
import { dropInFile, untilGone } from "./drop-in.ts";
import { type OwnScene, setScene } from "./own-scene.ts";
import { WIREGUARDS } from "./versions.ts";

const A = "fe80::a";
const B = "fe80::b";
const ENDPOINT = `[${B}%${LINK}]:${PORT}`;

// Debian's where backports' is missing: the tests of ours need no zone of it.
const newer = WIREGUARDS.find(({ skip }, i) => i > 0 && skip === false) ?? WIREGUARDS[0]!;
let lab: Lab;
let scene: OwnScene;
let wireguard: Program;
const skip = setScene({
  tools: ["wg", "wg-quick", "wireguard-go"],
  begin: async (made) => {
    scene = made;
    lab = made.lab;
    for (const [host, address] of [
      [lab.a, A],
      [lab.b, B],
    ] as const) {
      await lab.must(host, ["ip", "address", "add", `${address}/64`, "dev", LINK, "nodad"]);
    }
    const plan = { knowsEndpoint: false };
    const { a, b } = scene;
    wireguard = await runWireguardGo(lab, lab.b, b, a.publicKey, plan, newer.binary);
  },
  end: async () => {
    await wireguard?.stop();
  },
});

/** The only peer's endpoint as `wg show` has it. */
const shown = async (host: Host, name: string): Promise<string> =>
  (await lab.must(host, ["wg", "show", name, "endpoints"])).trim().split("\t")[1] ?? "";

const PROGRAMS = [
  [newer.name, skip || (newer === WIREGUARDS[0] && "backports' is missing"), () => newer.binary],
  ["p2pvpn-wireguard", skip, () => dropInFile(lab)],
] as const;

for (const [program, missing, file] of PROGRAMS) {
  test(`${program}: SaveConfig writes a file that comes up again`, {
    skip: missing,
  }, async () => {
    const name = wireguardName(lab.a);
    const conf = join(lab.folder, `${name}.conf`);
    const lines = [
      "[Interface]",
      `PrivateKey = ${readFileSync(scene.a.file, "utf8").trim()}`,
      `Address = ${lab.a.inner4}/24`,
      "SaveConfig = true",
      "[Peer]",
      `PublicKey = ${scene.b.publicKey}`,
      `AllowedIPs = ${lab.b.inner4}/32`,
      `Endpoint = ${ENDPOINT}`,
    ];
    writeFileSync(conf, `${lines.join("\n")}\n`, { mode: 0o600 });
    const quick = (word: string): Promise<string> =>
      lab.must(lab.a, [
        "env",
        "-u",
        "LOG_LEVEL",
        `WG_QUICK_USERSPACE_IMPLEMENTATION=${file()}`,
        "wg-quick",
        word,
        conf,
      ]);
    for (let round = 0; round < 2; round++) {
      await quick("up");
      await firstPing(lab, lab.a, lab.b.inner4);
      assert.equal(await shown(lab.a, name), ENDPOINT);
      await quick("down");
      await untilGone(lab, lab.a, name);
      assert.ok(readFileSync(conf, "utf8").includes(`Endpoint = ${ENDPOINT}\n`), "as it was");
    }
    if (newer === WIREGUARDS[0]) return;
    // Who answers sees where the call came from in the same way.
    assert.match(await shown(lab.b, wireguardName(lab.b)), new RegExp(`^\\[fe80::.*%${LINK}\\]:`));
  });
}

test("every way in and out of an engine", { skip }, async () => {
  const { a, b } = lab;
  const name = interfaceOf(a);
  const config = scene.configure("a", { endpoint: ENDPOINT });
  const engine = await runCli(lab, a, config);
  const known = async (): Promise<PeerValue> => (await hostJson<PeerValue[]>(lab, a, "peers"))[0]!;
  try {
    await firstPing(lab, a, b.inner4);
    assert.equal((await known()).endpoint, ENDPOINT);
    assert.equal(await shown(a, name), ENDPOINT);
    const saved = await lab.must(a, ["wg", "showconf", name]);
    assert.ok(saved.includes(`Endpoint = ${ENDPOINT}\n`), saved);
    const file = join(lab.folder, "saved.conf");
    writeFileSync(file, saved, { mode: 0o600 });
    await lab.must(a, ["wg", "setconf", name, file]);
    assert.equal(await shown(a, name), ENDPOINT);
    const endpoint = (text: string) =>
      cli(lab, a, "peer", "add", scene.b.publicKey, "--endpoint", text);
    // The interface's name of the moment; its number, once it is gone.
    await lab.must(a, ["ip", "link", "add", "e0", "type", "veth", "peer", "name", "e9"]);
    await lab.must(a, ["wg", "set", name, "peer", scene.b.publicKey, "endpoint", "[fe80::9%e0]:5"]);
    assert.equal(await shown(a, name), "[fe80::9%e0]:5");
    assert.equal((await endpoint("[fe80::8%e0]:5")).code, 0);
    assert.equal((await known()).endpoint, "[fe80::8%e0]:5");
    const index = /^(\d+):/.exec(await lab.must(a, ["ip", "-o", "link", "show", "e0"]))?.[1];
    await lab.must(a, ["ip", "link", "set", "e0", "name", "e1"]);
    assert.equal((await known()).endpoint, "[fe80::8%e1]:5");
    await lab.must(a, ["ip", "link", "delete", "e1"]);
    assert.equal((await known()).endpoint, `[fe80::8%${index}]:5`);
    // A name that is not there yet is said, not guessed.
    assert.equal((await endpoint("[fe80::8%e7]:5")).code, 0);
    const problem = (await known()).endpointProblem;
    assert.equal(problem, "there is no interface e7");
  } finally {
    await engine.stop();
  }
});
