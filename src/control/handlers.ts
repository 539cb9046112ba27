/**
 * handlers — what the engine answers on its control socket. Thread: control.
 */
import type { Arena } from "../memory/region.ts";
import type { Change } from "../schema/change.ts";
import type { EngineConfig, LogLevel, PeerConfig } from "../schema/config.ts";
import { difference } from "../schema/difference.ts";
import { EngineError } from "../schema/errors.ts";
import { formatWireguardKey, isPublicKey, sameKey } from "../schema/identity.ts";
import { loadConfig } from "../schema/load.ts";
import { configValue } from "../schema/settings.ts";
import type { Control } from "./control.ts";
import type { Host } from "./host.ts";
import { type Opened, peerValue, routesPage, statsValue, statusValue } from "./report.ts";
import type { ControlHandlers } from "./socket.ts";

export interface Served {
  readonly task: { readonly config: EngineConfig; readonly opened: Opened };
  readonly arena: Arena;
  readonly control: Control;
  readonly host: Host;
  readonly nowMs: () => number;
  readonly setLogLevel: (level: LogLevel) => void;
  readonly keyLogOn: () => boolean;
  /** Takes a sentence for the log. */
  readonly warn: (sentence: string) => void;
  readonly stop: () => void;
}

/** The configuration as it is now, after all changes. */
const currentConfig = (config: EngineConfig, { control, host }: Served): EngineConfig => {
  const peers = Array.from(
    control.roster.peers(),
    (peer): PeerConfig => ({
      name: peer.name,
      publicKey: peer.publicKey,
      presharedKey: peer.presharedKey,
      allowedIps: [...control.roster.allowed.of(peer)],
      endpoint: peer.endpoint,
      persistentKeepaliveS: peer.persistentKeepaliveS,
    }),
  );
  // Where the kernel chose the port, "0" still stands for it.
  const listenPort = config.interface.listenPort === 0 ? 0 : control.listenPort;
  const { fwmark } = control;
  const { mtu, addresses } = host;
  return {
    ...config,
    interface: { ...config.interface, listenPort, fwmark, mtu, addresses },
    peers,
  };
};

/**
 * Mistakes that people should hear of; WireGuard, and so UAPI, passes over them.
 * Errors: EngineError OWN_KEY, KEY_OF_NOBODY.
 */
const refuseKeys = ({ peers = [] }: Change, own: Uint8Array | null): void => {
  for (const { publicKey, remove } of peers) {
    const key = formatWireguardKey(publicKey);
    if (remove) continue;
    if (sameKey(publicKey, own)) throw new EngineError("OWN_KEY", { key });
    if (!isPublicKey(publicKey)) throw new EngineError("KEY_OF_NOBODY", { key });
  }
};

export const makeHandlers = (served: Served): ControlHandlers => {
  const { task, arena, control, host, nowMs } = served;
  let { config } = task;
  const apply: ControlHandlers["change.apply"] = async (change) => {
    refuseKeys(change, control.publicKey);
    await control.apply(change);
    const { news: warnings } = host.routes;
    const { listenPort = config.interface.listenPort } = change;
    config = { ...config, interface: { ...config.interface, listenPort } };
    return { warnings };
  };
  const setLevel = (logLevel: LogLevel): void => {
    served.setLogLevel(logLevel);
    config = { ...config, host: { ...config.host, logLevel } };
  };
  return {
    "status.get": () =>
      statusValue({
        arena,
        config,
        opened: task.opened,
        control,
        keyLog: served.keyLogOn(),
        name: host.name,
        mtu: host.mtu,
        nowMs: nowMs(),
      }),
    "peers.get": () => {
      const now = nowMs();
      return Array.from(control.roster.peers(), (peer) => peerValue(peer, control, now));
    },
    "routes.get": (from, most) => routesPage(control, host, from, most),
    "stats.get": () => statsValue(arena),
    "config.get": () => configValue(currentConfig(config, served)),
    "change.apply": apply,
    "engine.reload": async () => {
      const { source } = config;
      if (source === undefined) throw new EngineError("NO_CONFIG");
      const now = currentConfig(config, served);
      const next = loadConfig(source.file, source.flags, served.warn);
      const { change, addresses, logLevel, changed, needsRestart } = difference(now, next);
      const readdress = addresses.add.length + addresses.remove.length > 0;
      if (readdress) host.setAddresses(next.interface.addresses);
      let warnings: readonly string[];
      try {
        ({ warnings } = await apply(change));
      } catch (error) {
        if (readdress) host.setAddresses(now.interface.addresses);
        throw error;
      }
      if (logLevel !== null) setLevel(logLevel);
      return { changed: [...changed], needsRestart: [...needsRestart], warnings: [...warnings] };
    },
    "peers.rekey": (publicKey) => control.rekey(publicKey),
    "log.level": (level) => {
      if (level !== null) setLevel(level);
      return config.host.logLevel;
    },
    "engine.stop": served.stop,
  };
};
