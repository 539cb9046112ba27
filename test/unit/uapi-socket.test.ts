/** uapi socket — a real socket in a temporary folder, with good, bad, slow and many clients. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  openUapiSocket,
  UAPI_CLIENTS_MAX,
  type UapiOptions,
} from "../../src/control/doors/uapi.ts";
import type { Change, DeviceState } from "../../src/schema/change.ts";
import { EngineError } from "../../src/schema/errors.ts";
import { parseCidr } from "../../src/wire/cidr.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-uapi-"));
after(() => rmSync(folder, { recursive: true }));

const state = (prefixes = 0): DeviceState => ({
  privateKey: null,
  listenPort: 51_820,
  fwmark: 0,
  peers: [
    {
      publicKey: new Uint8Array(32).fill(1),
      presharedKey: null,
      endpoint: null,
      persistentKeepaliveS: 0,
      allowedIps: new Array(prefixes).fill(parseCidr("10.0.0.0/8")!),
      lastHandshakeUnixMs: 0,
      rxBytes: 0,
      txBytes: 0,
    },
  ],
});

const open = (name: string, more: Partial<UapiOptions> = {}) =>
  openUapiSocket({
    name,
    folder,
    state: () => state(),
    apply: async () => {},
    onLost: { removed: () => {} },
    ...more,
  });

const hasCode = (code: string) => (error: unknown) =>
  error instanceof EngineError && error.code === code;

/** All that comes back until the socket closes. */
const answerOf = (client: Socket): Promise<string> =>
  new Promise((resolve) => {
    let text = "";
    client.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
    });
    client.on("error", () => {});
    client.on("close", () => resolve(text));
  });

const ask = (file: string, text: string): Promise<string> => {
  const client = connect(file, () => client.end(text));
  return answerOf(client);
};

const ERRNO = /^(?:[a-z_]+=[^\n]*\n)*errno=(-?\d+)\n\n/;
const errnos = (text: string): number[] => {
  const found: number[] = [];
  for (let rest = text; rest !== ""; ) {
    const match = ERRNO.exec(rest);
    assert.ok(match, JSON.stringify(rest));
    found.push(Number(match[1]));
    rest = rest.slice(match[0].length);
  }
  return found;
};

test("several operations on one connection; the socket is its user's alone", async () => {
  const changes: Change[] = [];
  const socket = await open("wg0", { apply: async (change) => void changes.push(change) });
  try {
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(statSync(socket.file).mode & 0o777, 0o600);
    const text = await ask(
      socket.file,
      "get=1\n\nset=1\nfwmark=7\n\nset=1\nfwmark=8\nbad=1\n\nset=1\n\nget=1\n\n",
    );
    assert.deepEqual(errnos(text), [0, 0, -22, 0, 0]);
    assert.match(text, /^listen_port=51820\npublic_key=0101.*\nerrno=0\n\nerrno=0\n\nerrno=-22/s);
    assert.deepEqual(changes, [{ fwmark: 7 }, {}]);
  } finally {
    await socket.close();
  }
  assert.equal(existsSync(socket.file), false);
});

test("what apply says no to becomes an errno, and the connection goes on", async () => {
  const errors = [
    new EngineError("PORT_TAKEN", { port: 1 }),
    new EngineError("LIMIT"),
    new EngineError("KEY_FIXED"),
    new Error("a mistake of ours"),
  ];
  const socket = await open("wg1", {
    apply: () => {
      throw errors.shift();
    },
  });
  try {
    assert.deepEqual(errnos(await ask(socket.file, "set=1\n\n".repeat(4))), [-98, -28, -1, -5]);
  } finally {
    await socket.close();
  }
});

test("a state that cannot be told is an errno", async () => {
  const socket = await open("wg2", {
    state: () => {
      throw new Error("a mistake of ours");
    },
  });
  try {
    assert.deepEqual(errnos(await ask(socket.file, "get=1\n\nset=1\n\n")), [5, 0]);
  } finally {
    await socket.close();
  }
});

test("a set is applied only when its end was seen", async () => {
  let applied = 0;
  const socket = await open("wg3", {
    apply: async () => {
      applied++;
    },
  });
  try {
    assert.deepEqual(errnos(await ask(socket.file, "set=1\nlisten_port=1\n")), [-22]);
    const client = connect(socket.file, () => client.write("set=1\nlisten_port=1\n"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.destroy();
    assert.deepEqual(errnos(await ask(socket.file, "get=1\n\n")), [0]);
    assert.equal(applied, 0);
  } finally {
    await socket.close();
  }
});

test("other sockets stay; a dead one of the name is replaced, a living one not", async () => {
  const other = createServer().listen(join(folder, "other.sock"));
  const script = `require("node:net").createServer()
    .listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script, join(folder, "wg4.sock")]);
  assert.equal(statSync(join(folder, "wg4.sock")).isSocket(), true);
  const socket = await open("wg4");
  await assert.rejects(open("wg4"), hasCode("UAPI_TAKEN"));
  await assert.rejects(open("other"), hasCode("UAPI_TAKEN"));
  assert.deepEqual(errnos(await ask(socket.file, "get=1\n\n")), [0]);
  await socket.close();
  writeFileSync(join(folder, "wg4.sock"), "no socket");
  await assert.rejects(open("wg4"), hasCode("UAPI_FAILED"));
  rmSync(join(folder, "wg4.sock"));
  const file = join(folder, "file");
  writeFileSync(file, "");
  await assert.rejects(open("wg4", { folder: file }), hasCode("UAPI_FAILED"));
  rmSync(file);
  assert.deepEqual(readdirSync(folder), ["other.sock"]);
  await new Promise((resolve) => other.close(resolve));
});

test("a renamed interface takes its socket along; clients stay", async () => {
  const socket = await open("wg5");
  const taken = await open("wg6");
  const client = connect(socket.file, () => client.write("get=1\n\n"));
  const answer = answerOf(client);
  await new Promise((resolve) => client.once("data", resolve));
  await assert.rejects(socket.rename("wg6"), hasCode("UAPI_TAKEN"));
  assert.deepEqual(errnos(await ask(join(folder, "wg5.sock"), "get=1\n\n")), [0]);
  await socket.rename("wg7");
  assert.equal(socket.file, join(folder, "wg7.sock"));
  assert.deepEqual(readdirSync(folder).sort(), ["wg6.sock", "wg7.sock"]);
  assert.deepEqual(errnos(await ask(socket.file, "get=1\n\n")), [0]);
  client.end("get=1\n\n");
  assert.deepEqual(errnos(await answer), [0, 0]);
  await socket.close();
  await taken.close();
  assert.deepEqual(readdirSync(folder), []);
});

test("removing the file is told, moving and closing are not", async () => {
  let told = 0;
  let tell = (): void => {};
  const removed = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const removedNow = (): void => {
    told++;
    tell();
  };
  const options = { onLost: { removed: removedNow } };
  const closed = await open("wg8", options);
  await closed.rename("wg9");
  await closed.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(told, 0);
  const socket = await open("wg8", options);
  rmSync(socket.file);
  await removed;
  await socket.close();
});

test("one client too many is told so while all wait for a change; then there is room", async () => {
  let finish = (): void => {};
  const changing = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let asked = 0;
  const socket = await open("wg10", {
    apply: () => {
      asked++;
      return changing;
    },
  });
  const clients = Array.from({ length: UAPI_CLIENTS_MAX }, () =>
    connect(socket.file, function (this: Socket) {
      this.write("set=1\n\n");
    }),
  );
  try {
    const answers = clients.map((client) => new Promise((done) => client.once("data", done)));
    while (asked < UAPI_CLIENTS_MAX) await new Promise((done) => setTimeout(done, 5));
    assert.deepEqual(errnos(await ask(socket.file, "get=1\n\n")), [11]);
    finish();
    await Promise.all(answers);
    assert.deepEqual(errnos(await ask(socket.file, "get=1\n\n")), [0]);
  } finally {
    finish();
    for (const client of clients) client.destroy();
    await socket.close();
  }
});

for (const [what, words] of [
  ["say nothing", ""],
  ["say half a word", "get="],
  ["have had their answer", "get=1\n\n"],
  ["do not read what they asked for", "get=1\n\n".repeat(40)],
] as const) {
  test(`clients that ${what} make room for one that speaks`, async () => {
    const socket = await open("wg12", { state: () => state(2_000) });
    const clients = Array.from({ length: UAPI_CLIENTS_MAX }, () =>
      connect(socket.file, function (this: Socket) {
        this.pause();
        this.write(words);
      }),
    );
    for (const client of clients) client.on("error", () => {});
    try {
      await new Promise((done) => setTimeout(done, 50));
      for (let i = 0; i < 3; i++) {
        assert.deepEqual(errnos(await ask(socket.file, "get=1\n\n")), [0]);
      }
    } finally {
      for (const client of clients) client.destroy();
      await socket.close();
    }
  });
}

test("who does not read, or asks without end, holds nobody up", async () => {
  const socket = await open("wg11", { state: () => state(50_000) });
  try {
    const deaf = connect(socket.file, () => deaf.write("get=1\n\n".repeat(1_000)));
    const greedy = connect(socket.file, () => greedy.write("get=1\n\n".repeat(1_000)));
    greedy.resume();
    await new Promise((resolve) => greedy.once("data", resolve));
    const start = performance.now();
    assert.deepEqual(errnos(await ask(socket.file, "set=1\n\n")), [0]);
    const tookMs = performance.now() - start;
    assert.ok(tookMs < 1_000, `${tookMs} ms`);
    deaf.destroy();
    greedy.destroy();
  } finally {
    await socket.close();
  }
});
