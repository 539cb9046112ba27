/**
 * lying-service — an index node that lies: stands in for directory/service.ts in a process of the
 * real program (swap.ts). All lies are of what it can say:
 *
 *     OBSERVED   somewhere else; a list that nobody has; a million members
 *     SHOWN      the first record of each member that it ever saw
 *     FOUND      whoever came first has every address, and nobody else has any
 *     FORWARDED  goes nowhere
 */
import * as now from "../../src/directory/service.ts";
import { decodeRecord } from "../../src/members/record.ts";
import { parseAddress } from "../../src/wire/cidr.ts";
import {
  decodeFound,
  decodeObserved,
  decodeShow,
  encodeFound,
  encodeObserved,
  encodeShow,
  MESSAGE,
} from "../../src/wire/index-messages.ts";
import type { Pair } from "../../src/wire/intro.ts";

export * from "../../src/directory/service.ts";

/** Where nobody is. Source: RFC 5737. */
const VICTIM = "203.0.113.66";
const VICTIM_PORT = 6_666;

/** First pair of each node, and of all: node keys as text. */
const first = new Map<string, Pair>();

const copyOf = ({ certificate, record }: Pair): Pair => ({
  certificate: certificate.slice(),
  record: record.slice(),
});

const remember = (pair: Pair): Pair => {
  const decoded = decodeRecord(pair.record);
  if (!decoded.ok) return pair;
  const key = Buffer.from(decoded.value.nodeKey).toString("hex");
  const known = first.get(key) ?? copyOf(pair);
  first.set(key, known);
  return known;
};

const misplaced = (message: Uint8Array): Uint8Array => {
  const observed = decodeObserved(message)!;
  return encodeObserved({
    ...observed,
    address: parseAddress(VICTIM)!,
    port: VICTIM_PORT,
    members: 1_000_000,
    standings: { ...observed.standings, list: { chain: 0, sequence: 2 ** 40 } },
  });
};

/** What is said instead; null: nothing. */
const lieOf = (message: Uint8Array): Uint8Array | null => {
  switch (message[0]) {
    case MESSAGE.observed:
      return misplaced(message);
    case MESSAGE.shown:
      return encodeShow(MESSAGE.shown, remember(decodeShow(message)!));
    case MESSAGE.found: {
      const [somebody] = first.values();
      return encodeFound({ question: decodeFound(message)!.question, pair: somebody ?? null });
    }
    case MESSAGE.forwarded:
      return null;
    default:
      return message;
  }
};

export class Service extends now.Service {
  constructor(options: now.ServiceOptions) {
    super({
      ...options,
      say: (caller, message) => {
        const lie = lieOf(message);
        return lie === null || options.say(caller, lie);
      },
    });
  }

  override open(...given: Parameters<now.Service["open"]>): Uint8Array | null {
    const said = super.open(...given);
    return said && lieOf(said);
  }
}
