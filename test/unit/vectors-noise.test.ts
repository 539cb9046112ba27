/**
 * vectors-noise — Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s as another implementation computed it.
 *
 * WireGuard's identifier is Noise's prologue, its static key and timestamp are the payloads' place;
 * so the vector runs through the transcript's own functions, token by token, at both ends.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import sodium from "sodium-native";
import {
  begin,
  CHACHA20_POLY1305,
  mixEphemeral,
  mixKey,
  mixPresharedKey,
  mixProduct,
  open,
  publicKeyOf,
  seal,
  split,
  type Transcript,
  x25519,
} from "../../src/control/transcript.ts";
import { hex } from "./noise-parties.ts";
import { bytesOf, noVectors, vectors } from "./vectors.ts";

const FILE = "cacophony.txt";
const KEY_BYTES = 32;
const TAG_BYTES = 16;

interface Vector {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly resp_prologue: string;
  readonly init_psks: readonly [string];
  readonly init_static: string;
  readonly init_ephemeral: string;
  readonly init_remote_static: string;
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly handshake_hash: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

const ours = (): Vector[] =>
  vectors<{ readonly vectors: Vector[] }>(FILE).vectors.filter(
    ({ protocol_name }) => protocol_name === CHACHA20_POLY1305.construction,
  );

const start = (vector: Vector): Transcript => {
  const identifier = Buffer.from(vector.init_prologue, "hex").toString("latin1");
  const suite = { ...CHACHA20_POLY1305, identifier };
  return begin(suite, bytesOf(vector.init_remote_static));
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
const transport = (key: Uint8Array, counter: number, plain: Uint8Array): Uint8Array => {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(4, counter, true);
  const out = new Uint8Array(plain.length + TAG_BYTES);
  sodium.crypto_aead_chacha20poly1305_ietf_encrypt(out, plain, null, null, nonce, key);
  return out;
};

const checkTransport = (vector: Vector, [first, second]: [Uint8Array, Uint8Array]): void => {
  vector.messages.slice(2).forEach(({ payload, ciphertext }, i) => {
    const key = i % 2 === 0 ? first : second;
    assert.equal(hex(transport(key, i >> 1, bytesOf(payload))), ciphertext, `message ${i + 2}`);
  });
};

test("the initiator's messages and keys", { skip: noVectors(FILE) }, () => {
  for (const vector of ours()) {
    const [ephemeral, own] = [bytesOf(vector.init_ephemeral), bytesOf(vector.init_static)];
    const remote = bytesOf(vector.init_remote_static);
    const psk = bytesOf(vector.init_psks[0]);
    const [one, two] = vector.messages;
    const transcript = start(vector);
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
    const opened = open(transcript, mixPresharedKey(transcript, psk), rest!);
    assert.equal(hex(opened!), two!.payload);
    assert.equal(hex(transcript.hash), vector.handshake_hash);
    checkTransport(vector, split(transcript));
  }
});

test("the responder's messages and keys", { skip: noVectors(FILE) }, () => {
  for (const vector of ours()) {
    const [ephemeral, own] = [bytesOf(vector.resp_ephemeral), bytesOf(vector.resp_static)];
    assert.equal(hex(publicKeyOf(own)), vector.init_remote_static);
    const psk = bytesOf(vector.init_psks[0]);
    const [one, two] = vector.messages;
    const transcript = start(vector);
    const [call, name, rest] = cut(bytesOf(one!.ciphertext), KEY_BYTES, KEY_BYTES + TAG_BYTES);
    mixEphemeral(transcript, call!);
    const remote = open(transcript, keyAfter(transcript, x25519(own, call!)), name!);
    assert.equal(hex(remote!), hex(publicKeyOf(bytesOf(vector.init_static))));
    const payload = open(transcript, keyAfter(transcript, x25519(own, remote!)), rest!);
    assert.equal(hex(payload!), one!.payload);

    const point = publicKeyOf(ephemeral);
    mixEphemeral(transcript, point);
    assert.ok(mixProduct(transcript, x25519(ephemeral, call!)));
    assert.ok(mixProduct(transcript, x25519(ephemeral, remote!)));
    const key = mixPresharedKey(transcript, psk);
    const answer = sealed(transcript, key, bytesOf(two!.payload));
    assert.equal(hex(point) + hex(answer), two!.ciphertext);
    assert.equal(hex(transcript.hash), vector.handshake_hash);
    checkTransport(vector, split(transcript));
  }
});

test("the file holds WireGuard's pattern, with prologue, payloads and both directions", {
  skip: noVectors(FILE),
}, () => {
  const all = ours();
  assert.ok(all.length >= 1);
  for (const vector of all) {
    assert.equal(vector.messages.length, 6);
    assert.equal(vector.init_prologue, vector.resp_prologue);
  }
});
