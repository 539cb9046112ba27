/**
 * micro-intro — what one INTRO of a stranger, of somebody who was thrown out, and of a member costs
 * control. See micro.ts.
 */
import assert from "node:assert";
import { randomBytes } from "node:crypto";
import { type EpochSecret, Epochs } from "../src/control/network/epochs.ts";
import { Intro } from "../src/control/network/intro.ts";
import { STRANGE_RATES } from "../src/control/network/strange-budgets.ts";
import { sealIntro, sealWho } from "../src/control/network/strange-seal.ts";
import { mac } from "../src/control/strangers/hashes.ts";
import { NO_TICKET } from "../src/control/strangers/tickets.ts";
import {
  certificateProblem,
  decodeCertificate,
  encodeCertificate,
} from "../src/members/certificate.ts";
import { decodeDefinition, encodeDefinition, firstChain } from "../src/members/definition.ts";
import { decodeRecord, encodeRecord, recordSigned } from "../src/members/record.ts";
import { derive } from "../src/members/secret.ts";
import { signingPair } from "../src/members/sign.ts";
import { identityFromSeed } from "../src/schema/identity.ts";
import { parseCidr } from "../src/wire/cidr.ts";
import { INTRO, INTRO_BYTES, type Pair } from "../src/wire/intro.ts";
import { makeSockaddr } from "../src/wire/sockaddr.ts";
import type { MicroTask } from "./micro.ts";

const BATCH = 64;
/** INTROs in turn: when the first comes again, it is forgotten that it was there (intro.ts). */
const MADE = 4_096;
const NOW_S = 1_800_000_000;
const DAY_S = 86_400;
const FROM = makeSockaddr(Uint8Array.of(192, 0, 2, 9), 51_820);
const NO_LOCAL = new Uint8Array(0);
const SECRET: EpochSecret = { epoch: 1, secret: new Uint8Array(32).fill(1) };
/** No budget is in the way of measuring. */
const ALL = { perSecond: 1e9, burst: 1e9 };
const RATES = {
  ...STRANGE_RATES,
  ...Object.fromEntries(Object.keys(STRANGE_RATES).map((k) => [k, ALL])),
};

const authority = signingPair(new Uint8Array(32).fill(2));
const definition = (() => {
  const cidrs = [parseCidr("10.66.0.0/16")!];
  const fields = { name: "lab", sequence: 1, issuedS: NOW_S, cidrs };
  const chain = firstChain(authority.publicKey);
  const decoded = decodeDefinition(encodeDefinition(fields, chain, authority.secretKey));
  if (!decoded.ok) throw new Error(decoded.why);
  return decoded.value;
})();

const seed = new Uint8Array(32).fill(3);
const node = signingPair(seed);
const keys = identityFromSeed(seed);

const pair = ((): Pair => {
  const { networkId } = definition;
  const certificate = encodeCertificate(
    {
      flags: 0,
      serial: 1,
      nodeKey: node.publicKey,
      handshakeKey: keys.publicKey,
      notBeforeS: NOW_S,
      notAfterS: NOW_S + DAY_S,
      name: "laptop",
      addresses: [Uint8Array.of(10, 66, 0, 2)],
      routes: [],
      groups: [],
      signer: { by: "authority", authority: 0 },
    },
    networkId,
    authority.secretKey,
  );
  const head = {
    epoch: 1,
    nodeKey: node.publicKey,
    certificateHash: new Uint8Array(16),
    sequence: 1,
    issuedS: NOW_S,
    expiresS: NOW_S + DAY_S,
  };
  const content = { startId: new Uint8Array(16), suites: 3, candidates: [], announced: [] };
  const recordKey = derive(SECRET.secret, "record");
  const by = { networkId, secretKey: node.secretKey, recordKey, nonce: randomBytes(24) };
  return { certificate, record: encodeRecord(head, content, by) };
})();

/** Somebody who is called; `revoked`: it knows the caller as one who was thrown out. */
const makeCalled = (revoked: boolean) => {
  const sent: Uint8Array[] = [];
  const counts = new Map<string, number>();
  const intro = new Intro<object>(
    {
      world: {
        random: Math.random,
        randomBytes: (bytes) => randomBytes(bytes),
        mac,
        sendDatagram: (datagram) => {
          sent[0] = datagram;
          return true;
        },
        isUnknownNeighbour: () => false,
        callAgain: () => undefined,
        count: (what) => counts.set(what, (counts.get(what) ?? 0) + 1),
      },
      own: () => pair,
      handshakeKey: keys,
      secrets: () => [SECRET],
      alone: () => true,
      introduced: ({ certificate, record }) => {
        const decoded = decodeCertificate(certificate);
        if (!decoded.ok || revoked) return null;
        const view = decodeRecord(record);
        const good =
          view.ok &&
          certificateProblem(decoded.value, definition) === null &&
          recordSigned(view.value, definition.networkId);
        return good ? {} : null;
      },
    },
    RATES,
  );
  return { intro, sent, counts };
};

const epochs = new Epochs();
epochs.hold([SECRET]);
const epoch = epochs.newest!;

/** INTROs, each with an ephemeral of its own. */
const makeIntros = (ticket: Uint8Array): Uint8Array[] =>
  Array.from({ length: MADE }, () => {
    const parts = { keys: epoch, pair, receiver: keys.publicKey, ticket };
    return sealIntro({ ...parts, ephemeralSecret: randomBytes(32) }, mac)!;
  });

/** `counted`: what has to be counted, so that the way that is measured was gone to its end. */
const task = (
  what: string,
  counted: string | null,
  make: (ticket: Uint8Array) => readonly Uint8Array[],
  revoked = false,
): MicroTask => {
  const { intro, sent, counts } = makeCalled(revoked);
  intro.datagram(sealWho(epoch, randomBytes(32), NO_TICKET, mac), FROM, NO_LOCAL, 1);
  const ticket = sent[0]!.subarray(INTRO.ticket.at, INTRO.ticket.at + 16);
  let made: readonly Uint8Array[] | null = null;
  let at = 0;
  const run = (): void => {
    made ??= make(ticket);
    const datagrams = made;
    for (let i = 0; i < BATCH; i++) intro.datagram(datagrams[at + i]!, FROM, NO_LOCAL, 1);
    at = (at + BATCH) % datagrams.length;
  };
  const after = (): void => {
    counts.delete("whosAnswered");
    assert.deepEqual([...counts.keys()], counted === null ? [] : [counted]);
  };
  const base = { cipher: null, count: BATCH, bytes: 0, unit: "datagram" } as const;
  return { ...base, name: `INTRO, ${what}`, run, after };
};

const junk = (fill: (bytes: Uint8Array) => void): readonly Uint8Array[] =>
  Array.from({ length: MADE }, () => {
    const datagram = new Uint8Array(INTRO_BYTES);
    fill(datagram);
    datagram.set([9, 0, 0, 0, 0, 1, 0, 0]);
    return datagram;
  });

/** In the order in which they are refused. */
export const introTasks = (): MicroTask[] => [
  task("no kind", "introInvalid", () =>
    Array.from({ length: MADE }, () => new Uint8Array(INTRO_BYTES)),
  ),
  task("no tag", "introTag", () => junk((bytes) => bytes.set(randomBytes(INTRO_BYTES)))),
  task("tag, no ticket: CHALLENGE", "introChallenged", () => makeIntros(NO_TICKET)),
  task("tag and ticket, revoked", null, makeIntros, true),
  task("of a member", "introsTaken", makeIntros),
];
