/**
 * members-beside — static peers beside members, and everybody who changes them: commands, reload,
 * `wg set`, `wg setconf`, `wg syncconf`. Members' sessions are untouched by all of it.
 *
 *     m1, m2, m3   members           m4   a peer of m1's that is none
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { PeerValue } from "../../src/schema/requests.ts";
import { PORT } from "../lab/engines.ts";
import { cannotRun, must } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun(["wg"]);
const MEET_MS = 10_000;
/** A key that nobody has. */
const NOBODY = Buffer.alloc(32, 9).toString("base64");
const STATIC_INNER = "10.77.0.4";

let mesh: Mesh;
let [m1, m2, m3, m4]: Member[] = [];
/** WireGuard public keys. */
const keys = new Map<Member, string>();
const keyOf = (member: Member | undefined): string => keys.get(member!)!;
const at = ({ under4 }: Member): string => `${under4}:${PORT}`;

/** A peer section of a configuration. */
const section = (key: string, allowed: string, ...more: string[]): string =>
  ["[[peer]]", `public_key = "${key}"`, `allowed_ips = ["${allowed}"]`, ...more].join("\n");

const staticOfM4 = (): string =>
  section(keyOf(m4), `${STATIC_INNER}/32`, 'name = "beside"', `endpoint = "${at(m4!)}"`);

const startStatic = async (member: Member): Promise<void> => {
  const lines = [
    "[interface]",
    `name = "${member.interfaceName}"`,
    `private_key_file = "${member.key}"`,
    `addresses = ["${STATIC_INNER}/24"]`,
    `listen_port = ${PORT}`,
    'state_dir = ""',
    "[engine]",
    "threads = 0",
    section(keyOf(m1), "10.66.0.1/32"),
  ];
  writeFileSync(member.config, `${lines.join("\n")}\n`, { mode: 0o600 });
  await mesh.start(member);
};

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(4);
  [m1, m2, m3, m4] = [...mesh.members];
  for (const member of mesh.members) {
    keys.set(member, await mesh.enroll(member));
  }
  const bootstrap = [at(m1!)];
  mesh.configure(m1!, { rest: staticOfM4() });
  for (const member of [m2!, m3!]) mesh.configure(member, { bootstrap });
  await mesh.startAll([m1!, m2!, m3!]);
  await startStatic(m4!);
  await mesh.allReach([m1!, m2!, m3!], MEET_MS);
  assert.ok(await mesh.pings(m1!, STATIC_INNER, 5), mesh.said().join("\n"));
});
after(() => {
  if (skip === false) mesh.remove();
});

const wg = (...words: string[]) => must(["wg", ...words]);

const refusedWg = async (...words: string[]): Promise<void> => {
  await assert.rejects(wg(...words), /Operation not permitted/);
};

const tell = async (...words: string[]): Promise<string> => {
  const { code, output, errors } = await mesh.on(m1!, ...words);
  assert.equal(code, 0, errors);
  return output;
};

const refused = async (sentence: RegExp, ...words: string[]): Promise<void> => {
  const { code, errors } = await mesh.on(m1!, ...words);
  assert.equal(code, 1, errors);
  assert.match(errors, sentence);
  assert.equal(errors.trim().split("\n").length, 1, errors);
};

const peers = async (): Promise<PeerValue[]> => mesh.json<PeerValue[]>(m1!, "peers");

const peerOf = async (member: Member): Promise<PeerValue | undefined> =>
  (await peers()).find(({ wireguardPublicKey }) => wireguardPublicKey === keyOf(member));

interface Shown {
  readonly endpoint: string;
  readonly allowed: string;
  /** Unix time of the last one. */
  readonly handshakeS: string;
  readonly rx: number;
  readonly tx: number;
  readonly keepalive: string;
}

/** What `wg` shows of m1's peers, by key. */
const dump = async (): Promise<Map<string, Shown>> => {
  const [, ...lines] = (await wg("show", m1!.interfaceName, "dump")).trim().split("\n");
  return new Map(
    lines.map((line) => {
      const [key = "", , ...words] = line.split("\t");
      const [endpoint = "", allowed = "", handshakeS = "", rx, tx, keepalive = ""] = words;
      return [key, { endpoint, allowed, handshakeS, rx: Number(rx), tx: Number(tx), keepalive }];
    }),
  );
};

/**
 * Something is done to m1 while it pings a member: none is lost, the session is the same one, and
 * its bytes go on counting.
 */
const beside = async (work: () => Promise<unknown>, member = m2!): Promise<void> => {
  const before = (await dump()).get(keyOf(member))!;
  const pings = await mesh.keepPinging(m1!, member.inner4);
  let lost: number;
  try {
    await work();
    const { answered } = pings;
    await until("pings go on", () => pings.answered > answered + 2);
  } finally {
    lost = await pings.lost();
  }
  assert.equal(lost, 0);
  const now = (await dump()).get(keyOf(member))!;
  assert.equal(now.handshakeS, before.handshakeS, "there was another handshake");
  assert.ok(now.rx > before.rx && now.tx > before.tx, "bytes do not count on");
};

test("wg shows members beside static peers", { skip }, async () => {
  const shown = await dump();
  assert.deepEqual([...shown.keys()].sort(), [m2, m3, m4].map(keyOf).sort());
  assert.equal(shown.get(keyOf(m2))!.allowed, "10.66.0.2/32");
  assert.equal(shown.get(keyOf(m2))!.endpoint, at(m2!));
  const origins = new Map((await peers()).map(({ name, origin }) => [name, origin]));
  assert.deepEqual(
    origins,
    new Map([
      ["beside", "file"],
      ["m2", "network"],
      ["m3", "network"],
    ]),
  );
});

test("a static peer comes and goes by commands; a member does not", { skip }, async () => {
  await beside(async () => {
    await tell("peer", "add", NOBODY, "--name", "guest", "--allowed-ips", "10.78.0.0/24");
    assert.equal((await peers()).length, 4);
    await tell("peer", "remove", "guest");
    assert.equal((await peers()).length, 3);
    const isMember = /m2 is a member of the network.*only persistent_keepalive/;
    await refused(isMember, "peer", "remove", "m2");
    await refused(isMember, "peer", "add", keyOf(m2), "--allowed-ips", "10.79.0.0/24");
    await tell("peer", "add", keyOf(m2), "--keepalive", "20");
    assert.equal((await dump()).get(keyOf(m2))!.keepalive, "20");
    await tell("peer", "add", keyOf(m2), "--keepalive", "0");
  });
});

test("wg set changes a member's keepalive, and is refused all else", { skip }, async () => {
  const name = m1!.interfaceName;
  await beside(async () => {
    await refusedWg("set", name, "peer", keyOf(m2), "remove");
    await refusedWg("set", name, "peer", keyOf(m2), "allowed-ips", "10.66.0.0/16");
    await refusedWg("set", name, "peer", keyOf(m2), "endpoint", "198.51.100.1:1");
    await wg("set", name, "peer", keyOf(m2), "persistent-keepalive", "21");
    assert.equal((await dump()).get(keyOf(m2))!.keepalive, "21");
    await wg("set", name, "peer", keyOf(m2), "persistent-keepalive", "off");
    await wg("set", name, "peer", NOBODY, "allowed-ips", "10.78.0.0/24");
    await wg("set", name, "peer", NOBODY, "remove");
    assert.equal((await peers()).length, 3);
  });
});

/** What `wg showconf` prints, without the sections of some. */
const shownWithout = (text: string, ...left: (Member | undefined)[]): string =>
  text
    .split(/\n(?=\[Peer\])/)
    .filter((part) => !left.some((one) => part.includes(keyOf(one))))
    .join("\n");

test("wg syncconf and setconf are about static peers alone", { skip }, async () => {
  const name = m1!.interfaceName;
  const file = mesh.file("wg.conf");
  const shown = await wg("showconf", name);
  for (const command of ["syncconf", "setconf"]) {
    await beside(async () => {
      // All that is there; members as they are.
      writeFileSync(file, shown, { mode: 0o600 });
      await wg(command, name, file);
      assert.equal((await dump()).size, 3);
      // As somebody wrote it who knows of no member.
      writeFileSync(file, shownWithout(shown, m2, m3));
      await wg(command, name, file);
      assert.equal((await dump()).size, 3);
      writeFileSync(file, shownWithout(shown, m2, m3, m4));
      await wg(command, name, file);
      assert.deepEqual([...(await dump()).keys()].sort(), [m2, m3].map(keyOf).sort());
      writeFileSync(file, shownWithout(shown, m2, m3));
      await wg(command, name, file);
      assert.equal((await dump()).size, 3);
    });
    const found = await peerOf(m2!);
    assert.deepEqual([found?.origin, found?.addresses], ["network", ["10.66.0.2/32"]]);
  }
});

test("reload is about the file's peers alone", { skip }, async () => {
  const text = readFileSync(m1!.config, "utf8");
  await tell("reload"); // the peer that wg gave back is the file's again
  await beside(async () => {
    assert.doesNotMatch(await tell("reload"), /m2|m3/);
    writeFileSync(m1!.config, `${text}\n${section(NOBODY, "10.78.0.0/24", 'name = "guest"')}\n`);
    assert.match(await tell("reload"), /peer guest: added/);
    assert.equal((await peers()).length, 4);
    writeFileSync(m1!.config, text);
    assert.match(await tell("reload"), /peer guest: removed/);
    writeFileSync(m1!.config, text.replace(staticOfM4(), ""));
    assert.match(await tell("reload"), /peer beside: removed/);
    assert.equal((await peers()).length, 2);
    writeFileSync(m1!.config, text);
    await tell("reload");
  });
  assert.ok(await mesh.pings(m1!, STATIC_INNER, 5), "the static peer is not back");
});

test("a member that the file names is static, until it is not", { skip }, async () => {
  const text = readFileSync(m1!.config, "utf8");
  const inner = "10.88.0.3";
  await must(["ip", "-netns", m3!.namespace, "address", "add", inner, "dev", m3!.interfaceName]);
  const named = section(keyOf(m3), `${inner}/32`, `endpoint = "${at(m3!)}"`);
  writeFileSync(m1!.config, `${text}\n${named}\n`);
  await beside(async () => {
    await tell("reload");
    const found = await peerOf(m3!);
    assert.deepEqual([found?.origin, found?.addresses], ["file", [`${inner}/32`]]);
    assert.ok(await mesh.pings(m1!, inner, 5), "the file's prefix leads nowhere");
    assert.equal(await mesh.pings(m1!, m3!.inner4), false, "the certificate's address leads there");
    assert.match(await tell("explain", "m3"), /file|configuration/);
    await refused(/member|configuration|file/, "peer", "remove", "m2");
  });
  writeFileSync(m1!.config, text);
  await beside(async () => {
    await tell("reload");
    const found = await peerOf(m3!);
    assert.deepEqual([found?.origin, found?.addresses], ["network", ["10.66.0.3/32"]]);
    await until("m3 is reached", () => mesh.pings(m1!, m3!.inner4), 5_000);
  });
});

test("a member's address that a static peer has comes back", { skip }, async () => {
  await beside(async () => {
    await tell("peer", "add", NOBODY, "--name", "guest", "--allowed-ips", "10.78.0.0/24");
    await wg("set", m1!.interfaceName, "peer", NOBODY, "allowed-ips", m3!.inner4);
    assert.deepEqual((await peerOf(m3!))?.addresses, []);
    await tell("peer", "remove", "guest");
    assert.deepEqual((await peerOf(m3!))?.addresses, ["10.66.0.3/32"]);
    await until("m3 is reached", () => mesh.pings(m1!, m3!.inner4), 5_000);
  });
});
