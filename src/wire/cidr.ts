/**
 * cidr — IPv4 and IPv6 prefixes between text and bytes.
 *
 * Text is read strictly: four decimal numbers without leading zeros for IPv4, RFC 4291 2.2 without
 * a zone for IPv6, and a prefix length in plain digits; text is written as RFC 5952 recommends.
 * Pure; any thread.
 */
import { isIPv4, isIPv6 } from "node:net";

/** An address and a prefix length in bits; `bytes` are in network order, 4 or 16 of them. */
export interface Cidr {
  readonly version: 4 | 6;
  readonly bytes: Uint8Array;
  readonly prefixLength: number;
}

const parse4 = (text: string): Uint8Array => Uint8Array.from(text.split("."), Number);

/** 16-bit groups of one side of "::"; a dotted tail gives two groups. */
const groups = (text: string): number[] =>
  text === ""
    ? []
    : text.split(":").flatMap((group) => {
        if (!group.includes(".")) return [Number.parseInt(group, 16)];
        const [a = 0, b = 0, c = 0, d = 0] = parse4(group);
        return [(a << 8) | b, (c << 8) | d];
      });

const parse6 = (text: string): Uint8Array => {
  const [head = "", tail] = text.split("::");
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const words = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
  const bytes = new Uint8Array(16);
  for (const [i, word] of words.entries()) {
    bytes[2 * i] = word >> 8;
    bytes[2 * i + 1] = word & 0xff;
  }
  return bytes;
};

/**
 * Reads an address without prefix length, "10.0.0.1" or "fd00::1"; null when it is none.
 *
 * Thread: any.   Errors: never.   Source: RFC 4291 2.2.
 */
export const parseAddress = (text: string): Uint8Array | null => {
  if (isIPv4(text)) return parse4(text);
  if (isIPv6(text) && !text.includes("%")) return parse6(text);
  return null;
};

/**
 * Reads "10.0.0.1/24" or "fd00::1/64"; without a prefix length the address stands alone (/32 or
 * /128); null when the text is neither. Host bits stay: see `maskCidr`.
 *
 * Thread: any.   Errors: never.
 */
export const parseCidr = (text: string): Cidr | null => {
  const slash = text.indexOf("/");
  const bytes = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (bytes === null) return null;
  const bits = bytes.length * 8;
  const length = slash < 0 ? String(bits) : text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits) return null;
  return { version: bits === 32 ? 4 : 6, bytes, prefixLength: Number(length) };
};

/** The same prefix with its host bits zero. Thread: any.   Errors: never. */
export const maskCidr = (cidr: Cidr): Cidr => {
  const bytes = cidr.bytes.map((byte, i) => {
    const kept = Math.min(8, Math.max(0, cidr.prefixLength - 8 * i));
    return byte & (0xff << (8 - kept));
  });
  return { version: cidr.version, bytes, prefixLength: cidr.prefixLength };
};

/** Lists have 262,144 of them: no array is made. */
const formatIpv6 = (bytes: Uint8Array): string => {
  // The longest run of two or more zero words; the first one where several are as long.
  let [from, to] = [8, 8];
  for (let i = 0, at = 0; i <= 8; i++) {
    if (i < 8 && (bytes[2 * i]! | bytes[2 * i + 1]!) === 0) continue;
    if (i - at > Math.max(1, to - from)) [from, to] = [at, i];
    at = i + 1;
  }
  let text = "";
  for (let i = 0; i < 8; i++) {
    if (i === from) {
      text += "::";
      i = to - 1;
      continue;
    }
    if (i > 0 && i !== to) text += ":";
    text += ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16);
  }
  return text;
};

/**
 * Address text of 4 or 16 bytes in network order.
 *
 * Thread: any.   Errors: RangeError for another length.   Source: RFC 5952 4.
 */
export const formatAddress = (bytes: Uint8Array): string => {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16)
    throw new RangeError(`an address has 4 or 16 bytes, not ${bytes.length}`);
  return formatIpv6(bytes);
};

/** "10.0.0.0/8", "fd00::/64". Thread: any.   Errors: RangeError when `bytes` is no address. */
export const formatCidr = (cidr: Cidr): string =>
  `${formatAddress(cidr.bytes)}/${cidr.prefixLength}`;
