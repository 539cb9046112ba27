/** clients — more of them than the control socket has places: who says nothing goes first. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ask } from "../../src/client.ts";
import {
  CLIENTS_MAX,
  type ControlHandlers,
  openControlSocket,
} from "../../src/control/doors/socket.ts";
import { CONTROL_VERSION, encodeEnvelope, type RouteValue } from "../../src/schema/requests.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-clients-"));
after(() => rmSync(folder, { recursive: true }));

const CONFIG = { "interface.mtu": 1_420 };
/** A page of them is larger than what a socket buffers. */
const ROUTES = Array.from(
  { length: 3_000 },
  (): RouteValue => ({
    prefix: "2001:db8:1111:2222:3333:4444:5555:6666/128",
    nodeId: null,
    name: "n".repeat(63),
    wireguardPublicKey: Buffer.alloc(32).toString("base64"),
    metric: 0,
    active: true,
    reason: null,
  }),
);

const refuse = (): never => {
  throw new Error("not asked for here");
};

const open = (name: string, more: Partial<ControlHandlers> = {}) =>
  openControlSocket({
    name,
    folder,
    onLost: { removed: () => {} },
    handlers: {
      "status.get": refuse,
      "peers.get": refuse,
      "stats.get": refuse,
      "routes.get": (from, most) => ({ routes: ROUTES.slice(from, from + most), next: null }),
      "config.get": () => CONFIG,
      "change.apply": refuse,
      "engine.reload": refuse,
      "peers.rekey": refuse,
      "log.level": refuse,
      "network.explain": refuse,
      "network.publish": refuse,
      "network.invite": refuse,
      "engine.stop": refuse,
      ...more,
    },
  });

const request = (fields: object): Buffer =>
  encodeEnvelope({ version: CONTROL_VERSION, id: 5, ...fields });

/** Clients that are connected, each of which has done this. */
const crowd = async (file: string, greet: (client: Socket) => void): Promise<Socket[]> => {
  const clients = Array.from({ length: CLIENTS_MAX }, () => connect(file));
  await Promise.all(clients.map((client) => new Promise((done) => client.once("connect", done))));
  for (const client of clients) {
    client.on("error", () => {});
    greet(client);
  }
  await new Promise((done) => setTimeout(done, 50));
  return clients;
};

test("while the engine is at work for all, one more is told so; then there is room", async () => {
  let finish = (): void => {};
  const reloading = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let asked = 0;
  const socket = await open("t4", {
    "engine.reload": () => {
      asked++;
      return reloading.then(() => ({ changed: [], needsRestart: [], warnings: [] }));
    },
  });
  const clients = await crowd(socket.file, (client) => {
    client.write(request({ type: "engine.reload" }));
  });
  try {
    while (asked < CLIENTS_MAX) await new Promise((done) => setTimeout(done, 5));
    await assert.rejects(ask("t4", { type: "config.get" }, { folder }), /More than 16 clients/);
    const answered = Promise.all(
      clients.map((client) => new Promise((done) => client.once("data", done))),
    );
    finish();
    await answered;
    assert.deepEqual(await ask("t4", { type: "config.get" }, { folder }), CONFIG);
  } finally {
    finish();
    for (const client of clients) client.destroy();
    await socket.close();
  }
});

for (const [what, greet] of [
  ["say nothing", () => {}],
  ["say half a word", (client) => client.write(request({ type: "config.get" }).subarray(0, 7))],
  [
    "do not read what they asked for",
    (client) => {
      client.pause();
      for (let i = 0; i < 40; i++) client.write(request({ type: "routes.get", from: 0 }));
    },
  ],
] as [string, (client: Socket) => void][]) {
  test(`clients that ${what} make room for one that speaks`, async () => {
    const socket = await open("tb");
    const clients = await crowd(socket.file, greet);
    const closed: number[] = [];
    for (const [i, client] of clients.entries()) client.once("close", () => closed.push(i));
    try {
      for (let i = 0; i < 3; i++) {
        assert.deepEqual(await ask("tb", { type: "config.get" }, { folder }), CONFIG);
      }
      for (const client of clients) client.resume();
      await new Promise((done) => setTimeout(done, 50));
      assert(closed.includes(0), `${closed} closed`);
      // Each speaker has left when the next one comes.
      assert(closed.length <= 3, `${closed.length} closed`);
    } finally {
      for (const client of clients) client.destroy();
      await socket.close();
    }
  });
}
