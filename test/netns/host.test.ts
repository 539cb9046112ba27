/**
 * host — what the host has of an engine is what its file says: addresses, routes and MTU, after
 * changes, after the interface was down, after others took them away; also where IPv6 is off.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StatusValue } from "../../src/schema/requests.ts";
import { cli, cliWords, hostJson, runCli } from "../lab/engines.ts";
import type { Lab, Program } from "../lab/lab.ts";
import { firstPing } from "../lab/measure.ts";
import { until } from "../lab/until.ts";
import { type OwnScene, setScene } from "./own-scene.ts";

const FIRST = ["10.66.0.2/24", "fd66::2/64"];
const PREFIXES = ["10.66.0.1/32", "10.88.0.0/16", "fd88::/48"];
const STRANGER = Buffer.alloc(32, 9).toString("base64");

let lab: Lab;
let scene: OwnScene;
let name: string;
const skip = setScene({
  begin: (made) => {
    scene = made;
    ({ lab, name } = made);
  },
});

const sysctl = (key: string, value: string): Promise<string> =>
  lab.must(lab.a, ["sysctl", "-q", "-w", `net.${key}=${value}`]);

/** Addresses of the tunnel that are not the kernel's own. */
const addresses = async (): Promise<string[]> =>
  [
    ...(await scene.ip("address", "show", "dev", name)).matchAll(/inet6? (\S+) .*scope global/g),
  ].map((found) => found[1]!);

const routes = async (): Promise<string> =>
  (await scene.ip("-4", "route", "show", "dev", name)) +
  (await scene.ip("-6", "route", "show", "dev", name));

const assertAsWritten = async (wanted: readonly string[]): Promise<void> => {
  assert.deepEqual((await addresses()).sort(), [...wanted].sort());
  const there = await routes();
  for (const prefix of PREFIXES.slice(1)) assert.ok(there.includes(prefix), there);
};

const up = async (): Promise<boolean> => (await hostJson<StatusValue>(lab, lab.a, "status")).up;

const withEngine = async (body: (file: string, engine: Program) => Promise<void>) => {
  const plan = { addresses: FIRST, allowedIps: PREFIXES };
  const file = scene.configure("a", plan);
  const engine = await runCli(lab, lab.a, file);
  try {
    await body(file, engine);
  } finally {
    assert.equal(await engine.stop(), 0, engine.errors);
  }
};

test("addresses, routes and MTU are what the file says", { skip }, async () => {
  await withEngine(async (file) => {
    await assertAsWritten(FIRST);
    const text = readFileSync(file, "utf8");
    const reload = (wanted: readonly string[]): Promise<string> => {
      writeFileSync(file, text.replace(JSON.stringify(FIRST), JSON.stringify(wanted)));
      return scene.ask("reload");
    };
    // The kernel takes 10.66.0.22 away with 10.66.0.2, and with the last one all routes.
    await sysctl(`ipv4.conf.${name}.promote_secondaries`, "0");
    await reload(["10.66.0.22/24", "fd66::2/64"]);
    await assertAsWritten(["10.66.0.22/24", "fd66::2/64"]);
    await reload(["10.66.0.22/16", "fd66::2/80"]);
    await assertAsWritten(["10.66.0.22/16", "fd66::2/80"]);
    await reload(FIRST);
    await assertAsWritten(FIRST);
    // Others take away what is ours.
    await scene.ip("address", "delete", "fd66::2/64", "dev", name);
    await scene.ip("route", "delete", "10.88.0.0/16", "dev", name);
    await scene.ip("link", "set", name, "mtu", "1300");
    const said = await scene.ask("reload");
    for (const what of ["fd66::2/64: was missing", "route 10.88.0.0/16: was", "interface.mtu"]) {
      assert.ok(said.includes(what), said);
    }
    await assertAsWritten(FIRST);
    assert.match(await scene.ip("link", "show", name), /mtu 1420/);
    await scene.ip("address", "flush", "dev", name);
    await scene.ask("reload");
    await assertAsWritten(FIRST);
    assert.match(await scene.ask("reload"), /nothing has changed/);
    // IPv6 comes with the MTU that it needs.
    const small = text.replace(JSON.stringify(FIRST), '["10.66.0.2/24"]');
    writeFileSync(file, small.replace("[interface]", "[interface]\nmtu = 1000"));
    await scene.ask("reload");
    await reload(FIRST);
    await assertAsWritten(FIRST);
    // Others had lowered it.
    await scene.ip("link", "set", name, "mtu", "1000");
    await until(
      "it is seen",
      async () => (await hostJson<StatusValue>(lab, lab.a, "status")).mtu === 1_000,
    );
    await scene.ask("config", "set", "interface.mtu", "1400");
    await assertAsWritten(FIRST);
  });
});

test("check looks at the port that the file has now, beside the engine that runs", {
  skip,
}, async () => {
  await withEngine(async (file) => {
    const port = async (): Promise<string> => {
      const { output } = await lab.run(lab.a, [
        "env",
        `P2PVPN_RUN_DIR=${lab.runFolder}`,
        ...cliWords(["check", "-c", file]),
      ]);
      return /^\w+ +UDP port +.*$/m.exec(output)![0];
    };
    assert.match(await port(), new RegExp(`^ok .*, held by the engine on ${name}$`));
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(/listen_port = \d+/, "listen_port = 51999"));
    assert.match(await port(), /^ok +UDP port +51999 is free$/);
  });
});

test("set down and up, all comes back; while it is down, it says so", { skip }, async () => {
  await withEngine(async () => {
    const back = (): Promise<void> =>
      until("all is back", async () => (await addresses()).length === FIRST.length);
    await scene.ip("link", "set", name, "down");
    assert.deepEqual(await addresses(), [FIRST[0]]);
    await scene.ip("link", "set", name, "up");
    await back();
    await assertAsWritten(FIRST);
    // Below the least MTU of IPv6 the kernel takes it away.
    await scene.ip("link", "set", name, "mtu", "1000");
    assert.deepEqual(await addresses(), [FIRST[0]]);
    await scene.ip("link", "set", name, "mtu", "1420");
    await back();
    await assertAsWritten(FIRST);
    assert.equal(await up(), true);
    await scene.ip("link", "set", name, "down");
    await until("it says so", async () => !(await up()));
    assert.match(await scene.ask("status"), /\bdown\b/);
    // As a clean-up of /run would.
    rmSync(lab.runFolder, { recursive: true });
    await until("its socket is back", () => existsSync(join(lab.runFolder, `${name}.sock`)));
    assert.equal(await up(), false);
  });
});

test("where IPv6 is off, it is said, and IPv4 works", { skip }, async () => {
  const off = /IPv6 is switched off on this host/;
  const other = await runCli(lab, lab.b, scene.configure("b"));
  await sysctl("ipv6.conf.all.disable_ipv6", "1");
  try {
    const plan = { addresses: [`${lab.a.inner4}/24`, "fd66::1/64"], allowedIps: PREFIXES };
    const allowedIps = [`${lab.b.inner4}/32`, "fd88::/48"];
    const file = scene.configure("a", { ...plan, allowedIps });
    const six = `${file}.six.toml`;
    const endpoint = 'endpoint = "[2001:db8::2]:51820"';
    writeFileSync(six, readFileSync(file, "utf8").replace(/^endpoint = .*$/m, endpoint));
    const checked = await lab.run(lab.a, cliWords(["check", "-c", six]));
    assert.match(checked.output, /^warning +IPv6 .*switched off on this host/m);
    assert.match(checked.output, /^warning +IPv6 .*no peer is reached by an IPv6 endpoint/m);
    assert.equal(checked.code, 0, checked.output);
    const engine = await runCli(lab, lab.a, file);
    assert.match(engine.errors, off);
    await firstPing(lab, lab.a, lab.b.inner4);
    const words = ["peer", "add", STRANGER, "--allowed-ips", "10.77.0.0/24,fd77::/64", "-i", name];
    const added = await cli(lab, lab.a, ...words);
    assert.equal(added.code, 0, added.errors);
    assert.match(added.errors, off);
    const route = ["route", "add", "fd99::/64", "--peer", STRANGER, "-i", name];
    assert.match((await cli(lab, lab.a, ...route)).errors, off);
    assert.deepEqual(await addresses(), [`${lab.a.inner4}/24`]);
    await sysctl("ipv6.conf.all.disable_ipv6", "0");
    await scene.ask("reload");
    assert.ok((await addresses()).includes("fd66::1/64"));
    assert.match(await routes(), /fd88::\/48/);
    assert.equal(await engine.stop(), 0, engine.errors);
  } finally {
    await sysctl("ipv6.conf.all.disable_ipv6", "0");
    await other.stop();
  }
});

test("check knows what rp_filter a new device will have", { skip }, async () => {
  const rows = [
    ["1", "2", "ok"],
    ["2", "1", "ok"],
    ["0", "1", "warning"],
  ] as const;
  for (const [all, fallback, state] of rows) {
    await sysctl("ipv4.conf.all.rp_filter", all);
    await sysctl("ipv4.conf.default.rp_filter", fallback);
    const { output } = await lab.run(lab.a, cliWords(["check", "--json"]));
    const { tests } = JSON.parse(output) as { tests: { test: string; state: string }[] };
    const found = tests.find(({ test }) => test === "rp_filter");
    assert.equal(found?.state, state, `all=${all}, default=${fallback}`);
  }
});
