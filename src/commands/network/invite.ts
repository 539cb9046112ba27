/**
 * invite — a running enroller makes an invitation: one line of text, with which somebody joins.
 *
 * The line alone goes to stdout, so that it can be piped; what it is goes to stderr.
 */
import { type Command, InvalidArgumentError } from "commander";
import { ask, chooseEngine } from "../../client.ts";
import { parseEndpoint } from "../../schema/config.ts";
import { INVITE_HOURS_MAX, type InviteValue } from "../../schema/invite.ts";
import { type EngineOptions, formatDuration, printJson, printText } from "../print.ts";
import { addExamples, addInterfaceOption, addJsonOption } from "../shared.ts";
import { unixS } from "./clock.ts";
import { addressesOption, groupsOption, nameOption } from "./options.ts";

interface Options extends EngineOptions {
  readonly name?: string;
  readonly ip?: readonly Uint8Array[];
  readonly group?: readonly string[];
  readonly hours: number;
  readonly endpoint?: readonly string[];
}

/** Tuning: long enough for a letter, short enough to be forgotten. */
const HOURS = 24;

const hoursOption = (text: string): number => {
  const hours = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && hours > 0 && hours <= INVITE_HOURS_MAX) return hours;
  throw new InvalidArgumentError(`must be a number of hours, up to ${INVITE_HOURS_MAX}`);
};

const endpointsOption = (text: string, before: readonly string[] = []): readonly string[] => {
  if (parseEndpoint(text) !== null) return [...before, text];
  throw new InvalidArgumentError("must be host:port, as in 203.0.113.7:51820");
};

/** What it is good for, for people. */
const tell = (value: InviteValue): void => {
  const { network, name, addresses, groups, expiresS, indexes, enrollers } = value;
  const who = name === null ? "Somebody" : name;
  const as = groups.length === 0 ? "" : `, in ${groups.join(", ")}`;
  const span = formatDuration(Math.max(0, expiresS - unixS()) * 1_000);
  const asked = [...indexes, ...enrollers].join(", ");
  const lines = [
    `${who} may join ${network} once, with ${addresses.join(", ")}${as}, within ${span}.`,
    `It asks ${asked}. Whoever has this line may join, so give it to nobody else:`,
  ];
  process.stderr.write(`${lines.join("\n")}\n`);
};

const invite = async (options: Options): Promise<void> => {
  const { name = null, ip = [], group = [], hours, endpoint = [], json } = options;
  const engine = await chooseEngine(options.interface);
  const value = await ask(engine, {
    type: "network.invite",
    name,
    addresses: ip,
    groups: group,
    hours,
    places: endpoint,
  });
  if (json) {
    printJson(value);
    return;
  }
  tell(value);
  printText(value.token);
};

/** Describes `invite`. */
export const define = (command: Command): void => {
  addInterfaceOption(command)
    .option("--name <NAME>", "call the new member so (default: as it asks)", nameOption)
    .option(
      "--ip <ADDRESS>",
      "its address; several times for more (default: the next)",
      addressesOption,
    )
    .option("--group <GROUP>", "a group that it is in; several times for more", groupsOption)
    .option("--hours <HOURS>", `how long it may join (default: ${HOURS})`, hoursOption, HOURS)
    .option(
      "--endpoint <HOST:PORT>",
      "where it finds this host; several times for more (default: this host's addresses)",
      endpointsOption,
    );
  addJsonOption(command).action(invite);
  addExamples(command, [
    "p2pvpn-engine invite --name laptop",
    "p2pvpn-engine invite -i p2p0 --group ops --hours 2",
    "p2pvpn-engine invite --name laptop | ssh laptop p2pvpn-engine join -",
  ]);
};
