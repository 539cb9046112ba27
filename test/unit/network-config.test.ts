/** network-config — [network] of a configuration, and the files that it names. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import type { EngineError } from "../../src/schema/errors.ts";
import { loadConfig } from "../../src/schema/load-config.ts";
import { formatCidr } from "../../src/wire/cidr.ts";
import { makePlace } from "./network-parts.ts";

const { good, ask, at, run } = makePlace("config");

const CREATE = "network create --cidr 10.66.0.0/16 --no-passphrase --name";
const made = (async () => {
  await good(`${CREATE} lab`);
  await ask("office");
  const sign = "network sign --authority lab.authority --request office.request";
  await run(`${sign} --ip 10.66.0.7 --route 192.168.5.0/24 --route 10.66.8.0/24`);
})();

/** A configuration of office's; returns its file. */
const write = (lines: readonly string[], files: Readonly<Record<string, string>> = {}): string => {
  const { network = "lab.network", certificate = "office.cert", key = "office.key" } = files;
  const text = [
    "[interface]",
    'name = "p2p0"',
    `private_key_file = "${key}"`,
    'state_dir = ""',
    "[network]",
    `network_file = "${network}"`,
    `certificate = "${certificate}"`,
    ...lines,
  ];
  writeFileSync(at("office.toml"), `${text.join("\n")}\n`);
  return at("office.toml");
};

const mistakesOf = (file: string): string[] => {
  try {
    loadConfig(file);
  } catch (error) {
    return (error as EngineError).message.split("\n");
  }
  return [];
};

test("addresses come from the certificate, with the length of the network's range", async () => {
  await made;
  const { interface: link, network } = loadConfig(write([]));
  assert.deepEqual(link.addresses.map(formatCidr), ["10.66.0.7/16"]);
  assert.deepEqual(network?.announce, []);
});

test("what is announced has to be in the certificate", async () => {
  await made;
  const held = write(['announce = ["192.168.5.0/24", "192.168.5.64/26", "10.66.8.0/24"]']);
  assert.deepEqual(loadConfig(held).network?.announce.map(formatCidr), [
    "192.168.5.0/24",
    "192.168.5.64/26",
    "10.66.8.0/24",
  ]);
  const [first, second, ...more] = mistakesOf(
    write(['announce = ["192.168.0.0/16", "192.168.5.0/24", "10.66.9.0/24"]']),
  );
  assert.equal(more.length, 0);
  assert.match(
    first!,
    /line 8: announce 192\.168\.0\.0\/16: this host's certificate does not hold/,
  );
  assert.match(first!, /--route 192\.168\.0\.0\/16, or leave it out\.$/);
  assert.match(second!, /announce 10\.66\.9\.0\/24: /);
});

test("files of another network, of another host, and of no network are refused", async () => {
  await made;
  await good(`${CREATE} other`);
  await good("keygen --out stranger.key");
  const [another] = mistakesOf(write([], { network: "other.network" }));
  assert.match(another!, /certificate in \[network\]: it is of the network lab, another one\./);
  const [stranger] = mistakesOf(write([], { key: "stranger.key" }));
  assert.match(stranger!, /it is for office, whose key is another than this host's/);
  const [request] = mistakesOf(write([], { certificate: "office.request" }));
  assert.match(request!, /certificate in \[network\]: .*write the file of `network sign`/);
});
