/** schema — configuration text, key files and envelopes, damaged in every way. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { stringify } from "smol-toml";
import { ROUTES_MAX } from "../../src/memory/layout.ts";
import { parseEndpoint } from "../../src/schema/config.ts";
import { EngineError } from "../../src/schema/errors.ts";
import { identityFromSeed, loadIdentity, parseWireguardKey } from "../../src/schema/identity.ts";
import { Mistakes } from "../../src/schema/mistakes.ts";
import {
  CONTROL_VERSION,
  ENVELOPE_BYTES_MAX,
  EnvelopeError,
  EnvelopeReader,
  readRequest,
} from "../../src/schema/requests.ts";
import { readToml } from "../../src/schema/toml.ts";
import { parseCidr } from "../../src/wire/cidr.ts";
import { Chance } from "../lab/chance.ts";
import { damagedStream, someRequest } from "./envelopes.ts";
import { mutatedText, runs } from "./fuzzing.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-fuzz-"));
after(() => rmSync(folder, { recursive: true }));

const FILE = "fuzz.toml";
const PUBLIC_KEY = Buffer.alloc(32, 7).toString("base64");
const SECRET = Buffer.alloc(32, 0xa5).toString("base64");

/** The configuration, or the sentences that refuse it; anything else fails. */
const outcome = (text: string): { readonly config: unknown } | { readonly refused: string } => {
  try {
    const mistakes = new Mistakes(FILE);
    const { config } = readToml(text, mistakes);
    mistakes.refuse();
    return { config };
  } catch (error) {
    assert.ok(error instanceof EngineError, `not an EngineError: ${String(error)}`);
    assert.equal(error.code, "CONFIG_INVALID");
    for (const line of error.message.split("\n")) {
      assert.match(line, /^fuzz\.toml: \S.*[.?]$/, "one sentence for each mistake");
      assert.ok(line.length < 400, `${line.length} characters: ${line}`);
    }
    return { refused: error.message };
  }
};

// ---------------------------------------------------------------------------------------------
// Values of every kind under every key

const isName = (value: string): boolean =>
  value.length <= 15 &&
  /^[A-Za-z0-9_=+.-]+$/.test(value) &&
  ![".", "..", "all", "default"].includes(value);
const isKey = (value: string): boolean => {
  const bytes = Buffer.from(value, "base64");
  return bytes.length === 32 && bytes.toString("base64") === value;
};
const isFile = (value: unknown): boolean =>
  typeof value === "string" && value !== "" && !isKey(value) && !/^[~$]/.test(value);
const isWhole =
  (from: number, to: number) =>
  (value: unknown): boolean =>
    typeof value === "number" && Number.isInteger(value) && value >= from && value <= to;
const isText =
  (holds: (value: string) => boolean) =>
  (value: unknown): boolean =>
    typeof value === "string" && holds(value);
const isAll =
  (most: number) =>
  (value: unknown): boolean =>
    Array.isArray(value) &&
    value.length <= most &&
    value.every((one) => typeof one === "string" && parseCidr(one) !== null);
const isAddress = isText((value) => value === "" || parseCidr(`${value}/0`) !== null);

/** The table of config.ts once more, by hand: what each key may be. */
// biome-ignore format: a table
const VALID: Readonly<Record<string, Readonly<Record<string, (value: unknown) => boolean>>>> = {
  interface: {
    name: isText(isName), private_key_file: isFile, addresses: isAll(256), listen_port: isWhole(0, 65_535),
    listen_address: isAddress, bind_device: isText((value) => value === "" || isName(value)),
    fwmark: isWhole(0, 2 ** 32 - 1), mtu: isWhole(576, 65_455),
    cipher: isText((value) => ["auto", "chacha20poly1305", "aes256gcm"].includes(value)),
  },
  peer: {
    public_key: isText(isKey), preshared_key_file: isFile, allowed_ips: isAll(ROUTES_MAX),
    endpoint: isText((value) => parseEndpoint(value) !== null), persistent_keepalive: isWhole(0, 65_535),
  },
  engine: {
    threads: isWhole(0, 64), io_threads: isWhole(1, 8), gso: (value) => typeof value === "boolean",
    gro: (value) => typeof value === "boolean", tun_offload: (value) => typeof value === "boolean",
    quirks: isText((value) => ["avoid", "ignore"].includes(value)),
    connected_sockets: (value) => typeof value === "boolean",
    hand_over: isText((value) => ["auto", "inline", "always"].includes(value)),
  },
};

// biome-ignore format: a table
const VALUES = fc.oneof(
  fc.constantFrom<unknown>(0, 1, -1, 8, 9, 64, 65, 575, 576, 1_420, 65_455, 65_456, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 1.5),
  fc.constantFrom<unknown>(true, false, "", "auto", "always", "inline", "aes256gcm", "chacha20poly1305", "p2p0", "all", "a/b", "sixteen_letters_"),
  fc.constantFrom<unknown>("a.key", PUBLIC_KEY, SECRET, `${SECRET}=`, "10.0.0.1", "fd00::1", "host:1", "[fd00::1]:80", "h:0", "h:65536"),
  fc.constantFrom<unknown>([], ["10.0.0.0/8"], ["fd00::/8", "10.0.0.1"], ["10.0.0.0/33"], [1], [["10.0.0.0/8"]], {}, { a: 1 }),
  fc.string({ maxLength: 20 }), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }),
);

/** Most often what belongs there, so that whole files pass, too. */
const GOOD: Readonly<Record<string, unknown>> = {
  ...{ name: "p2p0", private_key_file: "a.key", addresses: ["10.66.0.1/24"], listen_port: 51_820 },
  ...{ listen_address: "::1", bind_device: "eth0", fwmark: 7, mtu: 1_400, cipher: "auto" },
  ...{ public_key: PUBLIC_KEY, preshared_key_file: "psk", allowed_ips: ["fd66::/64"] },
  ...{ endpoint: "h.example:1", persistent_keepalive: 25, threads: 2, io_threads: 1, gso: true },
  ...{
    gro: false,
    connected_sockets: true,
    tun_offload: true,
    quirks: "ignore",
    hand_over: "inline",
  },
};

const section = (name: string, required: readonly string[]) => {
  const keys = Object.keys(VALID[name]!);
  const entry = fc.tuple(fc.constantFrom(...keys), fc.boolean(), VALUES);
  return fc.array(entry, { maxLength: 4 }).map((entries) => {
    const all: Record<string, unknown> = {};
    for (const key of required) all[key] = GOOD[key];
    for (const [key, good, value] of entries) all[key] = good ? GOOD[key] : value;
    return all;
  });
};

const sectionValid = (name: string, values: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(values).every(([key, value]) => VALID[name]![key]!(value));

test("a file is taken when every value may stand where it stands, and else is refused", () => {
  const files = fc.record({
    interface: section("interface", ["private_key_file"]),
    peer: fc.array(section("peer", ["public_key"]), { maxLength: 3 }),
    engine: section("engine", []),
  });
  let taken = 0;
  fc.assert(
    fc.property(files, (file) => {
      const expected =
        sectionValid("interface", file.interface) &&
        file.peer.every((peer) => sectionValid("peer", peer)) &&
        sectionValid("engine", file.engine);
      const result = outcome(stringify(file));
      assert.equal("config" in result, expected, JSON.stringify([file, result]));
      if (expected) taken++;
      // A secret under a key's name is not repeated; not even a piece of it.
      if ("refused" in result && /_key/.test(result.refused)) {
        assert.ok(!result.refused.includes(SECRET.slice(0, 8)), result.refused);
      }
    }),
    runs(3_000),
  );
  assert.ok(taken > 200, `only ${taken} were taken`);
});

// ---------------------------------------------------------------------------------------------
// Text

const WHOLE = `[interface]
name = "p2p1"
private_key_file = "keys/own.key"
addresses = ["10.66.0.1/24", "fd66::1/64"]
mtu = 1400
[[peer]]
public_key = "${PUBLIC_KEY}"
allowed_ips = ["10.66.0.2/24"]
endpoint = "[2001:db8::7]:51820"
[engine]
threads = 3
`;

test("text with pieces missing, doubled or exchanged is a configuration or one sentence", () => {
  let taken = 0;
  fc.assert(
    fc.property(
      mutatedText(fc.constant(WHOLE), "[]{}=\"'\\#.,\n\t 0x1e_-:/\u0000\u00e9", 5),
      (text) => {
        if ("config" in outcome(text)) taken++;
      },
    ),
    runs(4_000),
  );
  assert.ok(taken > 50, `only ${taken} were taken`);
});

test("text of any characters is a configuration or one sentence", () => {
  const unit = fc.oneof(
    fc.constantFrom("\n", "[", "]", "=", '"', ".", "{"),
    fc.string({ maxLength: 3, unit: "binary" }),
  );
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 60 }), (pieces) => {
      outcome(pieces.join(""));
    }),
    runs(3_000),
  );
});

test("brackets in brackets end in a sentence, not in a full stack", () => {
  for (const depth of [7, 8, 9, 100, 100_000]) {
    assert.ok("refused" in outcome(`a = ${"[".repeat(depth)}${"]".repeat(depth)}`));
    assert.ok("refused" in outcome(`a = ${"{b=".repeat(depth)}1${"}".repeat(depth)}`));
    assert.ok("refused" in outcome(`${Array(depth).fill("a").join(".")} = 1`));
  }
});

// ---------------------------------------------------------------------------------------------
// Keys

test("a key is 44 characters that stand for 32 bytes and are written back the same", () => {
  const whole = fc
    .uint8Array({ minLength: 31, maxLength: 33 })
    .map((b) => Buffer.from(b).toString("base64"));
  let taken = 0;
  fc.assert(
    fc.property(mutatedText(whole, "ABab09+/=-_ \n", 2), (text) => {
      const key = parseWireguardKey(text);
      assert.equal(key !== null, isKey(text), text);
      if (key !== null) taken++;
    }),
    runs(5_000),
  );
  assert.ok(taken > 200, `only ${taken} were keys`);
});

test("a key file is an identity, a WireGuard key, or KEY_INVALID", () => {
  const file = join(folder, "some.key");
  const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const identity = seed.map((b) => `p2pvpn-identity-1\n${Buffer.from(b).toString("base64url")}\n`);
  const plain = seed.map((b) => `${Buffer.from(b).toString("base64")}\n`);
  let taken = 0;
  fc.assert(
    fc.property(mutatedText(fc.oneof(identity, plain), "Aa0+/=-_ \r\n1", 2), (text) => {
      writeFileSync(file, text, { mode: 0o600 });
      const trimmed = Buffer.from(text).toString("latin1").trim();
      const line = /^p2pvpn-identity-1\r?\n([\w-]{43})$/.exec(trimmed)?.[1];
      const secret = Buffer.from(line ?? "", "base64url");
      const isIdentity = line !== undefined && secret.toString("base64url") === line;
      try {
        const got = loadIdentity(file);
        assert.equal(got.nodeId !== null, isIdentity);
        if (isIdentity) assert.deepEqual(got, identityFromSeed(secret));
        else assert.ok(isKey(trimmed));
        taken++;
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        assert.equal(error.code, "KEY_INVALID");
        assert.ok(!isIdentity && !isKey(trimmed), JSON.stringify(text));
      }
    }),
    runs(500),
  );
  assert.ok(taken > 50, `only ${taken} were keys`);
});

// ---------------------------------------------------------------------------------------------
// Envelopes

/** What a reader makes of pieces: the envelopes before the first damaged one, and was there one? */
/** Requests that damage may leave whole: none of them changes anything but what is logged. */
const KNOWN = /^(\w+\.get|engine\.reload|peers\.rekey|log\.level|network\.(publish|explain))$/;

const readAll = (pieces: readonly Buffer[]): { envelopes: unknown[]; damaged: boolean } => {
  const reader = new EnvelopeReader();
  const envelopes: unknown[] = [];
  try {
    for (const piece of pieces) envelopes.push(...reader.push(Buffer.from(piece)));
    return { envelopes, damaged: false };
  } catch (error) {
    assert.ok(error instanceof EnvelopeError, String(error));
    return { envelopes, damaged: true };
  }
};

test("damaged envelopes are maps or EnvelopeError, however they are cut", () => {
  let maps = 0;
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const pieces = damagedStream(new Chance(seed));
      const { envelopes, damaged } = readAll(pieces);
      const bytes = Buffer.concat(pieces);
      const single = readAll(Array.from(bytes.subarray(0, 3_000), (byte) => Buffer.of(byte)));
      if (bytes.length <= 3_000) {
        assert.equal(single.damaged, damaged);
        // Whole envelopes of the piece in which the damage is are not given out; none is made up.
        assert.deepEqual(single.envelopes.slice(0, envelopes.length), envelopes);
      }
      for (const envelope of envelopes) {
        assert.ok(typeof envelope === "object" && envelope !== null && !Array.isArray(envelope));
        maps++;
        try {
          const { request, type, id } = readRequest(envelope as Record<string, unknown>);
          assert.ok(type.length <= 40 && Number.isInteger(id));
          const known = request === null || KNOWN.test(request.type);
          assert.ok(known, `a request made of damage: ${type}`);
        } catch (error) {
          assert.ok(error instanceof EnvelopeError, String(error));
        }
      }
      assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    }),
    runs(1_500),
  );
  assert.ok(maps > 100, `only ${maps} envelopes were maps`);
});

test("a large envelope in small pieces takes no longer than its bytes", () => {
  const reader = new EnvelopeReader();
  const header = Buffer.alloc(4);
  header.writeUInt32LE(ENVELOPE_BYTES_MAX.request);
  const piece = Buffer.alloc(64, 1);
  const start = process.cpuUsage();
  reader.push(header);
  for (let at = 64; at < ENVELOPE_BYTES_MAX.request; at += 64)
    assert.deepEqual(reader.push(piece), []);
  const ms = process.cpuUsage(start).user / 1_000;
  // Milliseconds; seconds when every piece moves what came before it.
  assert.ok(ms < 1_000, `${ms} ms`);
});

/** What a request must be, written without the reader's tables; `problem`: some words or none. */
const twinRequest = (fields: Readonly<Record<string, unknown>>): [unknown, problem: boolean] => {
  const { type, from, publicKey = null, level = null } = fields;
  const plain = ["status.get", "stats.get", "config.get", "engine.reload"];
  if (plain.some((one) => one === type)) return [{ type }, false];
  if (type === "peers.get" || type === "routes.get") {
    return typeof from === "number" ? [{ type, from }, false] : [null, true];
  }
  if (type === "peers.rekey") {
    const key = publicKey instanceof Uint8Array && publicKey.length === 32;
    return key || publicKey === null ? [{ type, publicKey }, false] : [null, true];
  }
  if (type === "log.level") {
    const known = level === null || level === "warn" || level === "silent";
    return known ? [{ type, level }, false] : [null, true];
  }
  if (type === "network.explain") {
    const { subject } = fields;
    const named = typeof subject === "string" && subject.length <= 100;
    return named ? [{ type, subject }, false] : [null, true];
  }
  if (type === "network.publish") {
    const { definition, list, secret, sealed } = fields;
    const bytes = [definition, list].every((one) => one instanceof Uint8Array);
    const key = secret instanceof Uint8Array && secret.length === 32 ? secret : null;
    if (!bytes || (key === null) === (sealed === undefined)) return [null, true];
    return [{ type, definition, list, secret: key, sealed: sealed ?? null }, false];
  }
  return [null, false];
};

test("a request is read as the twin reads it", () => {
  const isId = (value: unknown): boolean => isWhole(0, 2 ** 32 - 1)(value);
  let read = 0;
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const fields = someRequest(new Chance(seed));
      const { version, id, type } = fields;
      if (version !== CONTROL_VERSION || !isId(id)) {
        assert.throws(() => readRequest(fields), EnvelopeError);
        return;
      }
      const [expected, problem] = twinRequest(fields);
      const { problem: words, ...envelope } = readRequest(fields);
      assert.deepEqual(envelope, { id, type, request: expected });
      assert.equal(words !== null, problem, String(words));
      if (expected !== null) read++;
    }),
    runs(2_000),
  );
  assert.ok(read > 500, `only ${read} requests were read`);
});
