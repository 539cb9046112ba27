/**
 * rekey — new session keys with one peer or with all: begins handshakes, says what came of each.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { ask, askPeers, chooseEngine } from "../client.ts";
import type { PeerValue } from "../schema/requests.ts";
import { formatState } from "./peers.ts";
import { type EngineOptions, formatAmount, indent, printJson, printText } from "./print.ts";
import {
  addExamples,
  addInterface,
  addJsonOption,
  calledPeer,
  findPeer,
  keyBytes,
} from "./shared.ts";

interface Options extends EngineOptions {
  readonly peer?: string;
}

/** Tuning: who is there answers in a round trip; one lost message is sent again after 5 s. */
const WAIT_SECONDS = 6;
const LOOKS_A_SECOND = 10;

/** What came of it. */
interface Rekeyed {
  readonly peer: PeerValue;
  /** `called`: no answer yet. `uncalled`: no address is known, or the interface is down. */
  readonly outcome: "done" | "called" | "uncalled";
}

/** The engine's age now, by its own clock. */
const ageMs = async (name: string): Promise<number> =>
  (await ask(name, { type: "status.get" })).startedMs;

/**
 * Looks until all who were called have answered, or the time is over. A handshake that is younger
 * than our asking, at the engine's age of `askedMs`, is its work.
 */
const outcomes = async (
  name: string,
  look: () => Promise<readonly PeerValue[]>,
  begun: number,
  askedMs: number,
): Promise<Rekeyed[]> => {
  for (let looks = WAIT_SECONDS * LOOKS_A_SECOND; ; looks--) {
    const peers = await look();
    const sinceMs = (await ageMs(name)) - askedMs;
    const isDone = ({ lastHandshakeMs }: PeerValue): boolean =>
      lastHandshakeMs !== null && lastHandshakeMs <= sinceMs;
    const isCalled = ({ endpoint }: PeerValue): boolean => begun > 0 && endpoint !== null;
    if (looks === 0 || peers.filter(isCalled).every(isDone)) {
      return peers.map((peer) => ({
        peer,
        outcome: !isCalled(peer) ? "uncalled" : isDone(peer) ? "done" : "called",
      }));
    }
    await sleep(1_000 / LOOKS_A_SECOND);
  }
};

/** The text of `rekey`. */
const formatRekeyed = (name: string, all: readonly Rekeyed[]): string => {
  const done = all.filter(({ outcome }) => outcome === "done").length;
  const lines = all.map(({ peer, outcome }) => {
    const called = `${calledPeer(peer)}: `;
    if (outcome === "done") return `${called}new keys, ${formatState(peer)}`;
    if (outcome === "uncalled")
      return `${called}not called, its address is not known or ${name} is down`;
    return `${called}no answer in ${WAIT_SECONDS} seconds, it is called again`;
  });
  const head = `${name}: new keys with ${done} of ${formatAmount(all.length, "peer")}`;
  return all.length === 0 ? `${name}: there are no peers` : `${head}\n${indent(lines.join("\n"))}`;
};

const rekey = async (options: Options): Promise<void> => {
  const name = await chooseEngine(options.interface);
  const { peer: word } = options;
  const one = word === undefined ? null : findPeer(await askPeers(name), word, name);
  const look = async (): Promise<readonly PeerValue[]> => {
    const peers = await askPeers(name);
    return one === null
      ? peers
      : peers.filter((peer) => peer.wireguardPublicKey === one.wireguardPublicKey);
  };
  const publicKey = one === null ? null : keyBytes(one);
  const askedMs = await ageMs(name);
  const handshakes = await ask(name, { type: "peers.rekey", publicKey });
  const all = await outcomes(name, look, handshakes, askedMs);
  if (all.length > 0 && all.every(({ outcome }) => outcome !== "done")) process.exitCode = 1;
  if (!options.json) return printText(formatRekeyed(name, all));
  const peers = all.map(({ peer, outcome }) => ({
    name: peer.name,
    wireguardPublicKey: peer.wireguardPublicKey,
    outcome,
  }));
  printJson({ interface: name, handshakes, peers });
};

/** Describes `rekey`. */
export const define = (command: Command): void => {
  command.option("--peer <PEER>", "its name, its public key, or how that begins; else all peers");
  addJsonOption(addInterface(command, rekey));
  addExamples(command, ["p2pvpn-engine rekey", "p2pvpn-engine rekey --peer office -i p2p0"]);
};
