/**
 * rekey — begins a handshake with one peer or with all, so that new session keys are made.
 */
import type { Command } from "commander";
import { ask, askPeers, chooseEngine } from "../client.ts";
import { type EngineOptions, formatAmount, printJson, printText } from "./print.ts";
import { addExamples, addInterfaceOption, addJsonOption, findPeer, keyBytes } from "./shared.ts";

interface Options extends EngineOptions {
  readonly peer?: string;
}

const rekey = async (options: Options): Promise<void> => {
  const name = await chooseEngine(options.interface);
  const publicKey =
    options.peer === undefined
      ? null
      : keyBytes(findPeer(await askPeers(name), options.peer, name));
  const handshakes = await ask(name, { type: "peers.rekey", publicKey });
  if (options.json) printJson({ interface: name, handshakes });
  else printText(`${name}: ${formatAmount(handshakes, "handshake")} begun`);
};

/** Describes `rekey`. */
export const define = (command: Command): void => {
  command.option("--peer <PEER>", "its name, its public key, or how that begins; else all peers");
  addJsonOption(addInterfaceOption(command)).action(rekey);
  addExamples(command, ["p2pvpn-engine rekey", "p2pvpn-engine rekey --peer office -i p2p0"]);
};
