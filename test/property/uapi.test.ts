/**
 * uapi — the configuration protocol against a slow twin: text to change, state to text, the socket.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { openUapiSocket } from "../../src/control/doors/uapi.ts";
import { stateText, UapiReader, type UapiRequest } from "../../src/schema/uapi.ts";
import { formatCidr, maskCidr, parseCidr } from "../../src/wire/cidr.ts";
import { readPrefix, writePrefix } from "../../src/wire/prefix.ts";
import { runs } from "./arena.ts";
import {
  emptyTwin,
  runChange,
  runLines,
  runOperation,
  stateOf,
  type Twin,
  ZERO,
} from "./uapi-twin.ts";

/** Few of each, so that lines meet. */
const KEYS = ["1a", "2B", "3c", "40"].map((byte) => byte.repeat(32));
// biome-ignore format: a table
const PREFIXES = ["10.0.0.0/8", "10.1.2.3/8", "10.0.0.0/32", "0.0.0.0/0", "255.255.255.255/25", "::/0", "fd00::/8", "fd00::1/128", "fdff::1/8", "1:2:3:4:5:6:7::/127", "::ffff:10.0.0.1/128", "2001:DB8::/32"];
// biome-ignore format: a table
const WRONG = ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "010.0.0.0/8", "10.0.0.0/08", "::/129", ":::/0", "1::2::3/0", "fd00:/8", "12345::/8", "10.0.0.0/", "/8", "10.0.0.256/8", "fe80::%1/64", "1:2:3:4:5:6:7:8::/0", " 10.0.0.0/8", "10.0.0.0/8 "];
// biome-ignore format: a table
const ENDPOINTS = ["192.0.2.1:1", "[2001:db8::1]:65535", "[fe80::1%eth0]:51820", "[fe80::1%3]:7", "192.0.2.1:00051"];
// biome-ignore format: a table
const ODD = ["private_key=", "listen_port=65536", "listen_port=-1", "fwmark=4294967296", "fwmark=0x100000000", "replace_peers=false", "public_key=00", "remove=1", "update_only=", "preshared_key=zz", "endpoint=host:1", "endpoint=192.0.2.1", "endpoint=[192.0.2.1]:1", "endpoint=[::1]:0", "endpoint=[::1%]:1", "persistent_keepalive_interval=65536", "persistent_keepalive_interval=off", "replace_allowed_ips=yes", "protocol_version=2", "rx_bytes=1", "constructor=1", "nothing", "=", `listen_port=${"0".repeat(1_030)}`];

const key = fc.constantFrom(...KEYS);
const secret = fc.constantFrom(ZERO, ...KEYS);
const line = (name: string, value: fc.Arbitrary<string | number>): fc.Arbitrary<string> =>
  value.map((text) => `${name}=${text}`);

const deviceLine = fc.oneof(
  line("private_key", secret),
  line("listen_port", fc.nat(65_535)),
  line("fwmark", fc.constantFrom("0", "0x1F", "51820", "0xffffffff", "4294967295")),
  fc.constant("replace_peers=true"),
);
const peerLine = fc.oneof(
  { arbitrary: line("allowed_ip", fc.constantFrom(...PREFIXES)), weight: 6 },
  { arbitrary: line("allowed_ip", fc.constantFrom(...PREFIXES.map((p) => `-${p}`))), weight: 3 },
  { arbitrary: fc.constant("replace_allowed_ips=true"), weight: 2 },
  line("preshared_key", secret),
  line("endpoint", fc.constantFrom(...ENDPOINTS)),
  line("persistent_keepalive_interval", fc.nat(65_535)),
  fc.constant("protocol_version=1"),
  fc.constantFrom("update_only=true", "remove=true"),
);
const section = fc
  .tuple(line("public_key", key), fc.array(peerLine, { maxLength: 7 }))
  .map(([head, lines]) => [head, ...lines]);
const goodSet = fc
  .tuple(fc.array(deviceLine, { maxLength: 4 }), fc.array(section, { maxLength: 5 }))
  .map(([device, peers]) => [...device, ...peers.flat()]);
/** Now and then a line that is wrong, or in the wrong place. */
const oddLine = fc.oneof(
  fc.constantFrom(...ODD),
  line("allowed_ip", fc.constantFrom(...WRONG)),
  deviceLine,
  peerLine,
);
const anySet = fc
  .tuple(goodSet, fc.option(fc.tuple(fc.nat(20), oddLine), { freq: 2 }))
  .map(([lines, odd]) => (odd === null ? lines : lines.toSpliced(odd[0], 0, odd[1])));

/** A device that earlier sets have made. */
const device = fc
  .array(goodSet, { maxLength: 3 })
  .map((sets) => sets.reduce<Twin>((twin, lines) => runLines(twin, lines)!, emptyTwin()));

const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length];
  let from = 0;
  return ends
    .sort((a, b) => a - b)
    .map((end) => {
      const piece = Buffer.from(bytes.subarray(from, end));
      from = end;
      return piece;
    });
};

const readAll = (pieces: readonly Buffer[]): UapiRequest[] => {
  const reader = new UapiReader();
  const requests = pieces.flatMap((piece) => [...reader.read(piece)]);
  const rest = reader.end();
  return rest === null ? requests : [...requests, rest];
};

const places = fc.array(fc.nat(), { maxLength: 6 });

test("a set, in any pieces, changes a device as its lines do one by one, or is refused", () => {
  let refused = 0;
  fc.assert(
    fc.property(device, anySet, places, (before, lines, at) => {
      const text = Buffer.from(["set=1", ...lines, "", ""].join("\n"));
      const [request, ...others] = readAll(cut(text, at));
      assert.equal(others.length, 0);
      const wanted = runLines(before, lines);
      if (wanted === null) {
        refused++;
        assert.deepEqual(request, { type: "refused", errno: 22, last: false });
      } else {
        assert.equal(request?.type, "set");
        if (request?.type !== "set") return;
        assert.deepEqual(runChange(before, request.change), wanted);
      }
    }),
    { numRuns: runs(4_000) },
  );
  assert.ok(refused > 0);
});

/** Operations as they stand in a stream: an empty line ends one, before it begins it is nothing. */
const operationsOf = (text: string): { whole: string[][]; rest: boolean } => {
  const whole: string[][] = [];
  let lines: string[] = [];
  const all = text.split("\n");
  const tail = all.pop()!;
  for (const one of all) {
    if (one !== "") lines.push(one);
    else if (lines.length > 0) {
      whole.push(lines);
      lines = [];
    }
  }
  return { whole, rest: lines.length > 0 || tail !== "" };
};

const mutate = (text: Buffer, changes: readonly [number, number, number][]): Buffer => {
  const bytes = [...text];
  for (const [at, how, byte] of changes) {
    const place = at % (bytes.length + 1);
    bytes.splice(place, how % 3 === 0 ? 0 : 1, ...(how % 3 === 2 ? [] : [byte]));
  }
  return Buffer.from(bytes);
};

const interesting = fc.oneof(
  fc.constantFrom(...Buffer.from("\n\n\n=0123456789abcdefx:./-[]% ")),
  fc.nat(255),
);
const changes = fc.array(fc.tuple(fc.nat(), fc.nat(2), interesting), { maxLength: 4 });

test("mutated and truncated streams give what the twin gives, or are refused whole", () => {
  let kept = 0;
  fc.assert(
    fc.property(
      device,
      fc.array(goodSet, { minLength: 1, maxLength: 2 }),
      changes,
      fc.option(fc.nat()),
      places,
      (before, sets, mutations, end, at) => {
        const text = sets.map((lines) => ["set=1", ...lines, "", ""].join("\n")).join("get=1\n\n");
        const mutated = mutate(Buffer.from(text), mutations);
        const bytes = end === null ? mutated : mutated.subarray(0, end % (mutated.length + 1));
        const requests = readAll(cut(bytes, at));
        const { whole, rest } = operationsOf(bytes.toString("latin1"));
        assert.equal(requests.length, whole.length + (rest ? 1 : 0));
        let twin = before;
        for (const [i, lines] of whole.entries()) {
          const [errno, next] = runOperation(twin, lines);
          const request = requests[i]!;
          assert.equal(request.type === "refused" ? request.errno : 0, errno);
          if (request.type !== "set") continue;
          kept++;
          assert.deepEqual(runChange(twin, request.change), next);
          twin = next;
        }
        if (rest) assert.deepEqual(requests.at(-1), { type: "refused", errno: 22, last: true });
      },
    ),
    { numRuns: runs(4_000) },
  );
  assert.ok(kept > 0);
});

/** A `get` answer as the lines that would make the device again. */
const asSet = (text: string): string[] =>
  text
    .split("\n")
    .filter((one) => one !== "" && !/^(last_handshake_time_n?sec|[rt]x_bytes)=/.test(one));

test("what get says makes the same device with set", () => {
  fc.assert(
    fc.property(device, (twin) => {
      const text = [...stateText(stateOf(twin))].join("");
      const lines = asSet(text);
      assert.deepEqual(runLines(emptyTwin(), lines), twin);
      const [request] = readAll([Buffer.from(["set=1", ...lines, "", ""].join("\n"))]);
      assert.equal(request?.type, "set");
      if (request?.type === "set") assert.deepEqual(runChange(emptyTwin(), request.change), twin);
    }),
    { numRuns: runs(2_000) },
  );
});

const hexGroup = fc.oneof(
  fc.constantFrom("0", "00", "1", "ffff", "FFFF", "0db8", "12345", ""),
  fc.nat(0xffff).map((word) => word.toString(16)),
);
const addressText = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.array(hexGroup, { minLength: 1, maxLength: 9 }).map((groups) => groups.join(":")),
  fc
    .array(fc.constantFrom("0", "00", "9", "99", "255", "256", ""), { maxLength: 5 })
    .map((parts) => parts.join(".")),
);

test("prefixes are read and written as cidr.ts does it", () => {
  let good = 0;
  fc.assert(
    fc.property(addressText, fc.integer({ min: -1, max: 130 }), (address, length) => {
      const text = Buffer.from(`x${address}/${length}y`);
      const slow = parseCidr(`${address}/${length}`);
      const fast = readPrefix(text, 1, text.length - 1);
      assert.deepEqual(fast, slow === null ? null : maskCidr(slow));
      if (fast === null) return;
      good++;
      assert.equal(writePrefix(fast), formatCidr(fast));
    }),
    { numRuns: runs(20_000) },
  );
  assert.ok(good > 0);
});

test("prefixes with runs of zeros are written as RFC 5952 has it", () => {
  const word = fc.constantFrom(0, 0, 0, 1, 0xffff);
  fc.assert(
    fc.property(fc.array(word, { minLength: 8, maxLength: 8 }), (words) => {
      const bytes = Uint8Array.from(words.flatMap((one) => [one >> 8, one & 0xff]));
      const cidr = { version: 6, bytes, prefixLength: 128 } as const;
      assert.equal(writePrefix(cidr), formatCidr(cidr));
    }),
    { numRuns: runs(5_000) },
  );
});

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-uapi-"));
after(() => rmSync(folder, { recursive: true }));

/** Sends pieces, waiting for the kernel between them, and gives all that comes back. */
const converse = (file: string, pieces: readonly Buffer[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const client = connect(file, async () => {
      for (const piece of pieces)
        await new Promise<void>((sent) => client.write(piece, () => sent()));
      client.end();
    });
    let answer = "";
    client.on("data", (bytes: Buffer) => {
      answer += bytes.toString("latin1");
    });
    client.on("error", reject);
    client.on("close", () => resolve(answer));
  });

const junk = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom("\n", "\n\n", "get=1\n", "get=1\n\n", "set=1\n", "get=2\n\n", "remove=true\n")
    .map((text) => Buffer.from(text)),
  anySet.map((lines) => Buffer.from(["set=1", ...lines, "", ""].join("\n"))),
);

test("random streams over a real socket: answers and a device as the twin has them", async () => {
  let twin = emptyTwin();
  const socket = await openUapiSocket({
    onLost: { removed: () => {} },
    name: "t0",
    folder,
    state: () => stateOf(twin),
    apply: async (change) => {
      twin = runChange(twin, change);
    },
  });
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(junk, { maxLength: 8 }), places, async (parts, at) => {
        let wanted = twin;
        const bytes = Buffer.concat(parts);
        const { whole, rest } = operationsOf(bytes.toString("latin1"));
        let answers = "";
        for (const lines of whole) {
          const [errno, next] = runOperation(wanted, lines);
          wanted = next;
          if (lines.length === 1 && lines[0] === "get=1") {
            answers += [...stateText(stateOf(wanted))].join("");
          }
          answers += `errno=${-errno}\n\n`;
        }
        if (rest) answers += "errno=-22\n\n";
        assert.equal(await converse(socket.file, cut(bytes, at)), answers);
        assert.deepEqual(twin, wanted);
      }),
      { numRuns: runs(400) },
    );
  } finally {
    await socket.close();
  }
});
