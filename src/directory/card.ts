/**
 * card — KNOCK and CARD: who is there, and a ticket for whoever gets what goes to this address.
 * Pure.
 *
 * A card's signature is over keys alone, so it is made once, and a KNOCK costs two hashes. That its
 * sender holds the handshake key is shown by the channel that opens, not by the card.
 *
 * Source: docs/PROTOCOL.md, "Channels: types 10 and 14"; security.md 22. Thread: any.
 */
import sodium from "sodium-native";
import { sign, verify } from "../members/sign.ts";
import { equal } from "../noise/mac.ts";
import {
  CARD,
  CHANNEL_KIND,
  KNOCK,
  KNOCK_BYTES,
  makeDatagram,
  type PROOF,
} from "../wire/channel.ts";
import { field } from "../wire/handshake.ts";

const KNOCK_TAG_BYTES = 16;

/** What proves a KNOCK. */
export interface KnockProof {
  readonly proof: (typeof PROOF)[keyof typeof PROOF];
  /** Lowest byte of the secret's epoch, or zero. */
  readonly low: number;
  /** 32 bytes; null: nothing is proved, and the tag is zero. */
  readonly key: Uint8Array | null;
}

/** BLAKE2b-128, keyed, over all but the tag. */
const tagOf = (knock: Uint8Array, key: Uint8Array): Uint8Array => {
  const covered = new Uint8Array(KNOCK_BYTES - KNOCK_TAG_BYTES);
  covered.set(knock.subarray(0, KNOCK.tag.at));
  covered.set(knock.subarray(KNOCK.tag.at + KNOCK_TAG_BYTES), KNOCK.tag.at);
  const tag = new Uint8Array(KNOCK_TAG_BYTES);
  sodium.crypto_generichash(tag, covered, key);
  return tag;
};

/** Units: `networkId` of 16 bytes, `name` of 16 random ones. */
export const makeKnock = (
  networkId: Uint8Array,
  name: Uint8Array,
  { proof, low, key }: KnockProof,
): Uint8Array => {
  const knock = makeDatagram(CHANNEL_KIND.knock, KNOCK_BYTES);
  knock[KNOCK.proof.at] = proof;
  knock[KNOCK.low.at] = low;
  knock.set(networkId, KNOCK.networkId.at);
  knock.set(name, KNOCK.name.at);
  if (key !== null) knock.set(tagOf(knock, key), KNOCK.tag.at);
  return knock;
};

/** Was it made by somebody who has the key? In constant time. */
export const knockProved = (knock: Uint8Array, key: Uint8Array): boolean =>
  equal(tagOf(knock, key), field(knock, KNOCK.tag));

/** Whom a card names. */
export interface CardKeys {
  readonly nodeKey: Uint8Array;
  readonly handshakeKey: Uint8Array;
}

/** A card but for ticket and name, which change. `signingKey`: the node's, 64 bytes. */
export const makeCard = (
  networkId: Uint8Array,
  { nodeKey, handshakeKey }: CardKeys,
  signingKey: Uint8Array,
): Uint8Array => {
  const card = makeDatagram(CHANNEL_KIND.card, KNOCK_BYTES);
  card.set(nodeKey, CARD.nodeKey.at);
  card.set(handshakeKey, CARD.handshakeKey.at);
  const said = Buffer.concat([nodeKey, handshakeKey]);
  card.set(sign("card", networkId, said, signingKey), CARD.signature.at);
  return card;
};

/** The answer to a KNOCK. Borrows: all three. */
export const answerKnock = (
  card: Uint8Array,
  knock: Uint8Array,
  ticket: Uint8Array,
): Uint8Array => {
  const answer = card.slice();
  answer.set(ticket, CARD.ticket.at);
  answer.set(field(knock, KNOCK.name), CARD.name.at);
  return answer;
};

/** Keys of a card whose signature holds; null: it does not. Borrows: views. */
export const readCard = (card: Uint8Array, networkId: Uint8Array): CardKeys | null => {
  const nodeKey = field(card, CARD.nodeKey);
  const handshakeKey = field(card, CARD.handshakeKey);
  const said = Buffer.concat([nodeKey, handshakeKey]);
  const signed = verify("card", networkId, said, field(card, CARD.signature), nodeKey);
  return signed ? { nodeKey, handshakeKey } : null;
};
