/**
 * current — the configuration as it is now, whoever changed it: UAPI, commands, reload, the kernel.
 *
 * `config get` tells it, and `reload` compares the file with it. Thread: control.
 */
import type { Change } from "../../schema/change.ts";
import type { EngineConfig, PeerConfig } from "../../schema/config.ts";
import { type Identity, identityFromKey, sameKey } from "../../schema/identity.ts";
import type { Cidr } from "../../wire/cidr.ts";
import type { Control } from "../control.ts";

/** What of the interface the kernel decides. */
interface LinkNow {
  readonly name: string;
  readonly mtu: number;
  readonly addresses: readonly Cidr[];
}

/** The identity that was read, while its key is still ours. */
const identityNow = (read: Identity | null, privateKey: Uint8Array | null): Identity | null => {
  if (sameKey(privateKey, read?.privateKey ?? null)) return read;
  return privateKey === null ? null : identityFromKey(Uint8Array.from(privateKey));
};

/** `config`: as it was read last. A key that came otherwise is from no file. */
export const currentConfig = (
  config: EngineConfig,
  control: Control,
  { name, mtu, addresses }: LinkNow,
): EngineConfig => {
  const { source, interface: link } = config;
  const identity = identityNow(link.identity, control.state().privateKey);
  const peers = Array.from(control.roster.peers())
    .filter(({ origin }) => origin !== "network")
    .map(
      (peer): PeerConfig => ({
        name: peer.name,
        publicKey: peer.publicKey,
        presharedKey: peer.presharedKey,
        allowedIps: [...control.roster.allowed.of(peer)],
        endpoint: peer.endpoint,
        persistentKeepaliveS: peer.persistentKeepaliveS,
      }),
    );
  const privateKeyFile = identity === link.identity ? (source?.privateKeyFile ?? null) : null;
  const { wantedPort: listenPort, fwmark } = control;
  return {
    ...config,
    ...(source === undefined ? {} : { source: { ...source, privateKeyFile } }),
    interface: { ...link, name, identity, listenPort, fwmark, mtu, addresses },
    peers,
  };
};

/** The configuration's peers and key, as a change to an engine that has none. */
export const firstChange = ({ interface: link, peers }: EngineConfig): Change => ({
  privateKey: link.identity?.privateKey ?? null,
  peers,
});
