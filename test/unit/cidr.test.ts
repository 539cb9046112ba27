/** cidr — text and bytes of addresses and prefixes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatAddress,
  formatCidr,
  maskCidr,
  parseAddress,
  parseCidr,
} from "../../src/wire/cidr.ts";

test("addresses are written as RFC 5952 section 4 says", () => {
  const rows = [
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:DB8::AbCd", "2001:db8::abcd"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
    ["10.0.0.1", "10.0.0.1"],
  ] as const;
  for (const [text, written] of rows) assert.equal(formatAddress(parseAddress(text)!), written);
});

test("what is no prefix is refused", () => {
  const rows = [
    "",
    "10.0.0",
    "10.0.0.256",
    "10.0.0.01/8",
    "10.0.0.1/33",
    "10.0.0.1/",
    "10.0.0.1/+8",
  ];
  const more = ["10.0.0.1/08", "::/129", "fe80::1%eth0/64", ":::/1", "10.0.0.1/8/8", " 10.0.0.1"];
  for (const text of [...rows, ...more, "1:2:3:4:5:6:7/64", "x"]) {
    assert.equal(parseCidr(text), null, text);
  }
});

test("host bits are kept by parsing and cleared by masking", () => {
  const rows = [
    ["10.66.0.2/24", "10.66.0.0/24"],
    ["255.255.255.255/1", "128.0.0.0/1"],
    ["10.1.2.3/0", "0.0.0.0/0"],
    ["10.1.2.3", "10.1.2.3/32"],
    ["fd66::ffff/121", "fd66::ff80/121"],
    ["fd66::1", "fd66::1/128"],
  ] as const;
  for (const [text, masked] of rows) {
    const cidr = parseCidr(text)!;
    assert.equal(formatCidr(cidr), text.includes("/") ? text : masked);
    assert.equal(formatCidr(maskCidr(cidr)), masked);
  }
});

test("every address survives being written and read", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc
      .array(fc.constantFrom(0, 0, 0, 1), { minLength: 16, maxLength: 16 })
      .map((a) => Uint8Array.from(a)),
  );
  fc.assert(
    fc.property(bytes, (address) => {
      assert.deepEqual(parseAddress(formatAddress(address)), Uint8Array.from(address));
    }),
  );
});
