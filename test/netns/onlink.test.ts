/**
 * onlink — initiations with a valid mac1 from random addresses of the victim's own subnet, 20,000 a
 * second: an established TCP stream goes on, the kernel's table of neighbours does not fill, and
 * somebody new on the link still gets a session. A minute of it with P2PVPN_MATRIX=full.
 */
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { StatusValue } from "../../src/schema/requests.ts";
import { hostJson, makeKeys, PORT, runCli, writeConfig } from "../lab/engines.ts";
import { Field } from "../lab/field.ts";
import { FLOOD_CLASSES, startFlood } from "../lab/floods.ts";
import { cannotRun, type Host, LINK, type Program } from "../lab/lab.ts";
import { firstPing, meanBetween } from "../lab/measure.ts";
import { measured } from "./scene.ts";

const skip = cannotRun(["iperf3", "ethtool", "tc", "cc"]);
/** 20,000 a second and more. */
const MEGABITS = { 4: 35, 6: 38 } as const;
const CALM_SECONDS = 2;
const FLOOD_SECONDS = process.env.P2PVPN_MATRIX === "full" ? 60 : 6;
/** Tuning: a busy machine takes longer to start what takes part. */
const GRACE_SECONDS = 60;
/** The flooder goes before all others, so that some of the speed goes in any case. */
const LEAST_SHARE = 0.02;
/** Of 1,024; and how often it is looked at, at least. */
const SEARCHES_MAX = 100;
const LOOKS_MIN = 4;
/** Somebody new calls again after 5 s where the flood pushed its message out of the socket. */
const FIRST_SECONDS = 30;

/** Addresses for which host b's kernel is looking now. */
const searches = async (field: Field, version: 4 | 6): Promise<number> => {
  const words = ["ip", `-${version}`, "neighbour", "show", "nud", "all"];
  return (await field.must(field.b, words)).match(/ INCOMPLETE/g)?.length ?? 0;
};

/** Neither knows the other before it has asked. */
const forget = async (field: Field, one: Host, other: Host): Promise<void> => {
  for (const [host, { under4, under6 }] of [
    [one, other],
    [other, one],
  ] as const) {
    for (const under of [under4, under6]) {
      await field.must(host, ["ip", "neighbour", "delete", under, "dev", LINK]);
    }
  }
};

const innerOf = (host: Host, version: 4 | 6): string => (version === 4 ? host.inner4 : host.inner6);

/** a and b know each other, s knows b and is known to it, and calls when it is started. */
const configure = (field: Field, outer: 4 | 6) => {
  const { a, b, s } = field;
  const [keysA, keysB, keysS] = [a, b, s].map((host) => makeKeys(field, host, "wireguard"));
  const files = {
    a: writeConfig(field, a, keysA!, keysB!.publicKey, { outer }),
    b: writeConfig(field, b, keysB!, keysA!.publicKey, { outer, knowsEndpoint: false }),
    s: writeConfig(field, s, keysS!, keysB!.publicKey, {
      ...{ outer, allowedIps: [`${b.inner4}/32`, `${b.inner6}/128`] },
      endpoint: outer === 4 ? `${b.under4}:${PORT}` : `[${b.under6}]:${PORT}`,
    }),
  };
  const allowed = `["${s.inner4}/32", "${s.inner6}/128"]`;
  appendFileSync(
    files.b,
    `[[peer]]\npublic_key = "${keysS!.publicKey}"\nallowed_ips = ${allowed}\n`,
  );
  return { files, publicKey: keysB!.publicKey };
};

const flooded = async (
  field: Field,
  version: 4 | 6,
  programs: Program[],
  say: (text: string) => void,
): Promise<void> => {
  const { a, b, s } = field;
  const { files, publicKey } = configure(field, version);
  for (const [host, file] of [
    [b, files.b],
    [a, files.a],
  ] as const) {
    programs.push(await runCli(field, host, file));
  }
  const to = innerOf(b, version);
  await firstPing(field, a, to);
  await forget(field, b, s);
  const server = field.start(b, ["iperf3", "-s", "-1", "-f", "m", "-i", "1", "--forceflush"]);
  programs.push(server);
  await server.says("Server listening");
  const whole = CALM_SECONDS + FLOOD_SECONDS + GRACE_SECONDS;
  programs.push(field.start(a, ["iperf3", "-c", to, "-t", String(whole)]));
  await sleep(1_000 * CALM_SECONDS);
  const kind = FLOOD_CLASSES.find(({ id }) => id === (version === 4 ? "onlink" : "onlink6"))!;
  const tunnel = { from: a, to, port: PORT, serverPort: PORT, publicKey, dataTypes: [4], programs };
  const flood = { kind, megabits: MEGABITS[version], seconds: FLOOD_SECONDS + GRACE_SECONDS };
  const flooder = await startFlood(field, tunnel, { host: b, port: PORT }, flood);
  programs.push(flooder);
  const untilMs = performance.now() + 1_000 * FLOOD_SECONDS;
  await sleep(1_500);
  programs.push(await runCli(field, s, files.s));
  const first = await firstPing(field, s, to, FIRST_SECONDS);
  let most = 0;
  for (let looks = 0; looks < LOOKS_MIN || performance.now() < untilMs; looks++) {
    most = Math.max(most, await searches(field, version));
    await sleep(500);
  }
  const now = server.output.split(" sec ").length - 1;
  const status = await hostJson<StatusValue>(field, b, "status");
  assert.equal(flooder.child.exitCode, null, "the flood ended before");
  const [calm, under] = [
    meanBetween(server.output, 1, CALM_SECONDS),
    meanBetween(server.output, now - 2, now),
  ];
  const { cookieAsked = 0, cookieNeighbour = 0 } = status.drops;
  say(
    `TCP ${calm.toFixed(0)} and ${under.toFixed(0)} Mbit/s, somebody new after ` +
      `${first.toFixed(1)} s, ${most} searches, ${cookieAsked} replies, ${cookieNeighbour} none`,
  );
  assert.ok(under > LEAST_SHARE * calm, `TCP fell from ${calm} to ${under} Mbit/s`);
  assert.deepEqual(status.defence, { state: "under load", rung: 4 });
  assert.ok(cookieNeighbour > 1_000, `${cookieNeighbour} were left without a reply`);
  assert.ok(most > 0 && most <= SEARCHES_MAX, `the kernel looks for ${most} neighbours`);
};

for (const version of [4, 6] as const) {
  test(`IPv${version}: a flood from the own subnet stops neither TCP nor somebody new`, {
    skip,
  }, async (context) => {
    const field = await Field.lay("attacker");
    const programs: Program[] = [];
    try {
      await flooded(field, version, programs, (text) => measured(context, text));
    } finally {
      for (const program of programs.reverse()) await program.stop();
      field.remove();
    }
  });
}
