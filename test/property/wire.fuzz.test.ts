/** wire — every reader of bytes and of addresses, beside a slow and obvious twin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { steeringProgram } from "../../src/wire/bpf.ts";
import {
  formatAddress,
  formatCidr,
  maskCidr,
  parseAddress,
  parseCidr,
} from "../../src/wire/cidr.ts";
import {
  COOKIE,
  checkMessage,
  INITIATION,
  messageKind,
  RESPONSE,
} from "../../src/wire/handshake.ts";
import {
  checkBits,
  isPossibleReceiverIndex,
  makeReceiverIndex,
  makeReceiverIndexKey,
} from "../../src/wire/receiver-index.ts";
import {
  formatSockaddr,
  makeSockaddr,
  sameSockaddr,
  sockaddrFamily,
  sockaddrHost,
  sockaddrPort,
  sockaddrScope,
} from "../../src/wire/sockaddr.ts";
import { compareTai64n, laterTai64n, nextTai64n, tai64n } from "../../src/wire/tai64n.ts";
import { changes, mutate, mutatedText, runs } from "./fuzzing.ts";

const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

// ---------------------------------------------------------------------------------------------
// Messages

/** The table of the paper, as text: type byte, three zero bytes, exact length. */
const KINDS: Readonly<Record<string, string>> = {
  "1.0.0.0 148": "initiation 0",
  "2.0.0.0 92": "response 0",
  "3.0.0.0 64": "cookie 0",
  "5.0.0.0 148": "initiation 1",
  "6.0.0.0 92": "response 1",
  "7.0.0.0 64": "cookie 1",
};

test("a message is what type, reserved bytes and length say, and nothing else is one", () => {
  const lengths = fc.constantFrom(0, 1, 3, 4, 63, 64, 65, 91, 92, 93, 147, 148, 149, 1_500);
  const datagrams = lengths.chain((length) =>
    fc.tuple(exactly(length), fc.nat(9), fc.integer({ min: 0, max: 40 }), fc.nat(255)),
  );
  let found = 0;
  fc.assert(
    fc.property(datagrams, ([datagram, type, reserved, value]) => {
      datagram.set([type, 0, 0, 0].slice(0, datagram.length));
      if (reserved < 3 && datagram.length > 3) datagram[1 + reserved] = value;
      const expected = KINDS[`${datagram.subarray(0, 4).join(".")} ${datagram.length}`];
      const kind = messageKind(datagram);
      assert.equal(kind === null ? undefined : `${kind.kind} ${kind.suite}`, expected);
      for (const layout of [INITIATION, RESPONSE, COOKIE]) {
        const name = KINDS[`${layout.type}.0.0.0 ${layout.bytes}`];
        assert.equal(checkMessage(datagram, layout), name === expected && expected !== undefined);
      }
      if (kind !== null) found++;
    }),
    runs(5_000),
  );
  assert.ok(found > 50, `only ${found} of them were messages`);
});

// ---------------------------------------------------------------------------------------------
// Addresses

const isDigits = (text: string, most: number): boolean =>
  text !== "" && [...text].every((c) => "0123456789".includes(c)) && Number(text) <= most;

const twin4 = (text: string): number[] | null => {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  for (const part of parts) {
    if (!isDigits(part, 255) || (part.length > 1 && part.startsWith("0"))) return null;
  }
  return parts.map(Number);
};

/** RFC 4291 2.2 read aloud: words, one "::" for one or more zero words, a dotted tail. */
const twin6 = (text: string): number[] | null => {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const words = (half: string, last: boolean): number[] | null => {
    if (half === "") return [];
    const out: number[] = [];
    const parts = half.split(":");
    for (const [i, part] of parts.entries()) {
      const four = part.includes(".") && last && i === parts.length - 1 ? twin4(part) : null;
      if (four !== null) out.push(four[0]! * 256 + four[1]!, four[2]! * 256 + four[3]!);
      else if (/^[0-9a-fA-F]{1,4}$/.test(part)) out.push(Number(`0x${part}`));
      else return null;
    }
    return out;
  };
  const whole = halves.length === 1;
  const left = words(halves[0]!, whole);
  const right = whole ? [] : words(halves[1]!, true);
  if (left === null || right === null) return null;
  const zeros = 8 - left.length - right.length;
  if (whole ? zeros !== 0 : zeros < 1) return null;
  return [...left, ...Array<number>(zeros).fill(0), ...right].flatMap((w) => [w >> 8, w & 255]);
};

const twinAddress = (text: string): number[] | null =>
  text.includes(":") ? twin6(text) : twin4(text);

// biome-ignore format: a table
const ADDRESSES = fc.oneof(
  fc.ipV4(), fc.ipV6(),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatAddress),
  fc.constantFrom("::", "::1", "fd66::1", "1::", "::ffff:192.0.2.1", "64:ff9b::192.0.2.33", "1:2:3:4:5:6:7:8", "0.0.0.0", "255.255.255.255", "1:2:3:4:5:6:1.2.3.4"),
);
const ODD_ADDRESSES = mutatedText(ADDRESSES, "0123456789abcdefABCDEFg:./% x-+\u0660");

test("an address is read as the twin reads it, and every byte of it", () => {
  let read = 0;
  fc.assert(
    fc.property(ODD_ADDRESSES, (text) => {
      const bytes = parseAddress(text);
      assert.deepEqual(bytes === null ? null : [...bytes], twinAddress(text), text);
      if (bytes !== null) read++;
    }),
    runs(20_000),
  );
  assert.ok(read > 1_000, `only ${read} were addresses`);
});

test("a prefix is read as the twin reads it", () => {
  const whole = fc.tuple(ADDRESSES, fc.nat(140)).map(([text, bits]) => `${text}/${bits}`);
  let read = 0;
  fc.assert(
    fc.property(mutatedText(whole, "0123456789:./ -+e", 2), (text) => {
      const [address = "", length, ...rest] = text.split("/");
      const bytes = rest.length > 0 ? null : twinAddress(address);
      const bits = length === undefined ? String((bytes?.length ?? 0) * 8) : length;
      const plain = isDigits(bits, (bytes?.length ?? 0) * 8) && String(Number(bits)) === bits;
      const cidr = parseCidr(text);
      assert.equal(cidr !== null, bytes !== null && plain, text);
      if (cidr === null) return;
      read++;
      assert.deepEqual([...cidr.bytes], bytes);
      assert.equal(cidr.prefixLength, Number(bits));
      assert.equal(cidr.version, bytes!.length === 4 ? 4 : 6);
      // As one long number in base 2.
      const digits = [...cidr.bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
      const kept = digits.slice(0, cidr.prefixLength).padEnd(digits.length, "0");
      const masked = maskCidr(cidr).bytes;
      assert.equal([...masked].map((b) => b.toString(2).padStart(8, "0")).join(""), kept);
    }),
    runs(10_000),
  );
  assert.ok(read > 500, `only ${read} were prefixes`);
});

test("IPv6 text is the one that URLs have, and is read back to the same bytes", () => {
  const word = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat(0xffff));
  fc.assert(
    fc.property(fc.array(word, { minLength: 8, maxLength: 8 }), (words) => {
      const bytes = Uint8Array.from(words.flatMap((w) => [w >> 8, w & 255]));
      const text = formatAddress(bytes);
      // The URL standard's serializer follows RFC 5952, too, and is somebody else's.
      const long = words.map((w) => w.toString(16)).join(":");
      assert.equal(`[${text}]`, new URL(`http://[${long}]/`).hostname);
      assert.deepEqual(parseAddress(text), bytes);
      const cidr = { version: 6, bytes, prefixLength: 77 } as const;
      assert.deepEqual(parseCidr(formatCidr(cidr)), cidr);
    }),
    runs(5_000),
  );
});

test("a sockaddr gives back what it was made of; mapped IPv4 is IPv4", () => {
  const mapped = exactly(4).map((b) => Uint8Array.from([...Array(10).fill(0), 255, 255, ...b]));
  const address = fc.oneof(exactly(4), exactly(16), mapped);
  fc.assert(
    fc.property(address, fc.nat(65_535), fc.nat(), (host, port, scope) => {
      const made = makeSockaddr(host, port, scope);
      const text = [...host].join(".");
      const isMapped = text.startsWith("0.0.0.0.0.0.0.0.0.0.255.255.") && host.length === 16;
      const four = host.length === 4 || isMapped;
      assert.equal(sockaddrFamily(made), four ? 4 : 6);
      assert.deepEqual([...sockaddrHost(made)], [...(isMapped ? host.slice(12) : host)]);
      assert.equal(sockaddrPort(made), port);
      if (!four) assert.equal(sockaddrScope(made), scope);
      const shown = formatAddress(isMapped ? host.slice(12) : host);
      const zone = scope === 0 ? "" : `%${scope}`;
      assert.equal(formatSockaddr(made), four ? `${shown}:${port}` : `[${shown}${zone}]:${port}`);
    }),
    runs(5_000),
  );
});

test("two sockaddrs are the same when every byte that names a sender is", () => {
  const one = fc.tuple(exactly(28), fc.constantFrom(2, 10, 10, 0, 7)).map(([bytes, family]) => {
    bytes.set([family, 0]);
    return bytes;
  });
  /** Family, port, address and scope as text; neither padding nor the flow label. */
  const name = (s: Uint8Array): string => {
    if (s[0] === 2) return [2, ...s.slice(2, 8)].join(".");
    return [s[0] === 10 ? 10 : 0, ...s.slice(2, 4), ...s.slice(8, 28)].join(".");
  };
  let same = 0;
  fc.assert(
    fc.property(one, changes(28, 2), (a, change) => {
      const b = Uint8Array.from([...mutate(a, change), ...new Uint8Array(28)]).slice(0, 28);
      if (sockaddrFamily(a) === 0 || sockaddrFamily(b) === 0) return;
      assert.equal(sameSockaddr(a, b), name(a) === name(b));
      if (sameSockaddr(a, b)) same++;
      formatSockaddr(b);
    }),
    runs(5_000),
  );
  assert.ok(same > 200, `only ${same} were the same`);
});

// ---------------------------------------------------------------------------------------------
// Time stamps and indices

/** A label as one number of 96 bits. */
const number = (label: Uint8Array): bigint => BigInt(`0x${Buffer.from(label).toString("hex")}`);

test("labels grow with time, by steps of 2^24 ns, and as one long number they compare", () => {
  const time = fc.double({ min: 0, max: 1e14, noNaN: true });
  fc.assert(
    fc.property(time, time, exactly(12), exactly(12), (x, y, a, b) => {
      assert.equal(
        Math.sign(compareTai64n(a, b)),
        Number(number(a) > number(b)) - Number(number(a) < number(b)),
      );
      const [one, two] = [tai64n(x), tai64n(y)];
      if (x < y) assert.ok(number(one) <= number(two));
      const nanoseconds = Number(number(one) & 0xffff_ffffn);
      assert.ok(nanoseconds < 1e9 && nanoseconds % 2 ** 24 === 0);
      assert.equal((number(one) >> 32n) - 2n ** 62n - 10n, BigInt(Math.floor(x / 1_000)));
      const next = nextTai64n(two, x);
      assert.ok(number(next) > number(two) && number(next) >= number(one));
      assert.equal(
        number(next),
        number(compareTai64n(one, laterTai64n(two)) >= 0 ? one : laterTai64n(two)),
      );
      assert.ok(Number(number(next) & 0xffff_ffffn) < 1e9);
    }),
    runs(5_000),
  );
});

test("an index is possible under its key, and under no other check bits", () => {
  const word = fc.nat(0xffff_ffff);
  fc.assert(
    fc.property(exactly(8), word, word, (bytes, random, other) => {
      const key = makeReceiverIndexKey(bytes);
      assert.equal(key.multiplier % 2, 1);
      const index = makeReceiverIndex(key, random);
      assert.ok(isPossibleReceiverIndex(key, index) && index >>> 0 === index);
      assert.equal(index & 0xf_ffff, random & 0xf_ffff);
      // The same mix in whole numbers without an end.
      const mixed = BigInt((random & 0xf_ffff) ^ key.mask) * BigInt(key.multiplier);
      assert.equal(BigInt(checkBits(key, random)), BigInt.asUintN(32, mixed) >> 20n);
      const changed = ((index & 0xf_ffff) | (other & ~0xf_ffff)) >>> 0;
      assert.equal(isPossibleReceiverIndex(key, changed), changed === index);
    }),
    runs(5_000),
  );
});

// ---------------------------------------------------------------------------------------------
// The kernel's program

/** Classic BPF, an instruction a line; a load beyond the end ends with 0, as in the kernel. */
const execute = (program: Uint8Array, packet: Uint8Array): number => {
  const view = new DataView(program.buffer);
  const data = new DataView(packet.buffer, packet.byteOffset, packet.length);
  let a = 0;
  for (let pc = 0; pc * 8 < program.length; pc++) {
    const k = view.getUint32(pc * 8 + 4, true);
    const jump = (yes: boolean): number => view.getUint8(pc * 8 + (yes ? 2 : 3));
    const code = view.getUint16(pc * 8, true);
    if (code === 0x80) a = packet.length;
    else if (code === 0x20 && k + 4 > packet.length) return 0;
    else if (code === 0x20) a = data.getUint32(k);
    else if (code === 0x30 && k >= packet.length) return 0;
    else if (code === 0x30) a = data.getUint8(k);
    else if (code === 0x15) pc += jump(a === k);
    else if (code === 0x35) pc += jump(a >= k);
    else if (code === 0x54) a = (a & k) >>> 0;
    else if (code === 0x94) a %= k;
    else if (code === 0x06) return k;
    else if (code === 0x16) return a;
    else assert.fail(`instruction ${code}`);
  }
  return assert.fail("the program has no end");
};

test("data goes to the thread that its index names, everything else to control", () => {
  const datagrams = fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(9), fc.nat(20), fc.nat(255));
  fc.assert(
    fc.property(datagrams, fc.integer({ min: 1, max: 8 }), ([packet, type, at, value], threads) => {
      packet.set([type, 0, 0, 0].slice(0, packet.length));
      if (at < packet.length) packet[at] = value;
      const data = /^[48],0,0,0$/.test(packet.subarray(0, 4).join()) && packet.length >= 8;
      const expected = data ? (packet[4]! & 7) % threads : threads;
      assert.equal(execute(steeringProgram(threads), packet), expected);
    }),
    runs(5_000),
  );
});
