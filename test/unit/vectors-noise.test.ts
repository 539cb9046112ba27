/**
 * vectors-noise — Noise_IKpsk2_25519 with BLAKE2s and either cipher, as others computed it.
 *
 * WireGuard's identifier is Noise's prologue, its static key and timestamp are the payloads' place;
 * so a vector runs through the transcript's own functions, token by token, at both ends.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gcm } from "@noble/ciphers/aes.js";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import {
  AES_256_GCM,
  begin,
  CHACHA20_POLY1305,
  mixEphemeral,
  mixKey,
  mixPresharedKey,
  mixProduct,
  open,
  publicKeyOf,
  type Suite,
  seal,
  split,
  type Transcript,
  x25519,
} from "../../src/noise/transcript.ts";
import { hex } from "./noise-parties.ts";
import { bytesOf, noVectors, ownVectors, vectors } from "./vectors.ts";

const FILE = "cacophony.txt";
const KEY_BYTES = 32;
const TAG_BYTES = 16;

/** All in hexadecimal. */
interface Vector {
  readonly prologue: string;
  readonly presharedKey: string;
  readonly initiatorStatic: string;
  readonly initiatorEphemeral: string;
  readonly responderStatic: string;
  readonly responderEphemeral: string;
  /** Null: it is not told. */
  readonly hash: string | null;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

/** As snow keeps it. */
interface Cacophony {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly resp_prologue: string;
  readonly init_psks: readonly [string];
  readonly init_static: string;
  readonly init_ephemeral: string;
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly handshake_hash: string;
  readonly messages: Vector["messages"];
}

const flynn = (suite: Suite): Vector[] => {
  const name = suite === AES_256_GCM ? "noise-aes.json" : "noise.json";
  const file = ownVectors<{ readonly protocol: string; readonly vectors: Omit<Vector, "hash">[] }>(
    name,
  );
  assert.equal(file.protocol, suite.construction);
  return file.vectors.map((vector) => ({ ...vector, hash: null }));
};

const cacophony = (suite: Suite): Vector[] =>
  vectors<{ readonly vectors: Cacophony[] }>(FILE)
    .vectors.filter(({ protocol_name }) => protocol_name === suite.construction)
    .map((one) => ({
      prologue: one.init_prologue,
      presharedKey: one.init_psks[0],
      initiatorStatic: one.init_static,
      initiatorEphemeral: one.init_ephemeral,
      responderStatic: one.resp_static,
      responderEphemeral: one.resp_ephemeral,
      hash: one.handshake_hash,
      messages: one.messages,
    }));

const start = (of: Suite, { prologue, responderStatic }: Vector): Transcript => {
  const identifier = Buffer.from(prologue, "hex").toString("latin1");
  const suite = { ...of, identifier };
  return begin(suite, publicKeyOf(bytesOf(responderStatic)));
};

/** The key after a product was mixed in. */
const keyAfter = (transcript: Transcript, product: Uint8Array | null): Uint8Array =>
  mixKey(transcript, product!, 2)[0]!;

const sealed = (transcript: Transcript, key: Uint8Array, plain: Uint8Array): Uint8Array => {
  const out = new Uint8Array(plain.length + TAG_BYTES);
  seal(transcript, key, plain, out);
  return out;
};

/** Cuts a message at the lengths of its fields; the last one takes the rest. */
const cut = (message: Uint8Array, ...lengths: number[]): Uint8Array[] => {
  const fields: Uint8Array[] = [];
  let at = 0;
  for (const length of lengths) {
    fields.push(message.slice(at, at + length));
    at += length;
  }
  return [...fields, message.slice(at)];
};

/** Transport messages: counters from 0 on, no associated data. */
const transport = (
  suite: Suite,
  key: Uint8Array,
  counter: number,
  plain: Uint8Array,
): Uint8Array => {
  const aes = suite === AES_256_GCM;
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(4, BigInt(counter), !aes);
  return (aes ? gcm : chacha20poly1305)(key, nonce).encrypt(plain);
};

const checkTransport = (
  suite: Suite,
  vector: Vector,
  [first, second]: [Uint8Array, Uint8Array],
): void => {
  vector.messages.slice(2).forEach(({ payload, ciphertext }, i) => {
    const key = i % 2 === 0 ? first : second;
    assert.equal(
      hex(transport(suite, key, i >> 1, bytesOf(payload))),
      ciphertext,
      `message ${i + 2}`,
    );
  });
};

const checkHash = (transcript: Transcript, { hash }: Vector): void => {
  if (hash !== null) assert.equal(hex(transcript.hash), hash);
};

const checkInitiator = (suite: Suite, vector: Vector): void => {
  const [ephemeral, own] = [bytesOf(vector.initiatorEphemeral), bytesOf(vector.initiatorStatic)];
  const remote = publicKeyOf(bytesOf(vector.responderStatic));
  const [one, two] = vector.messages;
  const transcript = start(suite, vector);
  const point = publicKeyOf(ephemeral);
  mixEphemeral(transcript, point);
  const staticKey = keyAfter(transcript, x25519(ephemeral, remote));
  const name = sealed(transcript, staticKey, publicKeyOf(own));
  const payloadKey = keyAfter(transcript, x25519(own, remote));
  const payload = sealed(transcript, payloadKey, bytesOf(one!.payload));
  assert.equal(hex(point) + hex(name) + hex(payload), one!.ciphertext);

  const [answer, rest] = cut(bytesOf(two!.ciphertext), KEY_BYTES);
  mixEphemeral(transcript, answer!);
  assert.ok(mixProduct(transcript, x25519(ephemeral, answer!)));
  assert.ok(mixProduct(transcript, x25519(own, answer!)));
  const key = mixPresharedKey(transcript, bytesOf(vector.presharedKey));
  assert.equal(hex(open(transcript, key, rest!)!), two!.payload);
  checkHash(transcript, vector);
  checkTransport(suite, vector, split(transcript));
};

const checkResponder = (suite: Suite, vector: Vector): void => {
  const [ephemeral, own] = [bytesOf(vector.responderEphemeral), bytesOf(vector.responderStatic)];
  const [one, two] = vector.messages;
  const transcript = start(suite, vector);
  const [call, name, rest] = cut(bytesOf(one!.ciphertext), KEY_BYTES, KEY_BYTES + TAG_BYTES);
  mixEphemeral(transcript, call!);
  const remote = open(transcript, keyAfter(transcript, x25519(own, call!)), name!);
  assert.equal(hex(remote!), hex(publicKeyOf(bytesOf(vector.initiatorStatic))));
  const payload = open(transcript, keyAfter(transcript, x25519(own, remote!)), rest!);
  assert.equal(hex(payload!), one!.payload);

  const point = publicKeyOf(ephemeral);
  mixEphemeral(transcript, point);
  assert.ok(mixProduct(transcript, x25519(ephemeral, call!)));
  assert.ok(mixProduct(transcript, x25519(ephemeral, remote!)));
  const key = mixPresharedKey(transcript, bytesOf(vector.presharedKey));
  const answer = sealed(transcript, key, bytesOf(two!.payload));
  assert.equal(hex(point) + hex(answer), two!.ciphertext);
  checkHash(transcript, vector);
  checkTransport(suite, vector, split(transcript));
};

for (const [whose, given, suite, skip, messages] of [
  ["flynn/noise, ChaChaPoly", flynn, CHACHA20_POLY1305, false, 4],
  ["flynn/noise, AESGCM", flynn, AES_256_GCM, false, 4],
  ["cacophony, ChaChaPoly", cacophony, CHACHA20_POLY1305, noVectors(FILE), 6],
  ["cacophony, AESGCM", cacophony, AES_256_GCM, noVectors(FILE), 6],
] as const) {
  test(`${whose}: messages and keys of both ends`, { skip }, () => {
    const all = given(suite);
    assert.ok(all.length >= 1);
    for (const vector of all) {
      assert.equal(vector.messages.length, messages);
      checkInitiator(suite, vector);
      checkResponder(suite, vector);
    }
  });
}
