/** door — a socket file that is lost comes back: the control socket's, and the one for `wg`. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, runningEngines } from "../../src/client.ts";
import { type ControlHandlers, openControlSocket } from "../../src/control/doors/socket.ts";
import { openUapiSocket } from "../../src/control/doors/uapi.ts";

const above = mkdtempSync(join(tmpdir(), "p2pvpn-door-"));
const folder = join(above, "run");
after(() => rmSync(above, { recursive: true }));

/** What is asked here; the rest would be a mistake. */
const handlers = { "log.level": () => "info" } as unknown as ControlHandlers;
const open = (failed: (error: Error) => void = () => {}) =>
  openControlSocket({ name: "t0", folder, handlers, onLost: { pause: sleep, failed } });
const answers = async (name = "t0"): Promise<boolean> =>
  (await ask(name, { type: "log.level", level: null }, { folder })) === "info";

const until = async (holds: () => boolean): Promise<void> => {
  for (let waited = 0; !holds(); waited += 5) {
    assert.ok(waited < 5_000, "it never came back");
    await sleep(5);
  }
};

test("the control socket comes back when its file or its folder is removed", async () => {
  const socket = await open();
  // Who is connected stays so.
  const client = connect(socket.file);
  await new Promise((resolve) => client.once("connect", resolve));
  try {
    for (const lost of [socket.file, folder, above, socket.file, folder]) {
      rmSync(lost, { recursive: true });
      await until(() => existsSync(socket.file));
      assert.ok(await answers());
      assert.equal(statSync(folder).mode & 0o777, 0o700);
    }
    assert.deepEqual(await runningEngines({ folder }), ["t0"]);
    assert.equal(client.destroyed, false);
    await socket.rename("t1");
    rmSync(folder, { recursive: true });
    await until(() => existsSync(join(folder, "t1.sock")));
    assert.ok(await answers("t1"));
    assert.deepEqual(readdirSync(folder), ["t1.sock"]);
  } finally {
    client.destroy();
    await socket.close();
  }
  await sleep(50);
  assert.deepEqual(readdirSync(folder), [], "a closed one came back");
});

test("where it cannot come back, that is told", { timeout: 20_000 }, async () => {
  let tell = (_: Error): void => {};
  const lost = new Promise<Error>((resolve) => {
    tell = resolve;
  });
  const socket = await open((error) => tell(error));
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "");
  assert.match((await lost).message, /The control socket .* cannot be opened/);
  await socket.close();
  rmSync(folder);
});

test("an engine's socket for wg comes back too", async () => {
  const state = () => ({ privateKey: null, listenPort: 0, fwmark: 0, peers: [] });
  const onLost = { pause: sleep, failed: () => {} };
  const apply = async (): Promise<void> => {};
  const socket = await openUapiSocket({ name: "t0", folder, state, apply, onLost });
  rmSync(folder, { recursive: true });
  await until(() => existsSync(socket.file));
  await socket.close();
});
