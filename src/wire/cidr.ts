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

const DOT = 46;
const COLON = 58;
const ZERO = 48;
const NINE = 57;

/** Puts an IPv4 address that isIPv4() knows, from character `from` on, at `at` of the bytes. */
const read4 = (text: string, from: number, bytes: Uint8Array, at: number): Uint8Array => {
  let number = 0;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code !== DOT) number = number * 10 + code - ZERO;
    else {
      bytes[at++] = number;
      number = 0;
    }
  }
  bytes[at] = number;
  return bytes;
};

const hexDigit = (code: number): number => (code <= NINE ? code - ZERO : (code & 0x0f) + 9);

/** Of an IPv6 address that isIPv6() knows; a dotted tail is four bytes. */
const read6 = (text: string): Uint8Array => {
  const bytes = new Uint8Array(16);
  let at = 0;
  let gap = -1;
  let group = 0;
  let begin = 0;
  const put = (): void => {
    bytes[at++] = group >> 8;
    bytes[at++] = group & 0xff;
    group = 0;
  };
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : COLON;
    if (code === DOT) {
      read4(text, begin, bytes, at);
      at += 4;
      break;
    }
    if (code !== COLON) {
      group = (group << 4) | hexDigit(code);
      continue;
    }
    if (i > begin) put();
    else if (i > 0 && i < text.length) gap = at;
    begin = i + 1;
  }
  if (gap >= 0) {
    bytes.copyWithin(16 - (at - gap), gap, at);
    bytes.fill(0, gap, 16 - (at - gap));
  }
  return bytes;
};

/**
 * Reads an address without prefix length, "10.0.0.1" or "fd00::1"; null when it is none.
 *
 * Thread: any.   Errors: never.   Source: RFC 4291 2.2.
 */
export const parseAddress = (text: string): Uint8Array | null => {
  if (isIPv4(text)) return read4(text, 0, new Uint8Array(4), 0);
  if (isIPv6(text) && !text.includes("%")) return read6(text);
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
