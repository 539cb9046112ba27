/**
 * members — the demo's network, made by the commands that a person would type: an authority, a key
 * and a certificate for each member, and a configuration that knows the index node and nobody else.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./programs.ts";
import { INDEX, MEMBERS, type MemberName, under } from "./topology.ts";

const PORT = 51_820;
const INDEX_PORT = 4_740;
const NETWORK = "demo";
export const RANGES = ["10.66.0.0/24", "fd66::/64"] as const;

/** Where the index node listens. */
export const indexPlace = `${under(INDEX)}:${INDEX_PORT}`;

/** The interface of a member. */
export const interfaceOf = (member: MemberName): string => `p2pdemo-${member}`;

/** A member's address in the tunnel: IPv4, then IPv6. */
export const addressesOf = (member: MemberName): readonly [string, string] => {
  const number = MEMBERS.indexOf(member) + 1;
  return [`10.66.0.${number}`, `fd66::${number}`];
};

export const networkFile = (folder: string): string => join(folder, `${NETWORK}.network`);

export const configFile = (folder: string, member: MemberName): string =>
  join(folder, `${member}.toml`);

const toml = (member: MemberName): string => `[interface]
name = "${interfaceOf(member)}"
private_key_file = "${member}.key"
listen_port = ${PORT}
state_dir = ""

[network]
network_file = "${NETWORK}.network"
certificate = "${member}.cert"
index = ["${indexPlace}"]
lan = false
`;

/** Makes all files of the network in a folder. Errors: EngineError; abort. */
export const makeMembers = async (folder: string, signal: AbortSignal): Promise<void> => {
  const at = (name: string): string => join(folder, name);
  const run = (...words: string[]): Promise<string> => runCommand(words, signal);
  const cidrs = RANGES.flatMap((range) => ["--cidr", range]);
  const out = ["--out", at(NETWORK)];
  await run("network", "create", "--name", NETWORK, ...cidrs, ...out, "--no-passphrase");
  await Promise.all(
    MEMBERS.map(async (member) => {
      const key = ["--key", at(`${member}.key`)];
      await run("keygen", "--out", at(`${member}.key`));
      await run("request", ...key, "--name", member, "--out", at(`${member}.request`));
      writeFileSync(configFile(folder, member), toml(member), { mode: 0o600, flag: "wx" });
    }),
  );
  for (const member of MEMBERS) {
    const ips = addressesOf(member).flatMap((address) => ["--ip", address]);
    const files = ["--request", at(`${member}.request`), "--out", at(`${member}.cert`)];
    await run("network", "sign", "--authority", at(`${NETWORK}.authority`), ...files, ...ips);
  }
};
