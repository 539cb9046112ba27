/**
 * micro-memory — ring, routes, and what a message is. See micro.ts.
 */
import assert from "node:assert";
import { AllowedIps, type Owner } from "../src/control/peers/allowed-ips.ts";
import { SLOT_BYTES } from "../src/memory/layout.ts";
import { type Arena, makeArena, wordOf } from "../src/memory/region.ts";
import { claim, finish, ioTag, openRing, Poster } from "../src/memory/ring.ts";
import { publishRoutes } from "../src/memory/routes.ts";
import type { Cidr } from "../src/wire/cidr.ts";
import { INITIATION, messageKind } from "../src/wire/handshake.ts";
import { RouteLookup } from "../test/lab/route-lookup.ts";
import type { MicroTask } from "./micro.ts";
import { addressIn, makePrefix, SHAPES } from "./prefixes.ts";

/** Operations of one call: a clock is read before and after each call. */
const BATCH = 1_024;
const ROUTES = 100_000;
const PEERS = 1_000;
/** Addresses looked up in turn, 16 bytes each in a slot's place. */
const ADDRESSES = 65_536;

const batch = (name: string, unit: MicroTask["unit"], one: (i: number) => void): MicroTask => {
  let at = 0;
  const run = (): void => {
    for (let i = 0; i < BATCH; i++) one(at + i);
    at = (at + BATCH) % ADDRESSES;
  };
  return { name, cipher: null, count: BATCH, bytes: 0, unit, run };
};

/** Post, claim, finish and retire one job, in one thread. */
export const ringTasks = (arena: Arena): MicroTask[] => {
  const ring = openRing(arena, 0);
  const poster = new Poster(ring);
  const tag = ioTag(0);
  return [
    batch("ring: post, claim, finish, retire", "job", () => {
      poster.post();
      finish(ring, claim(ring, tag), tag);
      poster.retire();
    }),
    batch("ring: append and retire, as inline", "job", () => {
      poster.append();
      poster.retire();
    }),
  ];
};

const giveAll = (entries: readonly { readonly cidr: Cidr; readonly owner: Owner }[]): void => {
  const allowed = new AllowedIps<Owner>();
  for (const { cidr, owner } of entries) allowed.give(owner, cidr);
};

/** 100,000 prefixes: random addresses within them, and what control does before and after. */
export const routeTasks = (): MicroTask[] =>
  ([4, 6] as const).flatMap((version) =>
    SHAPES.flatMap((shape): MicroTask[] => {
      const arena = makeArena({ ioThreads: 1, workers: 0, peers: 1, routes: ROUTES });
      const cidrs = Array.from({ length: ROUTES }, (_, i) => makePrefix(shape, version, i));
      const entries = cidrs.map((cidr, i) => ({ cidr, owner: { entry: i % PEERS } }));
      publishRoutes(arena, entries);
      const table = new RouteLookup(arena);
      const first = wordOf(arena, "slots", SLOT_BYTES, 0);
      for (let i = 0; i < ADDRESSES; i++) {
        arena.u32.set(addressIn(cidrs[(i * 7_919) % ROUTES]!), first + 4 * i);
      }
      const results = new Uint8Array(4 * BATCH);
      let at = 0;
      const run = (): void => {
        table.findAll(version, first + 4 * at, BATCH, results);
        at = (at + BATCH) % ADDRESSES;
      };
      const what = `IPv${version}, 100,000 ${shape}`;
      const name = `route, ${what}, random`;
      const after = (): void => assert(results.some((byte) => byte !== 0));
      const whole = { cipher: null, count: ROUTES, bytes: 0, unit: "prefix" } as const;
      return [
        { name, cipher: null, count: BATCH, bytes: 0, unit: "look-up", run, after },
        { ...whole, name: `routes given, ${what}`, run: () => giveAll(entries) },
        { ...whole, name: `routes published, ${what}`, run: () => publishRoutes(arena, entries) },
      ];
    }),
  );

/** What a handshake message is, by type and length. */
export const parseTasks = (): MicroTask[] => {
  const message = new Uint8Array(INITIATION.bytes);
  message[0] = 1;
  let found = 0;
  const task = batch("parse: kind of a handshake message", "datagram", () => {
    found += messageKind(message) === null ? 0 : 1;
  });
  return [{ ...task, after: () => assert(found !== 0) }];
};
