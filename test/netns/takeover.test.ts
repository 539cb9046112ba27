/**
 * takeover — a more specific prefix, or the same one, is given to another peer: what goes there and
 * what may come from there changes hands at once. Two devices of wireguard-go are the peers.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cli, interfaceOf, type Plan } from "../lab/engines.ts";
import { type Program, wireguardName } from "../lab/lab.ts";
import { firstPing, ping } from "../lab/measure.ts";
import { calledBy, measured, Scene } from "./scene.ts";
import { inTurn, type Wireguard } from "./versions.ts";

const scene = new Scene();
/** Address of the second device; the first one's peer has the whole network at first. */
const SECOND = "10.66.0.3";
const WIDE: Plan = { allowedIps: ["10.66.0.0/24"] };
const SECOND_PORT = 51_830;
const COUNT = 4;

/** The name is free on host b: on host a our engine has another. */
const secondName = (): string => wireguardName(scene.lab.a);

/** A second device on host b; returns its program and public key. */
const startSecond = async (wireguard: Wireguard): Promise<readonly [Program, string]> => {
  const { lab } = scene;
  const name = secondName();
  const socket = `/var/run/wireguard/${name}.sock`;
  rmSync(socket, { force: true });
  const program = lab.start(lab.b, [wireguard.binary, "-f", name]);
  for (let i = 0; i < 200 && !existsSync(socket); i++) await sleep(25);
  const { d = "", x = "" } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
  const base64 = (part: string): string => Buffer.from(part, "base64url").toString("base64");
  const file = join(lab.folder, "second.key");
  rmSync(file, { force: true });
  writeFileSync(file, `${base64(d)}\n`, { mode: 0o600 });
  const own = ["private-key", file, "listen-port", String(SECOND_PORT)];
  const peer = ["peer", scene.ours.publicKey, "allowed-ips", `${lab.a.inner4}/32`];
  await lab.must(lab.b, ["wg", "set", name, ...own, ...peer]);
  const ip = (...words: string[]) => lab.must(lab.b, ["ip", ...words]);
  await ip("address", "add", `${SECOND}/32`, "dev", name);
  await ip("link", "set", name, "up");
  return [program, base64(x)];
};

/** Answers from the second address leave through the second device, or through the first. */
const answerThrough = async (second: boolean): Promise<void> => {
  const { lab } = scene;
  const rule = ["rule", second ? "add" : "delete", "from", SECOND, "lookup", "77"];
  await lab.must(lab.b, ["ip", ...rule]);
  if (!second) return;
  const route = ["route", "replace", "default", "dev", secondName(), "table", "77"];
  await lab.must(lab.b, ["ip", ...route]);
};

for (const wireguard of inTurn(0)) {
  test(`${wireguard.name}: a more specific prefix is taken over by another peer`, {
    skip: scene.skipFor(wireguard),
  }, async (context) => {
    const { a } = scene.lab;
    const plans = calledBy("ours");
    await scene.withPair(
      { wireguard, ...plans, ours: { ...plans.ours, ...WIDE } },
      async (pair) => {
        const [program, key] = await startSecond(wireguard);
        const ask = async (...words: string[]): Promise<void> => {
          const { code, errors } = await cli(scene.lab, a, ...words, "-i", interfaceOf(a));
          assert.equal(code, 0, errors);
        };
        const received = async (): Promise<number> => {
          const words = ["wg", "show", secondName(), "transfer"];
          return Number((await scene.lab.must(scene.lab.b, words)).trim().split(/\s+/)[1] ?? 0);
        };
        const lost = async (): Promise<number> =>
          (await ping(scene.lab, a, SECOND, COUNT, 20)).lost;
        try {
          await firstPing(scene.lab, a, SECOND);
          assert.equal(await received(), 0, "the second device was heard before its time");
          const endpoint = `${scene.lab.b.under4}:${SECOND_PORT}`;
          await ask("peer", "add", key, "--allowed-ips", `${SECOND}/32`, "--endpoint", endpoint);
          // It goes to the new owner; what still answers from the old one is not taken any more.
          const before = (await pair.engine.sample()).drops.innerSource!;
          assert.equal(await lost(), COUNT);
          assert.ok((await received()) > 0, "nothing went to the new owner");
          const dropped = (await pair.engine.sample()).drops.innerSource! - before;
          assert.ok(dropped >= COUNT, `${dropped} packets of the former owner were dropped`);
          measured(context, `${dropped} packets of the former owner dropped`);
          await answerThrough(true);
          assert.equal(await lost(), 0);
          // The rest of the network is the first peer's as before.
          assert.equal((await ping(scene.lab, a, scene.lab.b.inner4, COUNT, 20)).lost, 0);
          await ask("peer", "remove", key);
          assert.equal(await lost(), COUNT);
          await answerThrough(false);
          assert.equal(await lost(), 0);
        } finally {
          await program.stop();
        }
      },
    );
  });
}
