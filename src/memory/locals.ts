/**
 * locals — addresses of the tunnel interface: packets to them are not forwarded, so the AEAD
 * vouches for their checksums (security.md 6).
 */
import type { Cidr } from "../wire/cidr.ts";
import { ENGINE, LOCAL, LOCAL_ADDRESSES } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

/**
 * Writes the list; addresses beyond LOCAL_ADDRESSES are left out, which costs checking their
 * checksums and nothing else. Thread: main before others start, then control.
 */
export const setLocals = (arena: Arena, addresses: readonly Cidr[]): void => {
  const { u32 } = arena;
  const count = wordOf(arena, "engine", ENGINE.size, 0) + fieldWord(ENGINE.fields.localCount);
  const listed = addresses.slice(0, LOCAL_ADDRESSES);
  // Nobody may take a half-written address for one of ours.
  Atomics.store(u32, count, 0);
  for (const [i, { version, bytes }] of listed.entries()) {
    const word = wordOf(arena, "locals", LOCAL.size, i);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    u32[word + fieldWord(LOCAL.fields.version)] = version;
    for (let w = 0; w < 4; w++) {
      const value = 4 * w < bytes.length ? view.getUint32(4 * w) : 0;
      u32[word + fieldWord(LOCAL.fields.address) + w] = value;
    }
  }
  Atomics.store(u32, count, listed.length);
};
