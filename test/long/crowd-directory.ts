/**
 * crowd-directory — some of a crowd's members publish, and look for each other, through dht-rpc in
 * their channels with the index node, and by questions to it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { DhtStore } from "../../src/directory/dht.ts";
import { type Name, nameOf } from "../../src/directory/names.ts";
import { PairChecker } from "../../src/directory/pairs.ts";
import { Records } from "../../src/directory/records.ts";
import type { Transport } from "../../src/directory/sockets.ts";
import type { Timer } from "../../src/directory/store.ts";
import { nodeTarget } from "../../src/directory/targets.ts";
import { sameBytes } from "../../src/members/bytes.ts";
import { parseNodeId } from "../../src/members/sign.ts";
import { DIRECTORY_TYPE } from "../../src/wire/channel.ts";
import { encodeAsk } from "../../src/wire/index-messages.ts";
import { LabError } from "../lab/lab.ts";
import { quantile } from "../lab/statistics.ts";
import type { CrowdMember } from "./crowd-member.ts";

/** A question or its answer may be lost: then it is asked again. */
const AGAIN_MS = 500;
const TIMES_MAX = 10;

const TIMER: Timer = {
  bootMs: () => performance.now(),
  after: (delayMs, act) => {
    const timer = setTimeout(act, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Median and worst. Units: milliseconds. */
export interface Waits {
  readonly median: number;
  readonly worst: number;
}

export interface Answers {
  readonly put: Waits;
  readonly get: Waits;
  readonly ask: Waits;
}

const waitsOf = (times: readonly number[]): Waits => ({
  median: quantile(times, 0.5),
  worst: quantile(times, 1),
});

const storeOf = (who: CrowdMember, index: Name): DhtStore => {
  const { member, lists } = who;
  const checker = new PairChecker({
    definition: () => lists.definition,
    list: () => lists.list,
    clock: {
      nowMs: Date.now,
      certificateS: () => Math.floor(Date.now() / 1_000),
      trusted: true,
    },
  });
  const transport: Transport = {
    send: (_, bytes) => who.node.say(bytes, DIRECTORY_TYPE),
    onMessage: () => undefined,
  };
  const store = new DhtStore({
    ...{ isStorer: false, transport, timer: TIMER, name: nameOf(member.signing.publicKey) },
    records: new Records({ checker, count: () => undefined }),
    count: () => undefined,
    onFound: () => undefined,
  });
  who.onDirectory = (bytes) => transport.onMessage(index, bytes);
  store.setStorers([index]);
  return store;
};

const timed = async (act: () => Promise<void>): Promise<number> => {
  const fromMs = performance.now();
  await act();
  return performance.now() - fromMs;
};

/** Asks for somebody until an answer comes. Errors: LabError. */
const ask = async (asker: CrowdMember, wanted: CrowdMember, question: number): Promise<void> => {
  const { lab, signing } = wanted.member;
  const { target } = nodeTarget(lab.networkId, signing.publicKey);
  for (let times = 0; times < TIMES_MAX; times++) {
    const answer = new Promise<boolean>((resolve) => {
      asker.onFound(question, (pair) =>
        resolve(pair !== null && sameBytes(pair.certificate, wanted.pair.certificate)),
      );
    });
    asker.node.say(encodeAsk({ question, target }));
    if (await Promise.race([answer, sleep(AGAIN_MS, false)])) return;
  }
  throw new LabError(`${wanted.member.number} was not found.`);
};

/**
 * Each of `askers` publishes a newer record, gets another member's, and asks for a third one's.
 * Units: `index` is a node id. Errors: LabError.
 */
export const askDirectory = async (
  members: readonly CrowdMember[],
  askers: number,
  index: string,
): Promise<Answers> => {
  const name = nameOf(parseNodeId(index)!);
  const [puts, gets, asks]: number[][] = [[], [], []];
  for (let i = 0; i < askers; i++) {
    const at = Math.floor((i * members.length) / askers);
    const [who, other, third] = [at, at + 1, at + 2].map((one) => members[one % members.length]!);
    const store = storeOf(who!, name);
    who!.pair = who!.member.pair(2);
    puts!.push(
      await timed(async () => {
        if ((await store.put(who!.pair)) !== 1) throw new LabError("A record was not taken.");
      }),
    );
    const { lab, signing } = other!.member;
    const { target } = nodeTarget(lab.networkId, signing.publicKey);
    gets!.push(
      await timed(async () => {
        if ((await store.get(target)) === null) throw new LabError("A member was not found.");
      }),
    );
    asks!.push(await timed(() => ask(who!, third!, i)));
    await store.stop();
  }
  return { put: waitsOf(puts!), get: waitsOf(gets!), ask: waitsOf(asks!) };
};
