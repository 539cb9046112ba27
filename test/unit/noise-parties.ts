/** noise-parties — two parties with fixed keys, and a message of each, for the noise tests. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  createInitiation,
  createResponse,
  mac1Key,
  type StaticKeys,
  staticKeys,
} from "../../src/control/handshake/noise.ts";
import { CHACHA20_POLY1305, type Suite } from "../../src/noise/transcript.ts";
import { before, field, type Range } from "../../src/wire/handshake.ts";
import { tai64n } from "../../src/wire/tai64n.ts";
import { consumeInitiation } from "../lab/consume-initiation.ts";
import * as oracle from "./noise-oracle.ts";

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
/** Fixed bytes, so that a failure can be repeated. */
export const fixed = (label: string): Uint8Array =>
  new Uint8Array(createHash("sha256").update(label).digest());
/** The same, as many as asked for. */
export const fixedBytes = (label: string, bytes: number): Uint8Array =>
  new Uint8Array(createHash("shake256", { outputLength: bytes }).update(label).digest());
export const mac = oracle.mac;
export const TIMESTAMP = tai64n(Date.UTC(2026, 0, 1));
export const PSK = fixed("psk");

export interface Party {
  readonly keys: StaticKeys;
  readonly seed: Uint8Array;
  readonly index: number;
}
export const A: Party = { keys: staticKeys(fixed("A")), seed: fixed("eA"), index: 0x01020304 };
export const B: Party = { keys: staticKeys(fixed("B")), seed: fixed("eB"), index: 0xa0b0c0d0 };

export const initiate = (from = A, to = B, suite: Suite = CHACHA20_POLY1305) =>
  createInitiation({
    suite,
    local: from.keys,
    remotePublicKey: to.keys.publicKey,
    ephemeralSeed: from.seed,
    senderIndex: from.index,
    timestamp: TIMESTAMP,
    mac,
  });

export const answer = (
  datagram: Uint8Array,
  presharedKey: Uint8Array | null = null,
  suite: Suite = CHACHA20_POLY1305,
) => {
  const consumed = consumeInitiation({ suite, local: B.keys, datagram, mac });
  assert.ok(consumed.ok);
  return createResponse({
    state: consumed.state,
    presharedKey,
    ephemeralSeed: B.seed,
    senderIndex: B.index,
    mac,
  });
};

/** Recomputes mac1, so that a forged message gets past it. */
export const remac = (datagram: Uint8Array, range: Range, to: Uint8Array): Uint8Array => {
  field(datagram, range).set(mac(mac1Key(to), before(datagram, range)));
  return datagram;
};
