/** current — `config get` and `reload` know what UAPI, commands and the kernel have changed. */
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeHandlers, type Served } from "../../src/control/doors/handlers.ts";
import { Reloads } from "../../src/control/doors/reloads.ts";
import { formatWireguardKey, identityFromKey } from "../../src/schema/identity.ts";
import { loadConfig } from "../../src/schema/load-config.ts";
import type { ConfigValue } from "../../src/schema/requests.ts";
import { parseCidr } from "../../src/wire/cidr.ts";
import { Pair } from "./control-pair.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-current-"));
after(() => rmSync(folder, { recursive: true }));

const file = join(folder, "p2p0.toml");
const keyOf = (n: number): Uint8Array => identityFromKey(new Uint8Array(32).fill(n)).privateKey;
for (const n of [1, 2]) {
  writeFileSync(join(folder, `${n}.key`), formatWireguardKey(keyOf(n)), { mode: 0o600 });
}

/** The file names this key, and lets the kernel choose the port. */
const write = (n: number): void =>
  writeFileSync(file, `[interface]\nprivate_key_file = "${n}.key"\nlisten_port = 0\n`);

/** A control whose file was read, and what its socket answers. */
const serve = async () => {
  write(1);
  const config = loadConfig(file);
  const { a } = await Pair.make({ cipher: "auto" }, { cipher: "auto" });
  await a.control.apply({ privateKey: keyOf(1), listenPort: 0, replacePeers: true });
  const kernel = {
    setAddresses: () => {},
    look: () => {},
    restore: () => [],
    routes: { news: [] },
  };
  const host = { name: "p2p0", mtu: 1_420, addresses: [], ...kernel };
  const warned: string[] = [];
  const handlers = makeHandlers({
    task: { config },
    arena: a.arena,
    control: a.control,
    host,
    nowMs: () => 0,
    log: { warn: (text: string) => warned.push(text), info: () => {}, reopen: () => {} },
  } as unknown as Served);
  const value = async (): Promise<ConfigValue> => (await handlers["config.get"]()) as ConfigValue;
  return { control: a.control, host, handlers, value, warned };
};

test("a port that UAPI sets is told, and 0 where the kernel chose", async () => {
  const { control, handlers, value } = await serve();
  assert.equal((await value())["interface.listen_port"], 0);
  await control.apply({ listenPort: 5_555 });
  assert.equal((await value())["interface.listen_port"], 5_555);
  await handlers["change.apply"]({ listenPort: 5_556 });
  assert.equal((await value())["interface.listen_port"], 5_556);
  // The file says 0: a new port of the kernel's choice.
  const { changed } = await handlers["engine.reload"]();
  assert.deepEqual(changed, ["interface.listen_port: 5556 → 0"]);
  assert.equal((await value())["interface.listen_port"], 0);
  await control.apply({ listenPort: 5_557 });
  await control.apply({ listenPort: 0 });
  assert.equal((await value())["interface.listen_port"], 0);
  assert.deepEqual((await handlers["engine.reload"]()).changed, []);
});

test("a key that UAPI sets is from no file, and reload brings the file's back", async () => {
  const { control, handlers, value } = await serve();
  assert.equal((await value())["interface.private_key_file"], join(folder, "1.key"));
  await control.apply({ privateKey: keyOf(9) });
  assert.equal((await value())["interface.private_key_file"], "");
  assert.deepEqual((await handlers["engine.reload"]()).changed, ["interface.private_key_file"]);
  assert.deepEqual(control.publicKey, identityFromKey(keyOf(1)).publicKey);
  assert.equal((await value())["interface.private_key_file"], join(folder, "1.key"));
});

test("a key that reload brought is told, and the first one comes back by reload", async () => {
  const { control, handlers, value } = await serve();
  for (const n of [2, 1, 2]) {
    write(n);
    assert.deepEqual((await handlers["engine.reload"]()).changed, ["interface.private_key_file"]);
    assert.deepEqual(control.publicKey, identityFromKey(keyOf(n)).publicKey);
    assert.equal((await value())["interface.private_key_file"], join(folder, `${n}.key`));
  }
});

test("what a reload cannot restore is told, and takes nothing back", async () => {
  const { host, handlers, value, warned } = await serve();
  const restore = (): never => {
    throw new Error("The route 10.5.0.0/16 cannot be set on p2p0.");
  };
  Object.assign(host, { restore });
  appendFileSync(file, "fwmark = 7\n");
  const { changed, warnings } = await handlers["engine.reload"]();
  assert.deepEqual(changed, ["interface.fwmark: 0 → 7"]);
  assert.deepEqual(warnings, ["The route 10.5.0.0/16 cannot be set on p2p0."]);
  assert.deepEqual(warned, warnings);
  assert.equal((await value())["interface.fwmark"], 7);
});

test("what is doubtful in the file is told to whoever reloads it", async () => {
  const { handlers } = await serve();
  const key = formatWireguardKey(identityFromKey(new Uint8Array(32).fill(3)).publicKey);
  appendFileSync(file, `[[peer]]\npublic_key = "${key}"\nallowed_ips = ["10.5.1.2/16"]\n`);
  const { warnings } = await handlers["engine.reload"]();
  assert.match(
    warnings.join(),
    /line 6: 10\.5\.1\.2\/16 in allowed_ips is taken as 10\.5\.0\.0\/16;/,
  );
});

test("a reload that a signal asks for and that is refused is one line of the log", async () => {
  const { handlers, warned } = await serve();
  appendFileSync(file, "nonsense");
  await new Reloads(handlers["engine.reload"]).ask();
  assert.deepEqual(warned, ["reload was refused, nothing has changed"]);
});

test("mark, MTU, name and addresses are those of the moment", async () => {
  const { control, host, value } = await serve();
  await control.apply({ fwmark: 7 });
  Object.assign(host, { name: "p2p9", mtu: 1_300, addresses: [parseCidr("10.66.0.1/24")] });
  const now = await value();
  assert.equal(now["interface.fwmark"], 7);
  assert.equal(now["interface.mtu"], 1_300);
  assert.equal(now["interface.name"], "p2p9");
  assert.deepEqual(now["interface.addresses"], ["10.66.0.1/24"]);
});
