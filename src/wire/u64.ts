/**
 * u64 — numbers of 64 bits below 2^53, little-endian, as members' frames have them. Pure.
 */

const TWO_32 = 2 ** 32;
const SAFE_HIGH = 2 ** 21;

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const setU64 = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, value % TWO_32, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
};

/** Infinity when it is not below 2^53. */
export const getU64 = (view: DataView, at: number): number => {
  const high = view.getUint32(at + 4, true);
  return high < SAFE_HIGH ? high * TWO_32 + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
};

export const isSafe = (value: number): boolean => value !== Number.POSITIVE_INFINITY;
