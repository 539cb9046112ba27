/**
 * moves — what I/O threads have told of a peer's place counts before any question is answered and
 * before any change; and what was on its way when somebody set another endpoint moves nobody back.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENT, JOB } from "../../src/memory/layout.ts";
import { Producer } from "../../src/memory/queue.ts";
import { fieldWord, wordOf } from "../../src/memory/region.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { type End, Pair } from "./control-pair.ts";

const PLAIN = { cipher: "chacha20poly1305" } as const;
const ELSEWHERE = makeSockaddr(Uint8Array.of(192, 0, 2, 77), 7);
const OURS = makeSockaddr(Uint8Array.of(192, 0, 2, 9), 0);
const LEFT_MS = 1_000;

/** An I/O thread tells that something came from there; control is not woken yet. */
const tell = ({ arena, peer, current }: End, from: Uint8Array): void => {
  const source = wordOf(arena, "jobs", JOB.size, 0) + fieldWord(JOB.fields.source);
  arena.u8.set(from, source * 4);
  arena.u8.set(OURS, source * 4 + from.length);
  const { session, generation } = current!;
  assert(
    new Producer(arena, "events", 0).put(EVENT.roamed, peer.entry, session, generation, source),
  );
};

const shown = ({ control }: End): string | null => [...control.state().peers][0]?.endpoint ?? null;

const made = async (): Promise<Pair> => {
  const pair = await Pair.make(PLAIN, PLAIN);
  pair.call(pair.a);
  assert.equal(shown(pair.a), "192.0.2.2:51820");
  return pair;
};

const set = async ({ control, peer }: End, host: string): Promise<void> => {
  const endpoint = { host, port: 51_820 };
  await control.apply({ peers: [{ publicKey: peer.publicKey, endpoint }] });
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

test("who asks hears what was told until now", async () => {
  const { a } = await made();
  tell(a, ELSEWHERE);
  assert.equal(shown(a), "192.0.2.77:7");
});

test("a change is later than what was told before it", async () => {
  const { a } = await made();
  tell(a, ELSEWHERE);
  await set(a, "other");
  assert.equal(shown(a), "192.0.2.2:51820");
});

test("an answer on its way from the former place moves nobody back; a later one does", async () => {
  const pair = await made();
  const { a } = pair;
  tell(a, ELSEWHERE);
  assert.equal(shown(a), "192.0.2.77:7");
  await set(a, "other");
  pair.nowMs += LEFT_MS - 1;
  tell(a, ELSEWHERE);
  assert.equal(shown(a), "192.0.2.2:51820");
  pair.nowMs += 1;
  tell(a, ELSEWHERE);
  assert.equal(shown(a), "192.0.2.77:7");
});

test("from anywhere else the peer moves at once", async () => {
  const pair = await made();
  const { a } = pair;
  tell(a, ELSEWHERE);
  a.control.hear();
  await set(a, "other");
  tell(a, makeSockaddr(Uint8Array.of(192, 0, 2, 78), 8));
  assert.equal(shown(a), "192.0.2.78:8");
});
