/**
 * wg-quick — p2pvpn-wireguard in the place of wireguard-go, which is tried in the same way first:
 * what fails there is the machine's fault.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Keys, makeKeys, PORT, runWireguardGo } from "../lab/engines.ts";
import { cannotRun, Lab, type Program, wireguardName } from "../lab/lab.ts";
import { firstPing, flow, ping } from "../lab/measure.ts";
import { dropInFile, untilGone } from "./drop-in.ts";

/** On b, and reached through the tunnel only. Protocol: documentation addresses. */
const FAR4 = "203.0.113.9";
const FAR6 = "2001:db8:ffff::9";

const skip = cannotRun(["iperf3", "wg", "wg-quick", "wireguard-go", "nft"]);
let lab: Lab;
let ours: Keys;
let theirs: Keys;
let wireguard: Program;
before(async () => {
  if (skip !== false) return;
  lab = await Lab.make();
  ours = makeKeys(lab, lab.a, "wireguard");
  theirs = makeKeys(lab, lab.b, "wireguard");
  wireguard = await runWireguardGo(lab, lab.b, theirs, ours.publicKey, { knowsEndpoint: false });
  for (const far of [`${FAR4}/32`, `${FAR6}/128`]) {
    await lab.must(lab.b, ["ip", "address", "add", far, "dev", "lo"]);
  }
});
after(async () => {
  await wireguard?.stop();
  lab?.remove();
});

interface Plan {
  readonly allowedIps: string;
  readonly lines?: readonly string[];
}

const writeConf = (plan: Plan): string => {
  const file = join(lab.folder, `${wireguardName(lab.a)}.conf`);
  const lines = [
    "[Interface]",
    `PrivateKey = ${readFileSync(ours.file, "utf8").trim()}`,
    `Address = ${lab.a.inner4}/24, ${lab.a.inner6}/64`,
    ...(plan.lines ?? []),
    "[Peer]",
    `PublicKey = ${theirs.publicKey}`,
    `AllowedIPs = ${plan.allowedIps}`,
    `Endpoint = ${lab.b.under4}:${PORT}`,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  return file;
};

const quick = (program: string, word: "up" | "down", file: string): Promise<string> =>
  lab.must(lab.a, [
    "env",
    "-u",
    "LOG_LEVEL",
    `WG_QUICK_USERSPACE_IMPLEMENTATION=${program}`,
    "wg-quick",
    word,
    file,
  ]);

/** What wg-quick may leave nothing in. */
const hostState = async (): Promise<readonly string[]> => {
  const looks = [
    ["ip", "-brief", "link"],
    ["ip", "rule"],
    ["ip", "-6", "rule"],
    ["ip", "route", "show", "table", "all"],
    ["nft", "list", "ruleset"],
  ];
  const texts = await Promise.all(looks.map((words) => lab.must(lab.a, words)));
  // The cable's own link-local address comes when the kernel has found it to be free.
  return texts.map((text) => text.replace(/^.*fe80.*\n/gm, ""));
};

const withQuick = async (
  program: string,
  plan: Plan,
  body: (name: string) => Promise<void>,
): Promise<void> => {
  const name = wireguardName(lab.a);
  const before = await hostState();
  const file = writeConf(plan);
  await quick(program, "up", file);
  try {
    await body(name);
  } finally {
    await quick(program, "down", file);
  }
  await untilGone(lab, lab.a, name);
  assert.deepEqual(await hostState(), before);
};

const PROGRAMS = [
  ["wireguard-go", () => "wireguard-go"],
  ["p2pvpn-wireguard", () => dropInFile(lab)],
] as const;

for (const [program, file] of PROGRAMS) {
  test(`${program}: up and down, and up again, with routes to what is allowed`, {
    skip,
  }, async () => {
    const allowedIps = `${lab.b.inner4}/32, ${lab.b.inner6}/128, ${FAR4}/32`;
    for (let round = 0; round < 2; round++) {
      await withQuick(file(), { allowedIps, lines: ["MTU = 1380"] }, async (name) => {
        const link = await lab.must(lab.a, ["ip", "link", "show", name]);
        assert.match(link, /[<,]UP[,>].* mtu 1380/);
        await firstPing(lab, lab.a, FAR4);
        assert.equal((await ping(lab, lab.a, lab.b.inner6, 10, 10)).lost, 0);
        // Larger than the tunnel: it is cut, and arrives.
        const large = ["ping", "-c", "2", "-s", "3000", lab.b.inner4];
        assert.match(await lab.must(lab.a, large), / 0% packet loss/);
      });
    }
  });

  test(`${program}: down and up at once, again and again`, { skip }, async () => {
    const conf = writeConf({ allowedIps: `${lab.b.inner4}/32` });
    await quick(file(), "up", conf);
    for (let round = 0; round < 3; round++) {
      await quick(file(), "down", conf);
      await quick(file(), "up", conf);
      await firstPing(lab, lab.a, lab.b.inner4);
    }
    await quick(file(), "down", conf);
    await untilGone(lab, lab.a, wireguardName(lab.a));
  });

  test(`${program}: the full tunnel, by firewall mark`, { skip }, async () => {
    await withQuick(file(), { allowedIps: "0.0.0.0/0, ::/0" }, async (name) => {
      assert.equal((await lab.must(lab.a, ["wg", "show", name, "fwmark"])).trim(), "0xca6c");
      await firstPing(lab, lab.a, FAR4);
      assert.equal((await ping(lab, lab.a, FAR6, 10, 10)).lost, 0);
      const tcp = await flow(lab, lab.a, lab.b.inner4, { seconds: 1 });
      assert.ok(tcp.megabitsPerSecond > 20, `${tcp.megabitsPerSecond} Mbit/s`);
      // The tunnel's own datagrams go beside it, or there would be none.
      const transfer = (await lab.must(lab.a, ["wg", "show", name, "transfer"]))
        .trim()
        .split(/\s+/);
      assert.ok(Number(transfer[1]) > 1_000 && Number(transfer[2]) > 1_000_000, transfer.join(" "));
    });
  });
}

test("p2pvpn-wireguard: what was changed is saved on the way down", { skip }, async () => {
  const conf = join(lab.folder, `${wireguardName(lab.a)}.conf`);
  const plan: Plan = { allowedIps: `${lab.b.inner4}/32`, lines: ["SaveConfig = true"] };
  await withQuick(dropInFile(lab), plan, async (name) => {
    const added = Buffer.alloc(32, 9).toString("base64");
    await lab.must(lab.a, ["wg", "set", name, "peer", added, "allowed-ips", "10.9.0.0/16"]);
  });
  const saved = readFileSync(conf, "utf8");
  assert.match(saved, /SaveConfig = true/);
  assert.match(saved, /PublicKey = CQkJ[\s\S]*AllowedIPs = 10\.9\.0\.0\/16/);
  assert.match(saved, new RegExp(`Endpoint = ${lab.b.under4}:${PORT}`));
});
