/** wg-quick.fuzz — damaged .conf files are read as they stand or refused in one sentence. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EngineError } from "../../src/schema/errors.ts";
import { Mistakes } from "../../src/schema/mistakes.ts";
import { readWgQuick, type WgQuick } from "../../src/schema/wg-quick.ts";
import { Chance } from "../lab/chance.ts";
import { runs } from "./fuzzing.ts";

const PRIVATE = Buffer.alloc(32, 0x41).toString("base64");
const PSK = Buffer.alloc(32, 0x42).toString("base64");
const SECRETS = [PRIVATE, PSK];
const FILE = "wg0.conf";

const LINES: readonly string[] = [
  "[Interface]",
  `PrivateKey = ${PRIVATE}`,
  "Address = 10.66.0.1/24, fd66::1/64",
  "ListenPort = 51820",
  "MTU = 1420",
  "FwMark = 0xca6c",
  "Table = off",
  "DNS = 192.0.2.53",
  "PostUp = echo %i",
  "[Peer]",
  "PublicKey = WVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVk=",
  `PresharedKey = ${PSK}`,
  "AllowedIPs = 10.66.0.2/32, fd66::2/128",
  "AllowedIPs = 10.77.0.0/16",
  "Endpoint = 203.0.113.7:51820",
  "PersistentKeepalive = 25",
];

/** The draft, or the sentence with which it was refused; anything else is thrown on. */
const read = (text: string): WgQuick | string => {
  try {
    const mistakes = new Mistakes(FILE);
    const read = readWgQuick(FILE, text, mistakes);
    mistakes.refuse();
    return read;
  } catch (error) {
    assert.ok(error instanceof EngineError, String((error as Error).stack));
    assert.equal(error.code, "CONFIG_INVALID");
    return error.message;
  }
};

const PIECES = ["=", "[", "]", "#", ",", "/", ":", "\0", "\r", " ", "é", "-1", "99999999999", "%i"];

const damaged = (chance: Chance): string => {
  const lines = [...LINES];
  for (let i = chance.below(4); i >= 0; i--) {
    const at = chance.below(lines.length);
    const line = lines[at]!;
    const column = chance.below(line.length + 1);
    switch (chance.below(7)) {
      case 0:
        lines.splice(at, 1);
        break;
      case 1:
        lines.splice(at, 0, lines[chance.below(lines.length)]!);
        break;
      case 2:
        lines[at] = line.slice(0, column);
        break;
      case 3:
        lines[at] = line.slice(column);
        break;
      case 4:
        lines[at] = line.slice(0, column) + chance.pick(PIECES) + line.slice(column);
        break;
      case 5:
        [lines[at], lines[0]] = [lines[0]!, line];
        break;
      default:
        lines[at] = line.replace(/\w+/, (word) => [...word].reverse().join(""));
    }
    if (lines.length === 0) lines.push("");
  }
  return lines.join("\n");
};

test("damage gives a draft or one sentence that repeats no secret", () => {
  let drafts = 0;
  let refusals = 0;
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const result = read(damaged(new Chance(seed)));
      if (typeof result !== "string") {
        drafts++;
        assert.equal(result.draft.interface.name, "wg0");
        assert.ok(result.warnings.length <= 16);
        return;
      }
      refusals++;
      for (const line of result.split("\n")) assert.match(line, /^wg0\.conf: \S.*[.?]$/);
      for (const secret of SECRETS) assert.ok(!result.includes(secret.slice(8, 33)), result);
    }),
    runs(2_000),
  );
  assert.ok(drafts > 100 && refusals > 100, `${drafts} drafts, ${refusals} refusals`);
});

test("comments, blanks, the case of keys and line ends change nothing", () => {
  const plain = read(LINES.join("\n"));
  assert.ok(typeof plain !== "string", String(plain));
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const chance = new Chance(seed);
      const blank = (): string => " \t".repeat(chance.below(3));
      const dressed = LINES.flatMap((line) => {
        const [key = "", ...rest] = line.split(" = ");
        const name = chance.once(3) ? key.toUpperCase() : chance.once(3) ? key.toLowerCase() : key;
        const text = rest.length === 0 ? key : `${name}${blank()}=${blank()}${rest.join(" = ")}`;
        const comment = chance.once(4) ? `${blank()}# of no meaning = 3` : "";
        const whole = `${blank()}${text}${blank()}${comment}`;
        return chance.once(5) ? ["", "# [Peer]", whole] : [whole];
      });
      const result = read(dressed.join(chance.once(3) ? "\r\n" : "\n"));
      assert.ok(typeof result !== "string", String(result));
      assert.deepEqual(result.draft, plain.draft);
    }),
    runs(500),
  );
});
