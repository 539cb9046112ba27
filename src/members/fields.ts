/**
 * fields — what several signed objects hold: names, addresses, prefixes, groups. Pure.
 *
 *   name, group   u8 length, then a label of a host name in lower case
 *   address       family u8 (4, 6), then 4 or 16 bytes
 *   prefix        family u8, bits u8, then the first ceil(bits / 8) bytes; host bits zero
 *
 * Each has one form only: what could be written otherwise is refused.
 */
import { type Cidr, parseCidr } from "../wire/cidr.ts";
import { compareBytes, type Reader, sameBytes, type Writer } from "./bytes.ts";

/** Protocol. */
export const GROUP_LENGTH_MAX = 31;
export const KEY_BYTES = 32;

/** A label of a host name in lower case, since members are answered under a suffix one day. */
export const isMemberName = (text: string): boolean =>
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text);

/** A group: such a label too, but shorter. */
export const isGroupName = (text: string): boolean =>
  text.length <= GROUP_LENGTH_MAX && isMemberName(text);

/** Reads a name. */
export const takeName = (reader: Reader, what = "name"): string => {
  const text = Buffer.from(reader.take(reader.u8())).toString("latin1");
  if (!isMemberName(text)) reader.fail(`its ${what} is none`);
  return text;
};

export const putName = (writer: Writer, text: string): void => {
  if (!isMemberName(text)) throw new RangeError(`${text} is no name`);
  writer.u8(text.length).put(Buffer.from(text, "latin1"));
};

/** Reads a family: 4 or 16 bytes of address; 4 when it is refused. */
export const takeFamily = (reader: Reader): 4 | 16 => {
  const family = reader.u8();
  if (family === 6) return 16;
  if (family !== 4) reader.fail(`there is no family ${family}`);
  return 4;
};

/** Reads an address. */
export const takeAddress = (reader: Reader): Uint8Array => reader.take(takeFamily(reader));

/** Family of an address. Errors: RangeError. */
export const familyOf = (address: Uint8Array): 4 | 6 => {
  if (address.length === 4) return 4;
  if (address.length === 16) return 6;
  throw new RangeError("this is no address");
};

export const putAddress = (writer: Writer, address: Uint8Array): void => {
  writer.u8(familyOf(address)).put(address);
};

/** Reads a prefix. */
export const takePrefix = (reader: Reader): Cidr => {
  const length = takeFamily(reader);
  const prefixLength = reader.u8();
  if (prefixLength > 8 * length) reader.fail(`a prefix has ${prefixLength} bits`);
  const some = reader.take(Math.min(length, (prefixLength + 7) >> 3));
  const bytes = new Uint8Array(length);
  bytes.set(some);
  const spare = 8 * some.length - prefixLength;
  if (spare > 0 && ((some.at(-1) ?? 0) & ((1 << spare) - 1)) !== 0) {
    reader.fail("a prefix has bits behind its length");
  }
  return { version: length === 4 ? 4 : 6, bytes, prefixLength };
};

export const putPrefix = (writer: Writer, { version, bytes, prefixLength }: Cidr): void => {
  const used = (prefixLength + 7) >> 3;
  writer.u8(version).u8(prefixLength).put(bytes.subarray(0, used), used);
};

/** Reads a list whose elements ascend, so that none is there twice. */
export const takeAscending = <Value>(
  reader: Reader,
  most: number,
  what: string,
  take: (reader: Reader) => Value,
  compare: (a: Value, b: Value) => number,
): Value[] => {
  const values: Value[] = [];
  const count = reader.count(most, what);
  for (let i = 0; i < count && reader.why === null; i++) {
    const value = take(reader);
    const last = values.at(-1);
    if (last !== undefined && compare(last, value) >= 0) reader.fail(`its ${what} do not ascend`);
    values.push(value);
  }
  return values;
};

/** The order of what is written: family, length, bytes. */
export const comparePrefixes = (a: Cidr, b: Cidr): number =>
  a.version - b.version || a.prefixLength - b.prefixLength || compareBytes(a.bytes, b.bytes);

/** Reads prefixes. */
export const takePrefixes = (reader: Reader, most: number, what: string): Cidr[] =>
  takeAscending(reader, most, what, takePrefix, comparePrefixes);

/** Writes prefixes, in their order. */
export const putPrefixes = (writer: Writer, prefixes: readonly Cidr[]): void => {
  writer.u8(prefixes.length);
  for (const one of [...prefixes].sort(comparePrefixes)) putPrefix(writer, one);
};

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const takeGroup = (reader: Reader): string => {
  const text = takeName(reader, "group");
  if (text.length > GROUP_LENGTH_MAX) reader.fail("its group is none");
  return text;
};

/** Reads groups. */
export const takeGroups = (reader: Reader, most: number): string[] =>
  takeAscending(reader, most, "groups", takeGroup, compareText);

/** Writes groups, in their order. */
export const putGroups = (writer: Writer, groups: readonly string[]): void => {
  writer.u8(groups.length);
  for (const one of [...groups].sort(compareText)) putName(writer, one);
};

/** Is `inner` all inside `outer`? */
export const prefixHolds = (outer: Cidr, inner: Cidr): boolean => {
  if (outer.version !== inner.version || outer.prefixLength > inner.prefixLength) return false;
  const whole = outer.prefixLength >> 3;
  if (!sameBytes(outer.bytes.subarray(0, whole), inner.bytes.subarray(0, whole))) return false;
  const rest = outer.prefixLength & 7;
  return (
    rest === 0 || ((outer.bytes[whole]! ^ inner.bytes[whole]!) & (0xff00 >> rest) & 0xff) === 0
  );
};

/** The prefix that is one address. */
export const hostPrefix = (bytes: Uint8Array): Cidr => ({
  version: bytes.length === 4 ? 4 : 6,
  bytes,
  prefixLength: 8 * bytes.length,
});

/** Is the prefix inside one of these? */
export const someHolds = (outers: readonly Cidr[], inner: Cidr): boolean =>
  outers.some((outer) => prefixHolds(outer, inner));

/** What belongs to nobody on the internet. Source: RFC 1918, 6598, 4193. */
export const PRIVATE: readonly Cidr[] = [
  ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"],
].map((text) => parseCidr(text)!);
