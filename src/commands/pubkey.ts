/**
 * pubkey — prints the WireGuard public key of a file from keygen, or of a WireGuard private key.
 *
 * Without FILE it reads standard input, as `wg pubkey` does.
 */
import { readSync } from "node:fs";
import type { Command } from "commander";
import { EngineError } from "../schema/errors.ts";
import {
  formatWireguardKey,
  type Identity,
  loadIdentity,
  parseIdentity,
} from "../schema/identity.ts";
import { printJson, printText } from "./print.ts";
import { addExamples, addJsonOption } from "./shared.ts";

interface Options {
  readonly json?: boolean;
}

/** Tuning: a key is under 100 bytes. */
const INPUT_BYTES_MAX = 4_096;

/** What standard input holds, up to a bound. Errors: EngineError USAGE. */
const readInput = (): Buffer => {
  const bytes = Buffer.alloc(INPUT_BYTES_MAX);
  let length = 0;
  try {
    for (;;) {
      const read = readSync(0, bytes, length, INPUT_BYTES_MAX - length, null);
      if (read === 0) return bytes.subarray(0, length);
      length += read;
    }
  } catch (cause) {
    const reason = "standard input cannot be read; name a file: p2pvpn-engine pubkey FILE.";
    throw new EngineError("USAGE", { reason, cause });
  }
};

/** Errors: EngineError USAGE. */
const fromInput = (): Identity => {
  const bytes = readInput();
  const identity = parseIdentity(bytes);
  bytes.fill(0);
  if (identity !== null) return identity;
  const reason =
    "what came in is neither an identity nor a WireGuard private key; give what keygen wrote.";
  throw new EngineError("USAGE", { reason });
};

const pubkey = (file: string | undefined, { json }: Options): void => {
  const { nodeId, publicKey } = file === undefined ? fromInput() : loadIdentity(file);
  const wireguardPublicKey = formatWireguardKey(publicKey);
  if (json) printJson({ nodeId, wireguardPublicKey });
  else printText(wireguardPublicKey);
};

/** Describes `pubkey`. */
export const define = (command: Command): void => {
  command.argument(
    "[FILE]",
    "identity from keygen, or a WireGuard private key; else standard input",
  );
  addJsonOption(command).action(pubkey);
  addExamples(command, [
    "p2pvpn-engine pubkey laptop.key",
    "wg genkey | p2pvpn-engine pubkey",
    "p2pvpn-engine pubkey laptop.key --json",
  ]);
};
