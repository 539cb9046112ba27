/**
 * index-node — `index`: runs an index node until SIGTERM or SIGINT.
 *
 * It needs neither root nor the addon: what it imports, and what that imports, is JavaScript and
 * libsodium (a tidy test says so).
 */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { runIndex } from "../../index-node/main.ts";
import type { Listen } from "../../index-node/sockets.ts";
import { makeLog } from "../../log.ts";
import { type Definition, decodeDefinition, newerDefinition } from "../../members/definition.ts";
import { formatNetworkId } from "../../members/sign.ts";
import { EngineError } from "../../schema/errors.ts";
import { parseAddress } from "../../wire/cidr.ts";
import { printJson, printText } from "../print.ts";
import { addExamples, addJsonOption } from "../shared.ts";
import { stopSignal } from "../signals.ts";
import { readFileOf } from "./files.ts";

interface Options {
  readonly listen: readonly Listen[];
  readonly network: readonly string[];
  readonly data?: string;
  readonly publicAddress?: { readonly host: string; readonly port: number };
  readonly json?: boolean;
}

/** Protocol: where members look for an index that is named without a port. */
const PORT = 4_740;
/** Tuning: a ticket names the network by a byte. */
const NETWORKS_MAX = 200;
/** Tuning: a socket each. */
const LISTEN_MAX = 16;

const USUAL: readonly Listen[] = [
  { address: "0.0.0.0", port: PORT, optional: false },
  { address: "::", port: PORT, optional: true },
];

/** Host and port of "203.0.113.1:4740", "[2001:db8::1]:4740", and either without a port. */
const parsePlace = (text: string): { readonly host: string; readonly port: number | null } => {
  const bare = parseAddress(text) !== null;
  const match = bare ? null : /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = bare ? text : (match?.[1] ?? match?.[2] ?? "");
  const port = match?.[3] === undefined ? null : Number(match[3]);
  if (host === "" || (port !== null && port > 65_535)) {
    throw new InvalidArgumentError("must be ADDR:PORT, like 0.0.0.0:4740 or [::]:4740");
  }
  return { host, port };
};

const addListen = (text: string, before: readonly Listen[]): readonly Listen[] => {
  const { host, port } = parsePlace(text);
  if (parseAddress(host) === null) {
    throw new InvalidArgumentError("must begin with an address of this host, like 0.0.0.0:4740");
  }
  const given = before === USUAL ? [] : before;
  if (given.length >= LISTEN_MAX) throw new InvalidArgumentError(`is given ${LISTEN_MAX} times`);
  return [...given, { address: host, port: port ?? PORT, optional: false }];
};

const parsePublic = (text: string): { readonly host: string; readonly port: number } => {
  const { host, port } = parsePlace(text);
  const isName = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(host);
  if (parseAddress(host) === null && !isName) {
    throw new InvalidArgumentError("must be an address or a name, with or without :PORT");
  }
  return { host, port: port ?? 0 };
};

/** An unset variable of a script is no folder: this one would be the current one. */
const parseFolder = (text: string): string => {
  if (text === "") throw new InvalidArgumentError("must be a folder");
  return text;
};

/** The newest of each network. Errors: EngineError USAGE, and those of reading. */
const readNetworks = (files: readonly string[]): Definition[] => {
  const found = new Map<string, Definition>();
  for (const file of files) {
    const definition = readFileOf("network", file, decodeDefinition);
    const id = formatNetworkId(definition.networkId);
    const before = found.get(id);
    found.set(id, before === undefined ? definition : newerDefinition(before, definition));
  }
  if (found.size > NETWORKS_MAX) {
    throw new EngineError("USAGE", {
      reason: `An index node serves ${NETWORKS_MAX} networks at most; run another one.`,
    });
  }
  return [...found.values()];
};

/** Where it keeps what outlives a restart: systemd's folder, root's, or the user's. */
const usualFolder = (): string => {
  const [given] = (process.env.STATE_DIRECTORY ?? "").split(":");
  if (given) return given;
  if (process.geteuid?.() === 0) return "/var/lib/p2pvpn-index";
  return join(process.env.XDG_STATE_HOME || join(homedir(), ".local", "state"), "p2pvpn-index");
};

const run = async ({ listen, network, data, publicAddress, json }: Options): Promise<void> => {
  if (network.length === 0) {
    const reason =
      "An index node needs --network FILE, the network file of `p2pvpn-engine network create`.";
    throw new EngineError("USAGE", { reason });
  }
  const definitions = readNetworks(network);
  process.umask(0o077);
  const signalled = stopSignal(() => undefined);
  const log = await makeLog({ thread: "index", level: "info" });
  const folder = resolve(data ?? usualFolder());
  const index = await runIndex({
    ...{ listen, definitions, folder, log },
    publicAddress: publicAddress ?? null,
  });
  // Whoever read the line may go away: the index goes on.
  process.stdout.removeAllListeners("error").on("error", () => {});
  const { nodeId: node, networks, isNew } = index;
  const ready = { ready: true, node, index: index.index, listen: index.listen, networks };
  if (json) printJson({ ...ready, data: folder });
  else {
    const names = networks.map(({ name }) => name).join(", ");
    const made = isNew ? `; its identity is new, in ${folder}` : "";
    printText(
      `p2pvpn-engine: the index of ${names} is up at ${index.listen.join(" and ")}${made}\n` +
        `members write in [network]: index = ["${index.index}"]`,
    );
  }
  const signal = await signalled;
  log.info("the index stops", { signal });
  index.stop();
  process.exit(0);
};

const ABOUT = `
An index node tells members of a network where others are, and what the authority says. It carries
no data and is trusted with nothing: it may be down, slow or lie. It needs no root.

Every caller is answered from the very address that it called: a load balancer in front is not
supported. Run several index nodes instead, each with an identity of its own, and name all of them
in \`index\`. A host with several addresses listens on each of them by its own --listen.

SIGTERM ends it; all that it knows is in the folder of --data then, with status.json.`;

const NO_FILES: readonly string[] = [];
const addFile = (file: string, before: readonly string[]): readonly string[] => [...before, file];

/** Describes `index`. */
export const define = (command: Command): void => {
  const where = "where to listen; may be given again";
  const listen = new Option("--listen <ADDR:PORT>", where).argParser(addListen);
  const file = "network file; may be given again, for each network";
  const network = new Option("--network <FILE>", file).argParser(addFile);
  const folder = "folder of its identity and of what it knows";
  const data = new Option("--data <DIR>", folder).argParser(parseFolder);
  data.default(undefined, usualFolder());
  const seen = "where members reach it, when that is another address than its own";
  const seenAt = new Option("--public-address <ADDR>", seen).argParser(parsePublic);
  command.addOption(listen.default(USUAL, "0.0.0.0:4740 and [::]:4740"));
  command.addOption(network.default(NO_FILES, "none")).addOption(data).addOption(seenAt);
  addJsonOption(command);
  addExamples(command, [
    "p2pvpn-engine index --network lab.network --data index",
    "p2pvpn-engine index --network lab.network --listen 203.0.113.1:4740",
    "p2pvpn-engine index --network lab.network --public-address index.example.org",
  ]);
  command.addHelpText("after", ABOUT);
  command.action(run);
};
