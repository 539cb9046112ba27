/**
 * ciphers — is AES-256-GCM to be had on this host, and is it faster than ChaCha20-Poly1305?
 *
 * Both seal and open full packets as the data path does, on a small memory of their own, in turn;
 * the quickest round of each counts, since whatever else the machine does only makes one slower.
 * Takes some milliseconds. Thread: main, before it attaches the engine's memory.
 */
import type { AesFound } from "./control/handshake/suites.ts";
import { openChaCha } from "./crypto/open.ts";
import { sealChaCha } from "./crypto/seal.ts";
import { Segments } from "./crypto/segments.ts";
import { addon } from "./io/native/addon.ts";
import {
  JOB,
  JOB_KIND,
  SEGMENT_OVERHEAD_BYTES,
  SESSION,
  SLOT_BYTES,
  SUITE,
} from "./memory/layout.ts";
import { writeMtu } from "./memory/mtu.ts";
import { fieldWord, makeArena, regionTables, wordOf } from "./memory/region.ts";

/** Tuning: full packets at the default MTU, as many as keep one round well under a millisecond. */
const PACKET_BYTES = 1_424;
const PACKETS = 16;
const ROUNDS = 24;

/** One round of one way, in milliseconds; a round that did not work takes for ever. */
const timed = (work: () => boolean): number => {
  const startMs = addon.bootMs();
  return work() ? addon.bootMs() - startMs : Number.POSITIVE_INFINITY;
};

/** A job of full packets in the first slot, which is never posted. */
const stage = (): { readonly segments: Segments; readonly word: number } => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 1, routes: 16 });
  const { bases, counts } = regionTables(arena);
  addon.attach(arena.u8, bases, counts);
  writeMtu(arena, PACKET_BYTES);
  const word = wordOf(arena, "jobs", JOB.size, 0);
  const bytes = PACKET_BYTES + SEGMENT_OVERHEAD_BYTES;
  const row = { kind: JOB_KIND.seal, count: PACKETS, segmentBytes: bytes, lastBytes: bytes };
  for (const [name, value] of Object.entries(row)) {
    arena.u32[word + fieldWord(JOB.fields[name as keyof typeof row])] = value;
  }
  const session = wordOf(arena, "sessions", SESSION.size, 0) * 4;
  for (const { at } of [SESSION.fields.sendKey, SESSION.fields.receiveKey]) {
    arena.u8.fill(7, session + at, session + at + 32);
  }
  const segments = new Segments(arena);
  arena.u8.fill(0, segments.slotByte(0), segments.slotByte(0) + SLOT_BYTES);
  return { segments, word };
};

/** Times both ways. True: AES-256-GCM was the quicker one. */
const race = (): boolean => {
  const { segments, word } = stage();
  const { u32 } = segments.arena;
  const suite = word + fieldWord(JOB.fields.suite);
  let chacha = Number.POSITIVE_INFINITY;
  let aes = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    u32[suite] = SUITE.chacha20poly1305;
    const one = timed(() => {
      sealChaCha(segments, word);
      openChaCha(segments, word);
      return u32[word + fieldWord(JOB.fields.failedLow)] === 0;
    });
    u32[suite] = SUITE.aes256gcm;
    const other = timed(() => addon.seal(0) >= 0 && addon.open(0) >= 0);
    chacha = Math.min(chacha, one);
    aes = Math.min(aes, other);
  }
  return aes < chacha;
};

/** What this host's AES-256-GCM is good for. Leaves a memory of its own attached to the addon. */
export const findAes = (): AesFound => {
  const { openssl, aesHardware } = addon.cryptoProbe();
  const usable = openssl !== "" && aesHardware;
  return { usable, faster: usable && race() };
};
