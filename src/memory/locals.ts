/**
 * locals — addresses of this host, as C looks them up.
 *
 * Of the tunnel interface: packets to them are not forwarded, so the AEAD vouches for their
 * checksums (security.md 6). Of the whole host: what comes from them out of the device with our
 * port is our own (underlay.ts).
 */
import type { Cidr } from "../wire/cidr.ts";
import { ENGINE, HOST_ADDRESSES, LOCAL, LOCAL_ADDRESSES } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

const write = (
  arena: Arena,
  region: "locals" | "hosts",
  count: "localCount" | "hostCount",
  addresses: readonly Cidr[],
): void => {
  const { u32 } = arena;
  const field = wordOf(arena, "engine", ENGINE.size, 0) + fieldWord(ENGINE.fields[count]);
  // Nobody may take a half-written address for one of ours.
  Atomics.store(u32, field, 0);
  for (const [i, { version, bytes }] of addresses.entries()) {
    const word = wordOf(arena, region, LOCAL.size, i);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    u32[word + fieldWord(LOCAL.fields.version)] = version;
    for (let w = 0; w < 4; w++) {
      const value = 4 * w < bytes.length ? view.getUint32(4 * w) : 0;
      u32[word + fieldWord(LOCAL.fields.address) + w] = value;
    }
  }
  Atomics.store(u32, field, addresses.length);
};

/**
 * Addresses of the tunnel interface; those beyond LOCAL_ADDRESSES are left out, which costs
 * checking their checksums and nothing else. Thread: main before others start, then control.
 */
export const setLocals = (arena: Arena, addresses: readonly Cidr[]): void =>
  write(arena, "locals", "localCount", addresses.slice(0, LOCAL_ADDRESSES));

/**
 * Addresses from which datagrams of ours may leave, the likeliest first; those beyond
 * HOST_ADDRESSES are left out. Thread: control.
 */
export const setHosts = (arena: Arena, addresses: readonly Cidr[]): void =>
  write(arena, "hosts", "hostCount", addresses.slice(0, HOST_ADDRESSES));
