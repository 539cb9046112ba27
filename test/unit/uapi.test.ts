/** uapi — the configuration protocol as text: every key, every bound, the order of the answer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ROUTES_MAX } from "../../src/memory/layout.ts";
import type { Change, DeviceState } from "../../src/schema/change.ts";
import { errnoOf } from "../../src/schema/errno.ts";
import { EngineError } from "../../src/schema/errors.ts";
import {
  LINE_BYTES_MAX,
  SET_BYTES_MAX,
  stateText,
  UapiReader,
  type UapiRequest,
} from "../../src/schema/uapi.ts";
import { SET_ENTRIES_MAX } from "../../src/schema/uapi-set.ts";
import { parseCidr } from "../../src/wire/cidr.ts";

const A = "a1".repeat(32);
const B = "b2".repeat(32);
const ZERO = "00".repeat(32);
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const cidr = (text: string) => parseCidr(text)!;

const readText = (text: string): UapiRequest[] => [...new UapiReader().read(Buffer.from(text))];

const change = (...lines: string[]): Change => {
  const [request] = readText(["set=1", ...lines, "", ""].join("\n"));
  assert.equal(request?.type, "set", lines.join(" "));
  return request?.type === "set" ? request.change : {};
};

const errno = (...lines: string[]): number => {
  const [request] = readText(["set=1", ...lines, "", ""].join("\n"));
  return request?.type === "refused" ? request.errno : 0;
};

test("every key of the device", () => {
  assert.deepEqual(change(), {});
  assert.deepEqual(change(`private_key=${A.toUpperCase()}`), { privateKey: bytes(A) });
  assert.deepEqual(change(`private_key=${ZERO}`), { privateKey: null });
  assert.deepEqual(change("listen_port=51820", "fwmark=0xCA6C", "replace_peers=true"), {
    listenPort: 51_820,
    fwmark: 51_820,
    replacePeers: true,
  });
  assert.deepEqual(change("fwmark=4294967295"), { fwmark: 0xffff_ffff });
});

test("every key of a peer", () => {
  const { peers } = change(
    `public_key=${A}`,
    `preshared_key=${B}`,
    "endpoint=[fe80::1%eth0]:51820",
    "persistent_keepalive_interval=25",
    "replace_allowed_ips=true",
    "allowed_ip=10.1.2.3/8",
    "allowed_ip=fd00::1/64",
    "allowed_ip=-192.0.2.0/24",
    "protocol_version=1",
    `public_key=${B}`,
    "update_only=true",
    `preshared_key=${ZERO}`,
    "endpoint=192.0.2.7:1",
    `public_key=${A}`,
    "allowed_ip=10.0.0.0/8",
    "remove=true",
  );
  assert.deepEqual(peers, [
    {
      publicKey: bytes(A),
      presharedKey: bytes(B),
      endpoint: { host: "fe80::1%eth0", port: 51_820 },
      persistentKeepaliveS: 25,
      replaceAllowedIps: true,
      allowedIps: [cidr("10.0.0.0/8"), cidr("fd00::/64")],
      removedAllowedIps: [cidr("192.0.2.0/24")],
    },
    {
      publicKey: bytes(B),
      updateOnly: true,
      presharedKey: null,
      endpoint: { host: "192.0.2.7", port: 1 },
    },
    { publicKey: bytes(A), remove: true },
  ]);
});

test("lines whose order matters become several entries", () => {
  const lines = ["allowed_ip=10.0.0.0/8", "allowed_ip=-10.0.0.0/8", "allowed_ip=10.0.0.0/8"];
  const { peers } = change(`public_key=${A}`, "update_only=true", ...lines);
  const prefix = [cidr("10.0.0.0/8")];
  assert.deepEqual(peers, [
    { publicKey: bytes(A), updateOnly: true, allowedIps: prefix, removedAllowedIps: prefix },
    { publicKey: bytes(A), updateOnly: true, allowedIps: prefix },
  ]);
});

test("after replace_peers nothing of a peer's former settings is left", () => {
  const peers = change("replace_peers=true", `public_key=${A}`, `public_key=${A}`).peers;
  const fresh = { presharedKey: null, endpoint: null, persistentKeepaliveS: 0 };
  assert.deepEqual(peers, [
    { publicKey: bytes(A), ...fresh, replaceAllowedIps: true },
    { publicKey: bytes(A) },
  ]);
  const none = change("replace_peers=true", `public_key=${A}`, "update_only=true");
  assert.deepEqual(none, { replacePeers: true });
});

// biome-ignore format: a table
const REFUSED: readonly (readonly string[])[] = [
  ["private_key="], [`private_key=${A}0`], [`private_key=${A.slice(1)}g`],
  ["listen_port=65536"], ["listen_port="], ["listen_port=-1"], ["listen_port=0x10"], ["listen_port=1 "],
  ["fwmark=4294967296"], ["fwmark=0x"], ["fwmark=0x100000000"], ["replace_peers=false"],
  ["mtu=1420"], ["remove=true"], ["protocol_version=1"], ["allowed_ip=10.0.0.0/8"], ["nonsense"], ["=1"], ["constructor=1"],
  ["public_key=00"], [`public_key=${A}`, "listen_port=1"], [`public_key=${A}`, "remove=false"],
  [`public_key=${A}`, "protocol_version=2"], [`public_key=${A}`, "last_handshake_time_sec=1"],
  [`public_key=${A}`, "endpoint=example.org:51820"], [`public_key=${A}`, "endpoint=192.0.2.1:0"],
  [`public_key=${A}`, "endpoint=192.0.2.1:65536"], [`public_key=${A}`, "endpoint=2001:db8::1:51820"],
  [`public_key=${A}`, "endpoint=[::1%a b]:1"], [`public_key=${A}`, "persistent_keepalive_interval=65536"],
  [`public_key=${A}`, "allowed_ip=10.0.0.0"], [`public_key=${A}`, "allowed_ip=10.0.0.0/33"], [`public_key=${A}`, "allowed_ip="],
  [`public_key=${A}`, "allowed_ip=--10.0.0.0/8"], [`public_key=${A}`, "remove=true", "allowed_ip=x"], ["listen_port=1\r"],
];

test("one wrong line refuses the whole set", () => {
  for (const lines of REFUSED) {
    assert.equal(errno(...lines), 22, lines.join(" "));
    assert.equal(errno("fwmark=1", ...lines, `public_key=${B}`), 22, lines.join(" "));
  }
});

test("operations follow each other, whatever came before", () => {
  const requests = readText("\n\nget=1\n\nget=1\nx\n\nset=1\nbad\n\nset=2\n\nhello\n\nset=1\n\n");
  assert.deepEqual(
    requests.map((request) => (request.type === "refused" ? request.errno : request.type)),
    ["get", 22, 22, 22, 22, "set"],
  );
});

test("an operation without its end is refused", () => {
  for (const text of ["set=1\nlisten_port=1\n", "set=1\nlisten_port=1", "get=1\n", "g"]) {
    const reader = new UapiReader();
    assert.deepEqual([...reader.read(Buffer.from(text))], []);
    assert.deepEqual(reader.end(), { type: "refused", errno: 22, last: true });
  }
  const reader = new UapiReader();
  assert.equal([...reader.read(Buffer.from("get=1\n\n\n"))].length, 1);
  assert.equal(reader.end(), null);
});

test("a line has a bound, whole and in pieces", () => {
  const full = `listen_port=${"0".repeat(LINE_BYTES_MAX)}`;
  assert.equal(errno(full), 22);
  const reader = new UapiReader();
  const pieces = ["set=1\n", full.slice(0, 600), full.slice(600), full, "\n", "fwmark=1\n", "\n"];
  const requests = pieces.flatMap((piece) => [...reader.read(Buffer.from(piece))]);
  assert.deepEqual(requests, [{ type: "refused", errno: 22, last: false }]);
  assert.deepEqual(
    [...reader.read(Buffer.from("set=1\nfwmark=1\n\n"))],
    [{ type: "set", change: { fwmark: 1 } }],
  );
});

test("a set has bounds: prefixes, peers, bytes; the next one is read again", () => {
  const prefix = "allowed_ip=10.0.0.0/8\n";
  const reader = new UapiReader();
  const read = (text: string) => [...reader.read(Buffer.from(text))];
  const head = `set=1\npublic_key=${A}\n`;
  assert.equal(read(`${head}${prefix.repeat(ROUTES_MAX)}\n`)[0]?.type, "set");
  const full = { type: "refused", errno: 28, last: false };
  assert.deepEqual(read(`${head}${prefix.repeat(ROUTES_MAX + 1)}\n`), [full]);
  assert.deepEqual(read(`set=1\n${`public_key=${A}\n`.repeat(SET_ENTRIES_MAX + 1)}\n`), [full]);
  const turns = "allowed_ip=10.0.0.0/8\nallowed_ip=-10.0.0.0/8\n".repeat(SET_ENTRIES_MAX + 1);
  assert.deepEqual(read(`${head}${turns}\n`), [full]);
  const chunk = Buffer.from(`preshared_key=${B}\n`.repeat(10_000));
  const chunks = Math.ceil(SET_BYTES_MAX / chunk.length);
  read(head);
  for (let i = 0; i < chunks; i++) assert.deepEqual([...reader.read(chunk)], []);
  assert.deepEqual(read("\n"), [{ type: "refused", errno: 7, last: false }]);
  assert.equal(read("set=1\n\n")[0]?.type, "set");
  let last: UapiRequest | undefined;
  for (let i = 0; i < 2 * chunks && last === undefined; i++) [last] = [...reader.read(chunk)];
  assert.deepEqual(last, { type: "refused", errno: 7, last: true });
});

const state: DeviceState = {
  privateKey: bytes(A),
  listenPort: 51_820,
  fwmark: 0xca6c,
  peers: [
    {
      publicKey: bytes(B),
      presharedKey: null,
      endpoint: "[2001:db8::7]:51820",
      persistentKeepaliveS: 25,
      allowedIps: [cidr("10.0.0.0/8"), cidr("2001:db8::/32"), cidr("::/0")],
      lastHandshakeUnixMs: 1_700_000_000_123,
      rxBytes: 2 ** 52,
      txBytes: 7,
    },
    {
      publicKey: bytes(A),
      presharedKey: bytes(B),
      endpoint: null,
      persistentKeepaliveS: 0,
      allowedIps: [],
      lastHandshakeUnixMs: 0,
      rxBytes: 0,
      txBytes: 0,
    },
  ],
};

test("get prints what wireguard-go prints, in its order", () => {
  assert.equal(
    [...stateText(state)].join(""),
    `private_key=${A}
listen_port=51820
fwmark=51820
public_key=${B}
preshared_key=${ZERO}
protocol_version=1
endpoint=[2001:db8::7]:51820
last_handshake_time_sec=1700000000
last_handshake_time_nsec=123000000
tx_bytes=7
rx_bytes=4503599627370496
persistent_keepalive_interval=25
allowed_ip=10.0.0.0/8
allowed_ip=2001:db8::/32
allowed_ip=::/0
public_key=${A}
preshared_key=${B}
protocol_version=1
last_handshake_time_sec=0
last_handshake_time_nsec=0
tx_bytes=0
rx_bytes=0
persistent_keepalive_interval=0
`,
  );
  const empty = { privateKey: null, listenPort: 0, fwmark: 0, peers: [] };
  assert.deepEqual([...stateText(empty)], []);
});

test("what was not applied has the errno of its reason", () => {
  const of = (code: "PORT_TAKEN" | "LIMIT" | "KEY_FIXED" | "TUN_FAILED") =>
    errnoOf(new EngineError(code));
  assert.deepEqual(
    [of("PORT_TAKEN"), of("LIMIT"), of("KEY_FIXED"), of("TUN_FAILED")],
    [98, 28, 1, 5],
  );
  assert.equal(errnoOf(new Error("a mistake of ours")), 5);
});

for (const six of [false, true]) {
  test(`130,000 allowed IPs of IPv${six ? 6 : 4}: 300 ms to read, 300 to print`, () => {
    const lines = Array.from({ length: 130_000 }, (_, i) => {
      const [high, low] = [(i >> 8) & 0xffff, i & 0xff];
      const address = six
        ? `2001:db8:${(high + 1).toString(16)}:${(low + 1).toString(16)}::/64`
        : `10.${high >> 8}.${high & 0xff}.${low}/32`;
      return `allowed_ip=${address}`;
    });
    const text = Buffer.from(["set=1", `public_key=${A}`, ...lines, "", ""].join("\n"));
    // Time of the processor, best of three: the machine may do other things.
    const rounds = Array.from({ length: 3 }, () => {
      const start = process.cpuUsage();
      const reader = new UapiReader();
      const requests: UapiRequest[] = [];
      for (let at = 0; at < text.length; at += 65_536) {
        requests.push(...reader.read(text.subarray(at, at + 65_536)));
      }
      const readMs = process.cpuUsage(start).user / 1_000;
      const [request] = requests;
      assert.ok(request?.type === "set");
      const [peer] = request.change.peers!;
      const full: DeviceState = {
        ...state,
        peers: [{ ...[...state.peers][0]!, allowedIps: peer!.allowedIps! }],
      };
      const middle = process.cpuUsage();
      const pieces = [...stateText(full)].map((piece) => Buffer.from(piece, "latin1"));
      const printMs = process.cpuUsage(middle).user / 1_000;
      assert.ok(
        Buffer.concat(pieces)
          .toString()
          .endsWith(`${lines.join("\n")}\n`),
      );
      return { readMs, printMs };
    });
    const readMs = Math.min(...rounds.map((round) => round.readMs));
    const printMs = Math.min(...rounds.map((round) => round.printMs));
    assert.ok(readMs < 300 && printMs < 300, `read ${readMs} ms, printed in ${printMs} ms`);
  });
}
