/**
 * tai64n — the initiation's timestamp, which only has to grow.
 *
 *     u64  2^62 + TAI seconds   big-endian
 *     u32  nanoseconds          big-endian, 0 to 999,999,999
 *
 * Labels are compared as byte strings. A received label is compared with the last one accepted
 * from that peer and never with a clock (security.md 28). Nanoseconds are multiples of 2^24, so
 * that a label does not tell how long a handshake took to compute.
 *
 * Source: WireGuard paper 5.1; D. J. Bernstein, cr.yp.to/libtai/tai64.html.
 */

export const TIMESTAMP_BYTES = 12;

/** Labels are this far apart, about 16.8 ms. Measured in nanoseconds. */
export const STEP_NS = 2 ** 24;

const SECOND_NS = 1_000_000_000;
/** Label of the Unix epoch; WireGuard keeps TAI's ten seconds of 1970 and no leap seconds. */
const EPOCH = 2n ** 62n + 10n;

const encode = (label: bigint, nanoseconds: number): Uint8Array => {
  const bytes = new Uint8Array(TIMESTAMP_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, label);
  view.setUint32(8, nanoseconds);
  return bytes;
};

/**
 * The label of a wall-clock time, rounded down to STEP_NS.
 *
 * Units: `unixMs` in milliseconds since 1970; before that counts as 1970.   Thread: any.
 */
export const tai64n = (unixMs: number): Uint8Array => {
  const ms = Math.max(0, unixMs);
  const seconds = Math.floor(ms / 1000);
  const nanoseconds = Math.floor((ms - seconds * 1000) * 1e6);
  return encode(EPOCH + BigInt(seconds), nanoseconds - (nanoseconds % STEP_NS));
};

/** Below 0, 0 or above 0, as `a` is older than, equal to, or newer than `b`. */
export const compareTai64n = (a: Uint8Array, b: Uint8Array): number => {
  for (let i = 0; i < TIMESTAMP_BYTES; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
};

/** The label STEP_NS after another; carries into the seconds. */
export const laterTai64n = (last: Uint8Array): Uint8Array => {
  const view = new DataView(last.buffer, last.byteOffset, last.byteLength);
  const nanoseconds = view.getUint32(8) + STEP_NS;
  return nanoseconds < SECOND_NS
    ? encode(view.getBigUint64(0), nanoseconds)
    : encode(view.getBigUint64(0) + 1n, 0);
};

/**
 * The label to send: max(now, last + STEP_NS), so that a clock set back does not lock us out.
 * `last` is the label sent last, or null.
 */
export const nextTai64n = (last: Uint8Array | null, unixMs: number): Uint8Array => {
  const now = tai64n(unixMs);
  if (last === null) return now;
  const later = laterTai64n(last);
  return compareTai64n(now, later) >= 0 ? now : later;
};
