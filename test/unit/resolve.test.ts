/** resolve — names are asked for side by side, and those that failed keep room for others. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  NAMES_AT_ONCE,
  NAMES_WAITING_MAX,
  Names,
  SLOW_MS,
} from "../../src/control/reach/resolve.ts";
import { NameThreads } from "../../src/io/native/names.ts";
import { formatSockaddr, makeSockaddr } from "../../src/wire/sockaddr.ts";

const quiet = { doubtful: false, slow: () => {} };
const doubtful = { doubtful: true, slow: () => {} };
const FOUR = makeSockaddr(Uint8Array.of(192, 0, 2, 7), 0);
const SIX = makeSockaddr(Uint8Array.of(0xfe, 0x80, ...new Array<number>(13).fill(0), 1), 0, 3);

/** A system that answers when the test says so. */
const makeNames = (families = { v4: true, v6: true }, refuse = 0) => {
  const asked: { readonly id: number; readonly name: string }[] = [];
  const late: (() => void)[] = [];
  const names = new Names({
    families,
    ask: (id, name) => {
      if (refuse === 0) asked.push({ id, name });
      return refuse;
    },
    errorText: (errno) => `errno ${errno}`,
    linkIndex: (name) => (name === "eth0" ? 9 : -19),
    after: (ms, call) => {
      assert.equal(ms, SLOW_MS);
      late.push(call);
      return () => void late.splice(late.indexOf(call), 1);
    },
  });
  return { names, asked, late };
};

const text = (found: Uint8Array | string): string | null =>
  typeof found === "string" ? found : formatSockaddr(found);

test("numbers are taken as they are, zones by name and by number", async () => {
  const { names, asked } = makeNames();
  const of = async (host: string) => text(await names.resolve({ host, port: 5 }, quiet));
  assert.equal(await of("192.0.2.1"), "192.0.2.1:5");
  assert.equal(await of("fd00::1"), "[fd00::1]:5");
  assert.equal(await of("fe80::1%eth0"), "[fe80::1%9]:5");
  assert.equal(await of("fe80::1%12"), "[fe80::1%12]:5");
  assert.equal(await of("fe80::1%eth1"), "there is no interface eth1");
  assert.equal(await of("fe80::1%99999999999"), "there is no interface 99999999999");
  assert.equal(asked.length, 0);
});

test("the system itself is asked, by threads", { timeout: 30_000 }, async () => {
  const threads = new NameThreads((id, answer) => names.onAnswer(id, answer));
  after(() => threads.close());
  const names: Names = new Names({
    families: { v4: true, v6: false },
    ask: (id, name) => threads.ask(id, name),
    errorText: String,
    linkIndex: () => -19,
    after: () => () => {},
  });
  assert.equal(text(await names.resolve({ host: "localhost", port: 7 }, quiet)), "127.0.0.1:7");
  const nobody = await names.resolve({ host: "a..b", port: 7 }, quiet);
  assert.match(String(nobody), /not known|name resolution/);
});

test("the first address of a family that the sockets speak, with its scope", async () => {
  const both = makeNames();
  const found = both.names.resolve({ host: "b.example", port: 5 }, quiet);
  both.names.onAnswer(both.asked[0]!.id, [SIX, FOUR]);
  assert.equal(text(await found), "[fe80::1%3]:5");
  const four = makeNames({ v4: true, v6: false });
  const second = four.names.resolve({ host: "b.example", port: 5 }, quiet);
  four.names.onAnswer(four.asked[0]!.id, [SIX, FOUR]);
  assert.equal(text(await second), "192.0.2.7:5");
  const none = four.names.resolve({ host: "b.example", port: 5 }, quiet);
  four.names.onAnswer(four.asked[1]!.id, [SIX]);
  assert.equal(await none, "it has no address that this host can use");
});

test("a name is asked for once at a time, for all who want it", async () => {
  const { names, asked } = makeNames();
  const ports = [1, 2, 3];
  const found = ports.map((port) => names.resolve({ host: "b.example", port }, quiet));
  assert.equal(asked.length, 1);
  names.onAnswer(asked[0]!.id, [FOUR]);
  names.onAnswer(asked[0]!.id, "a second answer is nobody's");
  assert.deepEqual(
    (await Promise.all(found)).map(text),
    ports.map((port) => `192.0.2.7:${port}`),
  );
});

test("names that failed take half of the threads, new ones go before them", async () => {
  const { names, asked } = makeNames();
  const ask = (host: string, how = quiet) => void names.resolve({ host, port: 1 }, how);
  for (let i = 0; i < NAMES_AT_ONCE; i++) ask(`dead${i}.example`, doubtful);
  assert.equal(asked.length, NAMES_AT_ONCE / 2);
  for (let i = 0; i < NAMES_AT_ONCE; i++) ask(`new${i}.example`);
  assert.equal(asked.length, NAMES_AT_ONCE);
  names.onAnswer(asked[0]!.id, "nobody knows it");
  assert.equal(asked.at(-1)!.name, `new${NAMES_AT_ONCE / 2}.example`);
  for (let i = 1; i < asked.length; i++) names.onAnswer(asked[i]!.id, "nobody knows it");
  assert.equal(asked.length, 2 * NAMES_AT_ONCE, "each was asked for");
});

test("a slow name is told, and its answer still counts", async () => {
  const { names, asked, late } = makeNames();
  const problems: string[] = [];
  const slow = (problem: string): void => void problems.push(problem);
  const found = names.resolve({ host: "b.example", port: 5 }, { doubtful: false, slow });
  late[0]!();
  assert.deepEqual(problems, ["nobody answered for 5 s"]);
  names.onAnswer(asked[0]!.id, [FOUR]);
  assert.equal(text(await found), "192.0.2.7:5");
});

test("what cannot be asked is said, and nothing waits without a bound", async () => {
  const { names } = makeNames(undefined, -11);
  const found = await names.resolve({ host: "b.example", port: 5 }, quiet);
  assert.equal(found, "errno 11");
  const silent = makeNames();
  for (let i = 0; i < NAMES_WAITING_MAX; i++) {
    void silent.names.resolve({ host: `n${i}.example`, port: 1 }, quiet);
  }
  assert.equal(silent.asked.length, NAMES_AT_ONCE);
  const refused = await silent.names.resolve({ host: "more.example", port: 1 }, quiet);
  assert.equal(refused, "too many names wait for their answers");
});
