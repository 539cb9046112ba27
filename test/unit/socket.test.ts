/** control socket — a real socket in a temporary folder, with good and bad clients. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  ask,
  askPeers,
  askRoutes,
  chooseEngine,
  runningEngines,
  stopEngine,
} from "../../src/client.ts";
import { type ControlHandlers, openControlSocket, pageOf } from "../../src/control/doors/socket.ts";
import { ROUTES_MAX } from "../../src/memory/layout.ts";
import type { Change } from "../../src/schema/change.ts";
import { EngineError } from "../../src/schema/errors.ts";
import {
  CONTROL_VERSION,
  ENVELOPE_BYTES_MAX,
  EnvelopeReader,
  encodeEnvelope,
  type PeerValue,
  type RouteValue,
  type StatusValue,
} from "../../src/schema/requests.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-socket-"));
after(() => rmSync(folder, { recursive: true }));

const status: StatusValue = {
  interface: "t0",
  up: true,
  pid: 4_242,
  network: 4_026_531_840,
  nodeId: null,
  wireguardPublicKey: "key",
  listenPort: 51_820,
  mtu: 1_420,
  cipher: "auto",
  threads: 1,
  ioThreads: 1,
  features: {
    gso: true,
    gro: true,
    tunOffload: true,
    uso: false,
    mergeTcp: true,
    mergeUdp: false,
    connectedSockets: true,
    aesHardware: true,
    aes256gcm: true,
  },
  offBecause: { uso: "the kernel does not have it; Linux 6.2 has" },
  keyLog: false,
  addresses: ["10.66.0.2/24", "fd66::2/64"],
  warnings: [],
  defence: { state: "calm", rung: 0 },
  startedMs: 12.5,
  counters: { tunPackets: 2 ** 40 },
  drops: {},
  membership: null,
};

const peer = (i: number, addresses = 1): PeerValue => ({
  name: "n".repeat(63),
  nodeId: null,
  origin: "file",
  wireguardPublicKey: Buffer.alloc(32, i & 0xff).toString("base64"),
  addresses: Array.from({ length: addresses }, () => "2001:db8:1111:2222:3333:4444:5555:6666/128"),
  endpoint: "[2001:db8:1111:2222:3333:4444:5555:6666]:51820",
  endpointName: `${"h".repeat(253)}:51820`,
  state: "connected",
  silentMs: null,
  endpointProblem: null,
  path: "direct",
  cipher: "chacha20poly1305",
  lastHandshakeMs: i,
  rxBytes: 2 ** 50,
  txBytes: 2 ** 50,
  rttMs: null,
  mtu: 1_420,
});

let stops = 0;
const handlers: ControlHandlers = {
  "status.get": () => status,
  "peers.get": async () => [peer(1), peer(2)],
  "stats.get": () => {
    throw new Error("no figures");
  },
  "routes.get": () => ({ routes: [], next: null }),
  "config.get": () => ({ "interface.mtu": 1_420 }),
  "change.apply": () => ({ warnings: [] }),
  "engine.reload": () => ({ changed: [], needsRestart: [], warnings: [] }),
  "peers.rekey": () => 2,
  "log.level": (level) => level ?? "info",
  "network.explain": (subject) => ({ subject, sentences: [] }),
  "network.publish": () => {
    throw new Error("no network");
  },
  "network.invite": () => {
    throw new Error("no network");
  },
  "engine.stop": () => {
    stops++;
  },
};

const onLost = { removed: (): void => {} };
const open = (name: string, more: Partial<ControlHandlers> = {}) =>
  openControlSocket({
    name,
    folder,
    handlers: { ...handlers, ...more },
    onLost,
  });

const hasCode = (code: string) => (error: unknown) =>
  error instanceof EngineError && error.code === code;

/** Sends bytes and collects the replies until the server closes. */
const converse = (file: string, bytes: Buffer): Promise<Record<string, unknown>[]> =>
  new Promise((resolve, reject) => {
    const reader = new EnvelopeReader();
    const replies: Record<string, unknown>[] = [];
    const client: Socket = connect(file, () => client.write(bytes));
    client.on("data", (data: Buffer) => replies.push(...reader.push(data)));
    // A close with bytes unread is a reset for whoever sent them; the reply came before it.
    client.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
    client.on("close", () => resolve(replies));
  });

test("requests are answered; folder and socket are the user's alone", async () => {
  const socket = await open("t0");
  try {
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(statSync(socket.file).mode & 0o777, 0o600);
    assert.deepEqual(await ask("t0", { type: "status.get" }, { folder }), status);
    assert.deepEqual(await askPeers("t0", { folder }), [peer(1), peer(2)]);
    await assert.rejects(
      ask("t0", { type: "stats.get" }, { folder }),
      /The engine failed: no figures/,
    );
  } finally {
    await socket.close();
  }
  assert.equal(existsSync(socket.file), false);
  await assert.rejects(ask("t0", { type: "status.get" }, { folder }), hasCode("NOT_RUNNING"));
});

test("a folder that others may enter is closed to them", async () => {
  chmodSync(folder, 0o755);
  await (await open("t0")).close();
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  writeFileSync(join(folder, "file"), "");
  const bad = { name: "t0", folder: join(folder, "file"), handlers, onLost };
  await assert.rejects(openControlSocket(bad), hasCode("CONTROL_SOCKET_FAILED"));
});

test("a folder that cannot be made and a path that would be cut are refused", async () => {
  const nowhere = { name: "t0", folder: "/proc/p2pvpn-none", handlers, onLost };
  await assert.rejects(openControlSocket(nowhere), hasCode("CONTROL_SOCKET_FAILED"));
  const long = { name: "t0", folder: join(folder, "long".repeat(25)), handlers, onLost };
  await assert.rejects(openControlSocket(long), hasCode("CONTROL_SOCKET_FAILED"));
  assert.deepEqual(readdirSync(long.folder), []);
  assert.equal(statSync(long.folder).mode & 0o777, 0o700);
});

test("a second engine of the same name is refused, a dead one's socket replaced", async () => {
  const socket = await open("t1");
  await assert.rejects(open("t1"), hasCode("ALREADY_RUNNING"));
  await socket.close();
  const script = `require("node:net").createServer()
    .listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script, socket.file]);
  assert.equal(statSync(socket.file).isSocket(), true);
  assert.deepEqual(await runningEngines({ folder }), []);
  await (await open("t1")).close();
  writeFileSync(socket.file, "no socket");
  await assert.rejects(open("t1"), hasCode("CONTROL_SOCKET_FAILED"));
  rmSync(socket.file);
});

const request = (fields: object): Buffer =>
  encodeEnvelope({ version: CONTROL_VERSION, id: 5, ...fields });
const oversized = Buffer.alloc(4);
oversized.writeUInt32LE(ENVELOPE_BYTES_MAX.request + 1);

test("a damaged envelope gets one reply, then the client is closed, and others go on", async () => {
  const socket = await open("t2");
  const bad = [
    oversized,
    Buffer.concat([oversized, Buffer.alloc(200_000)]),
    Buffer.from([1, 0, 0, 0, 0xc1]),
    Buffer.from([1, 0, 0, 0, 0x05]),
    Buffer.from([0, 0, 0, 0]),
    encodeEnvelope({ version: 9, id: 5, type: "status.get" }),
    encodeEnvelope({ version: CONTROL_VERSION, type: "status.get" }),
  ];
  try {
    for (const bytes of bad) {
      const replies = await converse(socket.file, bytes);
      assert.deepEqual(
        replies.map(({ ok, code }) => ({ ok, code })),
        [{ ok: false, code: "CONTROL_BAD_ENVELOPE" }],
      );
    }
    const good = request({ type: "status.get" });
    const replies = await converse(socket.file, Buffer.concat([good, good, bad[2]!]));
    assert.deepEqual(
      replies.map(({ id, ok }) => [id, ok]),
      [
        [5, true],
        [5, true],
        [0, false],
      ],
    );
    assert.deepEqual(await ask("t2", { type: "status.get" }, { folder }), status);
  } finally {
    await socket.close();
  }
});

test("an unknown request is named and the client kept", async () => {
  const socket = await open("t3");
  try {
    const client = connect(socket.file);
    const reader = new EnvelopeReader();
    const next = (): Promise<Record<string, unknown>> =>
      new Promise((resolve) =>
        client.once("data", (data: Buffer) => resolve(reader.push(data)[0]!)),
      );
    client.write(request({ type: "engine.explode" }));
    const refused = await next();
    assert.equal(refused.code, "CONTROL_UNKNOWN");
    assert.match(String(refused.message), /engine\.explode/);
    client.write(request({ type: "status.get" }));
    assert.deepEqual((await next()).value, status);
    client.destroy();
  } finally {
    await socket.close();
  }
});

test("peers come in pages that fit an envelope, however many and however large", async () => {
  const many = Array.from({ length: 10_000 }, (_, i) => peer(i));
  const wide = Array.from({ length: 5 }, (_, i) => peer(i, i === 4 ? ROUTES_MAX : 1_249));
  // 399 peers with 4,999 prefixes, and one more with as many as a peer may have.
  const full = Array.from({ length: 401 }, (_, i) => peer(i, i === 399 ? ROUTES_MAX : 12));
  for (const all of [many, wide, full, [], [peer(0)]]) {
    const socket = await open("t5", { "peers.get": () => all });
    try {
      assert.deepEqual(await askPeers("t5", { folder }), all);
    } finally {
      await socket.close();
    }
  }
  assert.deepEqual(pageOf([peer(0)], 5), { peers: [], next: null });
});

test("routes come in pages that fit an envelope", async () => {
  const routes = Array.from(
    { length: 7_001 },
    (_, i): RouteValue => ({
      prefix: "2001:db8:1111:2222:3333:4444:5555:6666/128",
      nodeId: `p2p:${"x".repeat(43)}`,
      name: "n".repeat(63),
      wireguardPublicKey: Buffer.alloc(32, i & 0xff).toString("base64"),
      metric: 2 ** 31 + i,
      active: i % 2 === 0,
      reason: "r".repeat(150),
    }),
  );
  for (const all of [routes, routes.slice(0, 3_000), []]) {
    const page = (from: number, most: number) => {
      const next = from + most < all.length ? from + most : null;
      return { routes: all.slice(from, from + most), next };
    };
    const socket = await open("t9", { "routes.get": page });
    try {
      assert.deepEqual(await askRoutes("t9", { folder }), all);
    } finally {
      await socket.close();
    }
  }
});

test("what changes an engine reaches it whole; what is wrong is refused by its place", async () => {
  const changes: Change[] = [];
  const apply = (change: Change) => {
    changes.push(change);
    return { warnings: ["one"] };
  };
  const socket = await open("ta", { "change.apply": apply });
  const change: Change = { mtu: 1_400, peers: [{ publicKey: new Uint8Array(32).fill(1) }] };
  try {
    const value = await ask("ta", { type: "change.apply", change }, { folder });
    assert.deepEqual(value, { warnings: ["one"] });
    assert.deepEqual(changes, [change]);
    const wrong = { type: "change.apply", change: { mtu: 1 } } as const;
    await assert.rejects(
      ask("ta", wrong, { folder }),
      /change\.apply: change\.mtu must be a whole/,
    );
    const unknown = encodeEnvelope({ version: CONTROL_VERSION, id: 3, type: "change.all" });
    const level = encodeEnvelope({ version: CONTROL_VERSION, id: 4, type: "log.level", level: 7 });
    const other = encodeEnvelope({ version: 9, id: 5, type: "status.get" });
    const replies = await converse(socket.file, Buffer.concat([unknown, level, other]));
    assert.deepEqual(
      replies.map(({ id, code }) => [id, code]),
      [
        [3, "CONTROL_UNKNOWN"],
        [4, "CONTROL_BAD_REQUEST"],
        [0, "CONTROL_BAD_ENVELOPE"],
      ],
    );
    assert.equal(changes.length, 1);
  } finally {
    await socket.close();
  }
});

test("stop is answered before the engine is told, and waited for", async () => {
  const before = stops;
  const socket = await open("t6", {
    "engine.stop": () => {
      stops++;
      setTimeout(() => void socket.close(), 100);
    },
  });
  const startedMs = performance.now();
  await stopEngine("t6", { folder });
  assert.ok(performance.now() - startedMs >= 95);
  assert.equal(stops, before + 1);
});

test("an engine that does not answer is given up", async () => {
  const server = createServer((client) => client.resume()).listen(join(folder, "t7.sock"));
  try {
    const waiting = ask("t7", { type: "status.get" }, { folder, timeoutMs: 50 });
    await assert.rejects(waiting, hasCode("CONTROL_TIMEOUT"));
  } finally {
    server.close();
  }
});

test("an engine that hangs up, or answers nonsense, is an error of one sentence", async () => {
  const tooLong = Buffer.alloc(4);
  tooLong.writeUInt32LE(ENVELOPE_BYTES_MAX.reply + 1);
  const answers = [Buffer.alloc(0), Buffer.from([1, 0, 0, 0, 0xc1]), tooLong];
  const codes = ["CONTROL_LOST", "CONTROL_BAD_ENVELOPE", "CONTROL_BAD_ENVELOPE"];
  for (const [i, bytes] of answers.entries()) {
    const server = createServer((client) => client.resume().end(bytes)).listen(
      join(folder, "t8.sock"),
    );
    try {
      await assert.rejects(ask("t8", { type: "status.get" }, { folder }), hasCode(codes[i]!));
    } finally {
      await new Promise((done) => server.close(done));
    }
  }
});

test("the only running engine is chosen; none and several are told apart", async () => {
  await assert.rejects(chooseEngine(undefined, { folder }), hasCode("NONE_RUNNING"));
  const none = { folder: join(folder, "nowhere") };
  await assert.rejects(chooseEngine(undefined, none), hasCode("NONE_RUNNING"));
  const one = await open("a0");
  assert.equal(await chooseEngine(undefined, { folder }), "a0");
  const two = await open("b0");
  await assert.rejects(
    chooseEngine(undefined, { folder }),
    /Several engines are running \(a0, b0\)/,
  );
  assert.equal(await chooseEngine("b0", { folder }), "b0");
  await Promise.all([one.close(), two.close()]);
});
