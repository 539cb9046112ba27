/**
 * options — what may stand behind the options of `network` and `request`.
 */
import { type Command, InvalidArgumentError } from "commander";
import { isGroupName, isMemberName } from "../../members/fields.ts";
import { parseNodeId } from "../../members/sign.ts";
import { type Cidr, formatCidr, maskCidr, parseAddress, parseCidr } from "../../wire/cidr.ts";

export const DAY_S = 86_400;
/** Tuning: nothing that is signed should be forgotten for longer. */
const DAYS_MAX = 3_650;

export const nameOption = (text: string): string => {
  if (isMemberName(text)) return text;
  throw new InvalidArgumentError(
    "must be 1 to 63 small letters, digits or hyphens, no hyphen at either end",
  );
};

export const daysOption = (text: string): number => {
  const days = Number(text);
  if (/^\d+$/.test(text) && days >= 1 && days <= DAYS_MAX) return days;
  throw new InvalidArgumentError(`must be a number of days, 1 to ${DAYS_MAX}`);
};

/** Several in one option, with commas, and the option several times. */
const repeated =
  <Value>(one: (text: string) => Value) =>
  (text: string, before: readonly Value[] = []): readonly Value[] => [
    ...before,
    ...text.split(",").map((part) => one(part.trim())),
  ];

const addressOf = (text: string): Uint8Array => {
  const address = parseAddress(text);
  if (address !== null) return address;
  throw new InvalidArgumentError("must be an address, 10.66.0.2 or fd00:66::2");
};

const prefixOf = (text: string): Cidr => {
  const cidr = parseCidr(text);
  if (cidr === null) throw new InvalidArgumentError("must be a prefix, 192.168.5.0/24");
  const masked = formatCidr(maskCidr(cidr));
  if (masked === formatCidr(cidr)) return cidr;
  throw new InvalidArgumentError(`must have no bits behind its length, ${masked}`);
};

const groupOf = (text: string): string => {
  if (isGroupName(text)) return text;
  throw new InvalidArgumentError(
    "must be 1 to 31 small letters, digits or hyphens, no hyphen at either end",
  );
};

export const addressesOption = repeated(addressOf);
export const prefixesOption = repeated(prefixOf);
export const groupsOption = repeated(groupOf);

export const nodeOption = (text: string): Uint8Array => {
  const key = parseNodeId(text);
  if (key !== null) return key;
  throw new InvalidArgumentError("must be a node id, p2p: and 43 characters");
};

/** What a member may be; commander's name of each is that of its bit. */
export interface FlagOptions {
  readonly relay?: boolean;
  readonly index?: boolean;
  readonly exit?: boolean;
  readonly enrol?: boolean;
}

/** `--relay`, `--index`, `--exit`. */
export const addFlagOptions = (command: Command, what: string): Command =>
  command
    .option("--relay", `${what} relay, and store records, for others`)
    .option("--exit", `${what} be an exit to the internet`)
    .option("--index", `${what} run an index node`);
