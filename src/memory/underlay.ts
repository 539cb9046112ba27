/**
 * underlay — what C and control must know to tell the network from our own tunnel: nothing of ours
 * goes into it, nothing for us comes out of it (security.md 37; io_own.c).
 */
import { sockaddrInterface } from "../wire/sockaddr.ts";
import { ENGINE } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

const fieldOf = (arena: Arena, name: "tunIndex" | "ownPort"): number =>
  wordOf(arena, "engine", ENGINE.size, 0) + fieldWord(ENGINE.fields[name]);

/**
 * The tunnel interface among those of our sockets; 0: it is in another namespace, where its index
 * may be somebody else's here. Thread: main before others start, then control.
 */
export const setTunIndex = (arena: Arena, index: number): void => {
  Atomics.store(arena.u32, fieldOf(arena, "tunIndex"), index);
};

/** Source port of our datagrams; 0: none of them can come out of the device. Thread: control. */
export const setOwnPort = (arena: Arena, port: number): void => {
  Atomics.store(arena.u32, fieldOf(arena, "ownPort"), port);
};

/** Did a datagram arrive through the tunnel itself? `local`: as it was received, with interface. */
export const cameInside = (arena: Arena, local: Uint8Array): boolean => {
  const index = sockaddrInterface(local);
  return index !== 0 && index === Atomics.load(arena.u32, fieldOf(arena, "tunIndex"));
};
