/**
 * directory-gate — dht-rpc on our transport, and the gate before its parser: the contract with a
 * pinned package whose option `udx` is not documented, and what a stranger's message can do.
 */

import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { after, test } from "node:test";
import { COMMAND, Gate, MESSAGE_BYTES_MAX } from "../../src/directory/gate.ts";
import { type Name, nameOf } from "../../src/directory/names.ts";
import type { Transport } from "../../src/directory/sockets.ts";
import { nodeTarget } from "../../src/directory/targets.ts";
import { encodePair } from "../../src/wire/intro.ts";
import { until } from "../lab/until.ts";
import {
  Air,
  counter,
  type DirectoryNode,
  FleetLaw,
  makeNode,
  pairOf,
  realTimer,
} from "../simulation/directory-fleet.ts";
import { DEFINITION, identityOf } from "../simulation/members-fleet.ts";
import { Random } from "../simulation/random.ts";

const law = new FleetLaw(() => 0);
const made: DirectoryNode[] = [];
after(async () => {
  for (const { store } of made) await store.stop();
});

/** Storers, then who only asks; all know the storers. */
const network = (storers: number, others: number): DirectoryNode[] => {
  const timer = realTimer();
  const air = new Air(timer, () => 0);
  const nodes = Array.from({ length: storers + others }, (_, i) =>
    makeNode(identityOf(i), { isStorer: i < storers, law, timer, air }),
  );
  made.push(...nodes);
  const names = nodes.slice(0, storers).map(({ name }) => name);
  for (const { store } of nodes) store.setStorers(names);
  return nodes;
};

const mayAsk = (name: Name): boolean => name !== "8.8.8.8:8";

const targetOf = (number: number): Uint8Array =>
  nodeTarget(DEFINITION.networkId, identityOf(number).signing.publicKey).target;

const sockets = (): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false;
    }
  }).length;

/** One storer, whose every word is heard; it has a channel with `caller` alone. */
const alone = async () => {
  const caller: Name = nameOf(identityOf(900).signing.publicKey);
  const said: { to: Name; bytes: Uint8Array }[] = [];
  let reached = 0;
  const transport: Transport = {
    onMessage: () => {},
    send: (to, bytes) => {
      said.push({ to, bytes: bytes.slice() });
      reached += to === caller ? bytes.length : 0;
      return to === caller;
    },
  };
  const nothing = { port: () => transport } as unknown as Air;
  let nowMs = 0;
  const timer = { bootMs: () => (nowMs += 1_000), after: () => () => {} };
  const node = makeNode(identityOf(1), { isStorer: true, law, timer, air: nothing });
  made.push(node);
  node.store.setStorers([]);
  node.records.put(pairOf(identityOf(2)), null);
  await new Promise(setImmediate);
  return { node, caller, said, transport, reached: () => reached };
};

/** A request as dht-rpc writes it. */
const request = (
  command: number,
  parts: { internal?: boolean; target?: Uint8Array; value?: Uint8Array; id?: Uint8Array } = {},
): Uint8Array => {
  const { internal = false, target, value, id } = parts;
  const flags = (id ? 1 : 0) | (internal ? 4 : 0) | (target ? 8 : 0) | (value ? 16 : 0);
  const length = value?.length ?? 0;
  const size = length < 0xfd ? [length] : [0xfd, length & 0xff, length >> 8];
  return Buffer.concat([
    Uint8Array.of(0x03, flags, 7, 0, 9, 9, 9, 9, 1, 1),
    id ?? new Uint8Array(0),
    Uint8Array.of(command),
    target ?? new Uint8Array(0),
    ...(value ? [Uint8Array.from(size), value] : []),
  ]);
};

test("put and get through our transport, and no socket is opened", async () => {
  const before = sockets();
  const nodes = network(3, 2);
  const pair = pairOf(identityOf(3));
  assert.equal(await nodes[3]!.store.put(pair), 3);
  const found = await nodes[4]!.store.get(targetOf(3));
  assert.deepEqual(found, { certificate: pair.certificate, record: Uint8Array.from(pair.record) });
  assert.equal(sockets(), before);
  for (const { counted } of nodes) {
    for (const wrong of ["malformed", "commandRefused", "failed", "tooLong"] as const) {
      assert.equal(counted.get(wrong), undefined, `what dht-rpc writes is ${wrong}`);
    }
  }
  assert.equal(nodes[4]!.store.reachable, 3);
});

test("two storers: who stores its own record reads it, and so does the other", async () => {
  const [one, other] = network(2, 0);
  const pair = pairOf(identityOf(0));
  assert.equal(await one!.store.put(pair), 1);
  assert.ok(await one!.store.get(targetOf(0)));
  assert.ok(await other!.store.get(targetOf(0)));
  assert.equal(await one!.store.get(targetOf(5)), null);
});

test("every command, bare and with parts, from who has no channel: no byte goes out", async () => {
  const { node, transport, reached } = await alone();
  const stranger = nameOf(identityOf(901).signing.publicKey);
  for (let command = 0; command < 256; command++) {
    for (const internal of [true, false]) {
      for (const target of [undefined, targetOf(2)]) {
        for (const bytes of [0, 1, 2, 4, 6, 600]) {
          const value = bytes === 0 ? undefined : new Uint8Array(bytes).fill(1);
          transport.onMessage(
            stranger,
            request(command, { internal, ...(target && { target }), ...(value && { value }) }),
          );
        }
      }
    }
  }
  assert.equal(reached(), 0);
  assert.ok(node.counted.get("commandRefused")! > 5_000);
});

test("in a channel: what is not on the list gets nothing, what is gets one datagram", async () => {
  const { node, caller, said, transport } = await alone();
  const listed = new Set(["true 0", "true 2", "true 3", "false 16", "false 17"]);
  const answered = new Set<string>();
  for (let command = 0; command < 256; command++) {
    for (const internal of [true, false]) {
      for (const target of [undefined, targetOf(2)]) {
        for (const value of [undefined, new Uint8Array(6), encodePair(pairOf(identityOf(2)))]) {
          const parts = { internal, ...(target && { target }), ...(value && { value }) };
          said.length = 0;
          transport.onMessage(caller, request(command, parts));
          const own = said.filter(({ to }) => to === caller);
          if (own.length > 0) answered.add(`${internal} ${command}`);
          assert.ok(said.length <= 1 && said.length === own.length, `${said.length} answers`);
          for (const { bytes } of own) assert.ok(bytes.length <= MESSAGE_BYTES_MAX);
        }
      }
    }
  }
  assert.deepEqual(answered, listed);
  assert.ok(node.counted.get("commandRefused")! > 1_000);
});

test("PING_NAT and DELAYED_PING, as dht-rpc writes them, are refused by name", async () => {
  const { node, caller, said, transport } = await alone();
  said.length = 0;
  transport.onMessage(caller, request(1, { internal: true, value: Uint8Array.of(0xbb, 1) }));
  transport.onMessage(caller, request(4, { internal: true, value: Uint8Array.of(1, 0, 0, 0) }));
  assert.equal(node.counted.get("commandRefused"), 2);
  assert.equal(said.length, 0);
});

test("an answer counts from whom was asked, once", () => {
  const { counted, count } = counter();
  const gate = new Gate({ bootMs: () => 0, count, serves: true, mayAsk });
  const answer = Uint8Array.of(0x13, 0, 7, 0, 9, 9, 9, 9, 1, 1);
  assert.equal(gate.admits("1.1.1.1:1", answer), false, "nothing was asked");
  assert.ok(gate.releases("1.1.1.1:1", request(0, { internal: true })));
  assert.equal(gate.admits("2.2.2.2:2", answer), false, "another was asked");
  assert.equal(gate.admits("1.1.1.1:1", answer), true);
  assert.equal(gate.admits("1.1.1.1:1", answer), false, "once");
  assert.equal(gate.releases("8.8.8.8:8", request(0, { internal: true })), false, "no storer");
  assert.equal(gate.admits("8.8.8.8:8", answer), false);
  assert.equal(counted.get("unasked"), 4);
});

test("fifty a second for each node, a put counts as five; who only asks serves nobody", () => {
  let nowMs = 0;
  const { counted, count } = counter();
  const gate = new Gate({ bootMs: () => nowMs, count, serves: true, mayAsk });
  const ping = request(0, { internal: true });
  const asks = (name: Name, message: Uint8Array, times: number): number => {
    let many = 0;
    for (let i = 0; i < times; i++) many += gate.admits(name, message) ? 1 : 0;
    return many;
  };
  assert.equal(asks("1.1.1.1:1", ping, 80), 50);
  assert.equal(asks("2.2.2.2:2", ping, 20), 20, "one takes nothing from another");
  nowMs = 1_000;
  assert.equal(asks("1.1.1.1:1", ping, 80), 50);
  const put = request(COMMAND.put, { target: targetOf(2), value: new Uint8Array(500) });
  assert.equal(asks("3.3.3.3:3", put, 80), 10);
  assert.equal(counted.get("quota"), 30 + 30 + 70);
  const closed = new Gate({ bootMs: () => 0, count, serves: false, mayAsk });
  assert.equal(closed.admits("1.1.1.1:1", ping), false);
  assert.equal(counted.get("notServing"), 1);
});

test("quotas have a bound, and who is silent for a second makes room", () => {
  let nowMs = 0;
  const { counted, count } = counter();
  const gate = new Gate({ bootMs: () => nowMs, count, serves: true, mayAsk });
  const ping = request(0, { internal: true });
  for (let i = 0; i < 16_384; i++) assert.ok(gate.admits(`1.1.${i >> 8}.${i & 255}:1`, ping));
  assert.equal(gate.admits("9.9.9.9:9", ping), false);
  assert.equal(counted.get("namesFull"), 1);
  nowMs = 1_001;
  assert.equal(gate.admits("9.9.9.9:9", ping), true);
});

test("damaged bytes: nothing throws, nothing is answered twice, and it still serves", async () => {
  const seed = 14;
  const random = new Random(seed, 1);
  const { node, caller, said, transport } = await alone();
  const pair = encodePair(pairOf(identityOf(2)));
  const seeds = [
    request(0, { internal: true, id: targetOf(3) }),
    request(2, { internal: true, target: targetOf(3) }),
    request(3, { internal: true, value: new Uint8Array(6).fill(3) }),
    request(COMMAND.get, { target: targetOf(2) }),
    request(COMMAND.put, { target: targetOf(2), value: pair }),
    Uint8Array.of(0x13, 4, 7, 0, 9, 9, 9, 9, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2),
  ];
  for (let i = 0; i < 40_000; i++) {
    const bytes = Buffer.from(random.pick(seeds));
    for (let n = random.below(4); n >= 0; n--)
      bytes[random.below(bytes.length)] = random.below(256);
    const end = random.chance(0.3) ? random.below(bytes.length + 1) : bytes.length;
    said.length = 0;
    transport.onMessage(caller, bytes.subarray(0, end));
    assert.ok(said.filter(({ to }) => to === caller).length <= 1, `seed ${seed}`);
  }
  for (const length of [0, 1, 9, 10, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX + 1, 2_000]) {
    transport.onMessage(caller, new Uint8Array(length).fill(3));
  }
  assert.equal(node.counted.get("failed"), undefined);
  assert.ok(node.counted.get("malformed")! > 1_000);
  said.length = 0;
  transport.onMessage(caller, request(COMMAND.get, { target: targetOf(2) }));
  assert.equal(said.length, 1);
  assert.ok(Buffer.from(said[0]!.bytes).includes(Buffer.from(pair)));
});

test("at rest, who only asks says nothing, and a storer is asked for nothing", async () => {
  const nodes = network(3, 1);
  await until("storers know each other", () => nodes[0]!.store.reachable === 2);
  const member = nodes[3]!;
  assert.equal(member.port.sent, 0);
  await member.store.get(targetOf(5));
  assert.ok(member.port.sent > 0);
  for (const what of ["notServing", "malformed", "unreachable"] as const) {
    assert.equal(member.counted.get(what), undefined, what);
  }
});
